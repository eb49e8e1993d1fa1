//! What others learn of an execution: its status on the event bus, its failure in a dead-letter
//! queue, its end by the execution that invoked it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use routing::outbox::{Address, Envelope, Parcel, Sender};
use serde_json::json;
use store::{Batch, StoreError};

use super::records::Head;
use super::state::{Change, State};
use super::{Durable, output};
use crate::domain::dead_letter;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::generated::ExecutionStatus;

impl Durable {
    /// Adds an event with the status of an execution to a batch.
    pub(super) fn put_status(&self, batch: &mut Batch, head: &Head) -> Result<(), StoreError> {
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
        let address = Address {
            envelope: Some(Envelope {
                source: "aws.lambda".to_owned(),
                detail_type: "Durable Execution Status Change".to_owned(),
                resources: Vec::new(),
            }),
            ..address(head, default_bus(head))
        };
        let body = detail.to_string().into();
        self.outbox.put(batch, Parcel { address, body })
    }

    /// Adds the event of an asynchronous execution that has failed, for its function's dead-letter
    /// queue.
    pub(super) fn put_dead_letter(
        &self,
        batch: &mut Batch,
        state: &State,
        change: &Change,
    ) -> Result<(), StoreError> {
        let head = &change.head;
        let is_failure = matches!(
            head.status,
            ExecutionStatus::Failed | ExecutionStatus::TimedOut
        );
        if !is_failure || head.is_sync || head.parent.is_some() {
            return Ok(());
        }
        let name = FunctionName {
            place: head.place(),
            name: head.function.clone(),
            qualifier: Some(Qualifier::parse(&head.version)),
        };
        let Ok(target) = self.functions.resolve(&name) else {
            return Ok(());
        };
        let Some(queue) = target.version.record.settings.dead_letter.clone() else {
            return Ok(());
        };
        let error = change.error().cloned().unwrap_or_default();
        let answer = output::error_document(&error);
        let attributes = dead_letter::attributes(&head.id, Some(answer.as_bytes()));
        let input = state.operations[0].input.clone().unwrap_or_default();
        let parcel = Parcel {
            address: Address {
                attributes,
                ..address(head, queue)
            },
            body: input.into(),
        };
        self.outbox.put(batch, parcel)
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

fn address(head: &Head, target: Arn) -> Address {
    Address {
        target,
        sender: Sender::Lambda,
        source: head.place().function_arn(&head.function),
        attributes: BTreeMap::new(),
        envelope: None,
        object_key: None,
        trace: head.trace.clone(),
    }
}
