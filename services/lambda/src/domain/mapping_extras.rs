//! What any event source mapping may ask for beside its batches: metrics, and pollers of its own.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use service::ServiceError;

use crate::error;
use crate::generated::{
    EventSourceMappingMetric, EventSourceMappingMetricsConfig, ProvisionedPollerConfig,
};
use crate::records::ProvisionedPollers;

const DEFAULT_MINIMUM: u32 = 2;
const DEFAULT_MAXIMUM: u32 = 200;
/// The fewest pollers of a queue; the model allows for one, which other sources may have.
const LEAST: u32 = 2;

/// The metrics that are asked for; an empty list takes them away.
pub fn metrics(
    config: &EventSourceMappingMetricsConfig,
) -> Result<Option<Vec<String>>, ServiceError> {
    let metrics = config.metrics.as_deref().unwrap_or_default();
    if let Some(other) = metrics
        .iter()
        .find(|metric| **metric != EventSourceMappingMetric::EventCount)
    {
        return Err(error::invalid_parameter(format!(
            "{} is not a valid metric for this event source.",
            other.as_str()
        )));
    }
    let names: Vec<_> = metrics
        .iter()
        .map(|metric| metric.as_str().to_owned())
        .collect();
    Ok(Some(names).filter(|names| !names.is_empty()))
}

/// As the API shows them.
pub fn shown_metrics(metrics: &[String]) -> EventSourceMappingMetricsConfig {
    let metrics = metrics.iter();
    EventSourceMappingMetricsConfig {
        metrics: Some(
            metrics
                .filter_map(|metric| EventSourceMappingMetric::parse(metric))
                .collect(),
        ),
    }
}

/// The pollers that are asked for; an empty configuration takes them away.
pub fn pollers(
    config: &ProvisionedPollerConfig,
) -> Result<Option<ProvisionedPollers>, ServiceError> {
    if config.poller_group_name.is_some() {
        return Err(error::invalid_parameter(
            "PollerGroupName is not valid for SQS event sources.",
        ));
    }
    let (minimum, maximum) = (config.minimum_pollers, config.maximum_pollers);
    if minimum.is_none() && maximum.is_none() {
        return Ok(None);
    }
    let minimum = minimum.map_or(DEFAULT_MINIMUM, i32::unsigned_abs);
    let maximum = maximum.map_or(DEFAULT_MAXIMUM.max(minimum), i32::unsigned_abs);
    for (member, value) in [("minimumPollers", minimum), ("maximumPollers", maximum)] {
        if value < LEAST {
            return Err(error::invalid_parameter(format!(
                "1 validation error detected: Value '{value}' at 'provisionedPollerConfig.{member}' \
                 failed to satisfy constraint: Member must have value greater than or equal to \
                 {LEAST}"
            )));
        }
    }
    if minimum > maximum {
        return Err(error::invalid_parameter(
            "MinimumPollers must be less than or equal to MaximumPollers.",
        ));
    }
    Ok(Some(ProvisionedPollers { minimum, maximum }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(minimum: Option<i32>, maximum: Option<i32>) -> ProvisionedPollerConfig {
        ProvisionedPollerConfig {
            minimum_pollers: minimum,
            maximum_pollers: maximum,
            ..ProvisionedPollerConfig::default()
        }
    }

    #[test]
    fn pollers_have_defaults_and_bounds() {
        let pollers = |minimum, maximum| {
            let pollers = pollers(&config(minimum, maximum)).unwrap();
            pollers.map(|it| (it.minimum, it.maximum))
        };
        assert_eq!(pollers(None, None), None);
        assert_eq!(pollers(Some(3), None), Some((3, 200)));
        assert_eq!(pollers(None, Some(9)), Some((2, 9)));
        for (minimum, maximum) in [(Some(1), None), (Some(9), Some(3)), (None, Some(1))] {
            assert!(super::pollers(&config(minimum, maximum)).is_err());
        }
    }
}
