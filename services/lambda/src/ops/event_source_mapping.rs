//! GetEventSourceMapping, ListEventSourceMappings, DeleteEventSourceMapping.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html>

use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};

use super::{named, place};
use crate::Lambda;
use crate::domain::marker::PageRequest;
use crate::domain::{filters, mapping, mapping_extras};
use crate::generated::{
    DeleteEventSourceMappingRequest, DestinationConfig, EventSourceMappingConfiguration,
    EventSourcePosition, FunctionResponseType, GetEventSourceMappingRequest,
    ListEventSourceMappingsRequest, ListEventSourceMappingsResponse, OnFailure,
    ProvisionedPollerConfig, ScalingConfig,
};
use crate::mappings::Mapping;
use crate::records::StreamSettings;

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
            lambda.functions.resolve(&name)?;
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
                && source.is_none_or(|source| record.source.to_string() == source)
        });
    let (mappings, next_marker) = page.cut(mappings, |mapping| mapping.record.uuid.clone());
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
    let shown = EventSourceMappingConfiguration {
        uuid: Some(record.uuid.clone()),
        batch_size: Some(settings.batch_size.cast_signed()),
        maximum_batching_window_in_seconds: Some(settings.batching_window.cast_signed()),
        event_source_arn: Some(record.source.to_string()),
        scaling_config: settings.maximum_concurrency.map(|maximum| ScalingConfig {
            maximum_concurrency: Some(maximum.cast_signed()),
        }),
        filter_criteria: filters::shown(&settings.filters),
        kms_key_arn: settings.kms_key.clone(),
        metrics_config: settings
            .metrics
            .as_deref()
            .map(mapping_extras::shown_metrics),
        provisioned_poller_config: settings.provisioned.map(|pollers| ProvisionedPollerConfig {
            minimum_pollers: Some(pollers.minimum.cast_signed()),
            maximum_pollers: Some(pollers.maximum.cast_signed()),
            poller_group_name: None,
        }),
        function_arn: Some(record.function.to_string()),
        last_modified: Some(record.last_modified),
        last_processing_result: lambda.mappings.last_result(&record.uuid),
        state: Some(mapping.state.as_str().to_owned()),
        state_transition_reason: Some("USER_INITIATED".to_owned()),
        function_response_types: Some(response_types),
        event_source_mapping_arn: Some(record.place().mapping_arn(&record.uuid).to_string()),
        ..EventSourceMappingConfiguration::default()
    };
    match &settings.stream {
        Some(stream) => with_stream(shown, stream),
        None => shown,
    }
}

fn with_stream(
    shown: EventSourceMappingConfiguration,
    stream: &StreamSettings,
) -> EventSourceMappingConfiguration {
    let limit = |limit: Option<u32>| Some(limit.map_or(-1, u32::cast_signed));
    EventSourceMappingConfiguration {
        starting_position: Some(match stream.latest_since {
            Some(_) => EventSourcePosition::Latest,
            None => EventSourcePosition::TrimHorizon,
        }),
        parallelization_factor: Some(stream.parallelization.cast_signed()),
        bisect_batch_on_function_error: Some(stream.bisect),
        maximum_retry_attempts: limit(stream.maximum_retries),
        maximum_record_age_in_seconds: limit(stream.maximum_age),
        tumbling_window_in_seconds: Some(stream.tumbling_window.map_or(0, u32::cast_signed)),
        destination_config: Some(DestinationConfig {
            on_success: None,
            on_failure: Some(OnFailure {
                destination: stream.on_failure.as_ref().map(ToString::to_string),
            }),
        }),
        state_transition_reason: Some("User action".to_owned()),
        ..shown
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
