//! From what an integration answered to the client's response.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::g;
use crate::generated::ContentHandlingStrategy;
use crate::run::call::Call;
use crate::run::integrate::Answered;
use crate::run::refusal::Refusal;
use crate::run::{context, mapping, media};

/// Maps an answer by the integration response that it selects.
pub fn map(
    call: &Call,
    integration: &g::Integration,
    answered: &Answered,
) -> Result<Response<Bytes>, Refusal> {
    call.log.line(|| {
        let body = String::from_utf8_lossy(&answered.body);
        format!("Endpoint response body before transformations: {body}")
    });
    let Some(chosen) = choose(integration, &answered.selector) else {
        call.log.line(|| "Execution failed due to configuration error: No match for output mapping and no default output mapping configured. Endpoint Response Status Code: ".to_owned() + &answered.selector);
        return Err(Refusal::configuration());
    };
    let told = context::of(call);
    let mut overrides = answered.overrides.clone();
    let body = handled(call, chosen, &answered.body)?;
    let (kind, body) = match template(call, chosen) {
        Some((kind, template)) => {
            let text = String::from_utf8_lossy(&body);
            let rendered = mapping::render(call, template, &text, &told)?;
            merge(&mut overrides, rendered.response_override);
            (Some(kind.to_owned()), Bytes::from(rendered.text))
        }
        None => (None, body),
    };
    let mut response = Response::new(body);
    let status = overrides.get("status").map(mapping::text);
    let status = status
        .or_else(|| chosen.status_code.clone())
        .unwrap_or_default();
    *response.status_mut() = status
        .trim()
        .parse::<u16>()
        .ok()
        .filter(|status| (200..600).contains(status))
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(Refusal::configuration)?;
    let headers = response.headers_mut();
    let kind = kind.and_then(|kind| HeaderValue::from_str(&kind).ok());
    // Without a template the body is what the integration says that it is.
    let kind = kind.or_else(|| answered.headers.get(CONTENT_TYPE).cloned());
    headers.insert(
        CONTENT_TYPE,
        kind.unwrap_or(HeaderValue::from_static("application/json")),
    );
    for (target, expression) in chosen.response_parameters.iter().flatten() {
        let name = target.trim_start_matches("method.response.header.");
        let values =
            mapping::of_response(call, &told, expression, &answered.headers, &answered.body);
        put(headers, name, values.unwrap_or_default());
    }
    if let Some(vtl::Json::Map(members)) = overrides.get("header") {
        for (name, value) in members {
            let values = match value {
                vtl::Json::List(items) => items.iter().map(mapping::text).collect(),
                one => vec![mapping::text(one)],
            };
            put(headers, name, values);
        }
    }
    Ok(response)
}

fn put(headers: &mut http::HeaderMap, name: &str, values: Vec<String>) {
    let Ok(name) = HeaderName::try_from(name) else {
        return;
    };
    if values.is_empty() || proxy::answer::is_of_the_connection(&name) {
        return;
    }
    headers.remove(&name);
    for value in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name.clone(), value);
        }
    }
}

/// The response whose pattern fits all of the selector; the one without a pattern where none does.
fn choose<'i>(
    integration: &'i g::Integration,
    selector: &str,
) -> Option<&'i g::IntegrationResponse> {
    let responses = integration.integration_responses.as_ref()?;
    let pattern = |response: &g::IntegrationResponse| {
        response
            .selection_pattern
            .clone()
            .filter(|pattern| !pattern.is_empty())
    };
    let fits = |response: &&g::IntegrationResponse| {
        let Some(pattern) = pattern(response) else {
            return false;
        };
        // A function's message may have several lines.
        let whole = regex::Regex::new(&format!("(?s)^(?:{pattern})$"));
        whole.is_ok_and(|whole| whole.is_match(selector))
    };
    let matched = responses
        .values()
        .find(fits)
        .filter(|_| !selector.is_empty());
    matched.or_else(|| {
        responses
            .values()
            .find(|response| pattern(response).is_none())
    })
}

/// The template for what the client accepts, or for JSON, or the first.
fn template<'r>(call: &Call, response: &'r g::IntegrationResponse) -> Option<(&'r str, &'r str)> {
    let templates = response.response_templates.as_ref()?;
    let accepted = media::accepted(&call.headers);
    let wanted = accepted.and_then(|kind| templates.get_key_value(&kind));
    let found = wanted
        .or_else(|| templates.get_key_value("application/json"))
        .or_else(|| templates.iter().next())?;
    Some((found.0, found.1))
}

/// What the response's template sets counts before what the request's set.
fn merge(overrides: &mut vtl::Json, later: vtl::Json) {
    let (vtl::Json::Map(members), vtl::Json::Map(new)) = (&mut *overrides, &later) else {
        *overrides = later;
        return;
    };
    for (name, value) in new {
        if let (Some(vtl::Json::Map(old)), vtl::Json::Map(new)) = (members.get_mut(name), value) {
            old.extend(
                new.iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
}

fn handled(call: &Call, response: &g::IntegrationResponse, body: &Bytes) -> Result<Bytes, Refusal> {
    match response.content_handling {
        Some(ContentHandlingStrategy::ConvertToText) => {
            let is_text = std::str::from_utf8(body).is_ok();
            Ok(if is_text {
                body.clone()
            } else {
                Bytes::from(STANDARD.encode(body))
            })
        }
        Some(ContentHandlingStrategy::ConvertToBinary) => {
            // A function gives a text in quotes.
            let text = body.trim_ascii();
            let text = text
                .strip_prefix(b"\"")
                .and_then(|text| text.strip_suffix(b"\""))
                .unwrap_or(text);
            let decoded = STANDARD.decode(text).map_err(|_| {
                call.log
                    .line(|| "Execution failed: the integration's answer is no base64".to_owned());
                Refusal::configuration()
            })?;
            Ok(Bytes::from(decoded))
        }
        None => Ok(body.clone()),
    }
}
