//! PutEvents: entries succeed and fail one by one.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use service::{Principal, RequestContext, ServiceError};

use super::State;
use crate::domain::event::{Event, handed_on};
use crate::domain::{names, policy};
use crate::error;
use crate::generated as g;
use crate::records::Named;

/// Bytes of all entries together: 1 MiB since January 2026.
const MAX_BYTES: usize = 1_048_576;

/// Why an entry is not taken.
struct Refusal {
    code: &'static str,
    message: String,
}

fn refuse(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        code,
        message: message.into(),
    }
}

pub async fn put_events(
    events: State,
    context: RequestContext,
    input: g::PutEventsRequest,
) -> Result<g::PutEventsResponse, ServiceError> {
    if input.endpoint_id.is_some() {
        return Err(ServiceError::not_implemented(
            "EventBridge's",
            "global endpoints",
        ));
    }
    if input.entries.iter().map(bytes).sum::<usize>() > MAX_BYTES {
        return Err(error::validation(
            "Total size of the entries in the request is over the limit.",
        ));
    }
    let mut taken = Vec::new();
    let mut results = Vec::with_capacity(input.entries.len());
    for entry in input.entries {
        let checked = check(&events, &context, entry)?;
        results.push(match checked {
            Ok((bus, event)) => {
                let id = event.id.clone();
                taken.push((bus, event));
                g::PutEventsResultEntry {
                    event_id: Some(id),
                    ..Default::default()
                }
            }
            Err(refusal) => g::PutEventsResultEntry {
                event_id: None,
                error_code: Some(refusal.code.to_owned()),
                error_message: Some(refusal.message),
            },
        });
    }
    let failed = results.len() - taken.len();
    events.accept(taken).await?;
    Ok(g::PutEventsResponse {
        failed_entry_count: i32::try_from(failed).ok(),
        entries: Some(results),
    })
}

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
fn bytes(entry: &g::PutEventsRequestEntry) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let resources = entry.resources.iter().flatten().map(String::len);
    let time = if entry.time.is_some() { 14 } else { 0 };
    time + length(&entry.source)
        + length(&entry.detail_type)
        + length(&entry.detail)
        + resources.sum::<usize>()
}

fn check(
    events: &State,
    context: &RequestContext,
    entry: g::PutEventsRequestEntry,
) -> Result<Result<(Named, Event), Refusal>, ServiceError> {
    let bus = names::bus(context, entry.event_bus_name.as_deref())?;
    if bus.account != context.account {
        let arn = bus.arn("event-bus").to_string();
        let found = events.directory.bus(&bus);
        if !found.is_some_and(|found| policy::lets_in(&found, &bus, context.account)) {
            return Err(error::access_denied("events:PutEvents", &arn));
        }
    }
    let is_service = matches!(context.principal, Principal::Service { .. });
    let fields = [
        ("Source", &entry.source),
        ("DetailType", &entry.detail_type),
        ("Detail", &entry.detail),
    ];
    for (name, value) in fields {
        if value.as_ref().is_none_or(String::is_empty) {
            return Ok(Err(refuse(
                "InvalidArgument",
                format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
            )));
        }
    }
    let source = entry.source.unwrap_or_default();
    let detail = entry.detail.unwrap_or_default();
    if source.starts_with("aws.") && !is_service {
        return Ok(Err(refuse(
            "NotAuthorizedForSourceException",
            "Not authorized for the source.",
        )));
    }
    if !serde_json::from_str::<serde_json::Value>(&detail).is_ok_and(|detail| detail.is_object()) {
        return Ok(Err(refuse("MalformedDetail", "Detail is malformed.")));
    }
    let event = Event {
        id: uuid::Uuid::new_v4().to_string(),
        source,
        detail_type: entry.detail_type.unwrap_or_default(),
        account: context.account,
        region: context.region.clone(),
        time: entry.time.unwrap_or(events.clock.now()),
        resources: entry.resources.unwrap_or_default(),
        detail,
        replay: None,
        trace: entry
            .trace_header
            .as_deref()
            .or(context.trace.as_deref())
            .map(handed_on),
    };
    Ok(Ok((bus, event)))
}
