//! CreateSchedule, UpdateSchedule, GetSchedule, ListSchedules, DeleteSchedule.

use std::sync::Arc;

use base::Timestamp;
use service::{RequestContext, ServiceError};
use store::Batch;

use super::{State, own_group};
use crate::domain::{page, settings, timing};
use crate::error;
use crate::generated as g;
use crate::records::{SCHEDULES, Schedule, ScheduleId, Settings};

fn id(context: &RequestContext, group: Option<&str>, name: &str) -> ScheduleId {
    ScheduleId {
        group: own_group(context, group),
        name: name.to_owned(),
    }
}

fn find(scheduler: &State, id: &ScheduleId) -> Result<Arc<Schedule>, ServiceError> {
    let found = scheduler.schedules.read().get(id).cloned();
    found.ok_or_else(|| error::schedule_not_found(&id.name))
}

fn state(settings: &Settings) -> g::ScheduleState {
    if settings.enabled {
        g::ScheduleState::Enabled
    } else {
        g::ScheduleState::Disabled
    }
}

/// Writes a schedule and starts it anew.
async fn save(
    scheduler: &State,
    id: ScheduleId,
    settings: Settings,
    created: Timestamp,
    client_token: Option<String>,
) -> Result<(), ServiceError> {
    let now = scheduler.clock.now();
    let next = timing::first(&settings, now);
    let due = next.map(|next| timing::due(&settings, next, rand::random()));
    let schedule = Schedule {
        settings,
        created,
        modified: now,
        client_token,
        next,
        due,
    };
    let mut batch = Batch::new();
    let put = SCHEDULES.put(&mut batch, id.key(), &schedule);
    scheduler.commit(put.map(|()| batch)).await?;
    scheduler.agenda.set(&id, due);
    scheduler.schedules.write().insert(id, Arc::new(schedule));
    Ok(())
}

pub async fn create(
    scheduler: State,
    context: RequestContext,
    input: g::CreateScheduleInput,
) -> Result<g::CreateScheduleOutput, ServiceError> {
    let id = id(&context, input.group_name.as_deref(), &input.name);
    let token = input.client_token.clone();
    let mut settings = settings::checked(
        g::UpdateScheduleInput {
            action_after_completion: input.action_after_completion,
            client_token: input.client_token,
            description: input.description,
            end_date: input.end_date,
            flexible_time_window: input.flexible_time_window,
            group_name: input.group_name,
            kms_key_arn: input.kms_key_arn,
            name: input.name,
            schedule_expression: input.schedule_expression,
            schedule_expression_timezone: input.schedule_expression_timezone,
            start_date: input.start_date,
            state: input.state,
            target: input.target,
        },
        scheduler.calls_anything,
    )?;
    settings.target.reach = context.reach;
    timing::check_start(&settings, scheduler.clock.now())?;
    let _one_writer = scheduler.writer.lock().await;
    scheduler.group(&id.group)?;
    let arn = id.arn().to_string();
    if let Ok(existing) = find(&scheduler, &id) {
        // Asked once more by a client that did not hear the answer.
        let is_same =
            token.is_some() && token == existing.client_token && settings == existing.settings;
        if !is_same {
            return Err(error::conflict(format!(
                "Schedule {} already exists.",
                id.name
            )));
        }
    } else {
        let now = scheduler.clock.now();
        save(&scheduler, id, settings, now, token).await?;
    }
    Ok(g::CreateScheduleOutput { schedule_arn: arn })
}

/// What is not said is as if it had never been.
pub async fn update(
    scheduler: State,
    context: RequestContext,
    input: g::UpdateScheduleInput,
) -> Result<g::UpdateScheduleOutput, ServiceError> {
    let id = id(&context, input.group_name.as_deref(), &input.name);
    let mut settings = settings::checked(input, scheduler.calls_anything)?;
    settings.target.reach = context.reach;
    let _one_writer = scheduler.writer.lock().await;
    scheduler.group(&id.group)?;
    let before = find(&scheduler, &id)?;
    let arn = id.arn().to_string();
    let token = before.client_token.clone();
    save(&scheduler, id, settings, before.created, token).await?;
    Ok(g::UpdateScheduleOutput { schedule_arn: arn })
}

pub async fn get(
    scheduler: State,
    context: RequestContext,
    input: g::GetScheduleInput,
) -> Result<g::GetScheduleOutput, ServiceError> {
    let id = id(&context, input.group_name.as_deref(), &input.name);
    let found = find(&scheduler, &id)?;
    let settings = &found.settings;
    Ok(g::GetScheduleOutput {
        action_after_completion: Some(if settings.deletes_itself {
            g::ActionAfterCompletion::Delete
        } else {
            g::ActionAfterCompletion::None
        }),
        arn: Some(id.arn().to_string()),
        creation_date: Some(found.created),
        description: settings.description.clone(),
        end_date: settings.end,
        flexible_time_window: Some(g::FlexibleTimeWindow {
            maximum_window_in_minutes: settings.window_minutes,
            mode: if settings.window_minutes.is_some() {
                g::FlexibleTimeWindowMode::Flexible
            } else {
                g::FlexibleTimeWindowMode::Off
            },
        }),
        group_name: Some(id.group.name),
        kms_key_arn: settings.kms_key.clone(),
        last_modification_date: Some(found.modified),
        name: Some(id.name),
        schedule_expression: Some(settings.expression.clone()),
        schedule_expression_timezone: Some(settings.time_zone.clone()),
        start_date: settings.start,
        state: Some(state(settings)),
        target: Some(settings::shown_target(&settings.target)),
    })
}

pub async fn list(
    scheduler: State,
    context: RequestContext,
    input: g::ListSchedulesInput,
) -> Result<g::ListSchedulesOutput, ServiceError> {
    let own = own_group(&context, input.group_name.as_deref());
    scheduler.group(&own)?;
    let prefix = input.name_prefix.unwrap_or_default();
    let found: Vec<(String, (ScheduleId, Arc<Schedule>))> = scheduler
        .schedules
        .read()
        .iter()
        .filter(|(id, schedule)| {
            id.group.account == own.account
                && id.group.region == own.region
                && (input.group_name.is_none() || id.group == own)
                && id.name.starts_with(&prefix)
                && input
                    .state
                    .is_none_or(|wanted| wanted == state(&schedule.settings))
        })
        .map(|(id, schedule)| {
            let place = format!("{}\0{}", id.group.name, id.name);
            (place, (id.clone(), Arc::clone(schedule)))
        })
        .collect();
    let (page, next_token) = page::cut(found, input.next_token.as_deref(), input.max_results)?;
    let shown = page
        .into_iter()
        .map(|(_, (id, schedule))| g::ScheduleSummary {
            arn: Some(id.arn().to_string()),
            creation_date: Some(schedule.created),
            group_name: Some(id.group.name),
            last_modification_date: Some(schedule.modified),
            name: Some(id.name),
            state: Some(state(&schedule.settings)),
            target: Some(g::TargetSummary {
                arn: schedule.settings.target.arn.clone(),
            }),
        });
    Ok(g::ListSchedulesOutput {
        next_token,
        schedules: shown.collect(),
    })
}

pub async fn delete(
    scheduler: State,
    context: RequestContext,
    input: g::DeleteScheduleInput,
) -> Result<g::DeleteScheduleOutput, ServiceError> {
    let id = id(&context, input.group_name.as_deref(), &input.name);
    let _one_writer = scheduler.writer.lock().await;
    scheduler.group(&id.group)?;
    find(&scheduler, &id)?;
    let mut batch = Batch::new();
    SCHEDULES.delete(&mut batch, id.key());
    scheduler.commit(Ok(batch)).await?;
    scheduler.schedules.write().remove(&id);
    scheduler.agenda.set(&id, None);
    Ok(g::DeleteScheduleOutput {})
}
