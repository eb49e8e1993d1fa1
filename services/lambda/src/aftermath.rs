//! What becomes of an asynchronous invocation that has ended: records to destinations, given-up
//! events to dead-letter queues.

use base::{Arn, Timestamp};
use routing::async_queue::{self, RunOutcome};
use routing::deliveries::{Kind, Notice, Parcel, Source};

use crate::domain::dead_letter;
use crate::domain::event_invoke::EventInvoke;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::invocation_record::{self, Answer, Ended};
use crate::function::Function;

/// The configuration for events of exactly what is named.
pub fn config<'a>(function: &'a Function, name: &FunctionName) -> Option<&'a EventInvoke> {
    let qualifier = name.qualifier.as_ref().unwrap_or(&Qualifier::Latest);
    function
        .record
        .attached
        .event_invoke
        .get(qualifier.as_str())
}

/// Whether an event that cannot be handled has somewhere to go.
pub fn has_failure_target(config: Option<&EventInvoke>, dead_letter: Option<&Arn>) -> bool {
    dead_letter.is_some() || config.is_some_and(|config| config.on_failure.is_some())
}

/// What is to be sent for an event that has ended.
pub fn parcels(
    name: &FunctionName,
    config: Option<&EventInvoke>,
    dead_letter: Option<&Arn>,
    ended: &async_queue::Ended<'_>,
    now: Timestamp,
) -> Vec<Parcel> {
    let Some(condition) = ended.ending.condition() else {
        return Vec::new();
    };
    let succeeded = ended.ending == async_queue::Ending::Succeeded;
    let destination = config.and_then(|config| {
        if succeeded {
            config.on_success.as_ref()
        } else {
            config.on_failure.as_ref()
        }
    });
    let (answer, function_error) = match ended.last {
        Some(RunOutcome::Succeeded(answer)) => (Some(answer), None),
        Some(RunOutcome::FunctionFailed(answer)) => (Some(answer), Some("Unhandled")),
        _ => (None, None),
    };
    let notice = |target: &Arn, body: String| Notice {
        trace: ended.event.trace.clone(),
        ..Notice::new(target.clone(), source(name), body)
    };
    let mut notices = Vec::new();
    if let Some(target) = destination {
        let function = qualified(name);
        let record = Ended {
            request_id: ended.event.request_id.to_string(),
            function: &function,
            condition,
            runs: ended.runs,
            payload: &ended.event.payload,
            answer: answer.map(|answer| Answer {
                payload: &answer.payload,
                executed_version: &answer.executed_version,
                function_error,
            }),
        };
        let kind = Kind::of(target);
        let envelope = invocation_record::envelope(succeeded, &function, target);
        let key = || invocation_record::object_key(&name.name, now);
        notices.push(Notice {
            envelope: (kind == Some(Kind::EventBus)).then_some(envelope),
            object_key: (kind == Some(Kind::Bucket)).then(key),
            ..notice(target, record.document(now))
        });
    }
    if let Some(target) = dead_letter.filter(|_| !succeeded) {
        let request_id = ended.event.request_id.to_string();
        let answer = answer.map(|answer| &answer.payload[..]);
        let event = String::from_utf8_lossy(&ended.event.payload);
        notices.push(Notice {
            attributes: dead_letter::attributes(&request_id, answer),
            ..notice(target, event.into_owned())
        });
    }
    notices.into_iter().map(|it| it.parcel(now)).collect()
}

fn source(name: &FunctionName) -> Source {
    Source {
        arn: name.unqualified_arn(),
        account: name.place.account,
        region: name.place.region.clone(),
    }
}

/// Records always name a version or an alias.
fn qualified(name: &FunctionName) -> Arn {
    let qualifier = name.qualifier.clone().unwrap_or(Qualifier::Latest);
    FunctionName {
        qualifier: Some(qualifier),
        ..name.clone()
    }
    .arn()
}
