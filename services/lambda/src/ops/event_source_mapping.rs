//! GetEventSourceMapping, ListEventSourceMappings, DeleteEventSourceMapping.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html>

use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};

use super::{named, place};
use crate::Lambda;
use crate::domain::mapping;
use crate::domain::marker::PageRequest;
use crate::generated::{
    DeleteEventSourceMappingRequest, EventSourceMappingConfiguration, FunctionResponseType,
    GetEventSourceMappingRequest, ListEventSourceMappingsRequest, ListEventSourceMappingsResponse,
    ScalingConfig,
};
use crate::mappings::Mapping;

/// Lambda returns no more at once, whatever MaxItems says.
const MAX_PAGE: usize = 100;

pub async fn get_event_source_mapping(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let mapping = lambda.mappings.get(&place(&context), &input.uuid)?;
    Ok(shown(&lambda, &mapping))
}

pub async fn list_event_source_mappings(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListEventSourceMappingsRequest,
) -> Result<ListEventSourceMappingsResponse, ServiceError> {
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let function = match &input.function_name {
        Some(text) => {
            let name = named(&context, text, None)?;
            lambda.functions.get(&name)?;
            Some(name.arn())
        }
        None => None,
    };
    let source = input.event_source_arn.as_deref();
    let mappings = lambda
        .mappings
        .list(&place(&context), page.after.as_deref(), |record| {
            function
                .as_ref()
                .is_none_or(|function| record.function == *function)
                && source.is_none_or(|source| record.queue.to_string() == source)
        });
    let (mappings, next_marker) = page.cut(mappings, |mapping| &mapping.record.uuid);
    Ok(ListEventSourceMappingsResponse {
        next_marker,
        event_source_mappings: Some(mappings.iter().map(|it| shown(&lambda, it)).collect()),
    })
}

pub async fn delete_event_source_mapping(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let deleted = lambda
        .mappings
        .delete(&place(&context), &input.uuid)
        .await?;
    Ok(shown(&lambda, &deleted))
}

/// A mapping as the API shows it.
pub fn shown(lambda: &Lambda, mapping: &Mapping) -> EventSourceMappingConfiguration {
    let record = &mapping.record;
    let settings = &record.settings;
    let response_types = if settings.report_batch_item_failures {
        vec![FunctionResponseType::ReportBatchItemFailures]
    } else {
        Vec::new()
    };
    EventSourceMappingConfiguration {
        uuid: Some(record.uuid.clone()),
        batch_size: Some(settings.batch_size.cast_signed()),
        maximum_batching_window_in_seconds: Some(settings.batching_window.cast_signed()),
        event_source_arn: Some(record.queue.to_string()),
        scaling_config: settings.maximum_concurrency.map(|maximum| ScalingConfig {
            maximum_concurrency: Some(maximum.cast_signed()),
        }),
        function_arn: Some(record.function.to_string()),
        last_modified: Some(record.last_modified),
        last_processing_result: lambda.mappings.last_result(&record.uuid),
        state: Some(mapping.state.as_str().to_owned()),
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        function_response_types: Some(response_types),
        event_source_mapping_arn: Some(record.place().mapping_arn(&record.uuid).to_string()),
        ..EventSourceMappingConfiguration::default()
    }
}

/// Refuses a queue whose messages come back while the function may still be at them. In permissive
/// mode that is only logged, as LocalStack takes such mappings too.
pub fn check_visibility(
    lambda: &Lambda,
    queue: &Arn,
    visibility: u32,
    timeout: u32,
) -> Result<(), ServiceError> {
    match mapping::check_visibility(visibility, timeout) {
        Err(error) if lambda.roles.is_permissive => {
            tracing::warn!(
                %queue,
                "{}: AWS refuses this mapping; in permissive mode a message may be handled twice",
                error.message
            );
            Ok(())
        }
        checked => checked,
    }
}
