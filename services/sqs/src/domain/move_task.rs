//! A message move task: from a dead-letter queue back to where its messages came from, or to
//! another queue.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

use base::{Arn, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTask {
    pub id: String,
    pub source: Arn,
    /// `None`: back to the queue each message came from.
    pub destination: Option<Arn>,
    /// Messages a second.
    pub rate: Option<u32>,
    pub started_at: Timestamp,
    pub to_move: u64,
    pub moved: u64,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Running,
    Completed,
    Cancelling,
    Cancelled,
    Failed { reason: String },
}

impl Status {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Failed { .. } => "FAILED",
        }
    }

    /// Whether messages are still being moved.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    task_id: String,
    source_arn: Arn,
}

impl MoveTask {
    pub fn handle(&self) -> String {
        let handle = Handle {
            task_id: self.id.clone(),
            source_arn: self.source.clone(),
        };
        STANDARD.encode(serde_json::to_string(&handle).expect("two texts are always JSON"))
    }

    /// Id and source queue of the task that a handle is for.
    pub fn read_handle(handle: &str) -> Option<(String, Arn)> {
        let bytes = STANDARD.decode(handle).ok()?;
        let handle: Handle = serde_json::from_slice(&bytes).ok()?;
        Some((handle.task_id, handle.source_arn))
    }
}
