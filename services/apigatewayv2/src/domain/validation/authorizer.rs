//! Rules of authorizers.

use service::ServiceError;

use super::one_of;
use crate::directory::Api;
use crate::error::bad_request;
use crate::records::{Authorizer, WEBSOCKET};

pub fn authorizer(api: &Api, it: &Authorizer) -> Result<(), ServiceError> {
    one_of("authorizer type", &it.authorizer_type, &["REQUEST", "JWT"])?;
    let is_websocket = api.record.protocol_type == WEBSOCKET;
    let taken = api
        .authorizers
        .values()
        .any(|other| other.name == it.name && other.authorizer_id != it.authorizer_id);
    if taken {
        return Err(bad_request(format!(
            "Authorizer name must be unique. Authorizer {} already exists",
            it.name
        )));
    }
    let prefix = if is_websocket { "route.request." } else { "$" };
    if let Some(bad) = it.identity_source.iter().find(|source| {
        !source.starts_with(prefix)
            && !(is_websocket
                && (source.starts_with("stageVariables.") || source.starts_with("context.")))
    }) {
        return Err(bad_request(format!(
            "Invalid mapping expression specified: {bad}"
        )));
    }
    if it.authorizer_type == "JWT" {
        if is_websocket {
            return Err(bad_request(
                "JWT authorizers are supported for HTTP APIs only",
            ));
        }
        let jwt = it.jwt_configuration.clone().unwrap_or_default();
        if jwt.issuer.as_deref().unwrap_or_default().is_empty() {
            return Err(bad_request(
                "Issuer is a required parameter for JWT authorizers",
            ));
        }
        if jwt.audience.unwrap_or_default().is_empty() {
            return Err(bad_request(
                "Audience is a required parameter for JWT authorizers",
            ));
        }
        if it.identity_source.len() != 1 {
            return Err(bad_request(
                "JWT authorizers need exactly one identity source",
            ));
        }
        return Ok(());
    }
    let uri = it.authorizer_uri.as_deref().unwrap_or_default();
    if proxy::invoke::function_arn(uri).is_none() {
        return Err(bad_request(format!(
            "Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
        )));
    }
    let format = it.authorizer_payload_format_version.as_deref();
    if is_websocket {
        if format.is_some() || it.enable_simple_responses == Some(true) {
            return Err(bad_request(
                "AuthorizerPayloadFormatVersion and EnableSimpleResponses are supported for HTTP APIs only",
            ));
        }
        return Ok(());
    }
    let Some(format) = format else {
        return Err(bad_request(
            "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizers of HTTP APIs",
        ));
    };
    one_of("AuthorizerPayloadFormatVersion", format, &["1.0", "2.0"])?;
    if format == "1.0" && it.enable_simple_responses == Some(true) {
        return Err(bad_request(
            "Simple responses need AuthorizerPayloadFormatVersion 2.0",
        ));
    }
    let caches = it.authorizer_result_ttl_in_seconds.unwrap_or_default() > 0;
    if caches && it.identity_source.is_empty() {
        return Err(bad_request(
            "Caching of authorizer results needs an identity source",
        ));
    }
    Ok(())
}
