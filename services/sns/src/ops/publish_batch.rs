//! PublishBatch: entries succeed and fail one by one.

use std::collections::HashSet;

use service::{RequestContext, ServiceError};

use super::State;
use super::publish::{Ordering, send};
use crate::deliver::sequence_text;
use crate::domain::attributes;
use crate::domain::message::Message;
use crate::error;
use crate::generated as g;
use crate::records::{Topic, TopicId};

const MAX_ENTRIES: usize = 10;

pub async fn publish_batch(
    sns: State,
    context: RequestContext,
    input: g::PublishBatchInput,
) -> Result<g::PublishBatchResponse, ServiceError> {
    let (topic, record) = sns.topic(&context, &input.topic_arn, "Publish")?;
    let entries = input.publish_batch_request_entries;
    let max_bytes = attributes::max_message_bytes(&record.attributes);
    check(&entries, max_bytes)?;
    if topic.is_fifo() && entries.iter().any(|one| one.message_group_id.is_none()) {
        return Err(error::group_required());
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.id.clone();
        match publish(&sns, &context, (&topic, &record), entry).await {
            Ok(done) => successful.push(done),
            Err(error) => failed.push(g::BatchResultErrorEntry {
                id,
                code: error
                    .query_code
                    .map_or_else(|| error.code.to_string(), str::to_owned),
                sender_fault: !error.is_server_fault(),
                message: Some(error.message),
            }),
        }
    }
    Ok(g::PublishBatchResponse {
        successful: Some(successful),
        failed: Some(failed),
    })
}

fn check(entries: &[g::PublishBatchRequestEntry], max_bytes: usize) -> Result<(), ServiceError> {
    if entries.is_empty() {
        return Err(error::empty_batch());
    }
    if entries.len() > MAX_ENTRIES {
        return Err(error::too_many_entries());
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut ids = HashSet::new();
    for entry in entries {
        let id = entry.id.as_str();
        if id.is_empty() || id.len() > 80 || !id.chars().all(legal) {
            return Err(error::invalid_entry_id());
        }
        if !ids.insert(id) {
            return Err(error::ids_not_distinct());
        }
    }
    if entries.iter().map(bytes).sum::<usize>() > max_bytes {
        return Err(error::batch_too_long());
    }
    Ok(())
}

/// Of the message and its attributes.
fn bytes(entry: &g::PublishBatchRequestEntry) -> usize {
    let attributes = entry.message_attributes.iter().flatten();
    let attributes = attributes.map(|(name, one)| {
        let text = one.string_value.as_ref().map_or(0, String::len);
        let binary = one.binary_value.as_deref().map_or(0, <[u8]>::len);
        name.len() + one.data_type.len() + text + binary
    });
    entry.message.len() + attributes.sum::<usize>()
}

async fn publish(
    sns: &State,
    context: &RequestContext,
    topic: (&TopicId, &Topic),
    entry: g::PublishBatchRequestEntry,
) -> Result<g::PublishBatchResultEntry, ServiceError> {
    let message = Message::check(
        entry.message,
        entry.subject,
        entry.message_structure.as_deref(),
        entry.message_attributes.unwrap_or_default(),
    )?;
    let ordering = Ordering {
        group: entry.message_group_id,
        deduplication: entry.message_deduplication_id,
    };
    let sent = send(sns, context, topic, &message, ordering).await?;
    Ok(g::PublishBatchResultEntry {
        id: Some(entry.id),
        message_id: Some(sent.message_id),
        sequence_number: sent.sequence.map(sequence_text),
    })
}
