//! GetQueueAttributes and SetQueueAttributes.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::settings::{check_redrive_target, update};
use crate::Sqs;
use crate::domain::{Fault, attributes};
use crate::generated::{
    GetQueueAttributesRequest, GetQueueAttributesResult, SetQueueAttributesRequest,
};
use crate::queue::Queue;

/// Answers the named attributes that the queue has; none if none is named.
pub async fn get_queue_attributes(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let names = input.attribute_names.unwrap_or_default();
    let unknown = |name: &&String| *name != "All" && !attributes::is_known(name);
    if let Some(name) = names.iter().find(unknown) {
        return Err(Fault::unknown_attribute(name).into());
    }
    let mut values = all(&queue).await?;
    if !names.iter().any(|name| name == "All") {
        values.retain(|name, _| names.contains(name));
    }
    Ok(GetQueueAttributesResult {
        attributes: (!values.is_empty()).then_some(values),
    })
}

async fn all(queue: &Arc<Queue>) -> Result<BTreeMap<String, String>, ServiceError> {
    let counts = queue.counts().await?;
    let record = queue.record();
    let own = [
        ("QueueArn", queue.arn.to_string()),
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            counts.in_flight.to_string(),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            counts.delayed.to_string(),
        ),
        ("CreatedTimestamp", record.created_at.seconds().to_string()),
        (
            "LastModifiedTimestamp",
            record.modified_at.seconds().to_string(),
        ),
    ];
    let settable = record.attributes.all();
    Ok(own
        .into_iter()
        .chain(settable)
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

/// Sets several attributes, all or none. Takes effect at once: AWS may take up to 60 seconds.
pub async fn set_queue_attributes(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: SetQueueAttributesRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let now = sqs.shared.clock.now();
    let name = queue.name.clone();
    update(&sqs, queue, |record| {
        let values = input.attributes.iter();
        record
            .attributes
            .set(&values.map(|(name, value)| (name.as_str(), value.as_str())))?;
        if input.attributes.contains_key("RedrivePolicy") {
            check_redrive_target(&sqs, &name, &record.attributes)?;
        }
        record.modified_at = now;
        Ok(())
    })
    .await?;
    Ok(Unit {})
}
