//! CreateScheduleGroup, DeleteScheduleGroup, GetScheduleGroup, ListScheduleGroups.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use service::{RequestContext, ServiceError};
use store::Batch;

use super::tags;
use super::{State, own_group};
use crate::domain::page;
use crate::error;
use crate::generated as g;
use crate::records::{DEFAULT_GROUP, GROUPS, Group, GroupId, SCHEDULES};

const ACTIVE: Option<g::ScheduleGroupState> = Some(g::ScheduleGroupState::Active);

/// Writes a group and then remembers it.
pub async fn save(scheduler: &State, id: GroupId, group: Group) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let put = GROUPS.put(&mut batch, id.key(), &group);
    scheduler.commit(put.map(|()| batch)).await?;
    scheduler.groups.write().insert(id, Arc::new(group));
    Ok(())
}

pub async fn create(
    scheduler: State,
    context: RequestContext,
    input: g::CreateScheduleGroupInput,
) -> Result<g::CreateScheduleGroupOutput, ServiceError> {
    let id = own_group(&context, Some(&input.name));
    let answer = Ok(g::CreateScheduleGroupOutput {
        schedule_group_arn: id.arn().to_string(),
    });
    let tags = tags::of(input.tags.unwrap_or_default());
    let _one_writer = scheduler.writer.lock().await;
    if let Ok(existing) = scheduler.group(&id) {
        // Asked once more by a client that did not hear the answer.
        let is_same = input.client_token.is_some()
            && input.client_token == existing.client_token
            && tags == existing.tags;
        return if is_same {
            answer
        } else {
            Err(error::conflict(format!(
                "Schedule group {} already exists.",
                id.name
            )))
        };
    }
    let now = scheduler.clock.now();
    let group = Group {
        tags,
        created: now,
        modified: now,
        client_token: input.client_token,
    };
    save(&scheduler, id, group).await?;
    answer
}

/// With its schedules.
pub async fn delete(
    scheduler: State,
    context: RequestContext,
    input: g::DeleteScheduleGroupInput,
) -> Result<g::DeleteScheduleGroupOutput, ServiceError> {
    let id = own_group(&context, Some(&input.name));
    if id.name == DEFAULT_GROUP {
        return Err(error::validation(
            "The default schedule group cannot be deleted.",
        ));
    }
    let _one_writer = scheduler.writer.lock().await;
    scheduler.group(&id)?;
    let mut batch = Batch::new();
    GROUPS.delete(&mut batch, id.key());
    SCHEDULES.delete_prefix(&mut batch, id.key());
    scheduler.commit(Ok(batch)).await?;
    scheduler.groups.write().remove(&id);
    scheduler.schedules.write().retain(|schedule, _| {
        let stays = schedule.group != id;
        if !stays {
            scheduler.agenda.set(schedule, None);
        }
        stays
    });
    Ok(g::DeleteScheduleGroupOutput {})
}

fn known(at: Timestamp) -> Option<Timestamp> {
    (at.millis() > 0).then_some(at)
}

pub async fn get(
    scheduler: State,
    context: RequestContext,
    input: g::GetScheduleGroupInput,
) -> Result<g::GetScheduleGroupOutput, ServiceError> {
    let id = own_group(&context, Some(&input.name));
    let group = scheduler.group(&id)?;
    Ok(g::GetScheduleGroupOutput {
        arn: Some(id.arn().to_string()),
        creation_date: known(group.created),
        last_modification_date: known(group.modified),
        name: Some(id.name),
        state: ACTIVE,
    })
}

pub async fn list(
    scheduler: State,
    context: RequestContext,
    input: g::ListScheduleGroupsInput,
) -> Result<g::ListScheduleGroupsOutput, ServiceError> {
    let prefix = input.name_prefix.unwrap_or_default();
    let default = own_group(&context, None);
    let mut groups: BTreeMap<String, Arc<Group>> = scheduler
        .groups
        .read()
        .iter()
        .filter(|(id, _)| id.account == default.account && id.region == default.region)
        .map(|(id, group)| (id.name.clone(), Arc::clone(group)))
        .collect();
    groups.entry(default.name).or_default();
    groups.retain(|name, _| name.starts_with(&prefix));
    let (page, next_token) = page::cut(groups, input.next_token.as_deref(), input.max_results)?;
    let shown = page.into_iter().map(|(name, group)| {
        let id = own_group(&context, Some(&name));
        g::ScheduleGroupSummary {
            arn: Some(id.arn().to_string()),
            creation_date: known(group.created),
            last_modification_date: known(group.modified),
            name: Some(name),
            state: ACTIVE,
        }
    });
    Ok(g::ListScheduleGroupsOutput {
        next_token,
        schedule_groups: shown.collect(),
    })
}
