//! Tumbling windows: what a function has made of the records so far, handed on from one batch to the
//! next, and told apart by when the records came.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html>

use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// The most that a state may take, as JSON text.
const MAX_STATE: usize = 1 << 20;

/// A window that records have come into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    start: Timestamp,
    /// In seconds.
    length: u32,
    state: Json,
}

/// Why the function is run on a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Batch,
    /// The last one, without records.
    Final {
        /// The state would have become too large.
        early: bool,
    },
}

/// What came of a batch.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Goes(Window),
    /// The state that the function answered with is too large: the window ends with the one before.
    TooLarge,
}

impl Window {
    /// The one that an instant falls into, with nothing in it yet.
    pub fn of(at: Timestamp, length: Duration) -> Self {
        let seconds = u32::try_from(length.as_secs()).unwrap_or(u32::MAX).max(1);
        let start = at.seconds().div_euclid(i64::from(seconds)) * i64::from(seconds);
        Self {
            start: Timestamp::from_millis(start * 1_000),
            length: seconds,
            state: json!({}),
        }
    }

    pub fn end(&self) -> Timestamp {
        self.start + Duration::from_secs(self.length.into())
    }

    pub fn has_length(&self, length: Duration) -> bool {
        u64::from(self.length) == length.as_secs()
    }

    /// Whether a record belongs to a later window. One that came late belongs to this one.
    pub fn is_before(&self, at: Timestamp) -> bool {
        at >= self.end()
    }

    /// The same window without what the function had made of it.
    pub fn emptied(&self) -> Self {
        Self {
            state: json!({}),
            ..self.clone()
        }
    }

    /// An event, which is a JSON object, with what the function is told of the window.
    pub fn add_to(&self, event: &[u8], run: Run, shard: &str, stream: &str) -> Bytes {
        let members = json!({
            "window": {
                "start": self.start.iso8601_seconds(),
                "end": self.end().iso8601_seconds(),
            },
            "state": self.state,
            "shardId": shard,
            "eventSourceARN": stream,
            "isFinalInvokeForWindow": run != Run::Batch,
            "isWindowTerminatedEarly": run == Run::Final { early: true },
        });
        let mut whole = event.strip_suffix(b"}").unwrap_or(event).to_vec();
        whole.push(b',');
        whole.extend_from_slice(&members.to_string().as_bytes()[1..]);
        whole.into()
    }

    /// With the state that a function answered with; one that answers with none has none.
    pub fn after(&self, answer: &[u8]) -> Outcome {
        let answer: Map<String, Json> = serde_json::from_slice(answer).unwrap_or_default();
        let state = answer.get("state").filter(|state| state.is_object());
        let state = state.cloned().unwrap_or_else(|| json!({}));
        if state.to_string().len() > MAX_STATE {
            return Outcome::TooLarge;
        }
        Outcome::Goes(Self {
            state,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn window() -> Window {
        Window::of(Timestamp::from_millis(90_500), MINUTE)
    }

    #[test]
    fn windows_follow_one_another_from_the_epoch_on() {
        let window = window();
        assert_eq!(window.end(), Timestamp::from_millis(120_000));
        assert!(!window.is_before(Timestamp::from_millis(119_999)));
        assert!(window.is_before(Timestamp::from_millis(120_000)));
        assert!(!window.is_before(Timestamp::from_millis(1)), "late");
    }

    #[test]
    fn the_function_is_told_of_the_window() {
        let Outcome::Goes(window) = window().after(br#"{"state":{"n":2}}"#) else {
            panic!("it is small");
        };
        let run = Run::Final { early: true };
        let event = window.add_to(br#"{"Records":[]}"#, run, "shardId-1", "arn");
        let event: Json = serde_json::from_slice(&event).unwrap();
        assert_eq!(
            event,
            json!({
                "Records": [],
                "window": {"start": "1970-01-01T00:01:00Z", "end": "1970-01-01T00:02:00Z"},
                "state": {"n": 2},
                "shardId": "shardId-1",
                "eventSourceARN": "arn",
                "isFinalInvokeForWindow": true,
                "isWindowTerminatedEarly": true,
            })
        );
    }

    #[test]
    fn a_state_is_an_object_of_bounded_size() {
        for answer in ["", "null", "7", "{}", r#"{"state":7}"#, "{"] {
            assert_eq!(window().after(answer.as_bytes()), Outcome::Goes(window()));
        }
        let large = json!({"state": {"text": "x".repeat(MAX_STATE)}}).to_string();
        assert_eq!(window().after(large.as_bytes()), Outcome::TooLarge);
    }
}
