//! CheckpointDurableExecution and GetDurableExecutionState, which the function calls itself.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_CheckpointDurableExecution.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::durable_execution::{execution, page_size};
use crate::Lambda;
use crate::durable::{Checkpoint, refusals};
use crate::generated::{
    CheckpointDurableExecutionRequest, CheckpointDurableExecutionResponse,
    GetDurableExecutionStateRequest, GetDurableExecutionStateResponse,
};

pub async fn checkpoint_durable_execution(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CheckpointDurableExecutionRequest,
) -> Result<CheckpointDurableExecutionResponse, ServiceError> {
    let execution = execution(&context, &input.durable_execution_arn);
    let checkpoint = Checkpoint {
        execution: execution.ok_or_else(refusals::invalid_token)?,
        token: input.checkpoint_token,
        client_token: input.client_token,
        updates: input.updates.unwrap_or_default(),
    };
    lambda.durable.checkpoint(checkpoint).await
}

pub async fn get_durable_execution_state(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetDurableExecutionStateRequest,
) -> Result<GetDurableExecutionStateResponse, ServiceError> {
    let execution = execution(&context, &input.durable_execution_arn);
    let execution = execution.ok_or_else(refusals::invalid_token)?;
    let (token, limit) = (&input.checkpoint_token, page_size(input.max_items));
    let page = lambda
        .durable
        .state(&execution, token, input.marker.as_deref(), limit);
    page.await
}
