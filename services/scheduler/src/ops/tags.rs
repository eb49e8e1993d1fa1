//! TagResource, UntagResource, ListTagsForResource: of groups.

use std::collections::BTreeMap;

use base::Arn;
use service::{RequestContext, ServiceError};

use super::groups::save;
use super::{State, own_group};
use crate::error;
use crate::generated as g;
use crate::records::{Group, GroupId};

const MAX_TAGS: usize = 50;

pub fn of(tags: Vec<g::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

fn find(
    scheduler: &State,
    context: &RequestContext,
    text: &str,
) -> Result<(GroupId, Group), ServiceError> {
    let arn: Option<Arn> = text.parse().ok();
    let name = arn
        .as_ref()
        .and_then(|arn| arn.resource.strip_prefix("schedule-group/"));
    let id = own_group(context, name);
    if name.is_none() || id.arn().to_string() != text {
        return Err(error::not_found(format!("Resource {text} does not exist.")));
    }
    let group = scheduler.group(&id)?;
    Ok((id, (*group).clone()))
}

pub async fn tag(
    scheduler: State,
    context: RequestContext,
    input: g::TagResourceInput,
) -> Result<g::TagResourceOutput, ServiceError> {
    let _one_writer = scheduler.writer.lock().await;
    let (id, mut group) = find(&scheduler, &context, &input.resource_arn)?;
    group.tags.extend(of(input.tags));
    if group.tags.len() > MAX_TAGS {
        return Err(error::validation(
            "A resource can have no more than 50 tags.",
        ));
    }
    group.modified = scheduler.clock.now();
    save(&scheduler, id, group).await?;
    Ok(g::TagResourceOutput {})
}

pub async fn untag(
    scheduler: State,
    context: RequestContext,
    input: g::UntagResourceInput,
) -> Result<g::UntagResourceOutput, ServiceError> {
    let _one_writer = scheduler.writer.lock().await;
    let (id, mut group) = find(&scheduler, &context, &input.resource_arn)?;
    group.tags.retain(|key, _| !input.tag_keys.contains(key));
    group.modified = scheduler.clock.now();
    save(&scheduler, id, group).await?;
    Ok(g::UntagResourceOutput {})
}

pub async fn list(
    scheduler: State,
    context: RequestContext,
    input: g::ListTagsForResourceInput,
) -> Result<g::ListTagsForResourceOutput, ServiceError> {
    let (_, group) = find(&scheduler, &context, &input.resource_arn)?;
    let tags = group.tags.into_iter();
    let tags = tags.map(|(key, value)| g::Tag { key, value }).collect();
    Ok(g::ListTagsForResourceOutput { tags: Some(tags) })
}
