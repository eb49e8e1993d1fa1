//! What a send must give, and what it makes of it for its queue.

use std::time::Duration;

use base::Timestamp;

use super::attributes::QueueAttributes;
use super::deduplication::{DeduplicationKey, content_id};
use super::digest;
use super::message::{Message, Receives};
use super::message_attributes::MessageAttributes;
use super::{Fault, body};

const MAX_DELAY: i64 = 900;
const MAX_ID_LENGTH: usize = 128;

/// One message as its sender gives it; the attributes have been checked.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    pub body: String,
    pub attributes: MessageAttributes,
    pub trace_header: Option<String>,
    pub delay_seconds: Option<i64>,
    pub group_id: Option<String>,
    pub deduplication_id: Option<String>,
}

/// A message ready to be stored, and in a FIFO queue what it must not repeat.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub message: Message,
    pub deduplication: Option<DeduplicationKey>,
}

impl Outgoing {
    /// Bytes that count towards the limits: the body and every part of the attributes.
    pub fn bytes(&self) -> usize {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| value.bytes(name));
        self.body.len() + attributes.sum::<usize>()
    }

    /// What must be there at all. In a batch, AWS refuses the whole request for it.
    pub fn check_required(&self, queue: &QueueAttributes) -> Result<(), Fault> {
        if !queue.fifo {
            return Ok(());
        }
        if self.group_id.is_none() {
            return Err(Fault::Missing("MessageGroupId"));
        }
        if self.deduplication_id.is_none() && !queue.content_based_deduplication {
            return Err(Fault::Parameter(
                "The queue should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Checks everything else and makes the message.
    pub fn prepare(
        self,
        queue: &QueueAttributes,
        sender_id: String,
        now: Timestamp,
    ) -> Result<Prepared, Fault> {
        self.check_required(queue)?;
        body::check(&self.body)?;
        let limit = queue.maximum_message_size;
        if self.bytes() > limit as usize {
            return Err(Fault::Parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} \
                 bytes."
            )));
        }
        check_id("MessageGroupId", self.group_id.as_deref())?;
        check_id("MessageDeduplicationId", self.deduplication_id.as_deref())?;
        if let (Some(id), false) = (&self.deduplication_id, queue.fifo) {
            return Err(wrong_queue_type(id, "MessageDeduplicationId"));
        }
        let delay = self.delay(queue)?;
        let deduplication_id = match self.deduplication_id {
            None if queue.fifo => Some(content_id(&self.body)),
            given => given,
        };
        let deduplication = match (&deduplication_id, &self.group_id) {
            (Some(id), Some(group)) => Some(queue.deduplication_scope.key(id, group)),
            _ => None,
        };
        let message = Message {
            id: uuid::Uuid::new_v4().to_string(),
            body_digest: digest::of_body(&self.body),
            body: self.body,
            attributes: self.attributes,
            sender_id,
            sent_at: now,
            enqueued_at: now,
            visible_at: now + delay,
            group_id: self.group_id,
            deduplication_id,
            trace_header: self.trace_header,
            dead_letter_source: None,
            received_before: Receives::default(),
        };
        Ok(Prepared {
            message,
            deduplication,
        })
    }

    /// The message's delay, or the queue's. FIFO queues know only the queue's: zero stands for it.
    fn delay(&self, queue: &QueueAttributes) -> Result<Duration, Fault> {
        let seconds = match self.delay_seconds {
            None => queue.delay_seconds.into(),
            Some(0) if queue.fifo => queue.delay_seconds.into(),
            Some(seconds) if queue.fifo => {
                return Err(Fault::parameter(
                    seconds,
                    "DelaySeconds",
                    "The request include parameter that is not valid for this queue type.",
                ));
            }
            Some(seconds) if (0..=MAX_DELAY).contains(&seconds) => seconds.unsigned_abs(),
            Some(seconds) => {
                return Err(Fault::parameter(
                    seconds,
                    "DelaySeconds",
                    "DelaySeconds must be >= 0 and <= 900.",
                ));
            }
        };
        Ok(Duration::from_secs(seconds))
    }
}

/// Checks the sum of a batch.
pub fn check_total(bytes: usize) -> Result<(), Fault> {
    if bytes <= body::MAX_BYTES {
        return Ok(());
    }
    Err(Fault::BatchTooLong(format!(
        "Batch requests cannot be longer than {} bytes. You have sent {bytes} bytes.",
        body::MAX_BYTES
    )))
}

/// 1 to 128 printable ASCII characters, no space: message group and deduplication ids, and
/// receive request attempt ids.
pub fn check_id(parameter: &str, id: Option<&str>) -> Result<(), Fault> {
    let is_valid = |id: &str| {
        (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
    };
    match id {
        Some(id) if !is_valid(id) => Err(Fault::parameter(
            id,
            parameter,
            format!(
                "{parameter} can only include alphanumeric and punctuation characters. 1 to 128 \
                 in length."
            ),
        )),
        _ => Ok(()),
    }
}

fn wrong_queue_type(value: &str, parameter: &str) -> Fault {
    Fault::parameter(
        value,
        parameter,
        "The request includes a parameter that is not valid for this queue type.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn outgoing(body: &str) -> Outgoing {
        Outgoing {
            body: body.to_owned(),
            ..Outgoing::default()
        }
    }

    fn prepare(outgoing: Outgoing, queue: &QueueAttributes) -> Result<Prepared, Fault> {
        outgoing.prepare(queue, "me".to_owned(), NOW)
    }

    #[test]
    fn sizes() {
        let mut queue = QueueAttributes::new(false);
        assert!(prepare(outgoing(&"a".repeat(1_048_576)), &queue).is_ok());
        assert_eq!(
            prepare(outgoing(&"a".repeat(1_048_577)), &queue)
                .unwrap_err()
                .to_string(),
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 \
             bytes."
        );
        queue.maximum_message_size = 1024;
        assert!(prepare(outgoing(&"a".repeat(1025)), &queue).is_err());
        assert_eq!(
            check_total(1_048_577).unwrap_err().to_string(),
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."
        );
    }

    #[test]
    fn delays() {
        let mut queue = QueueAttributes::new(false);
        queue.delay_seconds = 7;
        let visible_after = |delay: Option<i64>, queue: &QueueAttributes| {
            let mut message = outgoing("m");
            message.delay_seconds = delay;
            if queue.fifo {
                message.group_id = Some("g".into());
                message.deduplication_id = Some("d".into());
            }
            prepare(message, queue).map(|p| p.message.visible_at.since(NOW).as_secs())
        };
        assert_eq!(visible_after(None, &queue), Ok(7));
        assert_eq!(visible_after(Some(0), &queue), Ok(0));
        assert_eq!(visible_after(Some(900), &queue), Ok(900));
        for bad in [-1, 901] {
            assert!(visible_after(Some(bad), &queue).is_err());
        }
        queue.fifo = true;
        assert_eq!(visible_after(Some(0), &queue), Ok(7));
        assert_eq!(
            visible_after(Some(2), &queue).unwrap_err().to_string(),
            "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter \
             that is not valid for this queue type."
        );
    }

    #[test]
    fn fifo_needs_a_group_and_something_to_deduplicate_by() {
        let mut queue = QueueAttributes::new(true);
        assert_eq!(
            prepare(outgoing("m"), &queue).unwrap_err(),
            Fault::Missing("MessageGroupId")
        );
        let mut grouped = outgoing("m");
        grouped.group_id = Some("g".into());
        assert!(prepare(grouped.clone(), &queue).is_err());
        queue.content_based_deduplication = true;
        let prepared = prepare(grouped, &queue).unwrap();
        let key = prepared.deduplication.unwrap();
        assert_eq!(key.id, content_id("m"));
        assert_eq!(key.group, None);
        assert_eq!(prepared.message.deduplication_id.unwrap().len(), 64);
    }

    #[test]
    fn ids() {
        let queue = QueueAttributes::new(false);
        for bad in ["", "group 123", "日本", &"a".repeat(129)] {
            let mut message = outgoing("m");
            message.group_id = Some(bad.to_owned());
            assert_eq!(
                prepare(message, &queue).unwrap_err().to_string(),
                format!(
                    "Value {bad} for parameter MessageGroupId is invalid. Reason: MessageGroupId \
                     can only include alphanumeric and punctuation characters. 1 to 128 in length."
                )
            );
        }
        let mut fair = outgoing("m");
        fair.group_id = Some("tenant-1".into());
        assert_eq!(prepare(fair.clone(), &queue).unwrap().deduplication, None);
        fair.deduplication_id = Some("d".into());
        assert!(prepare(fair, &queue).is_err());
    }
}
