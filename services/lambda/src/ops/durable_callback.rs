//! SendDurableExecutionCallbackSuccess, -Failure and -Heartbeat.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::durable_control::check_error;
use super::place;
use crate::durable::records::Failure;
use crate::durable::{Completion, MAX_PAYLOAD};
use crate::generated::{
    SendDurableExecutionCallbackFailureRequest, SendDurableExecutionCallbackFailureResponse,
    SendDurableExecutionCallbackHeartbeatRequest, SendDurableExecutionCallbackHeartbeatResponse,
    SendDurableExecutionCallbackSuccessRequest, SendDurableExecutionCallbackSuccessResponse,
};
use crate::{Lambda, error};

pub async fn send_durable_execution_callback_success(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: SendDurableExecutionCallbackSuccessRequest,
) -> Result<SendDurableExecutionCallbackSuccessResponse, ServiceError> {
    let result = input.result.unwrap_or_default();
    if result.len() > MAX_PAYLOAD {
        return Err(error::invalid_parameter(format!(
            "CALLBACK payload size must be less than or equal to {MAX_PAYLOAD} bytes."
        )));
    }
    let result = String::from_utf8(result.to_vec())
        .map_err(|_| error::invalid_parameter("The callback result is not UTF-8."))?;
    let completion = Completion::Succeeded(Some(result).filter(|result| !result.is_empty()));
    lambda
        .durable
        .complete_callback(input.callback_id, place(&context), completion)
        .await?;
    Ok(SendDurableExecutionCallbackSuccessResponse {})
}

pub async fn send_durable_execution_callback_failure(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: SendDurableExecutionCallbackFailureRequest,
) -> Result<SendDurableExecutionCallbackFailureResponse, ServiceError> {
    let failure = input.error.map(Failure::from).unwrap_or_default();
    check_error(&failure)?;
    let completion = Completion::Failed(failure);
    lambda
        .durable
        .complete_callback(input.callback_id, place(&context), completion)
        .await?;
    Ok(SendDurableExecutionCallbackFailureResponse {})
}

pub async fn send_durable_execution_callback_heartbeat(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: SendDurableExecutionCallbackHeartbeatRequest,
) -> Result<SendDurableExecutionCallbackHeartbeatResponse, ServiceError> {
    lambda
        .durable
        .heartbeat(input.callback_id, place(&context))
        .await?;
    Ok(SendDurableExecutionCallbackHeartbeatResponse {})
}
