//! StopDurableExecution, PauseDurableExecution, ResumeDurableExecution and DeleteDurableExecution.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-managing-executions.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::durable_execution::known_execution;
use crate::Lambda;
use crate::durable::records::Failure;
use crate::error;
use crate::generated::{
    DeleteDurableExecutionRequest, DeleteDurableExecutionResponse, PauseDurableExecutionRequest,
    PauseDurableExecutionResponse, ResumeDurableExecutionRequest, ResumeDurableExecutionResponse,
    StopDurableExecutionRequest, StopDurableExecutionResponse,
};

/// Of an error that a caller gives, in bytes.
const MAX_ERROR: usize = 1 << 20;

/// # Errors
/// One that is too large.
pub fn check_error(error: &Failure) -> Result<(), ServiceError> {
    if error.bytes() >= MAX_ERROR {
        return Err(error::invalid_parameter(format!(
            "Error object size must be less than {MAX_ERROR} bytes."
        )));
    }
    Ok(())
}

pub async fn stop_durable_execution(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: StopDurableExecutionRequest,
) -> Result<StopDurableExecutionResponse, ServiceError> {
    let execution = known_execution(&context, &input.durable_execution_arn)?;
    let error = input.error.map(Failure::from);
    error.as_ref().map_or(Ok(()), check_error)?;
    let stop_timestamp = lambda.durable.stop(execution, error).await?;
    Ok(StopDurableExecutionResponse { stop_timestamp })
}

pub async fn pause_durable_execution(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PauseDurableExecutionRequest,
) -> Result<PauseDurableExecutionResponse, ServiceError> {
    let execution = known_execution(&context, &input.durable_execution_arn)?;
    let holds_timeout = input.execution_timeout_paused.unwrap_or(true);
    lambda
        .durable
        .pause(execution, input.reason, holds_timeout, input.client_token)
        .await?;
    Ok(PauseDurableExecutionResponse {})
}

pub async fn resume_durable_execution(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ResumeDurableExecutionRequest,
) -> Result<ResumeDurableExecutionResponse, ServiceError> {
    let execution = known_execution(&context, &input.durable_execution_arn)?;
    lambda
        .durable
        .resume_paused(execution, input.reason, input.client_token)
        .await?;
    Ok(ResumeDurableExecutionResponse {})
}

pub async fn delete_durable_execution(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteDurableExecutionRequest,
) -> Result<DeleteDurableExecutionResponse, ServiceError> {
    let execution = known_execution(&context, &input.durable_execution_arn)?;
    let deletion_request_timestamp = lambda.durable.delete(execution).await?;
    Ok(DeleteDurableExecutionResponse {
        deletion_request_timestamp,
    })
}
