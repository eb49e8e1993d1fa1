//! TagResource, UntagResource, ListTagsForResource: of topics.

use std::collections::BTreeMap;

use service::{RequestContext, ServiceError};

use super::State;
use crate::error;
use crate::generated as g;

const MAX_TAGS: usize = 50;

pub fn of(tags: Vec<g::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

pub fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    if tags
        .keys()
        .any(|key| key.to_ascii_lowercase().starts_with("aws:"))
    {
        return Err(error::invalid(
            "Tags Reason: The tag key cannot begin with aws:",
        ));
    }
    if tags.len() > MAX_TAGS {
        return Err(error::too_many_tags());
    }
    Ok(())
}

/// What these operations say instead of that the topic does not exist.
fn missing(error: ServiceError) -> ServiceError {
    if error.code == g::errors::NOT_FOUND_EXCEPTION.code {
        error::resource_not_found()
    } else {
        error
    }
}

pub async fn tag(
    sns: State,
    context: RequestContext,
    input: g::TagResourceRequest,
) -> Result<g::TagResourceResponse, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let found = sns.topic(&context, &input.resource_arn, "TagResource");
    let (id, topic) = found.map_err(missing)?;
    let mut topic = (*topic).clone();
    topic.tags.extend(of(input.tags));
    check_tags(&topic.tags)?;
    sns.save_topic(id, topic).await?;
    Ok(g::TagResourceResponse {})
}

pub async fn untag(
    sns: State,
    context: RequestContext,
    input: g::UntagResourceRequest,
) -> Result<g::UntagResourceResponse, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let found = sns.topic(&context, &input.resource_arn, "UntagResource");
    let (id, topic) = found.map_err(missing)?;
    let mut topic = (*topic).clone();
    topic.tags.retain(|key, _| !input.tag_keys.contains(key));
    sns.save_topic(id, topic).await?;
    Ok(g::UntagResourceResponse {})
}

pub async fn list(
    sns: State,
    context: RequestContext,
    input: g::ListTagsForResourceRequest,
) -> Result<g::ListTagsForResourceResponse, ServiceError> {
    let found = sns.topic(&context, &input.resource_arn, "ListTagsForResource");
    let (_, topic) = found.map_err(missing)?;
    let tags = topic.tags.iter().map(|(key, value)| g::Tag {
        key: key.clone(),
        value: value.clone(),
    });
    Ok(g::ListTagsForResourceResponse {
        tags: Some(tags.collect()),
    })
}
