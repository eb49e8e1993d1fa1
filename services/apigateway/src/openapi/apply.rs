//! Puts a definition into an API.

use std::collections::BTreeMap;
use std::sync::Arc;

use service::ServiceError;

use super::{Definition, schemas};
use crate::domain::{defaults, ids, paths};
use crate::error::bad_request;
use crate::g;
use crate::ops::{authorizers, documentation_parts, integrations, models, resources};
use crate::records::Api;

/// What becomes of a document's base path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BasePath {
    #[default]
    Ignore,
    Prepend,
    /// Its first part goes, the rest is put before every path.
    Split,
}

impl BasePath {
    pub fn parse(text: Option<&str>) -> Result<Self, ServiceError> {
        match text {
            None | Some("ignore") => Ok(Self::Ignore),
            Some("prepend") => Ok(Self::Prepend),
            Some("split") => Ok(Self::Split),
            Some(other) => Err(bad_request(format!(
                "Invalid basepath parameter {other}. Must be one of: [ignore, prepend, split]"
            ))),
        }
    }

    fn of(self, base_path: &str) -> String {
        let parts: Vec<&str> = paths::parts(base_path).collect();
        let skipped = match self {
            Self::Ignore => parts.len(),
            Self::Prepend => 0,
            Self::Split => 1,
        };
        let kept = parts.into_iter().skip(skipped);
        kept.fold(String::new(), |path, part| format!("{path}/{part}"))
    }
}

/// Takes everything out of an API but its root and the models that every API has.
pub fn clear(api: &mut Api) {
    let root = api.info.root_resource_id.clone().unwrap_or_default();
    api.resources.retain(|id, _| id == root);
    if let Some(root) = api.resources.get_mut(&root) {
        root.resource_methods = None;
    }
    api.models.clear();
    for mut model in defaults::models() {
        model.id = Some(ids::short());
        api.models
            .put(model.name.clone().unwrap_or_default(), model);
    }
    api.validators.clear();
    api.authorizers.clear();
    api.responses.clear();
    api.documentation.clear();
}

/// Puts a definition in, in place of what has the same names. Its warnings are handed back.
///
/// # Errors
/// Whatever would be wrong in the operations that make these things one by one.
pub fn apply(
    api: &mut Api,
    definition: Definition,
    base_path: BasePath,
) -> Result<Vec<String>, ServiceError> {
    let id = api.info.id.clone().unwrap_or_default();
    for mut model in definition.models {
        let name = model.name.clone().unwrap_or_default();
        model.id = Some(ids::short());
        model.schema = model.schema.map(|schema| schemas::settled(&schema, &id));
        models::check(api, &model)?;
        api.models.put(name, model);
    }
    for mut validator in definition.validators {
        let known = api
            .validators
            .iter()
            .find(|(_, other)| other.name == validator.name);
        let id = known.map_or_else(ids::short, |(id, _)| id.to_owned());
        validator.id = Some(id.clone());
        api.validators.put(id, validator);
    }
    for mut authorizer in definition.authorizers {
        let known = api
            .authorizers
            .iter()
            .find(|(_, other)| other.name == authorizer.name);
        let id = known.map_or_else(ids::short, |(id, _)| id.to_owned());
        authorizer.id = Some(id.clone());
        authorizers::check(api, &authorizer)?;
        api.authorizers.put(id, authorizer);
    }
    for mut response in definition.responses {
        let kind = response.response_type.unwrap_or_default();
        let default = defaults::gateway_response(kind);
        response.status_code = response.status_code.or(default.status_code);
        response.response_templates = response.response_templates.or(default.response_templates);
        response.response_parameters = response.response_parameters.or(default.response_parameters);
        api.responses.put(kind.as_str(), response);
    }
    documentation_parts::add_all(api, definition.documentation);
    let before = base_path.of(&definition.base_path);
    for (path, methods) in definition.paths {
        let resource = place(api, &format!("{before}{path}"))?;
        for method in methods {
            put_method(api, &resource, method)?;
        }
    }
    Ok(definition.warnings)
}

/// The id of the resource of a path, which is made where it is missing.
fn place(api: &mut Api, path: &str) -> Result<String, ServiceError> {
    let mut at = api.info.root_resource_id.clone().unwrap_or_default();
    for part in paths::parts(path) {
        let child = api.resources.iter().find(|(_, resource)| {
            resource.parent_id.as_deref() == Some(&at)
                && resource.path_part.as_deref() == Some(part)
        });
        let child = child.map(|(id, _)| id.to_owned());
        at = match child {
            Some(child) => child,
            None => resources::add(api, &at, part)?.id.unwrap_or_default(),
        };
    }
    Ok(at)
}

fn put_method(api: &mut Api, resource: &str, mut method: g::Method) -> Result<(), ServiceError> {
    if let Some(name) = method.authorizer_id.take() {
        let found = api
            .authorizers
            .iter()
            .find(|(_, other)| other.name.as_deref() == Some(&name));
        method.authorizer_id = found.map(|(id, _)| id.to_owned());
    }
    if let Some(name) = method.request_validator_id.take() {
        let found = api
            .validators
            .iter()
            .find(|(_, other)| other.name.as_deref() == Some(&name));
        let Some((id, _)) = found else {
            return Err(bad_request(format!(
                "Invalid request validator specified: {name}"
            )));
        };
        method.request_validator_id = Some(id.to_owned());
    }
    if let Some(integration) = &mut method.method_integration {
        if integration.r#type.is_none() {
            return Err(bad_request("Invalid integration type specified"));
        }
        integrations::complete(integration, resource)?;
        // What an integration answers with, the method answers with.
        let declared = method.method_responses.get_or_insert_default();
        for response in integration
            .integration_responses
            .iter()
            .flat_map(|all| all.values())
        {
            let status = response.status_code.clone().unwrap_or_default();
            let one = declared.entry(status.clone()).or_default();
            one.status_code = Some(status);
            for name in response.response_parameters.iter().flat_map(BTreeMap::keys) {
                let parameters = one.response_parameters.get_or_insert_default();
                parameters.entry(name.clone()).or_insert(false);
            }
            for template in response
                .response_templates
                .iter()
                .flat_map(BTreeMap::values)
            {
                integrations::check_template(template)?;
            }
        }
        if declared.is_empty() {
            method.method_responses = None;
        }
    }
    let name = method.http_method.clone().unwrap_or_default();
    let Some(known) = api.resources.get_mut(resource) else {
        return Err(bad_request("Invalid Resource identifier specified"));
    };
    known.resource_methods.get_or_insert_default().remove(&name);
    crate::ops::methods::add(api, resource, method)?;
    Ok(())
}

/// What a definition says of the API itself.
pub fn describe(info: &mut Arc<g::RestApi>, definition: &Definition) {
    let info = Arc::make_mut(info);
    let fill = |slot: &mut Option<String>, value: &Option<String>| {
        if value.is_some() {
            slot.clone_from(value);
        }
    };
    fill(&mut info.name, &definition.title);
    fill(&mut info.description, &definition.description);
    fill(&mut info.version, &definition.version);
    fill(&mut info.policy, &definition.policy);
    if let Some(types) = &definition.binary_media_types {
        info.binary_media_types = Some(types.clone()).filter(|types| !types.is_empty());
    }
    info.minimum_compression_size = definition
        .minimum_compression_size
        .or(info.minimum_compression_size);
    info.api_key_source = definition.api_key_source.or(info.api_key_source);
    info.disable_execute_api_endpoint = definition
        .disable_execute_api_endpoint
        .or(info.disable_execute_api_endpoint);
    if let Some(ids) = &definition.vpc_endpoint_ids {
        let endpoint = info.endpoint_configuration.get_or_insert_default();
        endpoint.vpc_endpoint_ids = Some(ids.clone());
    }
}
