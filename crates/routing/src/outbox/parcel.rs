//! What is sent on, and what is stored of it until it has arrived.

use std::collections::BTreeMap;

use base::{Arn, RequestId, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Key, Table};

/// Heads under (due in ms, id). The bodies are apart, so that a backlog is read without them.
pub const HEADS: Table<Head> = Table::new("routing.outbox", 1);

/// A document on its way to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub address: Address,
    /// Text; JSON wherever the target wants that.
    pub body: Bytes,
}

/// Everything about a parcel but its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub target: Arn,
    pub sender: Sender,
    /// The resource that it is sent for, such as a function.
    pub source: Arn,
    /// Message attributes, where the target is a queue or a topic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// What is said around the document on an event bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Envelope>,
    /// The document's name in a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_key: Option<String>,
    /// `X-Amzn-Trace-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// In whose name a parcel is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sender {
    Lambda,
}

/// A message attribute of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub data_type: String,
    pub value: String,
}

/// The members of an EventBridge event beside its detail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub source: String,
    pub detail_type: String,
    pub resources: Vec<String>,
}

/// What is stored of a parcel beside its body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    pub id: RequestId,
    pub address: Address,
    pub accepted_at: Timestamp,
    /// How often its delivery has failed.
    pub failures: u32,
}

impl Sender {
    /// The service principal.
    pub const fn principal(self) -> &'static str {
        match self {
            Self::Lambda => "lambda.amazonaws.com",
        }
    }
}

impl Attribute {
    pub fn text(value: impl Into<String>) -> Self {
        Self {
            data_type: "String".to_owned(),
            value: value.into(),
        }
    }

    pub fn number(value: i64) -> Self {
        Self {
            data_type: "Number".to_owned(),
            value: value.to_string(),
        }
    }
}

/// The body's key: raw bytes, in no table.
pub fn body_key(id: RequestId) -> Key {
    Key::of(("routing.outbox_body", id.to_string()))
}
