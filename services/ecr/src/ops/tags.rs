//! TagResource, UntagResource, ListTagsForResource: of repositories.

use std::collections::BTreeMap;

use service::{RequestContext, ServiceError};

use super::State;
use crate::error;
use crate::generated as g;
use crate::records::{Repository, RepositoryId};

const MAX_TAGS: usize = 50;

pub fn of(tags: Vec<g::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

pub fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    let is_reserved = |key: &String| key.to_ascii_lowercase().starts_with("aws:");
    if tags.keys().any(is_reserved) {
        return Err(error::invalid_tag(
            "Invalid parameter at 'tags' failed to satisfy constraint: 'aws: prefixed tag keys \
             are not allowed for external use'",
        ));
    }
    if tags.len() > MAX_TAGS {
        return Err(error::too_many_tags());
    }
    Ok(())
}

fn named(context: &RequestContext, arn: &str) -> Result<RepositoryId, ServiceError> {
    let invalid = || error::invalid("resourceArn", "must be the ARN of a repository");
    let parsed: base::Arn = arn.parse().map_err(|_| invalid())?;
    let name = parsed.resource.strip_prefix("repository/");
    let id = name
        .zip(parsed.region())
        .map(|(name, region)| RepositoryId {
            account: parsed.account_id().unwrap_or(context.account),
            region,
            name: name.to_owned(),
        });
    id.filter(|_| parsed.service == "ecr").ok_or_else(invalid)
}

pub async fn tag(
    ecr: State,
    context: RequestContext,
    input: g::TagResourceRequest,
) -> Result<g::TagResourceResponse, ServiceError> {
    change(&ecr, &context, &input.resource_arn, |tags| {
        tags.extend(of(input.tags));
    })
    .await?;
    Ok(g::TagResourceResponse {})
}

pub async fn untag(
    ecr: State,
    context: RequestContext,
    input: g::UntagResourceRequest,
) -> Result<g::UntagResourceResponse, ServiceError> {
    change(&ecr, &context, &input.resource_arn, |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
    })
    .await?;
    Ok(g::UntagResourceResponse {})
}

async fn change(
    ecr: &State,
    context: &RequestContext,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), ServiceError> {
    let id = named(context, arn)?;
    let _one_writer = ecr.writer.lock().await;
    let record: Repository = ecr.with(&id, |it| it.record.clone())?;
    let mut tags = record.tags.clone();
    change(&mut tags);
    check_tags(&tags)?;
    ecr.set(&id, Repository { tags, ..record }).await
}

pub async fn list(
    ecr: State,
    context: RequestContext,
    input: g::ListTagsForResourceRequest,
) -> Result<g::ListTagsForResourceResponse, ServiceError> {
    let id = named(&context, &input.resource_arn)?;
    let tags = ecr.with(&id, |it| it.record.tags.clone())?;
    let tags = tags.into_iter().map(|(key, value)| g::Tag { key, value });
    Ok(g::ListTagsForResourceResponse {
        tags: Some(tags.collect()),
    })
}
