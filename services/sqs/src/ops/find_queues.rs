//! GetQueueUrl, ListQueues and ListDeadLetterSourceQueues.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use service::{RequestContext, ServiceError};

use crate::generated::{
    GetQueueUrlRequest, GetQueueUrlResult, ListDeadLetterSourceQueuesRequest,
    ListDeadLetterSourceQueuesResult, ListQueuesRequest, ListQueuesResult,
};
use crate::queue::Queue;
use crate::records::QueueName;
use crate::{Sqs, error};

const MAX_RESULTS: i32 = 1000;

pub async fn get_queue_url(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: GetQueueUrlRequest,
) -> Result<GetQueueUrlResult, ServiceError> {
    let account = match &input.queue_owner_aws_account_id {
        None => context.account,
        Some(owner) => owner.parse().map_err(|_| error::queue_does_not_exist())?,
    };
    let name = QueueName {
        account,
        region: context.region.clone(),
        name: input.queue_name,
    };
    let queue = sqs
        .queues
        .get(&name)
        .ok_or_else(error::queue_does_not_exist)?;
    Ok(GetQueueUrlResult {
        queue_url: Some(sqs.url(&context, &queue.name)),
    })
}

pub async fn list_queues(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: ListQueuesRequest,
) -> Result<ListQueuesResult, ServiceError> {
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let wanted = |queue: &Queue| queue.name.name.starts_with(&prefix);
    let (urls, next_token) = page(
        &sqs,
        &context,
        input.next_token.as_deref(),
        input.max_results,
        wanted,
    )?;
    Ok(ListQueuesResult {
        queue_urls: (!urls.is_empty()).then_some(urls),
        next_token,
    })
}

/// The queues whose redrive policy names this one.
pub async fn list_dead_letter_source_queues(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResult, ServiceError> {
    let target = sqs.queue(&context, &input.queue_url)?;
    let wanted = |queue: &Queue| {
        let record = queue.record();
        let policy = record.attributes.redrive_policy.as_ref();
        policy.is_some_and(|policy| policy.dead_letter_target_arn == target.arn)
    };
    let (queue_urls, next_token) = page(
        &sqs,
        &context,
        input.next_token.as_deref(),
        input.max_results,
        wanted,
    )?;
    Ok(ListDeadLetterSourceQueuesResult {
        queue_urls,
        next_token,
    })
}

/// One page of URLs, and the token of the next: only for those who said how long a page is.
fn page(
    sqs: &Sqs,
    context: &RequestContext,
    token: Option<&str>,
    max_results: Option<i32>,
    wanted: impl Fn(&Queue) -> bool,
) -> Result<(Vec<String>, Option<String>), ServiceError> {
    let limit = max_results.unwrap_or(MAX_RESULTS);
    if !(1..=MAX_RESULTS).contains(&limit) {
        return Err(error::invalid_parameter(
            limit,
            "MaxResults",
            "MaxResults must be an integer between 1 and 1000.",
        ));
    }
    let after = token.map(read_token).transpose()?;
    let limit = limit as usize;
    // One more than asked for tells whether there is a next page.
    let mut queues = sqs.queues.list(
        context.account,
        &context.region,
        after.as_deref(),
        wanted,
        limit + 1,
    );
    let has_more = queues.len() > limit;
    queues.truncate(limit);
    let last = queues.last().filter(|_| has_more && max_results.is_some());
    let next_token = last.map(|queue| STANDARD.encode(&queue.name.name));
    let urls = queues
        .iter()
        .map(|queue| sqs.url(context, &queue.name))
        .collect();
    Ok((urls, next_token))
}

fn read_token(token: &str) -> Result<String, ServiceError> {
    STANDARD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| error::invalid_parameter(token, "NextToken", "Invalid or expired token."))
}
