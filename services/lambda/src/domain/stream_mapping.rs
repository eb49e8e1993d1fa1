//! What an event source mapping from a stream may say.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html>

use base::{Arn, Timestamp};
use routing::deliveries::Kind;
use service::ServiceError;

use super::mapping::{Changes, refuse_missing};
use crate::error;
use crate::generated::{
    CreateEventSourceMappingRequest, DestinationConfig, EventSourcePosition,
    UpdateEventSourceMappingRequest,
};
use crate::records::{MappingSettings, StreamSettings};

const DEFAULT_BATCH: u32 = 100;
/// In seconds.
const MIN_AGE: i32 = 60;

/// The settings of a new mapping of a stream.
pub fn of_new(
    input: &CreateEventSourceMappingRequest,
    stream: &Arn,
    now: Timestamp,
) -> Result<MappingSettings, ServiceError> {
    refuse_others(&[
        ("ScalingConfig", input.scaling_config.is_some()),
        (
            "ProvisionedPollerConfig",
            input.provisioned_poller_config.is_some(),
        ),
        ("Topics", input.topics.is_some()),
        ("Queues", input.queues.is_some()),
        (
            "SourceAccessConfigurations",
            input.source_access_configurations.is_some(),
        ),
        (
            "SelfManagedEventSource",
            input.self_managed_event_source.is_some(),
        ),
    ])?;
    refuse_missing(&[(
        "logs of event source mappings",
        input.logging_config.is_some(),
    )])?;
    let latest_since = match input.starting_position {
        Some(EventSourcePosition::TrimHorizon) => None,
        Some(EventSourcePosition::Latest) => Some(now),
        Some(EventSourcePosition::AtTimestamp) => {
            return Err(error::invalid_parameter(format!(
                "Unsupported starting position for arn type: {stream}"
            )));
        }
        None => {
            return Err(error::invalid_parameter(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
                 constraint: Member must not be null.",
            ));
        }
    };
    let defaults = MappingSettings {
        batch_size: DEFAULT_BATCH,
        batching_window: 0,
        report_batch_item_failures: false,
        maximum_concurrency: None,
        filters: Vec::new(),
        provisioned: None,
        metrics: None,
        kms_key: None,
        stream: None,
    };
    let common = Changes {
        batch_size: input.batch_size,
        batching_window: input.maximum_batching_window_in_seconds,
        response_types: input.function_response_types.as_deref(),
        scaling: None,
        filters: input.filter_criteria.as_ref(),
        metrics: input.metrics_config.as_ref(),
        kms_key: input.kms_key_arn.as_deref(),
        pollers: None,
    };
    let own = StreamChanges {
        parallelization: input.parallelization_factor,
        bisect: input.bisect_batch_on_function_error,
        maximum_retries: input.maximum_retry_attempts,
        maximum_age: input.maximum_record_age_in_seconds,
        destinations: input.destination_config.as_ref(),
        tumbling_window: input.tumbling_window_in_seconds,
    };
    let stream = StreamSettings {
        latest_since,
        parallelization: 1,
        bisect: false,
        maximum_retries: None,
        maximum_age: None,
        on_failure: None,
        tumbling_window: None,
    };
    Ok(MappingSettings {
        stream: Some(own.applied_to(stream)?),
        ..common.applied_to(defaults)?
    })
}

/// The settings after an update. What the request leaves out stays.
pub fn updated(
    before: &MappingSettings,
    stream: &StreamSettings,
    input: &UpdateEventSourceMappingRequest,
) -> Result<MappingSettings, ServiceError> {
    refuse_others(&[
        ("ScalingConfig", input.scaling_config.is_some()),
        (
            "ProvisionedPollerConfig",
            input.provisioned_poller_config.is_some(),
        ),
        (
            "SourceAccessConfigurations",
            input.source_access_configurations.is_some(),
        ),
    ])?;
    refuse_missing(&[(
        "logs of event source mappings",
        input.logging_config.is_some(),
    )])?;
    let common = Changes {
        batch_size: input.batch_size,
        batching_window: input.maximum_batching_window_in_seconds,
        response_types: input.function_response_types.as_deref(),
        scaling: None,
        filters: input.filter_criteria.as_ref(),
        metrics: input.metrics_config.as_ref(),
        kms_key: input.kms_key_arn.as_deref(),
        pollers: None,
    };
    let own = StreamChanges {
        parallelization: input.parallelization_factor,
        bisect: input.bisect_batch_on_function_error,
        maximum_retries: input.maximum_retry_attempts,
        maximum_age: input.maximum_record_age_in_seconds,
        destinations: input.destination_config.as_ref(),
        tumbling_window: input.tumbling_window_in_seconds,
    };
    Ok(MappingSettings {
        stream: Some(own.applied_to(stream.clone())?),
        ..common.applied_to(before.clone())?
    })
}

struct StreamChanges<'a> {
    parallelization: Option<i32>,
    bisect: Option<bool>,
    /// -1 takes the limit away; likewise the age.
    maximum_retries: Option<i32>,
    maximum_age: Option<i32>,
    destinations: Option<&'a DestinationConfig>,
    /// 0 ends the windows.
    tumbling_window: Option<i32>,
}

impl StreamChanges<'_> {
    /// The model has checked the bounds of each by itself.
    fn applied_to(self, mut settings: StreamSettings) -> Result<StreamSettings, ServiceError> {
        if let Some(factor) = self.parallelization {
            settings.parallelization = factor.unsigned_abs();
        }
        if let Some(bisect) = self.bisect {
            settings.bisect = bisect;
        }
        if let Some(attempts) = self.maximum_retries {
            settings.maximum_retries = u32::try_from(attempts).ok();
        }
        if let Some(age) = self.maximum_age {
            if (0..MIN_AGE).contains(&age) {
                return Err(error::invalid_parameter(format!(
                    "1 validation error detected: Value '{age}' at 'maximumRecordAgeInSeconds' \
                     failed to satisfy constraint: Member must have value greater than or equal \
                     to {MIN_AGE}"
                )));
            }
            settings.maximum_age = u32::try_from(age).ok();
        }
        if let Some(config) = self.destinations {
            settings.on_failure = on_failure(config)?;
        }
        if let Some(seconds) = self.tumbling_window {
            let seconds = u32::try_from(seconds).ok();
            settings.tumbling_window = seconds.filter(|seconds| *seconds > 0);
        }
        if settings.tumbling_window.is_some() && settings.parallelization > 1 {
            // The batches of a shard would have no common state.
            return Err(error::invalid_parameter(
                "ParallelizationFactor must be 1 when TumblingWindowInSeconds is greater than 0.",
            ));
        }
        Ok(settings)
    }
}

/// A queue, a topic or a bucket; an empty one takes it away.
fn on_failure(config: &DestinationConfig) -> Result<Option<Arn>, ServiceError> {
    let success = config.on_success.as_ref();
    if success.is_some_and(|it| it.destination.is_some()) {
        return Err(error::invalid_parameter(
            "OnSuccess is not valid for DynamoDB event sources.",
        ));
    }
    let text = config.on_failure.as_ref();
    let text = text.and_then(|it| it.destination.as_deref());
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let arn = text.parse::<Arn>().ok().filter(|arn| {
        let kind = Kind::of(arn);
        matches!(kind, Some(Kind::Queue | Kind::Topic | Kind::Bucket))
    });
    let arn = arn.ok_or_else(|| {
        error::invalid_parameter(format!(
            "The provided destination config DestinationConfig(onSuccess=null, \
             onFailure=OnFailure(destination={text})) is invalid."
        ))
    })?;
    Ok(Some(arn))
}

fn refuse_others(members: &[(&str, bool)]) -> Result<(), ServiceError> {
    match members.iter().find(|(_, is_given)| *is_given) {
        Some((member, _)) => Err(error::invalid_parameter(format!(
            "{member} is not valid for DynamoDB event sources."
        ))),
        None => Ok(()),
    }
}
