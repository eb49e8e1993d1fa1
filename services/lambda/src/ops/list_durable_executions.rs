//! ListDurableExecutionsByFunction.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_ListDurableExecutionsByFunction.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::durable_execution::page_size;
use super::named;
use crate::Lambda;
use crate::durable::Filter;
use crate::generated::{
    Execution, ListDurableExecutionsByFunctionRequest, ListDurableExecutionsByFunctionResponse,
};

pub async fn list_durable_executions_by_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListDurableExecutionsByFunctionRequest,
) -> Result<ListDurableExecutionsByFunctionResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let target = lambda.functions.resolve(&name)?;
    let versions = name.qualifier.as_ref().map(|_| match &target.alias {
        Some(alias) => {
            let versions = alias.record.routing.versions();
            versions.map(|version| version.to_string()).collect()
        }
        None => vec![target.version.record.version.to_string()],
    });
    let filter = Filter {
        place: name.place,
        function: name.name,
        versions,
        name: input.durable_execution_name,
        statuses: input.statuses,
        after: input.started_after,
        before: input.started_before,
        oldest_first: input.reverse_order == Some(true),
    };
    let (heads, next_marker) = lambda
        .durable
        .list(&filter, input.marker.as_deref(), page_size(input.max_items))
        .await?;
    let executions = heads.into_iter().map(|head| Execution {
        durable_execution_arn: head.arn().to_string(),
        function_arn: head.function_arn().to_string(),
        durable_execution_name: head.name,
        status: head.status,
        start_timestamp: head.started,
        end_timestamp: head.ended,
        kms_key_arn: None,
    });
    Ok(ListDurableExecutionsByFunctionResponse {
        durable_executions: Some(executions.collect()),
        next_marker,
    })
}
