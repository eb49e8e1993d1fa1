//! GetDurableExecution and GetDurableExecutionHistory.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecution.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::place;
use crate::Lambda;
use crate::durable::arn::ExecutionArn;
use crate::durable::refusals;
use crate::generated::{
    GetDurableExecutionHistoryRequest, GetDurableExecutionHistoryResponse,
    GetDurableExecutionRequest, GetDurableExecutionResponse,
};

const DEFAULT_PAGE: usize = 100;

/// The execution that is named, if it can be the caller's.
pub fn execution(context: &RequestContext, arn: &str) -> Option<ExecutionArn> {
    ExecutionArn::parse(arn).filter(|arn| arn.place == place(context))
}

/// # Errors
/// It cannot be the caller's.
pub fn known_execution(context: &RequestContext, arn: &str) -> Result<ExecutionArn, ServiceError> {
    execution(context, arn).ok_or_else(refusals::no_such_execution)
}

/// How many are wanted; the model bounds it.
pub fn page_size(given: Option<i32>) -> usize {
    let given = given.and_then(|given| usize::try_from(given).ok());
    given.filter(|given| *given > 0).unwrap_or(DEFAULT_PAGE)
}

pub async fn get_durable_execution(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetDurableExecutionRequest,
) -> Result<GetDurableExecutionResponse, ServiceError> {
    let execution = known_execution(&context, &input.durable_execution_arn)?;
    let with_data = input.include_execution_data.unwrap_or(true);
    lambda.durable.describe(&execution, with_data).await
}

pub async fn get_durable_execution_history(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetDurableExecutionHistoryRequest,
) -> Result<GetDurableExecutionHistoryResponse, ServiceError> {
    let execution = known_execution(&context, &input.durable_execution_arn)?;
    let (events, next_marker) = lambda
        .durable
        .history(
            &execution,
            input.include_execution_data.unwrap_or(true),
            input.reverse_order == Some(true),
            input.marker.as_deref(),
            page_size(input.max_items),
        )
        .await?;
    Ok(GetDurableExecutionHistoryResponse {
        events,
        next_marker,
    })
}
