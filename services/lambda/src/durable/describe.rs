//! An execution and its history as the API shows them.

use std::sync::Arc;

use service::ServiceError;

use super::arn::ExecutionArn;
use super::control::expected_timeout;
use super::history::View;
use super::records::{EVENTS, Head};
use super::{Durable, refusals};
use crate::domain::durable_config::{self, DurableSettings};
use crate::error;
use crate::generated::{Event, GetDurableExecutionResponse, PauseDetails, TraceHeader};

impl Durable {
    /// # Errors
    /// There is none.
    pub async fn describe(
        self: &Arc<Self>,
        arn: &ExecutionArn,
        with_data: bool,
    ) -> Result<GetDurableExecutionResponse, ServiceError> {
        let entered = self.enter_named(arn).await?;
        let (head, execution) = (&entered.head, &entered.operations[0]);
        let settings = DurableSettings {
            execution_timeout: head.timeout,
            retention_days: head.retention,
        };
        Ok(GetDurableExecutionResponse {
            durable_execution_arn: arn.to_string(),
            durable_execution_name: head.name.clone(),
            function_arn: head.function_arn().to_string(),
            input_payload: execution.input.clone().filter(|_| with_data),
            result: execution.result.clone().filter(|_| with_data),
            error: execution
                .error
                .clone()
                .filter(|_| with_data)
                .map(Into::into),
            start_timestamp: head.started,
            status: head.status,
            end_timestamp: head.ended,
            version: Some(head.version.clone()),
            trace_header: head.trace.clone().map(|trace| TraceHeader {
                x_amzn_trace_id: Some(trace),
            }),
            execution_data_included: Some(with_data),
            durable_config: Some(durable_config::shown(&settings)),
            pause_details: pause(head, with_data),
            expected_execution_timeout_timestamp: Some(expected_timeout(head))
                .filter(|_| !head.is_closed()),
        })
    }

    /// Events after the marker, in order or from the last one back, and the marker of the rest.
    ///
    /// # Errors
    /// There is no such execution; a marker that is none.
    pub async fn history(
        self: &Arc<Self>,
        arn: &ExecutionArn,
        with_data: bool,
        is_reversed: bool,
        marker: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Event>, Option<String>), ServiceError> {
        let entered = self.enter_named(arn).await?;
        let last = entered.head.events;
        let first = match marker.filter(|marker| !marker.is_empty()) {
            Some(marker) => marker.parse().map_err(|_| refusals::invalid_marker())?,
            None if is_reversed => last,
            None => 1,
        };
        // Numbers from the first one wanted on, in either direction.
        let (from, until) = if is_reversed {
            let from = first.saturating_sub(limit as u64) + 1;
            (from.max(1), first.saturating_add(1))
        } else {
            (first, first.saturating_add(limit as u64))
        };
        let id = &entered.head.id;
        let page = EVENTS.scan_range(&self.store, (id, from), (id, until), limit);
        let page = page.await.map_err(error::store_failed)?;
        let view = View {
            head: &entered.head,
            operations: &entered.operations,
            with_data,
        };
        let numbered = page.rows.iter().zip(from..);
        let mut events: Vec<Event> = numbered
            .map(|(row, number)| view.event(number, &row.value))
            .collect();
        let next = if is_reversed {
            events.reverse();
            from.checked_sub(1).filter(|next| *next > 0)
        } else {
            Some(until).filter(|next| *next <= last)
        };
        Ok((events, next.map(|next| next.to_string())))
    }
}

fn pause(head: &Head, with_data: bool) -> Option<PauseDetails> {
    head.pause.as_ref().map(|pause| PauseDetails {
        pause_request_timestamp: pause.requested,
        reason: pause.reason.clone().filter(|_| with_data),
        execution_timeout_paused: pause.holds_timeout,
    })
}
