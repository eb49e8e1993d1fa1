//! Request validators: required parameters, and bodies against models (JSON Schema, draft 4).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html>

use std::sync::Arc;

use serde_json::Value as Json;

use crate::domain::expressions::{self, Place};
use crate::generated::GatewayResponseType as Kind;
use crate::run::call::Call;
use crate::run::media;
use crate::run::refusal::Refusal;

pub fn check(call: &Call) -> Result<(), Refusal> {
    let Some(id) = &call.method().request_validator_id else {
        return Ok(());
    };
    let Some(validator) = call.deployed.snapshot.validators.get(id) else {
        return Ok(());
    };
    if validator.validate_request_parameters == Some(true) {
        check_parameters(call)?;
    }
    if validator.validate_request_body == Some(true) {
        check_body(call)?;
    }
    Ok(())
}

fn check_parameters(call: &Call) -> Result<(), Refusal> {
    let parameters = call.method().request_parameters.iter().flatten();
    let query = proxy::request::parameters(&call.query);
    let missing = parameters
        .filter(|(_, required)| **required)
        .filter_map(|(name, _)| {
            let (place, name) = expressions::parameter(name, "method.request")?;
            let is_there = match place {
                Place::Path => call.path_parameters.contains_key(name),
                Place::Query => query
                    .get(name)
                    .is_some_and(|values| values.iter().any(|it| !it.is_empty())),
                Place::Header => call
                    .headers
                    .get(name)
                    .is_some_and(|value| !value.is_empty()),
            };
            (!is_there).then_some(name)
        });
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::BadRequestParameters,
        format!(
            "Missing required request parameters: [{}]",
            missing.join(", ")
        ),
    ))
}

fn check_body(call: &Call) -> Result<(), Refusal> {
    let models = call.method().request_models.as_ref();
    let kind = media::of(&call.headers);
    let name = models.and_then(|models| models.get(&kind).or_else(|| models.get("$default")));
    let Some(name) = name.filter(|name| *name != "Empty") else {
        return Ok(());
    };
    let invalid = |errors: String| Refusal {
        validation: Some(errors),
        ..Refusal::new(Kind::BadRequestBody, "Invalid request body")
    };
    let Some(schema) = schema(call, name) else {
        // AWS refuses such a model when it is made.
        tracing::warn!(
            api = call.deployed.api_id,
            model = name,
            "a model is no JSON schema"
        );
        return Err(Refusal::configuration());
    };
    let body: Json = match serde_json::from_slice(&call.body) {
        Ok(body) => body,
        Err(_) if call.body.is_empty() => Json::Object(serde_json::Map::new()),
        Err(_) => return Err(invalid("[body is not JSON]".to_owned())),
    };
    let errors: Vec<String> = schema
        .iter_errors(&body)
        .take(20)
        .map(|error| error.to_string())
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(invalid(format!("[{}]", errors.join(", "))))
    }
}

/// A model's schema; what it refers to is another model of the API.
fn schema(call: &Call, name: &str) -> Option<Arc<jsonschema::Validator>> {
    if let Some(schema) = call.deployed.read.lock().schemas.get(name) {
        return Some(Arc::clone(schema));
    }
    let models = &call.deployed.snapshot.models;
    let text = models.get(name)?.schema.clone()?;
    let mut schema: Json = serde_json::from_str(&text).ok()?;
    let mut definitions = serde_json::Map::new();
    link(&mut schema, &mut |model| {
        if !definitions.contains_key(model) {
            definitions.insert(model.to_owned(), Json::Null);
        }
    });
    // Models refer to models that refer to others.
    loop {
        let open = definitions.iter().find(|(_, schema)| schema.is_null());
        let Some(open) = open.map(|(name, _)| name.clone()) else {
            break;
        };
        let text = models.get(&open).and_then(|model| model.schema.clone());
        let mut linked: Json = serde_json::from_str(&text?).ok()?;
        let mut more = Vec::new();
        link(&mut linked, &mut |model| more.push(model.to_owned()));
        definitions.insert(open, linked);
        for model in more {
            definitions.entry(model).or_insert(Json::Null);
        }
    }
    if let Some(members) = schema.as_object_mut()
        && !definitions.is_empty()
    {
        members.insert("x-models".to_owned(), Json::Object(definitions));
    }
    let schema = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft4)
        .build(&schema)
        .ok()?;
    let schema = Arc::new(schema);
    let mut read = call.deployed.read.lock();
    read.schemas.insert(name.to_owned(), Arc::clone(&schema));
    Some(schema)
}

/// Turns `https://apigateway.amazonaws.com/restapis/<id>/models/<name>` into places within the
/// schema, and tells of each.
fn link(schema: &mut Json, found: &mut impl FnMut(&str)) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::String(reference)) = members.get_mut("$ref")
                && let Some((_, model)) = reference.rsplit_once("/models/")
                && reference.contains("apigateway.amazonaws.com")
            {
                let (model, rest) = model.split_once('#').unwrap_or((model, ""));
                found(model);
                *reference = format!("#/x-models/{model}{rest}");
            }
            members.values_mut().for_each(|member| link(member, found));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| link(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_models() {
        let mut schema = serde_json::json!({
            "items": {"$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Pet"},
            "other": {"$ref": "#/definitions/x"},
        });
        let mut found = Vec::new();
        link(&mut schema, &mut |model| found.push(model.to_owned()));
        assert_eq!(found, ["Pet"]);
        assert_eq!(schema["items"]["$ref"], "#/x-models/Pet");
        assert_eq!(schema["other"]["$ref"], "#/definitions/x");
    }
}
