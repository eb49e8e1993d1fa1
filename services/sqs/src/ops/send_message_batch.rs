//! SendMessageBatch.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::batch::failed_entry;
use super::send_message::{message_attributes, system_attributes, trace_header};
use crate::domain::message_attributes::MessageAttributes;
use crate::domain::send::{Outgoing, check_total};
use crate::domain::{Fault, batch, digest};
use crate::generated::{
    SendMessageBatchRequest, SendMessageBatchRequestEntry, SendMessageBatchResult,
    SendMessageBatchResultEntry,
};
use crate::queue::{Queue, Sent};
use crate::{Sqs, error};

/// An entry with what has been read of it, or why it cannot be sent.
struct Entry {
    id: String,
    outgoing: Result<(Outgoing, MessageAttributes), ServiceError>,
}

/// Sends the entries that can be sent, in order and in one commit; says of each what became of it.
pub async fn send_message_batch(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check(ids, "SendMessageBatchRequestEntry")?;
    let trace = context.trace.as_deref();
    let entries = input.entries.into_iter().map(|entry| read(entry, trace));
    let entries: Vec<Entry> = entries.collect();
    check_whole(&queue, &entries)?;

    let now = sqs.shared.clock.now();
    let attributes = &queue.record().attributes;
    let (mut result, mut accepted, mut prepared) =
        (SendMessageBatchResult::default(), Vec::new(), Vec::new());
    for Entry { id, outgoing } in entries {
        let ready = outgoing.and_then(|(outgoing, system)| {
            Ok((
                outgoing.prepare(attributes, context.principal.id(), now)?,
                system,
            ))
        });
        match ready {
            Ok((message, system)) => {
                accepted.push((id, digest::of_attributes(&system)));
                prepared.push(message);
            }
            Err(error) => result.failed.push(failed_entry(id, &error)),
        }
    }
    let sent = queue.send(prepared).await?;
    result.successful = accepted.into_iter().zip(sent).map(answered).collect();
    Ok(result)
}

fn read(entry: SendMessageBatchRequestEntry, trace: Option<&str>) -> Entry {
    let read = || {
        let system = system_attributes(entry.message_system_attributes)?;
        let outgoing = Outgoing {
            body: entry.message_body,
            attributes: message_attributes(entry.message_attributes)?,
            trace_header: trace_header(&system).or_else(|| trace.map(str::to_owned)),
            delay_seconds: entry.delay_seconds.map(i64::from),
            group_id: entry.message_group_id,
            deduplication_id: entry.message_deduplication_id,
        };
        Ok((outgoing, system))
    };
    Entry {
        outgoing: read(),
        id: entry.id,
    }
}

/// What AWS refuses a whole batch for.
fn check_whole(queue: &Queue, entries: &[Entry]) -> Result<(), ServiceError> {
    let record = queue.record();
    let mut bytes = 0;
    for (outgoing, _) in entries
        .iter()
        .filter_map(|entry| entry.outgoing.as_ref().ok())
    {
        bytes += outgoing.bytes();
        match outgoing.check_required(&record.attributes) {
            // In a batch this is an invalid value, not a missing parameter.
            Err(Fault::Missing(parameter)) => {
                return Err(error::invalid_parameter_value(
                    error::missing_parameter(parameter).message,
                ));
            }
            checked => checked?,
        }
    }
    Ok(check_total(bytes)?)
}

fn answered(
    ((id, system_digest), sent): ((String, Option<String>), Sent),
) -> SendMessageBatchResultEntry {
    SendMessageBatchResultEntry {
        id,
        message_id: sent.message_id,
        md5_of_message_body: sent.body_digest,
        md5_of_message_attributes: sent.attributes_digest,
        md5_of_message_system_attributes: system_digest,
        sequence_number: sent.sequence_number,
    }
}
