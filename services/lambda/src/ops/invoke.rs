//! Invoke and InvokeAsync.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use service::{RequestContext, ServiceError};

use super::{invoke_durable, named};
use crate::Lambda;
use crate::domain::{payload, tenancy};
use crate::durable::refusals;
use crate::generated::{
    InvocationRequest, InvocationResponse, InvocationType, InvokeAsyncRequest, InvokeAsyncResponse,
    LogType,
};
use crate::invoker::Call;

pub async fn invoke(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: InvocationRequest,
) -> Result<InvocationResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let target = lambda.entrance.admit(&name, &context)?;
    tenancy::check(&target.function.record, input.tenant_id.as_deref())?;
    let kind = input
        .invocation_type
        .unwrap_or(InvocationType::RequestResponse);
    let call = Call {
        name,
        payload: payload::check(input.payload, kind, &lambda.limits)?,
        client_context: payload::client_context(input.client_context.as_deref())?,
        tenant: input.tenant_id,
        tail: input.log_type == Some(LogType::Tail),
        sink: None,
    };
    let version = Arc::clone(target.route());
    let execution_name = input.durable_execution_name;
    if version.record.settings.durable.is_some() {
        return invoke_durable::invoke(&lambda, &context, &version, execution_name, kind, call)
            .await;
    }
    if execution_name.is_some() {
        return Err(refusals::not_durable());
    }
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
            let entrance = &lambda.entrance;
            let outcome = entrance
                .run_version(&target, &version, call, &context)
                .await?;
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
    let target = lambda.entrance.admit(&name, &context)?;
    tenancy::check(&target.function.record, None)?;
    let call = Call {
        name,
        payload: payload::check(
            Some(input.invoke_args),
            InvocationType::Event,
            &lambda.limits,
        )?,
        client_context: None,
        tenant: None,
        tail: false,
        sink: None,
    };
    lambda.entrance.enqueue(call, &context).await?;
    Ok(InvokeAsyncResponse { status: Some(202) })
}
