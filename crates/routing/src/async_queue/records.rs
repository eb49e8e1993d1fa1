//! What is stored of an event: a head in the order in which events are due, and its payload apart,
//! so that a long backlog is read without its payloads and a retry moves only the head.

use base::{Arn, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Table};

use super::event::AsyncEvent;

/// Heads under (lane, due in ms, sequence, request id).
pub const HEADS: Table<Head> = Table::new("routing.async_event", 1);

/// Everything about an event but its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub id: RequestId,
    pub function: Arn,
    pub accepted_at: Timestamp,
    /// Runs in which the function failed.
    pub failures: u32,
    /// Runs that did not come about.
    pub system_failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

impl Head {
    pub fn of(event: &AsyncEvent) -> Self {
        Self {
            id: event.request_id,
            function: event.function.clone(),
            accepted_at: event.accepted_at,
            failures: 0,
            system_failures: 0,
            trace: event.trace.clone(),
            client_context: event.client_context.clone(),
            tenant: event.tenant.clone(),
        }
    }

    pub fn event(&self, payload: bytes::Bytes) -> AsyncEvent {
        AsyncEvent {
            request_id: self.id,
            function: self.function.clone(),
            payload,
            accepted_at: self.accepted_at,
            trace: self.trace.clone(),
            client_context: self.client_context.clone(),
            tenant: self.tenant.clone(),
        }
    }
}

/// The payload's key: raw bytes, in no table.
pub fn payload_key(id: RequestId) -> Key {
    Key::of(("routing.async_payload", id.to_string()))
}

/// The unqualified ARN: all versions of a function share its concurrency.
pub fn lane_of(function: &Arn) -> String {
    let mut resource = function.resource.splitn(3, ':');
    let unqualified = match (resource.next(), resource.next()) {
        (Some(kind), Some(name)) => format!("{kind}:{name}"),
        _ => function.resource.clone(),
    };
    let lane = Arn {
        resource: unqualified,
        ..function.clone()
    };
    lane.to_string()
}
