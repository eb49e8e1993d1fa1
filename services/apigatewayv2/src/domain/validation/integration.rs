//! Rules of integrations.

use service::ServiceError;

use super::one_of;
use crate::directory::Api;
use crate::domain::mapping;
use crate::error::{bad_request, not_yet};
use crate::records::{HTTP, Integration};

/// Service integrations that are there: subtypes of `AWS_PROXY`.
const SUBTYPES: [&str; 5] = [
    "EventBridge-PutEvents",
    "SQS-PurgeQueue",
    "SQS-SendMessage",
    "SQS-ReceiveMessage",
    "SQS-DeleteMessage",
];
/// Those that AWS has besides.
const OTHER_SUBTYPES: [&str; 6] = [
    "AppConfig-GetConfiguration",
    "Kinesis-PutRecord",
    "StepFunctions-StartExecution",
    "StepFunctions-StartSyncExecution",
    "StepFunctions-StopExecution",
    "EventBridge-PutPartnerEvents",
];

pub fn integration(api: &Api, it: &Integration) -> Result<(), ServiceError> {
    let is_http = api.record.protocol_type == HTTP;
    let types: &[&str] = if is_http {
        &["AWS_PROXY", "HTTP_PROXY"]
    } else {
        &["AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"]
    };
    one_of("integration type", &it.integration_type, types)?;
    let connection = it.connection_type.as_deref().unwrap_or("INTERNET");
    one_of("connection type", connection, &["INTERNET", "VPC_LINK"])?;
    let longest = if is_http { 30_000 } else { 29_000 };
    if !(50..=longest).contains(&it.timeout_in_millis) {
        return Err(bad_request(format!(
            "Timeout should be between 50 ms and {longest} ms"
        )));
    }
    if is_http {
        check_http_integration(it)?;
    } else {
        check_websocket_integration(it)?;
    }
    if let Some(handling) = &it.content_handling_strategy {
        one_of(
            "content handling strategy",
            handling,
            &["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"],
        )?;
    }
    if let Some(behavior) = &it.passthrough_behavior {
        one_of(
            "passthrough behavior",
            behavior,
            &["WHEN_NO_MATCH", "NEVER", "WHEN_NO_TEMPLATES"],
        )?;
    }
    Ok(())
}

fn check_websocket_integration(it: &Integration) -> Result<(), ServiceError> {
    if it.integration_type == "MOCK" {
        return Ok(());
    }
    let Some(uri) = &it.integration_uri else {
        return Err(bad_request("IntegrationUri is a required parameter"));
    };
    let names_function =
        uri.contains("${stageVariables.") || proxy::invoke::function_arn(uri).is_some();
    let names_service = || {
        let arn: Option<base::Arn> = uri.parse().ok();
        arn.is_some_and(|arn| proxy::service_uri::ServiceUri::of(&arn).is_some())
    };
    match it.integration_type.as_str() {
        "AWS" if !names_function && !names_service() => Err(bad_request(format!(
            "Invalid ARN specified in the request: {uri}"
        ))),
        "AWS" if !names_function && it.credentials_arn.is_none() => Err(bad_request(
            "CredentialsArn is a required parameter for integrations with an AWS service",
        )),
        "AWS_PROXY" if !names_function => Err(bad_request(format!(
            "Invalid function ARN or invalid uri: {uri}"
        ))),
        _ => Ok(()),
    }
}

fn check_http_integration(it: &Integration) -> Result<(), ServiceError> {
    let format = it.payload_format_version.as_deref();
    if let Some(subtype) = &it.integration_subtype {
        if it.integration_type != "AWS_PROXY" {
            return Err(bad_request(
                "Integration subtypes need the integration type AWS_PROXY",
            ));
        }
        if OTHER_SUBTYPES.contains(&subtype.as_str()) {
            return Err(not_yet(&format!("the integration subtype {subtype}")));
        }
        if !SUBTYPES.contains(&subtype.as_str()) {
            return Err(bad_request(format!(
                "Invalid integration subtype {subtype}"
            )));
        }
        if it.credentials_arn.is_none() {
            return Err(bad_request(
                "CredentialsArn is a required parameter for integrations with a subtype",
            ));
        }
        if format != Some("1.0") {
            return Err(bad_request(
                "PayloadFormatVersion must be 1.0 for this subtype",
            ));
        }
        return Ok(());
    }
    let Some(uri) = &it.integration_uri else {
        return Err(bad_request("IntegrationUri is a required parameter"));
    };
    if it.integration_type == "AWS_PROXY" {
        if !uri.contains("${stageVariables.") && proxy::invoke::function_arn(uri).is_none() {
            return Err(bad_request(format!(
                "Invalid function ARN or invalid uri: {uri}"
            )));
        }
        let Some(format) = format else {
            return Err(bad_request(
                "PayloadFormatVersion is a required parameter for integration",
            ));
        };
        one_of("PayloadFormatVersion", format, &["1.0", "2.0"])?;
    } else {
        if it.connection_type.as_deref() != Some("VPC_LINK")
            && !uri.starts_with("http://")
            && !uri.starts_with("https://")
        {
            return Err(bad_request(format!(
                "Invalid HTTP endpoint specified for URI: {uri}"
            )));
        }
        if it.integration_method.is_none() {
            return Err(bad_request(
                "HttpMethod is a required parameter for integration",
            ));
        }
        if format.is_some_and(|format| format != "1.0") {
            return Err(bad_request(
                "PayloadFormatVersion must be 1.0 for HTTP_PROXY",
            ));
        }
    }
    if let Some(mappings) = &it.request_parameters {
        mapping::check(mappings, false)?;
    }
    for (status, mappings) in it.response_parameters.iter().flatten() {
        if !status
            .parse::<u16>()
            .is_ok_and(|status| (200..600).contains(&status))
        {
            return Err(bad_request(format!(
                "Invalid status code {status} specified"
            )));
        }
        mapping::check(mappings, true)?;
    }
    Ok(())
}
