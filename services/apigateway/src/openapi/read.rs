//! From a document to a definition.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use service::ServiceError;

use super::{
    Definition, integer, is_three, list, optional, resolved, schemas, security, text, texts,
};
use crate::g;
use crate::ops::documentation_parts;

const VERBS: [(&str, &str); 8] = [
    ("get", "GET"),
    ("put", "PUT"),
    ("post", "POST"),
    ("delete", "DELETE"),
    ("patch", "PATCH"),
    ("options", "OPTIONS"),
    ("head", "HEAD"),
    ("x-amazon-apigateway-any-method", "ANY"),
];

pub fn definition(document: &Json) -> Result<Definition, ServiceError> {
    let info = &document["info"];
    let endpoint = &document["x-amazon-apigateway-endpoint-configuration"];
    let policy = &document["x-amazon-apigateway-policy"];
    let source = text(&document["x-amazon-apigateway-api-key-source"]).to_ascii_uppercase();
    let mut definition = Definition {
        title: optional(&info["title"]),
        description: optional(&info["description"]),
        version: Some(text(&info["version"])).filter(|version| !version.is_empty()),
        base_path: base_path(document),
        binary_media_types: list(&document["x-amazon-apigateway-binary-media-types"]),
        minimum_compression_size: integer(
            &document["x-amazon-apigateway-minimum-compression-size"],
        ),
        api_key_source: g::ApiKeySourceType::parse(&source),
        policy: policy.is_object().then(|| policy.to_string()),
        disable_execute_api_endpoint: endpoint["disableExecuteApiEndpoint"].as_bool(),
        vpc_endpoint_ids: list(&endpoint["vpcEndpointIds"]),
        authorizers: security::authorizers(document),
        documentation: documentation_parts::of_document(document)?,
        ..Definition::default()
    };
    for (name, schema) in schemas::named(document).into_iter().flatten() {
        definition.models.push(schemas::model(name, schema));
    }
    let validators = document["x-amazon-apigateway-request-validators"].as_object();
    for (name, validator) in validators.into_iter().flatten() {
        definition.validators.push(g::RequestValidator {
            id: None,
            name: Some(name.clone()),
            validate_request_body: Some(validator["validateRequestBody"] == true),
            validate_request_parameters: Some(validator["validateRequestParameters"] == true),
        });
    }
    let responses = document["x-amazon-apigateway-gateway-responses"].as_object();
    for (name, response) in responses.into_iter().flatten() {
        let Some(kind) = g::GatewayResponseType::parse(name) else {
            definition
                .warnings
                .push(format!("Unknown gateway response {name}"));
            continue;
        };
        let status = text(&response["statusCode"]);
        definition.responses.push(g::GatewayResponse {
            response_type: Some(kind),
            status_code: Some(status).filter(|status| !status.is_empty()),
            response_parameters: texts(&response["responseParameters"]),
            response_templates: texts(&response["responseTemplates"]),
            default_response: Some(false),
        });
    }
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        if path.starts_with("x-") {
            continue;
        }
        let item = resolved(document, item);
        let mut methods = Vec::new();
        for (verb, name) in VERBS {
            if item[verb].is_object() {
                methods.push(method(document, item, &item[verb], name, &mut definition));
            }
        }
        definition.paths.insert(path.clone(), methods);
    }
    Ok(definition)
}

/// What comes before every path: `basePath`, or the path of the first server.
fn base_path(document: &Json) -> String {
    let path = if is_three(document) {
        let server = &document["servers"][0];
        let mut url = text(&server["url"]);
        for (name, variable) in server["variables"].as_object().into_iter().flatten() {
            let value = text(&variable["default"]);
            url = url.replace(&format!("{{{name}}}"), value.trim_start_matches('/'));
        }
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        path.to_owned()
    } else {
        text(&document["basePath"])
    };
    path.trim_end_matches('/').to_owned()
}

fn method(
    document: &Json,
    item: &Json,
    operation: &Json,
    name: &str,
    definition: &mut Definition,
) -> g::Method {
    let mut method = g::Method {
        http_method: Some(name.to_owned()),
        operation_name: optional(&operation["operationId"]),
        ..g::Method::default()
    };
    security::apply(document, operation, &mut method, definition);
    let validator = optional(&operation["x-amazon-apigateway-request-validator"]);
    method.request_validator_id =
        validator.or_else(|| optional(&document["x-amazon-apigateway-request-validator"]));
    request(document, item, operation, &mut method, definition);
    method.method_responses = responses(document, operation, definition);
    let integration = &operation["x-amazon-apigateway-integration"];
    method.method_integration = integration
        .is_object()
        .then(|| read_integration(integration));
    method
}

/// Parameters of the path count for all of its operations, unless one has its own.
fn request(
    document: &Json,
    item: &Json,
    operation: &Json,
    method: &mut g::Method,
    definition: &mut Definition,
) {
    let mut parameters = BTreeMap::new();
    let mut models = BTreeMap::new();
    let of_item = item["parameters"].as_array().into_iter().flatten();
    let own = operation["parameters"].as_array().into_iter().flatten();
    for parameter in of_item.chain(own) {
        let parameter = resolved(document, parameter);
        let place = match parameter["in"].as_str() {
            Some("path") => "path",
            Some("query") => "querystring",
            Some("header") => "header",
            Some("body") => {
                let model = schemas::model_of(&parameter["schema"], definition);
                let kinds = list(&operation["consumes"]).or_else(|| list(&document["consumes"]));
                for kind in kinds.unwrap_or_else(|| vec!["application/json".to_owned()]) {
                    models.insert(kind, model.clone());
                }
                continue;
            }
            _ => continue,
        };
        let name = format!("method.request.{place}.{}", text(&parameter["name"]));
        parameters.insert(name, parameter["required"] == true);
    }
    let body = resolved(document, &operation["requestBody"]);
    for (kind, media) in body["content"].as_object().into_iter().flatten() {
        if media["schema"].is_object() {
            models.insert(
                kind.clone(),
                schemas::model_of(&media["schema"], definition),
            );
        }
    }
    method.request_parameters = Some(parameters).filter(|parameters| !parameters.is_empty());
    method.request_models = Some(models).filter(|models| !models.is_empty());
}

fn responses(
    document: &Json,
    operation: &Json,
    definition: &mut Definition,
) -> Option<BTreeMap<String, g::MethodResponse>> {
    let mut all = BTreeMap::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if status.len() != 3 || !status.bytes().all(|digit| digit.is_ascii_digit()) {
            continue;
        }
        let response = resolved(document, response);
        let mut models = BTreeMap::new();
        if response["schema"].is_object() {
            let kinds = list(&operation["produces"]).or_else(|| list(&document["produces"]));
            let model = schemas::model_of(&response["schema"], definition);
            for kind in kinds.unwrap_or_else(|| vec!["application/json".to_owned()]) {
                models.insert(kind, model.clone());
            }
        }
        for (kind, media) in response["content"].as_object().into_iter().flatten() {
            if media["schema"].is_object() {
                models.insert(
                    kind.clone(),
                    schemas::model_of(&media["schema"], definition),
                );
            }
        }
        let headers = response["headers"].as_object().into_iter().flatten();
        let parameters: BTreeMap<_, _> = headers
            .map(|(name, _)| (format!("method.response.header.{name}"), false))
            .collect();
        let read = g::MethodResponse {
            status_code: Some(status.clone()),
            response_parameters: Some(parameters).filter(|parameters| !parameters.is_empty()),
            response_models: Some(models).filter(|models| !models.is_empty()),
        };
        all.insert(status.clone(), read);
    }
    Some(all).filter(|all| !all.is_empty())
}

fn read_integration(given: &Json) -> g::Integration {
    let upper =
        |value: &Json| Some(text(value).to_ascii_uppercase()).filter(|text| !text.is_empty());
    let mut responses = BTreeMap::new();
    for (pattern, response) in given["responses"].as_object().into_iter().flatten() {
        let status = text(&response["statusCode"]);
        let response = g::IntegrationResponse {
            status_code: Some(status.clone()),
            selection_pattern: Some(pattern.clone()).filter(|pattern| pattern != "default"),
            response_parameters: texts(&response["responseParameters"]),
            response_templates: texts(&response["responseTemplates"]),
            content_handling: upper(&response["contentHandling"])
                .and_then(|text| g::ContentHandlingStrategy::parse(&text)),
        };
        responses.insert(status, response);
    }
    g::Integration {
        r#type: upper(&given["type"]).and_then(|text| g::IntegrationType::parse(&text)),
        http_method: upper(&given["httpMethod"]),
        uri: optional(&given["uri"]),
        connection_type: upper(&given["connectionType"])
            .and_then(|text| g::ConnectionType::parse(&text)),
        connection_id: optional(&given["connectionId"]),
        credentials: optional(&given["credentials"]),
        request_parameters: texts(&given["requestParameters"]),
        request_templates: texts(&given["requestTemplates"]),
        passthrough_behavior: upper(&given["passthroughBehavior"]),
        content_handling: upper(&given["contentHandling"])
            .and_then(|text| g::ContentHandlingStrategy::parse(&text)),
        timeout_in_millis: integer(&given["timeoutInMillis"]),
        cache_namespace: optional(&given["cacheNamespace"]),
        cache_key_parameters: list(&given["cacheKeyParameters"]),
        integration_responses: Some(responses).filter(|responses| !responses.is_empty()),
        tls_config: given["tlsConfig"].is_object().then(|| g::TlsConfig {
            insecure_skip_verification: given["tlsConfig"]["insecureSkipVerification"].as_bool(),
        }),
        response_transfer_mode: upper(&given["responseTransferMode"])
            .and_then(|text| g::ResponseTransferMode::parse(&text)),
        integration_target: optional(&given["integrationTarget"]),
    }
}
