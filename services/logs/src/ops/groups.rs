//! CreateLogGroup, DeleteLogGroup, DescribeLogGroups.

use service::{RequestContext, ServiceError};
use store::{Batch, StoreError};
use wire::Unit;

use super::State;
use crate::domain::{names, page, tags};
use crate::error;
use crate::generated::{
    CreateLogGroupRequest, DeleteLogGroupRequest, DescribeLogGroupsRequest,
    DescribeLogGroupsResponse, LogGroup, LogGroupClass,
};
use crate::records::{EVENTS, GROUPS, Group, STREAMS, SUBSCRIPTIONS, group_key};

pub async fn create(
    logs: State,
    context: RequestContext,
    input: CreateLogGroupRequest,
) -> Result<Unit, ServiceError> {
    names::check_new_group(&input.log_group_name)?;
    let mut group = Group {
        kms_key: input.kms_key_id,
        class: input
            .log_group_class
            .unwrap_or(LogGroupClass::Standard)
            .as_str()
            .to_owned(),
        deletion_protected: input.deletion_protection_enabled.unwrap_or(false),
        ..Group::created_at(context.received_at)
    };
    tags::add(&mut group.tags, input.tags.unwrap_or_default())?;
    let key = group_key(&context.account, &context.region, &input.log_group_name);
    let mut batch = Batch::new();
    GROUPS.expect_absent(&mut batch, key);
    GROUPS
        .put(&mut batch, key, &group)
        .map_err(|error| error::unavailable(&error))?;
    match logs.store.commit(batch).await {
        Ok(()) => Ok(Unit {}),
        Err(StoreError::Conflict { .. }) => Err(error::group_exists()),
        Err(error) => Err(error::unavailable(&error)),
    }
}

pub async fn delete(
    logs: State,
    context: RequestContext,
    input: DeleteLogGroupRequest,
) -> Result<Unit, ServiceError> {
    let group = logs.group(&context, &input.log_group_name).await?;
    if group.deletion_protected {
        return Err(ServiceError::bad_request(
            "OperationAbortedException",
            "The log group has deletion protection enabled.",
        ));
    }
    // Lines on their way must not bring the group back by halves.
    let _one_writer = logs.writer.lock().await;
    let key = group_key(&context.account, &context.region, &input.log_group_name);
    let mut batch = Batch::new();
    GROUPS.delete(&mut batch, key);
    STREAMS.delete_prefix(&mut batch, key);
    EVENTS.delete_prefix(&mut batch, key);
    SUBSCRIPTIONS.delete_prefix(&mut batch, key);
    logs.commit(Ok(batch)).await?;
    let group = (context.account, context.region, input.log_group_name);
    logs.subscriptions.remove_group(&group);
    Ok(Unit {})
}

pub async fn describe(
    logs: State,
    context: RequestContext,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, ServiceError> {
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(error::invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let after = match input.next_token.as_deref() {
        Some(token) => Some(
            page::decode_text(token)
                .ok_or_else(|| error::invalid_parameter("The specified nextToken is invalid."))?,
        ),
        None => None,
    };
    let limit = usize::try_from(input.limit.unwrap_or(50)).unwrap_or(50);
    let wanted = |name: &str, group: &Group| {
        input
            .log_group_name_prefix
            .as_deref()
            .is_none_or(|prefix| name.starts_with(prefix))
            && input
                .log_group_name_pattern
                .as_deref()
                .is_none_or(|text| contains(name, text))
            && input
                .log_group_class
                .is_none_or(|class| class.as_str() == group.class)
            && input
                .log_group_identifiers
                .as_ref()
                .is_none_or(|identifiers| {
                    identifiers
                        .iter()
                        .map(|one| {
                            names::group_of_identifier(one, &context.region, context.account)
                        })
                        .any(|one| one.is_ok_and(|one| one == name))
                })
            && after.as_deref().is_none_or(|after| name > after)
    };
    let mut found: Vec<_> = logs.groups(&context).await?;
    found.retain(|(name, group)| wanted(name, group));
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = match found.last() {
        Some((name, _)) if more => Some(page::encode_text(name)),
        _ => None,
    };
    let mut described = Vec::with_capacity(found.len());
    for (name, group) in found {
        let bytes: u64 = logs
            .streams(&context, &name)
            .await?
            .iter()
            .map(|(_, one)| one.stored_bytes)
            .sum();
        described.push(description(&context, name, group, bytes));
    }
    Ok(DescribeLogGroupsResponse {
        log_groups: Some(described),
        next_token,
    })
}

/// `logGroupNamePattern` is a case-insensitive substring.
fn contains(name: &str, text: &str) -> bool {
    name.to_lowercase().contains(&text.to_lowercase())
}

fn description(context: &RequestContext, name: String, group: Group, bytes: u64) -> LogGroup {
    let arn = names::group_arn(&context.region, context.account, &name).to_string();
    LogGroup {
        log_group_name: Some(name),
        creation_time: Some(group.created.millis()),
        retention_in_days: group
            .retention_days
            .and_then(|days| i32::try_from(days).ok()),
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        stored_bytes: Some(i64::try_from(bytes).unwrap_or(i64::MAX)),
        kms_key_id: group.kms_key,
        log_group_class: LogGroupClass::parse(&group.class),
        deletion_protection_enabled: Some(group.deletion_protected),
        ..LogGroup::default()
    }
}
