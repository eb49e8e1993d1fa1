//! TagQueue, UntagQueue and ListQueueTags.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::settings::update;
use crate::generated::{
    ListQueueTagsRequest, ListQueueTagsResult, TagQueueRequest, UntagQueueRequest,
};
use crate::{Sqs, error};

const MAX_TAGS: usize = 50;
const MAX_KEY_LENGTH: usize = 128;
const MAX_VALUE_LENGTH: usize = 256;

pub async fn tag_queue(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: TagQueueRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    if input.tags.is_empty() {
        return Err(error::missing_parameter("Tags"));
    }
    update(&sqs, queue, |record| {
        record.tags.extend(input.tags);
        check(&record.tags)
    })
    .await?;
    Ok(Unit {})
}

pub async fn untag_queue(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: UntagQueueRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    update(&sqs, queue, |record| {
        record.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(Unit {})
}

pub async fn list_queue_tags(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: ListQueueTagsRequest,
) -> Result<ListQueueTagsResult, ServiceError> {
    let tags = sqs.queue(&context, &input.queue_url)?.record().tags.clone();
    Ok(ListQueueTagsResult {
        tags: (!tags.is_empty()).then_some(tags),
    })
}

/// At most 50 tags; keys of 1 to 128 characters, values of up to 256, of those that AWS's tags may
/// have.
///
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
pub fn check(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    if tags.len() > MAX_TAGS {
        return Err(error::invalid_parameter_value(format!(
            "Too many tags added for queue. The maximum is {MAX_TAGS}."
        )));
    }
    for (key, value) in tags {
        let length = key.chars().count();
        if length == 0 || length > MAX_KEY_LENGTH {
            return Err(error::invalid_parameter_value(
                "Tag keys must be between 1 and 128 characters in length.",
            ));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(error::invalid_parameter_value(
                "Tag keys must not start with 'aws:', which is reserved for system tags.",
            ));
        }
        if !key.chars().chain(value.chars()).all(is_allowed) {
            return Err(error::invalid_parameter_value(
                "Tag keys and values can only contain letters, digits, spaces and _.:/=+-@.",
            ));
        }
        if value.chars().count() > MAX_VALUE_LENGTH {
            return Err(error::invalid_parameter_value(
                "Tag values must be between 0 and 256 characters in length.",
            ));
        }
    }
    Ok(())
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character)
}
