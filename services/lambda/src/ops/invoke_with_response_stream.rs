//! InvokeWithResponseStream.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html>

use std::sync::Arc;

use exec::ResponseSink;
use http_body_util::{BodyExt as _, Empty};
use service::{Body, RequestContext, ServiceError};
use wire::event_stream;

use super::named;
use crate::domain::{payload, tenancy};
use crate::generated::{
    InvocationType, InvokeWithResponseStreamRequest, InvokeWithResponseStreamResponse, LogType,
    ResponseStreamingInvocationType,
};
use crate::invoker::Call;
use crate::{Lambda, response_stream};

pub async fn invoke_with_response_stream(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: InvokeWithResponseStreamRequest,
) -> Result<(InvokeWithResponseStreamResponse, Body), ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let target = lambda.entrance.admit(&name, &context)?;
    tenancy::check(&target.function.record, input.tenant_id.as_deref())?;
    let (sink, pieces) = ResponseSink::new(lambda.limits.streamed_response);
    let call = Call {
        name,
        payload: payload::check(
            input.payload,
            InvocationType::RequestResponse,
            &lambda.limits,
        )?,
        client_context: payload::client_context(input.client_context.as_deref())?,
        tenant: input.tenant_id,
        tail: input.log_type == Some(LogType::Tail),
        sink: Some(sink),
    };
    if input.invocation_type == Some(ResponseStreamingInvocationType::DryRun) {
        let output = InvokeWithResponseStreamResponse {
            status_code: Some(204),
            ..InvokeWithResponseStreamResponse::default()
        };
        return Ok((
            output,
            Empty::new().map_err(|never| match never {}).boxed_unsync(),
        ));
    }
    let version = Arc::clone(target.route());
    let output = InvokeWithResponseStreamResponse {
        status_code: Some(200),
        executed_version: Some(version.record.version.to_string()),
        response_stream_content_type: Some(event_stream::CONTENT_TYPE.to_owned()),
    };
    let invocation = Box::pin(async move {
        let entrance = &lambda.entrance;
        entrance
            .run_version(&target, &version, call, &context)
            .await
    });
    Ok((output, response_stream::begin(invocation, pieces).await?))
}
