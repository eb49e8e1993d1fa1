//! Tags of groups, by the present operations and by the older ones that name the group.

use std::collections::BTreeMap;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::State;
use crate::domain::{names, tags};
use crate::generated::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsLogGroupRequest,
    ListTagsLogGroupResponse, TagLogGroupRequest, TagResourceRequest, UntagLogGroupRequest,
    UntagResourceRequest,
};

pub async fn list_for_resource(
    logs: State,
    context: RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let group = group_of_arn(&context, &input.resource_arn)?;
    let tags = Some(logs.group(&context, &group).await?.tags);
    Ok(ListTagsForResourceResponse { tags })
}

pub async fn list_log_group(
    logs: State,
    context: RequestContext,
    input: ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse, ServiceError> {
    let tags = Some(logs.group(&context, &input.log_group_name).await?.tags);
    Ok(ListTagsLogGroupResponse { tags })
}

pub async fn tag_resource(
    logs: State,
    context: RequestContext,
    input: TagResourceRequest,
) -> Result<Unit, ServiceError> {
    let group = group_of_arn(&context, &input.resource_arn)?;
    tag(&logs, &context, &group, input.tags).await
}

pub async fn tag_log_group(
    logs: State,
    context: RequestContext,
    input: TagLogGroupRequest,
) -> Result<Unit, ServiceError> {
    tag(&logs, &context, &input.log_group_name, input.tags).await
}

pub async fn untag_resource(
    logs: State,
    context: RequestContext,
    input: UntagResourceRequest,
) -> Result<Unit, ServiceError> {
    let group = group_of_arn(&context, &input.resource_arn)?;
    untag(&logs, &context, &group, &input.tag_keys).await
}

pub async fn untag_log_group(
    logs: State,
    context: RequestContext,
    input: UntagLogGroupRequest,
) -> Result<Unit, ServiceError> {
    untag(&logs, &context, &input.log_group_name, &input.tags).await
}

async fn tag(
    logs: &State,
    context: &RequestContext,
    name: &str,
    new: BTreeMap<String, String>,
) -> Result<Unit, ServiceError> {
    let _one_writer = logs.writer.lock().await;
    let mut group = logs.group(context, name).await?;
    tags::add(&mut group.tags, new)?;
    logs.put_group(context, name, &group).await?;
    Ok(Unit {})
}

async fn untag(
    logs: &State,
    context: &RequestContext,
    name: &str,
    keys: &[String],
) -> Result<Unit, ServiceError> {
    let _one_writer = logs.writer.lock().await;
    let mut group = logs.group(context, name).await?;
    group.tags.retain(|key, _| !keys.contains(key));
    logs.put_group(context, name, &group).await?;
    Ok(Unit {})
}

fn group_of_arn(context: &RequestContext, arn: &str) -> Result<String, ServiceError> {
    names::group_of_identifier(arn, &context.region, context.account)
}
