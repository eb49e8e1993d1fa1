//! What Lambda tells of an invocation: the same document for whatever kind of target there is.

use base::{Arn, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::{Attribute, Kind, Parcel, Retry, Source, Target};

/// A record of an invocation, or an event that is given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub target: Arn,
    /// The function, unqualified.
    pub source: Source,
    /// Text; JSON wherever the target wants that.
    pub body: String,
    /// Of the message, where the target is a queue or a topic.
    pub attributes: Vec<Attribute>,
    /// What is said around the document on an event bus.
    pub envelope: Option<Envelope>,
    /// The document's name in a bucket.
    pub object_key: Option<String>,
    /// `X-Amzn-Trace-Id`.
    pub trace: Option<String>,
}

/// The members of an EventBridge event beside its detail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub source: String,
    pub detail_type: String,
    pub resources: Vec<Arn>,
}

impl Notice {
    /// For a target that wants nothing beside the document.
    pub const fn new(target: Arn, source: Source, body: String) -> Self {
        Self {
            target,
            source,
            body,
            attributes: Vec::new(),
            envelope: None,
            object_key: None,
            trace: None,
        }
    }

    pub fn parcel(self, now: Timestamp) -> Parcel {
        let name = self.target.to_string();
        let (target, body) = match (Kind::of(&self.target), self.envelope) {
            (Some(Kind::Queue), _) => {
                let target = Target::Queue {
                    queue: self.target,
                    group: None,
                    deduplication: None,
                    attributes: self.attributes,
                };
                (target, self.body)
            }
            (Some(Kind::Topic), _) => {
                let attributes = self.attributes.into_iter().map(of_topic);
                let attributes = Json::Object(attributes.collect());
                let more = Map::from_iter([("MessageAttributes".to_owned(), attributes)]);
                Target::topic(&name, &self.body, more)
            }
            (Some(Kind::Function), _) => (Target::Function(self.target), self.body),
            (Some(Kind::Bucket), _) => {
                let input = json!({
                    "Bucket": self.target.resource,
                    "Key": self.object_key,
                    "ContentType": "application/json",
                    "Body": self.body,
                });
                (Target::call("s3", "PutObject", name), input.to_string())
            }
            (Some(Kind::EventBus), Some(envelope)) => {
                let target = Target::EventBus {
                    bus: Some(self.target),
                    source: envelope.source,
                    detail_type: envelope.detail_type,
                    resources: envelope.resources,
                    time: now,
                };
                (target, self.body)
            }
            (Some(Kind::EventBus) | None, _) => (Target::Nowhere(name), self.body),
        };
        Parcel {
            target,
            body,
            source: self.source,
            order: None,
            retry: Retry::LAMBDA,
            dead_letter: None,
            accepted_at: now,
            per_second: None,
            trace: self.trace,
        }
    }
}

fn of_topic(attribute: Attribute) -> (String, Json) {
    let value = json!({"DataType": attribute.kind, "StringValue": attribute.value});
    (attribute.name, value)
}
