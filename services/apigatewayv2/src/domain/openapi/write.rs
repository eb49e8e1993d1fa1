//! The definition of an API, written.

use serde_json::{Map, Value, json};

use super::{ANY, AUTH, AUTHORIZER, CORS, INTEGRATION, TAG_VALUE, VERSION};
use crate::records::{ApiRecord, Authorizer, Route, Snapshot};

/// Writes the definition of an API, with extensions if `extended`.
pub fn write(api: &ApiRecord, endpoint: &str, served: &Snapshot, extended: bool) -> Value {
    let mut document = json!({
        "openapi": "3.0.1",
        "info": {"title": api.name, "version": api.version.as_deref().unwrap_or_default()},
        "servers": [{"url": endpoint}],
        "paths": {},
    });
    if let Some(description) = &api.description {
        document["info"]["description"] = json!(description);
    }
    let tags = api.tags.iter().flatten();
    let tags: Vec<Value> = tags
        .map(|(name, value)| json!({"name": name, TAG_VALUE: value}))
        .collect();
    if !tags.is_empty() {
        document["tags"] = json!(tags);
    }
    for route in &served.routes {
        let (path, member) = match route.route_key.split_once(' ') {
            Some(("ANY", path)) => (path, ANY.to_owned()),
            Some((method, path)) => (path, method.to_ascii_lowercase()),
            None => ("/$default", ANY.to_owned()),
        };
        document["paths"][path][member] = operation(route, served, extended);
    }
    for authorizer in &served.authorizers {
        document["components"]["securitySchemes"][&authorizer.name] = scheme(authorizer, extended);
    }
    if extended {
        if let Some(cors) = &served.cors {
            document[CORS] = lower(cors);
        }
        document[VERSION] = json!("1.0");
    }
    document
}

fn operation(route: &Route, served: &Snapshot, extended: bool) -> Value {
    let mut operation = json!({
        "responses": {"default": {
            "description": format!("Default response for {}", route.route_key),
        }},
    });
    if let Some(name) = &route.operation_name {
        operation["operationId"] = json!(name);
    }
    let path = route.route_key.split_once(' ').map_or("", |(_, path)| path);
    let parameters: Vec<Value> = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({
                "name": name, "in": "path", "required": true,
                "description": format!("Generated path parameter for {name}"),
                "schema": {"type": "string"},
            })
        })
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    let authorizer = route.authorizer_id.as_ref();
    let authorizer =
        authorizer.and_then(|id| served.authorizers.iter().find(|it| it.authorizer_id == *id));
    if let Some(authorizer) = authorizer {
        let scopes = route.authorization_scopes.clone().unwrap_or_default();
        operation["security"] = json!([{ &authorizer.name: scopes }]);
    }
    if !extended {
        return operation;
    }
    if route.authorization_type == "AWS_IAM" {
        operation[AUTH] = json!({"type": "AWS_IAM"});
    }
    let id = route
        .target
        .as_deref()
        .and_then(|target| target.strip_prefix("integrations/"));
    let integration = id.and_then(|id| {
        served
            .integrations
            .iter()
            .find(|it| it.integration_id == id)
    });
    if let Some(integration) = integration {
        let mut written = lower(integration);
        rename(&mut written, "integrationUri", "uri");
        rename(&mut written, "integrationMethod", "httpMethod");
        rename(&mut written, "integrationType", "type");
        rename(&mut written, "credentialsArn", "credentials");
        for own in ["integrationId", "apiGatewayManaged"] {
            written.as_object_mut().map(|members| members.remove(own));
        }
        operation[INTEGRATION] = written;
    }
    operation
}

fn scheme(authorizer: &Authorizer, extended: bool) -> Value {
    let mut scheme = if authorizer.authorizer_type == "JWT" {
        json!({"type": "oauth2"})
    } else {
        json!({"type": "apiKey", "name": "Unused", "in": "header"})
    };
    if extended {
        let mut written = lower(authorizer);
        rename(&mut written, "authorizerType", "type");
        rename(
            &mut written,
            "authorizerCredentialsArn",
            "authorizerCredentials",
        );
        for own in ["authorizerId", "name"] {
            written.as_object_mut().map(|members| members.remove(own));
        }
        let kind = authorizer.authorizer_type.to_ascii_lowercase();
        written["type"] = json!(kind);
        written["identitySource"] = json!(authorizer.identity_source.join(","));
        scheme[AUTHORIZER] = written;
    }
    scheme
}

fn rename(object: &mut Value, from: &str, to: &str) {
    if let Value::Object(members) = object
        && let Some(value) = members.remove(from)
    {
        members.insert(to.to_owned(), value);
    }
}

/// A record's members as definitions spell them, without those that are not there.
fn lower(record: &impl serde::Serialize) -> Value {
    fn spelled(value: Value) -> Value {
        let Value::Object(members) = value else {
            return value;
        };
        let members = members.into_iter().filter(|(_, value)| !value.is_null());
        let members = members.map(|(name, value)| {
            // Keys of the user's own maps stay as they are.
            let value = if name.ends_with("Configuration") {
                spelled(value)
            } else {
                value
            };
            let mut letters = name.chars();
            let first = letters.next().map(|letter| letter.to_ascii_lowercase());
            (first.into_iter().chain(letters).collect(), value)
        });
        Value::Object(members.collect::<Map<_, _>>())
    }
    spelled(serde_json::to_value(record).unwrap_or_default())
}
