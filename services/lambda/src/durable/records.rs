//! What is stored of durable executions: a head, the operations in the order in which they began,
//! and the events of the history.
//!
//! A checkpoint writes the head, the operations it touches and their events in one batch. Payloads
//! stand with their operations; an event has its own only where the operation's will be replaced.

use base::{AccountId, Arn, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::Table;

use crate::domain::function_name::Place;
use crate::generated::{ErrorObject, EventType, ExecutionStatus, OperationStatus, OperationType};

use super::arn::ExecutionArn;

/// By the execution's id.
pub const HEADS: Table<Head> = Table::new("lambda.durable_execution", 1);
/// By (id, number). The first is the execution itself.
pub const OPERATIONS: Table<Operation> = Table::new("lambda.durable_operation", 1);
/// How an execution ended, by its id: apart from its input, as both may be large.
pub const OUTCOMES: Table<Outcome> = Table::new("lambda.durable_outcome", 1);
/// By (id, number), from 1.
pub const EVENTS: Table<Event> = Table::new("lambda.durable_event", 1);
/// Ids by (account, region, function, name): names are taken while the execution is there.
pub const NAMES: Table<String> = Table::new("lambda.durable_name", 1);
/// Ids by (account, region, function, start in ms, id), for lists.
pub const STARTS: Table<String> = Table::new("lambda.durable_start", 1);

/// Enumerations as the text that AWS uses.
macro_rules! as_text {
    ($module:ident, $name:ident) => {
        mod $module {
            use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

            use super::$name;

            pub fn serialize<S: Serializer>(value: &$name, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(value.as_str())
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                let text = String::deserialize(from)?;
                $name::parse(&text).ok_or_else(|| D::Error::custom("an unknown value"))
            }
        }
    };
}

as_text!(execution_status, ExecutionStatus);
as_text!(operation_status, OperationStatus);
as_text!(operation_type, OperationType);
as_text!(event_type, EventType);

/// Everything about an execution but its operations and events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub account: AccountId,
    pub region: Region,
    pub function: String,
    /// `$LATEST` or a number: every invocation is of this one.
    pub version: String,
    pub name: String,
    pub id: String,
    #[serde(with = "execution_status")]
    pub status: ExecutionStatus,
    pub started: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// In seconds.
    pub timeout: u32,
    /// In days.
    pub retention: u32,
    /// When it times out.
    pub deadline: Timestamp,
    /// Whether somebody waits for the result, which may then be larger.
    pub is_sync: bool,
    /// SHA-256 of the payload, in hexadecimal: a name is taken again only with the same.
    pub input_digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Whom it is for, of a function with tenants: so is every invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether an invocation is to come: the function has something to do or to see.
    pub owed: bool,
    /// An invocation that is owed is not to begin before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When something happens by itself: a timer, a timeout, a retry, the end of the retention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Changes of operations so far; each operation has the number of its last.
    pub changes: u64,
    /// The last change that the function had been told of when its last invocation ended.
    #[serde(default)]
    pub seen: u64,
    /// Events so far.
    pub events: u64,
    /// Bytes of payloads written so far.
    pub written: u64,
    /// Invocations that failed one after another.
    pub failures: u32,
    /// Invocations that ended in PENDING with nothing to wait for, one after another.
    #[serde(default)]
    pub idle: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The last pause or resumption by a client, to recognise when it is asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_control: Option<Control>,
    /// The operation of another execution that this one is the target of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Targets that are no durable functions and have yet to answer.
    #[serde(default)]
    pub plain_targets: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub requested: Timestamp,
    /// When it took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the execution's time stands still meanwhile.
    pub holds_timeout: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    pub client_token: String,
    pub pauses: bool,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub execution: ExecutionArn,
    /// The operation's number.
    pub operation: u64,
    /// Whether the parent has learnt how this one ended.
    pub told: bool,
}

/// An operation as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(with = "operation_type")]
    pub kind: OperationType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    #[serde(with = "operation_status")]
    pub status: OperationStatus,
    pub started: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The number of its last change.
    pub changed: u64,
    /// Attempts that have ended, of a step.
    #[serde(default)]
    pub attempt: u32,
    /// When a wait ends or a step is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Whether the children of a context that has ended are wanted again.
    #[serde(default)]
    pub replays_children: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What an execution gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// What a callback has besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_deadline: Option<Timestamp>,
}

/// What a chained invocation invokes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As the function named it.
    pub function: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The version it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The execution that was started, of a durable function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionArn>,
}

/// An error object. A failure may say nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<Vec<String>>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    #[serde(with = "event_type")]
    pub kind: EventType,
    pub at: Timestamp,
    /// The operation's number, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<u64>,
    #[serde(default, skip_serializing_if = "Detail::is_none")]
    pub detail: Detail,
}

/// What an event says beyond what its operation does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Detail {
    #[default]
    None,
    /// An attempt that is followed by another.
    Retry {
        attempt: u32,
        /// In seconds.
        delay: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// A step's last attempt.
    Attempt {
        attempt: u32,
    },
    Error(Failure),
    Invocation {
        started: Timestamp,
        ended: Timestamp,
        request_id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    Paused {
        requested: Timestamp,
        reason: Option<String>,
        holds_timeout: bool,
    },
    Resumed {
        requested: Timestamp,
        reason: Option<String>,
    },
    /// Of a callback, in seconds.
    Limits {
        timeout: Option<u32>,
        heartbeat: Option<u32>,
    },
}

impl Detail {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl Head {
    pub fn place(&self) -> Place {
        Place {
            account: self.account,
            region: self.region.clone(),
        }
    }

    /// Qualified with the version that runs.
    pub fn function_arn(&self) -> Arn {
        let qualified = format!("{}:{}", self.function, self.version);
        self.place().function_arn(&qualified)
    }

    pub fn arn(&self) -> ExecutionArn {
        ExecutionArn {
            place: self.place(),
            function: self.function.clone(),
            version: self.version.clone(),
            name: self.name.clone(),
            id: self.id.clone(),
        }
    }

    /// Whether it has ended, one way or another.
    pub fn is_closed(&self) -> bool {
        self.ended.is_some()
    }

    pub fn is_paused(&self) -> bool {
        self.status == ExecutionStatus::Paused
    }

    pub fn name_key(&self) -> (&str, &str, &str, &str) {
        (
            self.account.as_str(),
            self.region.as_str(),
            &self.function,
            &self.name,
        )
    }

    pub fn start_key(&self) -> (&str, &str, &str, i64, &str) {
        (
            self.account.as_str(),
            self.region.as_str(),
            &self.function,
            self.started.millis(),
            &self.id,
        )
    }

    /// Of a result, in bytes.
    pub fn max_result(&self) -> usize {
        if self.is_sync {
            super::MAX_SYNC_PAYLOAD
        } else {
            super::MAX_PAYLOAD
        }
    }
}

impl Operation {
    /// Whether the function may wait for it.
    pub fn is_pending(&self) -> bool {
        match self.kind {
            OperationType::Step => self.status == OperationStatus::Pending,
            OperationType::Wait | OperationType::Callback | OperationType::ChainedInvoke => {
                self.status == OperationStatus::Started
            }
            OperationType::Execution | OperationType::Context => false,
        }
    }

    /// When something happens to it by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        if !self.is_pending() {
            return None;
        }
        match &self.callback {
            Some(callback) => {
                let both = [callback.deadline, callback.heartbeat_deadline];
                both.into_iter().flatten().min()
            }
            None => self.due,
        }
    }

    /// Without what it gave, and that.
    pub fn split(mut self) -> (Self, Outcome) {
        let outcome = Outcome {
            result: self.result.take(),
            error: self.error.take(),
        };
        (self, outcome)
    }

    /// Of its payloads.
    pub fn bytes(&self) -> usize {
        let texts = [&self.input, &self.result].into_iter().flatten();
        let error = self.error.as_ref().map_or(0, Failure::bytes);
        texts.map(String::len).sum::<usize>() + error
    }
}

impl Failure {
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            kind: Some(kind.to_owned()),
            ..Self::default()
        }
    }

    /// All of its text.
    pub fn bytes(&self) -> usize {
        let texts = [&self.message, &self.kind, &self.data];
        let texts = texts.into_iter().flatten();
        texts
            .chain(self.stack_trace.iter().flatten())
            .map(String::len)
            .sum()
    }
}

impl From<ErrorObject> for Failure {
    fn from(error: ErrorObject) -> Self {
        Self {
            message: error.error_message,
            kind: error.error_type,
            data: error.error_data,
            stack_trace: error.stack_trace,
        }
    }
}

impl From<Failure> for ErrorObject {
    fn from(failure: Failure) -> Self {
        Self {
            error_message: failure.message,
            error_type: failure.kind,
            error_data: failure.data,
            stack_trace: failure.stack_trace,
        }
    }
}
