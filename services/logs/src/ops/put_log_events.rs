//! PutLogEvents.

use base::Timestamp;
use service::{RequestContext, ServiceError};

use super::State;
use crate::domain::batch::{self, Accepted};
use crate::error;
use crate::generated::{PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo};
use crate::streams::StreamName;

pub async fn answer(
    logs: State,
    context: RequestContext,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse, ServiceError> {
    let group = logs.group(&context, &input.log_group_name).await?;
    let sizes: Vec<_> = input
        .log_events
        .iter()
        .map(|event| (Timestamp::from_millis(event.timestamp), event.message.len()))
        .collect();
    let accepted = batch::judge(&sizes, context.received_at, group.retention_days)
        .map_err(error::invalid_parameter)?;
    let name = StreamName {
        account: &context.account,
        region: &context.region,
        group: &input.log_group_name,
        stream: &input.log_stream_name,
    };
    let events = input
        .log_events
        .into_iter()
        .skip(accepted.range.start)
        .take(accepted.range.len())
        .map(|event| (Timestamp::from_millis(event.timestamp), event.message));
    let next_sequence = logs
        .append_events(name, events)
        .await
        .map_err(|error| error::unavailable(&error))?;
    let next_sequence = next_sequence.ok_or_else(error::stream_not_found)?;
    Ok(PutLogEventsResponse {
        // Tokens are no longer needed, and are still given.
        next_sequence_token: Some(format!("{next_sequence:056}")),
        rejected_log_events_info: rejected(&accepted),
        ..PutLogEventsResponse::default()
    })
}

fn rejected(accepted: &Accepted) -> Option<RejectedLogEventsInfo> {
    let index = |at: Option<usize>| at.and_then(|at| i32::try_from(at).ok());
    let info = RejectedLogEventsInfo {
        too_new_log_event_start_index: index(accepted.too_new_from),
        too_old_log_event_end_index: index(accepted.too_old_until),
        expired_log_event_end_index: index(accepted.expired_until),
    };
    (info != RejectedLogEventsInfo::default()).then_some(info)
}
