//! What an event source mapping from SQS may say, and what is common to all mappings.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html>

use base::Arn;
use service::ServiceError;

use super::{filters, mapping_extras};
use crate::error;
use crate::generated::{
    CreateEventSourceMappingRequest, EventSourceMappingMetricsConfig, FilterCriteria,
    FunctionResponseType, ProvisionedPollerConfig, ScalingConfig, UpdateEventSourceMappingRequest,
};
use crate::records::MappingSettings;

const DEFAULT_BATCH: u32 = 10;
/// Largest batch of a FIFO queue, and of any queue without a batching window.
const MAX_BATCH_AT_ONCE: u32 = 10;

/// The queue or the stream that a request names.
///
/// # Errors
/// None named, and sources that are not here.
pub fn source(event_source: Option<&str>) -> Result<Arn, ServiceError> {
    let arn = event_source.and_then(|text| text.parse::<Arn>().ok());
    let arn = arn.ok_or_else(|| error::invalid_parameter("Unrecognized event source."))?;
    match arn.service.as_str() {
        "sqs" => Ok(arn),
        "dynamodb" if arn.resource.contains("/stream/") => Ok(arn),
        "kinesis" | "kafka" | "mq" | "rds" => Err(error::not_yet(format_args!(
            "{} as an event source",
            arn.service
        ))),
        _ => Err(error::invalid_parameter("Unrecognized event source.")),
    }
}

#[expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a queue's name is no file's"
)]
pub fn is_fifo(queue: &Arn) -> bool {
    queue.resource.ends_with(".fifo")
}

/// The settings of a new mapping.
pub fn of_new(
    input: &CreateEventSourceMappingRequest,
    queue: &Arn,
) -> Result<MappingSettings, ServiceError> {
    let streams_only = [
        ("StartingPosition", input.starting_position.is_some()),
        (
            "StartingPositionTimestamp",
            input.starting_position_timestamp.is_some(),
        ),
        (
            "ParallelizationFactor",
            input.parallelization_factor.is_some(),
        ),
        (
            "MaximumRecordAgeInSeconds",
            input.maximum_record_age_in_seconds.is_some(),
        ),
        (
            "BisectBatchOnFunctionError",
            input.bisect_batch_on_function_error.is_some(),
        ),
        (
            "MaximumRetryAttempts",
            input.maximum_retry_attempts.is_some(),
        ),
        (
            "TumblingWindowInSeconds",
            input.tumbling_window_in_seconds.is_some(),
        ),
        ("DestinationConfig", input.destination_config.is_some()),
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
    ];
    refuse_other_sources(&streams_only)?;
    refuse_missing(&[(
        "logs of event source mappings",
        input.logging_config.is_some(),
    )])?;
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
    let changes = Changes {
        batch_size: input.batch_size,
        batching_window: input.maximum_batching_window_in_seconds,
        response_types: input.function_response_types.as_deref(),
        scaling: input.scaling_config.as_ref(),
        filters: input.filter_criteria.as_ref(),
        metrics: input.metrics_config.as_ref(),
        kms_key: input.kms_key_arn.as_deref(),
        pollers: input.provisioned_poller_config.as_ref(),
    };
    changes.of_queue(defaults, queue)
}

/// The settings after an update. What the request leaves out stays.
pub fn updated(
    before: &MappingSettings,
    input: &UpdateEventSourceMappingRequest,
    queue: &Arn,
) -> Result<MappingSettings, ServiceError> {
    let streams_only = [
        (
            "ParallelizationFactor",
            input.parallelization_factor.is_some(),
        ),
        (
            "MaximumRecordAgeInSeconds",
            input.maximum_record_age_in_seconds.is_some(),
        ),
        (
            "BisectBatchOnFunctionError",
            input.bisect_batch_on_function_error.is_some(),
        ),
        (
            "MaximumRetryAttempts",
            input.maximum_retry_attempts.is_some(),
        ),
        (
            "TumblingWindowInSeconds",
            input.tumbling_window_in_seconds.is_some(),
        ),
        ("DestinationConfig", input.destination_config.is_some()),
        (
            "SourceAccessConfigurations",
            input.source_access_configurations.is_some(),
        ),
    ];
    refuse_other_sources(&streams_only)?;
    refuse_missing(&[(
        "logs of event source mappings",
        input.logging_config.is_some(),
    )])?;
    let changes = Changes {
        batch_size: input.batch_size,
        batching_window: input.maximum_batching_window_in_seconds,
        response_types: input.function_response_types.as_deref(),
        scaling: input.scaling_config.as_ref(),
        filters: input.filter_criteria.as_ref(),
        metrics: input.metrics_config.as_ref(),
        kms_key: input.kms_key_arn.as_deref(),
        pollers: input.provisioned_poller_config.as_ref(),
    };
    changes.of_queue(before.clone(), queue)
}

/// A message that is being handled must stay hidden for as long as that may take.
pub fn check_visibility(visibility: u32, timeout: u32) -> Result<(), ServiceError> {
    if visibility < timeout {
        return Err(error::invalid_parameter(format!(
            "Queue visibility timeout: {visibility} seconds is less than Function timeout: \
             {timeout} seconds"
        )));
    }
    Ok(())
}

/// What an update may change of any mapping.
pub struct Changes<'a> {
    pub batch_size: Option<i32>,
    pub batching_window: Option<i32>,
    pub response_types: Option<&'a [FunctionResponseType]>,
    /// An empty one takes the limit away.
    pub scaling: Option<&'a ScalingConfig>,
    /// Likewise the filters, the metrics, the pollers and the key.
    pub filters: Option<&'a FilterCriteria>,
    pub metrics: Option<&'a EventSourceMappingMetricsConfig>,
    pub pollers: Option<&'a ProvisionedPollerConfig>,
    pub kms_key: Option<&'a str>,
}

impl Changes<'_> {
    fn of_queue(
        self,
        settings: MappingSettings,
        queue: &Arn,
    ) -> Result<MappingSettings, ServiceError> {
        let settings = self.applied_to(settings)?;
        check(&settings, queue)?;
        Ok(settings)
    }

    /// The model has checked the bounds of each by itself.
    pub fn applied_to(
        self,
        mut settings: MappingSettings,
    ) -> Result<MappingSettings, ServiceError> {
        if let Some(size) = self.batch_size {
            settings.batch_size = size.unsigned_abs();
        }
        if let Some(window) = self.batching_window {
            settings.batching_window = window.unsigned_abs();
        }
        if let Some(types) = self.response_types {
            settings.report_batch_item_failures =
                types.contains(&FunctionResponseType::ReportBatchItemFailures);
        }
        if let Some(scaling) = self.scaling {
            settings.maximum_concurrency = scaling.maximum_concurrency.map(i32::unsigned_abs);
        }
        if let Some(criteria) = self.filters {
            settings.filters = filters::patterns(criteria)?;
        }
        if let Some(config) = self.metrics {
            settings.metrics = mapping_extras::metrics(config)?;
        }
        if let Some(config) = self.pollers {
            settings.provisioned = mapping_extras::pollers(config)?;
        }
        if let Some(arn) = self.kms_key {
            settings.kms_key = Some(arn.to_owned()).filter(|arn| !arn.is_empty());
        }
        Ok(settings)
    }
}

fn check(settings: &MappingSettings, queue: &Arn) -> Result<(), ServiceError> {
    if settings.provisioned.is_some() && settings.maximum_concurrency.is_some() {
        return Err(error::invalid_parameter(
            "ScalingConfig and ProvisionedPollerConfig cannot be used together.",
        ));
    }
    if is_fifo(queue) {
        if settings.batching_window > 0 {
            return Err(error::invalid_parameter(
                "Batching window is not supported for FIFO queues",
            ));
        }
        if settings.batch_size > MAX_BATCH_AT_ONCE {
            return Err(error::invalid_parameter(format!(
                "1 validation error detected: Value '{}' at 'batchSize' failed to satisfy \
                 constraint: Member must have value less than or equal to {MAX_BATCH_AT_ONCE}",
                settings.batch_size
            )));
        }
    }
    if settings.batch_size > MAX_BATCH_AT_ONCE && settings.batching_window == 0 {
        return Err(error::invalid_parameter(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is \
             greater than 10",
        ));
    }
    Ok(())
}

fn refuse_other_sources(members: &[(&str, bool)]) -> Result<(), ServiceError> {
    match members.iter().find(|(_, is_given)| *is_given) {
        Some((member, _)) => Err(error::invalid_parameter(format!(
            "{member} is not valid for SQS event sources."
        ))),
        None => Ok(()),
    }
}

pub fn refuse_missing(features: &[(&str, bool)]) -> Result<(), ServiceError> {
    match features.iter().find(|(_, is_asked)| *is_asked) {
        Some((feature, _)) => Err(error::not_yet(feature)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::EventSourcePosition;

    fn arn(name: &str) -> Arn {
        format!("arn:aws:sqs:us-east-1:000000000000:{name}")
            .parse()
            .unwrap()
    }

    fn new() -> CreateEventSourceMappingRequest {
        CreateEventSourceMappingRequest::default()
    }

    fn message(result: Result<MappingSettings, ServiceError>) -> String {
        result.unwrap_err().message
    }

    #[test]
    fn defaults_and_batches() {
        let settings = of_new(&new(), &arn("q")).unwrap();
        assert_eq!((settings.batch_size, settings.batching_window), (10, 0));
        let large = |window| CreateEventSourceMappingRequest {
            batch_size: Some(500),
            maximum_batching_window_in_seconds: window,
            ..new()
        };
        assert!(message(of_new(&large(None), &arn("q"))).starts_with("Maximum batch window"));
        assert_eq!(of_new(&large(Some(1)), &arn("q")).unwrap().batch_size, 500);
    }

    #[test]
    fn a_fifo_queue_has_small_batches_and_no_window() {
        let window = CreateEventSourceMappingRequest {
            maximum_batching_window_in_seconds: Some(1),
            ..new()
        };
        assert_eq!(
            message(of_new(&window, &arn("q.fifo"))),
            "Batching window is not supported for FIFO queues"
        );
        let large = CreateEventSourceMappingRequest {
            batch_size: Some(11),
            ..new()
        };
        assert!(message(of_new(&large, &arn("q.fifo"))).contains("less than or equal to 10"));
    }

    #[test]
    fn what_streams_have_is_refused() {
        let input = CreateEventSourceMappingRequest {
            starting_position: Some(EventSourcePosition::Latest),
            ..new()
        };
        assert_eq!(
            message(of_new(&input, &arn("q"))),
            "StartingPosition is not valid for SQS event sources."
        );
    }

    #[test]
    fn an_empty_scaling_configuration_takes_the_limit_away() {
        let input = CreateEventSourceMappingRequest {
            scaling_config: Some(ScalingConfig {
                maximum_concurrency: Some(5),
            }),
            ..new()
        };
        let before = of_new(&input, &arn("q")).unwrap();
        assert_eq!(before.maximum_concurrency, Some(5));
        let mut update = UpdateEventSourceMappingRequest::default();
        assert_eq!(updated(&before, &update, &arn("q")).unwrap(), before);
        update.scaling_config = Some(ScalingConfig::default());
        let after = updated(&before, &update, &arn("q")).unwrap();
        assert_eq!(after.maximum_concurrency, None);
    }

    #[test]
    fn sources_that_are_not_queues() {
        assert!(source(Some("arn:aws:sqs:us-east-1:000000000000:q")).is_ok());
        assert!(source(None).is_err());
        let stream = source(Some("arn:aws:kinesis:us-east-1:000000000000:stream/s"));
        assert!(stream.unwrap_err().message.contains("kinesis"));
    }
}
