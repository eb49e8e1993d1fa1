//! A deployment as a document.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::schemas;
use crate::domain::{expressions, paths};
use crate::g;
use crate::run::find::Deployed;

/// What a client wants of an export.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub three: bool,
    pub integrations: bool,
    pub authorizers: bool,
}

impl Wanted {
    /// `extensions` is a list such as `integrations,authorizers`; `apigateway` is all of them.
    pub fn new(three: bool, extensions: &str) -> Self {
        let has = |name| extensions.split(',').any(|one| one.trim() == name);
        Self {
            three,
            integrations: has("integrations") || has("apigateway"),
            authorizers: has("authorizers") || has("apigateway"),
        }
    }

    fn reference(self) -> &'static str {
        if self.three {
            "#/components/schemas/"
        } else {
            "#/definitions/"
        }
    }
}

pub fn document(deployed: &Deployed, host: &str, wanted: Wanted) -> Json {
    let snapshot = &deployed.snapshot;
    let info = &snapshot.info;
    let mut document = Map::new();
    if wanted.three {
        document.insert("openapi".to_owned(), json!("3.0.1"));
        let url = format!("http://{host}/{{basePath}}");
        let default = format!("/{}", deployed.stage_name);
        document.insert(
            "servers".to_owned(),
            json!([{"url": url, "variables": {"basePath": {"default": default}}}]),
        );
    } else {
        document.insert("swagger".to_owned(), json!("2.0"));
        document.insert("host".to_owned(), json!(host));
        document.insert(
            "basePath".to_owned(),
            json!(format!("/{}", deployed.stage_name)),
        );
        document.insert("schemes".to_owned(), json!(["http"]));
    }
    let mut about = json!({ "title": info.name });
    put(&mut about, "description", json!(info.description));
    let version = info
        .version
        .clone()
        .or_else(|| info.created_date.map(base::Timestamp::iso8601_seconds));
    put(&mut about, "version", json!(version));
    document.insert("info".to_owned(), about);
    let mut all_paths = Map::new();
    for resource in snapshot.resources.values() {
        let mut item = Map::new();
        for (name, method) in resource.resource_methods.iter().flatten() {
            let verb = match name.as_str() {
                "ANY" => "x-amazon-apigateway-any-method".to_owned(),
                name => name.to_ascii_lowercase(),
            };
            item.insert(verb, operation(deployed, resource, method, wanted));
        }
        if !item.is_empty() {
            let path = resource.path.clone().unwrap_or_default();
            all_paths.insert(path, Json::Object(item));
        }
    }
    document.insert("paths".to_owned(), Json::Object(all_paths));
    let definitions = definitions(deployed, wanted);
    let security = schemes(deployed, wanted);
    if wanted.three {
        let mut components = Map::new();
        for (name, part) in [("schemas", definitions), ("securitySchemes", security)] {
            if !part.is_empty() {
                components.insert(name.to_owned(), Json::Object(part));
            }
        }
        if !components.is_empty() {
            document.insert("components".to_owned(), Json::Object(components));
        }
    } else {
        for (name, part) in [
            ("definitions", definitions),
            ("securityDefinitions", security),
        ] {
            if !part.is_empty() {
                document.insert(name.to_owned(), Json::Object(part));
            }
        }
    }
    if wanted.integrations {
        extensions(deployed, &mut document);
    }
    Json::Object(document)
}

/// Sets a member, unless it says nothing.
fn put(object: &mut Json, name: &str, value: Json) {
    let says_nothing = match &value {
        Json::Null => true,
        Json::Object(members) => members.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    };
    if !says_nothing {
        object[name] = value;
    }
}

/// What stands at the head of a document beside the paths.
fn extensions(deployed: &Deployed, document: &mut Map<String, Json>) {
    let snapshot = &deployed.snapshot;
    let mut head = json!({});
    put(
        &mut head,
        "x-amazon-apigateway-binary-media-types",
        json!(snapshot.info.binary_media_types),
    );
    put(
        &mut head,
        "x-amazon-apigateway-minimum-compression-size",
        json!(snapshot.info.minimum_compression_size),
    );
    let policy = snapshot
        .info
        .policy
        .as_deref()
        .and_then(|policy| serde_json::from_str(policy).ok());
    put(
        &mut head,
        "x-amazon-apigateway-policy",
        policy.unwrap_or_default(),
    );
    let validators: BTreeMap<_, _> = snapshot
        .validators
        .values()
        .map(|validator| {
            let says = json!({
                "validateRequestBody": validator.validate_request_body == Some(true),
                "validateRequestParameters": validator.validate_request_parameters == Some(true),
            });
            (validator.name.clone().unwrap_or_default(), says)
        })
        .collect();
    put(
        &mut head,
        "x-amazon-apigateway-request-validators",
        json!(validators),
    );
    let responses: BTreeMap<_, _> = snapshot
        .responses
        .iter()
        .map(|(kind, response)| {
            let mut says = json!({});
            put(&mut says, "statusCode", json!(response.status_code));
            put(
                &mut says,
                "responseParameters",
                json!(response.response_parameters),
            );
            put(
                &mut says,
                "responseTemplates",
                json!(response.response_templates),
            );
            (kind.to_owned(), says)
        })
        .collect();
    put(
        &mut head,
        "x-amazon-apigateway-gateway-responses",
        json!(responses),
    );
    if let Json::Object(head) = head {
        document.extend(head);
    }
}

fn definitions(deployed: &Deployed, wanted: Wanted) -> Map<String, Json> {
    let models = deployed.snapshot.models.iter();
    let schemas = models.filter_map(|(name, model)| {
        let mut schema: Json = serde_json::from_str(model.schema.as_deref()?).ok()?;
        if let Some(members) = schema.as_object_mut() {
            members.remove("$schema");
        }
        schemas::inward(&mut schema, wanted.reference());
        Some((name.to_owned(), schema))
    });
    schemas.collect()
}

fn schemes(deployed: &Deployed, wanted: Wanted) -> Map<String, Json> {
    let snapshot = &deployed.snapshot;
    let mut schemes = Map::new();
    let methods = || {
        let resources = snapshot.resources.values();
        resources.flat_map(|resource| {
            resource
                .resource_methods
                .iter()
                .flat_map(|methods| methods.values())
        })
    };
    if methods().any(|method| method.api_key_required == Some(true)) {
        schemes.insert(
            "api_key".to_owned(),
            json!({"type": "apiKey", "name": "x-api-key", "in": "header"}),
        );
    }
    if methods().any(|method| method.authorization_type.as_deref() == Some("AWS_IAM")) {
        schemes.insert(
            "sigv4".to_owned(),
            json!({"type": "apiKey", "name": "Authorization", "in": "header",
                   "x-amazon-apigateway-authtype": "awsSigv4"}),
        );
    }
    for authorizer in snapshot.authorizers.values() {
        let source = authorizer.identity_source.as_deref().unwrap_or_default();
        let is_token = authorizer.r#type == Some(g::AuthorizerType::Token);
        let header = match expressions::parameter(source, "method.request") {
            Some((expressions::Place::Header, name)) if is_token => name,
            _ => "Unused",
        };
        let mut scheme = json!({
            "type": "apiKey",
            "name": header,
            "in": "header",
            "x-amazon-apigateway-authtype": authorizer.auth_type,
        });
        if wanted.authorizers {
            let kind = authorizer
                .r#type
                .unwrap_or_default()
                .as_str()
                .to_ascii_lowercase();
            let mut says = json!({ "type": kind });
            put(&mut says, "authorizerUri", json!(authorizer.authorizer_uri));
            put(
                &mut says,
                "authorizerCredentials",
                json!(authorizer.authorizer_credentials),
            );
            put(
                &mut says,
                "identityValidationExpression",
                json!(authorizer.identity_validation_expression),
            );
            put(
                &mut says,
                "authorizerResultTtlInSeconds",
                json!(authorizer.authorizer_result_ttl_in_seconds),
            );
            put(&mut says, "providerARNs", json!(authorizer.provider_ar_ns));
            if !is_token {
                put(
                    &mut says,
                    "identitySource",
                    json!(authorizer.identity_source),
                );
            }
            scheme["x-amazon-apigateway-authorizer"] = says;
        }
        schemes.insert(authorizer.name.clone().unwrap_or_default(), scheme);
    }
    schemes
}

fn operation(
    deployed: &Deployed,
    resource: &g::Resource,
    method: &g::Method,
    wanted: Wanted,
) -> Json {
    let snapshot = &deployed.snapshot;
    let mut operation = json!({});
    put(&mut operation, "operationId", json!(method.operation_name));
    request(resource, method, wanted, &mut operation);
    operation["responses"] = responses(method, wanted);
    let mut security = Vec::new();
    match method.authorization_type.as_deref() {
        Some("AWS_IAM") => security.push(json!({"sigv4": []})),
        Some("CUSTOM" | "COGNITO_USER_POOLS") => {
            let id = method.authorizer_id.as_deref().unwrap_or_default();
            if let Some(authorizer) = snapshot.authorizers.get(id) {
                let scopes = json!(method.authorization_scopes.clone().unwrap_or_default());
                let name = authorizer.name.clone().unwrap_or_default();
                security.push(json!({ name: scopes }));
            }
        }
        _ => {}
    }
    if method.api_key_required == Some(true) {
        security.push(json!({"api_key": []}));
    }
    put(&mut operation, "security", Json::Array(security));
    if !wanted.integrations {
        return operation;
    }
    let validator = method.request_validator_id.as_deref();
    let validator = validator.and_then(|id| snapshot.validators.get(id));
    put(
        &mut operation,
        "x-amazon-apigateway-request-validator",
        json!(validator.and_then(|validator| validator.name.clone())),
    );
    if let Some(given) = &method.method_integration {
        operation["x-amazon-apigateway-integration"] = integration(given);
    }
    operation
}

fn request(resource: &g::Resource, method: &g::Method, wanted: Wanted, operation: &mut Json) {
    let mut declared: BTreeMap<String, bool> =
        method.request_parameters.clone().unwrap_or_default();
    let path = resource.path.as_deref().unwrap_or_default();
    for name in paths::parts(path).filter_map(paths::variable) {
        declared
            .entry(format!("method.request.path.{name}"))
            .or_insert(true);
    }
    let mut parameters = Vec::new();
    for (name, required) in declared {
        let Some((place, name)) = expressions::parameter(&name, "method.request") else {
            continue;
        };
        let place = match place {
            expressions::Place::Path => "path",
            expressions::Place::Query => "query",
            expressions::Place::Header => "header",
        };
        let required = required || place == "path";
        parameters.push(if wanted.three {
            json!({"name": name, "in": place, "required": required, "schema": {"type": "string"}})
        } else {
            json!({"name": name, "in": place, "required": required, "type": "string"})
        });
    }
    let reference = |model: &str| json!({ "$ref": format!("{}{model}", wanted.reference()) });
    let models = method.request_models.iter().flatten();
    if wanted.three {
        let content: Map<String, Json> = models
            .map(|(kind, model)| (kind.clone(), json!({ "schema": reference(model) })))
            .collect();
        if !content.is_empty() {
            operation["requestBody"] = json!({ "content": content, "required": true });
        }
    } else {
        let kinds: Vec<&String> = models.clone().map(|(kind, _)| kind).collect();
        put(operation, "consumes", json!(kinds));
        if let Some((_, model)) = models.clone().next() {
            let name = model.as_str();
            parameters.push(
                json!({"in": "body", "name": name, "required": true, "schema": reference(model)}),
            );
        }
    }
    put(operation, "parameters", Json::Array(parameters));
}

fn responses(method: &g::Method, wanted: Wanted) -> Json {
    let mut all = Map::new();
    for (status, response) in method.method_responses.iter().flatten() {
        let mut says = json!({ "description": format!("{status} response") });
        let headers: Map<String, Json> = response
            .response_parameters
            .iter()
            .flat_map(BTreeMap::keys)
            .filter_map(|name| name.strip_prefix("method.response.header."))
            .map(|name| {
                let schema = json!({"type": "string"});
                let header = if wanted.three {
                    json!({ "schema": schema })
                } else {
                    schema
                };
                (name.to_owned(), header)
            })
            .collect();
        put(&mut says, "headers", Json::Object(headers));
        for (kind, model) in response.response_models.iter().flatten() {
            let schema = json!({ "$ref": format!("{}{model}", wanted.reference()) });
            if wanted.three {
                says["content"][kind] = json!({ "schema": schema });
            } else {
                says["schema"] = schema;
            }
        }
        all.insert(status.clone(), says);
    }
    Json::Object(all)
}

fn integration(given: &g::Integration) -> Json {
    let kind = given
        .r#type
        .unwrap_or_default()
        .as_str()
        .to_ascii_lowercase();
    let mut says = json!({ "type": kind });
    let lower = |text: Option<&str>| json!(text.map(str::to_ascii_lowercase));
    put(&mut says, "httpMethod", json!(given.http_method));
    put(&mut says, "uri", json!(given.uri));
    put(&mut says, "credentials", json!(given.credentials));
    put(
        &mut says,
        "connectionType",
        json!(given.connection_type.map(g::ConnectionType::as_str)),
    );
    put(&mut says, "connectionId", json!(given.connection_id));
    put(
        &mut says,
        "requestParameters",
        json!(given.request_parameters),
    );
    put(
        &mut says,
        "requestTemplates",
        json!(given.request_templates),
    );
    put(
        &mut says,
        "passthroughBehavior",
        lower(given.passthrough_behavior.as_deref()),
    );
    put(
        &mut says,
        "contentHandling",
        json!(
            given
                .content_handling
                .map(g::ContentHandlingStrategy::as_str)
        ),
    );
    put(&mut says, "timeoutInMillis", json!(given.timeout_in_millis));
    put(
        &mut says,
        "cacheKeyParameters",
        json!(given.cache_key_parameters),
    );
    let mut responses = Map::new();
    for response in given
        .integration_responses
        .iter()
        .flat_map(BTreeMap::values)
    {
        let mut one = json!({});
        put(&mut one, "statusCode", json!(response.status_code));
        put(
            &mut one,
            "responseParameters",
            json!(response.response_parameters),
        );
        put(
            &mut one,
            "responseTemplates",
            json!(response.response_templates),
        );
        put(
            &mut one,
            "contentHandling",
            json!(
                response
                    .content_handling
                    .map(g::ContentHandlingStrategy::as_str)
            ),
        );
        let pattern = response
            .selection_pattern
            .clone()
            .filter(|pattern| !pattern.is_empty());
        responses.insert(pattern.unwrap_or_else(|| "default".to_owned()), one);
    }
    put(&mut says, "responses", Json::Object(responses));
    says
}
