//! What an API has before anybody gives it anything.

use crate::generated as g;

pub const EMPTY_SCHEMA: &str = "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}";
pub const ERROR_SCHEMA: &str = "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}";

/// The models every API is made with, without their ids.
pub fn models() -> [g::Model; 2] {
    let model = |name: &str, description: &str, schema: &str| g::Model {
        id: None,
        name: Some(name.to_owned()),
        description: Some(description.to_owned()),
        schema: Some(schema.to_owned()),
        content_type: Some("application/json".to_owned()),
    };
    [
        model(
            "Empty",
            "This is a default empty schema model",
            EMPTY_SCHEMA,
        ),
        model(
            "Error",
            "This is a default error schema model",
            ERROR_SCHEMA,
        ),
    ]
}

/// The status of a gateway response that nobody has changed; none for the two defaults, which keep
/// the status of what they stand for.
pub fn status(kind: g::GatewayResponseType) -> Option<u16> {
    use g::GatewayResponseType as Kind;
    Some(match kind {
        Kind::Default4xx | Kind::Default5xx => return None,
        Kind::ResourceNotFound => 404,
        Kind::Unauthorized => 401,
        Kind::InvalidApiKey
        | Kind::AccessDenied
        | Kind::ExpiredToken
        | Kind::InvalidSignature
        | Kind::MissingAuthenticationToken
        | Kind::WafFiltered => 403,
        Kind::AuthorizerFailure
        | Kind::AuthorizerConfigurationError
        | Kind::ApiConfigurationError => 500,
        Kind::IntegrationFailure | Kind::IntegrationTimeout => 504,
        Kind::UnsupportedMediaType => 415,
        Kind::BadRequestParameters | Kind::BadRequestBody => 400,
        Kind::RequestTooLarge => 413,
        Kind::Throttled | Kind::QuotaExceeded => 429,
    })
}

/// A gateway response as it is shown while nobody has changed it.
pub fn gateway_response(kind: g::GatewayResponseType) -> g::GatewayResponse {
    let template = r#"{"message":$context.error.messageString}"#;
    g::GatewayResponse {
        response_type: Some(kind),
        status_code: status(kind).map(|status| status.to_string()),
        response_parameters: Some(std::collections::BTreeMap::new()),
        response_templates: Some([("application/json".to_owned(), template.to_owned())].into()),
        default_response: Some(true),
    }
}

/// The response that is used for a kind, given those that have been changed: its own, the default
/// of its class, or AWS's.
pub fn effective(
    kind: g::GatewayResponseType,
    changed: impl Fn(g::GatewayResponseType) -> Option<g::GatewayResponse>,
) -> g::GatewayResponse {
    use g::GatewayResponseType as Kind;
    if let Some(own) = changed(kind) {
        return own;
    }
    let class = match status(kind) {
        Some(status) if status >= 500 => Kind::Default5xx,
        Some(_) => Kind::Default4xx,
        None => return gateway_response(kind),
    };
    match changed(class) {
        Some(class) => g::GatewayResponse {
            response_type: Some(kind),
            status_code: class.status_code.or(gateway_response(kind).status_code),
            default_response: Some(false),
            ..class
        },
        None => gateway_response(kind),
    }
}
