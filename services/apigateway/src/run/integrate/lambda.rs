//! Functions: AWS_PROXY with events of format 1.0, and AWS with a payload from a template.

use base::RequestId;
use bytes::Bytes;
use http::{HeaderMap, Response};
use proxy::answer::{self, RulesV1};
use proxy::event::BodyForm;
use proxy::invoke;
use serde_json::Value as Json;
use service::ports::{Invocation, InvokeRequest};
use service::{Principal, ServiceError};

use super::body::Outgoing;
use super::{Answered, within};
use crate::run::call::Call;
use crate::run::refusal::Refusal;
use crate::run::{context, media};
use crate::{ApiGateway, g};

pub async fn proxy(
    service: &ApiGateway,
    call: &Call,
    integration: &g::Integration,
) -> Result<Response<Bytes>, Refusal> {
    let api = &call.deployed.api_id;
    let types = call.deployed.snapshot.info.binary_media_types.as_deref();
    let kind = media::of(&call.headers);
    let text = std::str::from_utf8(&call.body);
    let event = match (media::is_binary(types, &kind), text) {
        (false, Ok(text)) => context::proxy_event(call, BodyForm::Text(text)),
        (false, Err(_)) => {
            // Bytes that are no text are lost where nobody said that they are binary.
            let text = String::from_utf8_lossy(&call.body);
            context::proxy_event(call, BodyForm::Text(&text))
        }
        (true, _) => context::proxy_event(call, BodyForm::Base64),
    };
    let payload = Bytes::from(event.to_string());
    call.log
        .line(|| format!("Endpoint request body after transformations: {event}"));
    let invocation = invoke(service, call, integration, payload).await?;
    if let Some(kind) = invocation.function_error {
        tracing::warn!(api, kind, "the function of an API failed");
        call.log.line(|| {
            let body = String::from_utf8_lossy(&invocation.payload);
            format!(
                "Lambda execution failed with status 200 due to customer function error: {body}"
            )
        });
        return Err(Refusal::bad_gateway());
    }
    let accepted = media::accepted(&call.headers).unwrap_or_else(|| "*/*".to_owned());
    let rules = RulesV1 {
        needs_status: false,
        refuses_others: true,
        decodes: media::is_binary(types, &accepted),
    };
    call.log.line(|| {
        let body = String::from_utf8_lossy(&invocation.payload);
        format!("Endpoint response body before transformations: {body}")
    });
    answer::v1(&invocation.payload, rules).map_err(|why| {
        tracing::warn!(api, %why, "a function's result is no response");
        call.log.line(|| {
            "Execution failed due to configuration error: Malformed Lambda proxy response"
                .to_owned()
        });
        Refusal::bad_gateway()
    })
}

/// The AWS integration of a function, whose path has led here.
pub async fn custom(
    service: &ApiGateway,
    call: &Call,
    integration: &g::Integration,
    out: Outgoing,
) -> Result<Answered, Refusal> {
    let kind = out.parameters.headers.get("x-amz-invocation-type");
    let is_event = kind
        .and_then(|values| values.first())
        .is_some_and(|kind| kind == "Event");
    let payload = out.body;
    if is_event {
        let request = request(call, integration, payload)?;
        let sent = service.invoker.invoke_async(request).await;
        sent.map_err(|error| not_run(call, &error))?;
        return Ok(Answered {
            overrides: out.response_override,
            ..Answered::default()
        });
    }
    let invocation = invoke(service, call, integration, payload).await?;
    let selector = if invocation.function_error.is_some() {
        let error: Json = serde_json::from_slice(&invocation.payload).unwrap_or_default();
        error["errorMessage"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    } else {
        String::new()
    };
    Ok(Answered {
        selector,
        headers: HeaderMap::new(),
        body: invocation.payload,
        overrides: out.response_override,
    })
}

fn request(
    call: &Call,
    integration: &g::Integration,
    payload: Bytes,
) -> Result<InvokeRequest, Refusal> {
    let uri = integration.uri.as_deref().unwrap_or_default();
    let uri = call.deployed.with_variables(uri);
    let Some(function) = invoke::function_arn(&uri) else {
        tracing::warn!(
            api = call.deployed.api_id,
            uri,
            "an integration names no function"
        );
        return Err(Refusal::configuration());
    };
    let path = call.resource.path.as_deref().unwrap_or("/");
    let source = call
        .deployed
        .method_arn(&call.method_key.replace("ANY", "*"), path);
    let principal = Principal::Service {
        name: invoke::API_GATEWAY,
        source_arn: Some(source),
        source_account: Some(call.deployed.place.account),
    };
    let mut context = call.internal(principal);
    context.request_id = RequestId::random();
    Ok(InvokeRequest {
        function,
        payload,
        context,
    })
}

async fn invoke(
    service: &ApiGateway,
    call: &Call,
    integration: &g::Integration,
    payload: Bytes,
) -> Result<Invocation, Refusal> {
    let request = request(call, integration, payload)?;
    let invocation = service.invoker.invoke(request);
    let Ok(invocation) = tokio::time::timeout(within(integration), invocation).await else {
        call.log
            .line(|| "Execution failed due to a timeout error".to_owned());
        return Err(Refusal::timed_out());
    };
    invocation.map_err(|error| not_run(call, &error))
}

/// No such function, not allowed, throttled: all the same to clients.
fn not_run(call: &Call, error: &ServiceError) -> Refusal {
    tracing::warn!(api = call.deployed.api_id, %error, "the function of an API was not run");
    call.log
        .line(|| format!("Execution failed due to configuration error: {error}"));
    Refusal::configuration()
}
