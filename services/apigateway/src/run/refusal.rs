//! Requests that an API answers itself: its gateway responses.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value as Json, json};

use crate::domain::defaults;
use crate::g;
use crate::generated::GatewayResponseType as Kind;
use crate::run::call::Call;
use crate::run::{context, mapping, media};

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Why a request ended early, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: Kind,
    /// `None` is written as null.
    pub message: Option<String>,
    /// Where it is not the kind's.
    pub status: Option<StatusCode>,
    /// What of a request breaks its model, for templates.
    pub validation: Option<String>,
}

impl Refusal {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: Some(message.into()),
            status: None,
            validation: None,
        }
    }

    /// No resource, no method, or no signature: AWS does not say which.
    pub fn missing_token() -> Self {
        Self::new(
            Kind::MissingAuthenticationToken,
            "Missing Authentication Token",
        )
    }

    /// The integration answered with what is no response.
    pub fn bad_gateway() -> Self {
        Self {
            status: Some(StatusCode::BAD_GATEWAY),
            ..Self::new(Kind::Default5xx, "Internal server error")
        }
    }

    pub fn configuration() -> Self {
        Self::new(Kind::ApiConfigurationError, "Internal server error")
    }

    pub fn timed_out() -> Self {
        Self::new(Kind::IntegrationTimeout, "Endpoint request timed out")
    }

    /// The name of the exception that it is to SDKs.
    fn error_type(&self) -> &'static str {
        match self.kind {
            Kind::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Kind::AccessDenied => "AccessDeniedException",
            Kind::Unauthorized => "UnauthorizedException",
            Kind::InvalidApiKey | Kind::WafFiltered => "ForbiddenException",
            Kind::InvalidSignature => "InvalidSignatureException",
            Kind::ExpiredToken => "ExpiredTokenException",
            Kind::AuthorizerFailure => "AuthorizerFailureException",
            Kind::AuthorizerConfigurationError => "AuthorizerConfigurationException",
            Kind::Throttled => "TooManyRequestsException",
            Kind::QuotaExceeded => "LimitExceededException",
            Kind::BadRequestBody | Kind::BadRequestParameters | Kind::Default4xx => {
                "BadRequestException"
            }
            Kind::UnsupportedMediaType => "UnsupportedMediaTypeException",
            Kind::RequestTooLarge => "RequestTooLargeException",
            Kind::ResourceNotFound => "NotFoundException",
            Kind::ApiConfigurationError
            | Kind::IntegrationFailure
            | Kind::IntegrationTimeout
            | Kind::Default5xx => "InternalServerErrorException",
        }
    }

    fn status(&self, response: &g::GatewayResponse, is_custom: bool) -> StatusCode {
        let of_response = || response.status_code.as_deref()?.parse::<u16>().ok();
        let custom = is_custom.then(of_response).flatten();
        let default = || {
            let own = self.status.map(|status| status.as_u16());
            own.or_else(|| defaults::status(self.kind)).unwrap_or(500)
        };
        StatusCode::from_u16(custom.unwrap_or_else(default))
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The response, as the API has it for this kind.
    pub fn response(&self, call: &Call) -> Response<Bytes> {
        let responses = &call.deployed.snapshot.responses;
        let response = defaults::effective(self.kind, |kind| {
            let changed = responses.get(kind.as_str());
            changed.map(|response| g::GatewayResponse::clone(response))
        });
        let is_custom = response.default_response != Some(true);
        let status = self.status(&response, is_custom);
        let mut told = context::of(call);
        let message = json!(self.message);
        told["error"] = json!({
            "message": self.message,
            "messageString": message.to_string(),
            "responseType": self.kind.as_str(),
            // Templates put it between quotes.
            "validationErrorString": self.validation.as_deref().map(escaped),
        });
        told["status"] = json!(status.as_u16());
        let (kind, body) = if is_custom {
            body(&response, call, &told)
        } else {
            ("application/json".to_owned(), self.plain_body(&message))
        };
        let mut out = plain(status, &kind, body, self.error_type());
        for (name, expression) in response.response_parameters.iter().flatten() {
            let name = name.trim_start_matches("gatewayresponse.header.");
            let value = mapping::of_gateway_response(call, &told, expression);
            if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value)
                && let Ok(value) = HeaderValue::from_str(&value)
            {
                out.headers_mut().insert(name, value);
            }
        }
        out
    }

    fn plain_body(&self, message: &Json) -> String {
        // AWS writes this one unlike all others.
        let name = if self.kind == Kind::AccessDenied {
            "Message"
        } else {
            "message"
        };
        format!("{{\"{name}\":{message}}}")
    }

    /// The response where no API is known.
    pub fn without_api(&self) -> Response<Bytes> {
        let status = self.status(&g::GatewayResponse::default(), false);
        let body = self.plain_body(&json!(self.message));
        plain(status, "application/json", body, self.error_type())
    }
}

fn escaped(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A response with no more than AWS's own headers.
fn plain(
    status: StatusCode,
    kind: &str,
    body: String,
    error_type: &'static str,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(CONTENT_TYPE, kind);
    }
    headers.insert(ERROR_TYPE, HeaderValue::from_static(error_type));
    response
}

/// No stage of that name, or an endpoint that is disabled.
pub fn forbidden() -> Response<Bytes> {
    let body = "{\"message\":\"Forbidden\"}".to_owned();
    plain(
        StatusCode::FORBIDDEN,
        "application/json",
        body,
        "ForbiddenException",
    )
}

/// No API of that id.
pub fn no_api(id: &str) -> Response<Bytes> {
    let message = format!("The API id '{id}' does not correspond to a deployed API Gateway API");
    let body = json!({ "message": message }).to_string();
    plain(
        StatusCode::NOT_FOUND,
        "application/json",
        body,
        "NotFoundException",
    )
}

/// The template for what the client accepts, with its values put in; it is no Velocity.
fn body(response: &g::GatewayResponse, call: &Call, told: &Json) -> (String, String) {
    let templates = response.response_templates.clone().unwrap_or_default();
    let accepted = media::accepted(&call.headers);
    let wanted = accepted.filter(|kind| templates.contains_key(kind));
    let kind = wanted.unwrap_or_else(|| "application/json".to_owned());
    let found = templates
        .get_key_value(&kind)
        .or_else(|| templates.iter().next());
    let Some((kind, template)) = found else {
        return (kind, String::new());
    };
    (kind.clone(), substituted(template, call, told))
}

/// `$context.name`, `$stageVariables.name` and `$method.request.place.name`, with or without braces.
fn substituted(template: &str, call: &Call, told: &Json) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (inner, is_braced) = match after.strip_prefix('{') {
            Some(inner) => (inner, true),
            None => (after, false),
        };
        let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        let end = inner.find(ends).unwrap_or(inner.len());
        let name = inner[..end].trim_end_matches(['.', '-']);
        let value = if let Some(path) = name.strip_prefix("context.") {
            Some(context::value(told, path).unwrap_or_else(|| {
                // What is a null in JSON has to be one there.
                if path == "error.message" {
                    String::new()
                } else {
                    "-".to_owned()
                }
            }))
        } else if let Some(name) = name.strip_prefix("stageVariables.") {
            Some(
                call.deployed
                    .variables
                    .get(name)
                    .cloned()
                    .unwrap_or_default(),
            )
        } else if name.starts_with("method.request.") {
            Some(mapping::of_request(call, told, name).unwrap_or_default())
        } else {
            None
        };
        let Some(value) = value else {
            out.push('$');
            rest = after;
            continue;
        };
        out.push_str(&value);
        rest = &inner[name.len()..];
        if is_braced {
            rest = rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    out.push_str(rest);
    out
}
