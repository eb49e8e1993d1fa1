//! TestMetricFilter: which of some messages a filter pattern lets through.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TestMetricFilter.html>

use service::{RequestContext, ServiceError};

use super::State;
use crate::domain::filter::FilterPattern;
use crate::error;
use crate::generated::{
    MetricFilterMatchRecord, TestMetricFilterRequest, TestMetricFilterResponse,
};

pub async fn answer(
    _: State,
    _: RequestContext,
    input: TestMetricFilterRequest,
) -> Result<TestMetricFilterResponse, ServiceError> {
    let pattern = FilterPattern::parse(&input.filter_pattern)
        .map_err(|error| error::invalid_parameter(error.to_string()))?;
    let numbered = (1..).zip(input.log_event_messages);
    let matches = numbered
        .filter(|(_, message)| pattern.matches(message))
        .map(|(number, message)| MetricFilterMatchRecord {
            event_number: Some(number),
            extracted_values: Some(pattern.fields(&message)),
            event_message: Some(message),
        });
    Ok(TestMetricFilterResponse {
        matches: Some(matches.collect()),
    })
}
