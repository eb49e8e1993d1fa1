//! What others learn of an execution: its status on the event bus, its failure in a dead-letter
//! queue, its end by the execution that invoked it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html>

use std::sync::Arc;

use base::Arn;
use routing::deliveries::{Envelope, Notice, Parcel, Source};
use serde_json::json;

use super::records::Head;
use super::state::{Change, State};
use super::{Durable, output};
use crate::domain::dead_letter;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::generated::ExecutionStatus;

impl Durable {
    /// The event with the status of an execution.
    pub(super) fn status(&self, head: &Head) -> Parcel {
        let mut detail = json!({
            "durableExecutionArn": head.arn().to_string(),
            "durableExecutionName": head.name,
            "functionArn": head.function_arn().to_string(),
            "status": head.status.as_str(),
            "startTimestamp": head.started.iso8601_millis(),
        });
        if let Some(ended) = head.ended {
            detail["endTimestamp"] = json!(ended.iso8601_millis());
        }
        let notice = Notice {
            envelope: Some(Envelope {
                source: "aws.lambda".to_owned(),
                detail_type: "Durable Execution Status Change".to_owned(),
                resources: Vec::new(),
            }),
            ..notice(head, default_bus(head), detail.to_string())
        };
        notice.parcel(self.now())
    }

    /// The event of an asynchronous execution that has failed, if its function has a dead-letter queue.
    pub(super) fn dead_letter(&self, state: &State, change: &Change) -> Option<Parcel> {
        let head = &change.head;
        let is_failure = matches!(
            head.status,
            ExecutionStatus::Failed | ExecutionStatus::TimedOut
        );
        if !is_failure || head.is_sync || head.parent.is_some() {
            return None;
        }
        let name = FunctionName {
            place: head.place(),
            name: head.function.clone(),
            qualifier: Some(Qualifier::parse(&head.version)),
        };
        let target = self.functions.resolve(&name).ok()?;
        let queue = target.version.record.settings.dead_letter.clone()?;
        let error = change.error().cloned().unwrap_or_default();
        let answer = output::error_document(&error);
        let input = state.operations[0].input.clone().unwrap_or_default();
        let notice = Notice {
            attributes: dead_letter::attributes(&head.id, Some(answer.as_bytes())),
            ..notice(head, queue, input)
        };
        Some(notice.parcel(self.now()))
    }

    /// Tells the execution that invoked this one how it ended, if there is one that does not know.
    pub(super) fn tell_parent_later(self: &Arc<Self>, head: &Head) {
        if head.parent.as_ref().is_none_or(|parent| parent.told) {
            return;
        }
        let (this, child) = (Arc::clone(self), head.arn());
        tokio::spawn(async move {
            if let Err(error) = this.tell_parent(&child).await {
                // At the next start it is tried again.
                tracing::error!(%error, execution = %child, "lambda: tell of a chained execution");
            }
        });
    }
}

fn default_bus(head: &Head) -> Arn {
    Arn::regional("events", &head.region, head.account, "event-bus/default")
}

fn notice(head: &Head, target: Arn, body: String) -> Notice {
    let source = Source {
        arn: head.place().function_arn(&head.function),
        account: head.account,
        region: head.region.clone(),
    };
    Notice {
        trace: head.trace.clone(),
        ..Notice::new(target, source, body)
    }
}
