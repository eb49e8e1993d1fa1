//! Invoke and InvokeAsync.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use service::{RequestContext, ServiceError};

use super::named;
use crate::domain::payload;
use crate::generated::{
    InvocationRequest, InvocationResponse, InvocationType, InvokeAsyncRequest, InvokeAsyncResponse,
    LogType,
};
use crate::invoker::Call;
use crate::{Lambda, error};

pub async fn invoke(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: InvocationRequest,
) -> Result<InvocationResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.entrance.admit(&name, &context)?;
    if input.tenant_id.is_some() {
        return Err(error::not_yet("tenant isolation"));
    }
    if input.durable_execution_name.is_some() {
        return Err(error::not_yet("durable functions"));
    }
    let kind = input
        .invocation_type
        .unwrap_or(InvocationType::RequestResponse);
    let call = Call {
        name,
        payload: payload::check(input.payload, kind)?,
        client_context: payload::client_context(input.client_context.as_deref())?,
        tail: input.log_type == Some(LogType::Tail),
    };
    let answer = |status| InvocationResponse {
        status_code: Some(status),
        ..InvocationResponse::default()
    };
    match kind {
        InvocationType::DryRun => Ok(answer(204)),
        InvocationType::Event => {
            lambda.entrance.enqueue(call, &context).await?;
            Ok(answer(202))
        }
        InvocationType::RequestResponse => {
            let outcome = lambda.entrance.run(&function, call, &context).await?;
            Ok(InvocationResponse {
                function_error: outcome
                    .function_error
                    .map(|error| error.as_str().to_owned()),
                log_result: outcome.log_tail.map(|tail| STANDARD.encode(tail)),
                payload: Some(outcome.payload),
                executed_version: Some(outcome.executed_version),
                ..answer(200)
            })
        }
    }
}

/// The older way to invoke asynchronously.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html>
pub async fn invoke_async(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: InvokeAsyncRequest,
) -> Result<InvokeAsyncResponse, ServiceError> {
    let name = named(&context, &input.function_name, None)?;
    lambda.entrance.admit(&name, &context)?;
    let call = Call {
        name,
        payload: payload::check(Some(input.invoke_args), InvocationType::Event)?,
        client_context: None,
        tail: false,
    };
    lambda.entrance.enqueue(call, &context).await?;
    Ok(InvokeAsyncResponse { status: Some(202) })
}
