//! What becomes of a parcel that cannot be delivered.

use base::Timestamp;

use super::send::Failure;
use super::{Attribute, Parcel, Retry, Style, Target};

/// Why it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Trying again would not help.
    Permanent,
    Attempts,
    Age,
}

/// The message for the dead-letter queue, if there is one.
pub fn of(
    parcel: Parcel,
    failure: &Failure,
    reason: Reason,
    attempts: u32,
    now: Timestamp,
) -> Option<Parcel> {
    let letter = parcel.dead_letter?;
    let (group, deduplication) = match parcel.target {
        Target::Queue {
            group,
            deduplication,
            ..
        } => (group, deduplication),
        _ => (None, None),
    };
    let mut attributes = letter.attributes;
    attributes.extend(explanation(letter.style, failure, reason, attempts));
    Some(Parcel {
        target: Target::Queue {
            queue: letter.queue,
            group,
            deduplication,
            attributes,
        },
        body: letter.body.unwrap_or(parcel.body),
        source: parcel.source,
        order: parcel.order,
        retry: Retry::EVENTS,
        dead_letter: None,
        accepted_at: now,
        per_second: None,
        trace: parcel.trace,
    })
}

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
fn explanation(style: Style, failure: &Failure, reason: Reason, attempts: u32) -> Vec<Attribute> {
    match style {
        Style::Sns => vec![
            Attribute::text("ErrorCode", &failure.code),
            Attribute::text("ErrorMessage", &failure.message),
        ],
        Style::Events => {
            let mut attributes = vec![
                Attribute::text("ERROR_CODE", &failure.code),
                Attribute::text("ERROR_MESSAGE", &failure.message),
            ];
            match reason {
                Reason::Permanent => {}
                Reason::Attempts | Reason::Age => {
                    let condition = if reason == Reason::Age {
                        "MaximumEventAgeInSeconds"
                    } else {
                        "MaximumRetryAttempts"
                    };
                    attributes.push(Attribute::text("EXHAUSTED_RETRY_CONDITION", condition));
                    attributes.push(Attribute::number("RETRY_ATTEMPTS", attempts));
                }
            }
            attributes
        }
    }
}
