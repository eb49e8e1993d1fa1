//! Authorizers, and what methods ask of callers, in documents.

use serde_json::Value as Json;

use super::{Definition, integer, is_three, list, optional, text};
use crate::g;
use crate::ops::authorizers::default_auth_type;

fn schemes(document: &Json) -> Option<&serde_json::Map<String, Json>> {
    let schemes = if is_three(document) {
        &document["components"]["securitySchemes"]
    } else {
        &document["securityDefinitions"]
    };
    schemes.as_object()
}

/// The authorizers among the security schemes, by the schemes' names.
pub fn authorizers(document: &Json) -> Vec<g::Authorizer> {
    let schemes = schemes(document).into_iter().flatten();
    let found = schemes.filter_map(|(name, scheme)| {
        let authorizer = &scheme["x-amazon-apigateway-authorizer"];
        authorizer
            .is_object()
            .then(|| read(name, scheme, authorizer))
    });
    found.collect()
}

fn read(name: &str, scheme: &Json, authorizer: &Json) -> g::Authorizer {
    let kind = match text(&authorizer["type"]).to_ascii_lowercase().as_str() {
        "request" => g::AuthorizerType::Request,
        "cognito_user_pools" => g::AuthorizerType::CognitoUserPools,
        "jwt" => g::AuthorizerType::Jwt,
        _ => g::AuthorizerType::Token,
    };
    // A TOKEN authorizer reads the header that the scheme names.
    let header = optional(&scheme["name"]).map(|name| format!("method.request.header.{name}"));
    let header = header.filter(|_| kind == g::AuthorizerType::Token);
    g::Authorizer {
        id: None,
        name: Some(name.to_owned()),
        r#type: Some(kind),
        provider_ar_ns: list(&authorizer["providerARNs"]),
        auth_type: optional(&scheme["x-amazon-apigateway-authtype"])
            .or_else(|| Some(default_auth_type(kind).to_owned())),
        authorizer_uri: optional(&authorizer["authorizerUri"]),
        authorizer_credentials: optional(&authorizer["authorizerCredentials"]),
        identity_source: optional(&authorizer["identitySource"]).or(header),
        identity_validation_expression: optional(&authorizer["identityValidationExpression"]),
        authorizer_result_ttl_in_seconds: Some(
            integer(&authorizer["authorizerResultTtlInSeconds"]).unwrap_or(300),
        ),
        jwt_configuration: None,
    }
}

/// What an operation asks: its type of authorization, its authorizer by name, and whether it wants
/// an API key.
pub fn apply(
    document: &Json,
    operation: &Json,
    method: &mut g::Method,
    definition: &mut Definition,
) {
    method.authorization_type = Some("NONE".to_owned());
    method.api_key_required = Some(false);
    let own = &operation["security"];
    let requirements = if own.is_array() {
        own
    } else {
        &document["security"]
    };
    let requirements = requirements
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (name, scopes) in requirements.iter().filter_map(Json::as_object).flatten() {
        let Some(scheme) = schemes(document).and_then(|schemes| schemes.get(name)) else {
            definition
                .warnings
                .push(format!("Unable to find the security scheme {name}"));
            continue;
        };
        let kind = text(&scheme["x-amazon-apigateway-authtype"]).to_ascii_lowercase();
        if kind == "awssigv4" {
            method.authorization_type = Some("AWS_IAM".to_owned());
        } else if scheme["x-amazon-apigateway-authorizer"].is_object() {
            let is_pool = kind == "cognito_user_pools";
            let authorization = if is_pool {
                "COGNITO_USER_POOLS"
            } else {
                "CUSTOM"
            };
            method.authorization_type = Some(authorization.to_owned());
            method.authorizer_id = Some(name.clone());
            method.authorization_scopes = list(scopes).filter(|scopes| !scopes.is_empty());
        } else if scheme["type"] == "apiKey" {
            method.api_key_required = Some(true);
        } else {
            definition
                .warnings
                .push(format!("The security scheme {name} is not supported"));
        }
    }
    if text(&operation["x-amazon-apigateway-auth"]["type"]).eq_ignore_ascii_case("AWS_IAM") {
        method.authorization_type = Some("AWS_IAM".to_owned());
    }
}
