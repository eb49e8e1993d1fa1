//! CreateEventBus, DeleteEventBus, DescribeEventBus, ListEventBuses, UpdateEventBus.

use base::Timestamp;
use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Unit;

use super::State;
use super::tags;
use crate::domain::{names, page};
use crate::error;
use crate::generated as g;
use crate::records::{BUSES, Bus, DEFAULT_BUS, DUE, RULES};

fn dead_letters(config: Option<g::DeadLetterConfig>) -> Option<String> {
    config.and_then(|config| config.arn)
}

fn shown_dead_letters(arn: Option<&String>) -> Option<g::DeadLetterConfig> {
    arn.map(|arn| g::DeadLetterConfig {
        arn: Some(arn.clone()),
    })
}

fn check_logs(config: Option<&g::LogConfig>) -> Result<(), ServiceError> {
    let is_off = |config: &g::LogConfig| config.level.is_none_or(|level| level.as_str() == "OFF");
    if config.is_none_or(is_off) {
        return Ok(());
    }
    Err(ServiceError::not_implemented("EventBridge's", "LogConfig"))
}

pub async fn create(
    events: State,
    context: RequestContext,
    input: g::CreateEventBusRequest,
) -> Result<g::CreateEventBusResponse, ServiceError> {
    if let Some(source) = input.event_source_name {
        // Partners are AWS's: none sends anything here.
        return Err(error::not_found(format!(
            "Event source {source} does not exist."
        )));
    }
    check_logs(input.log_config.as_ref())?;
    if input.name.contains('/') {
        return Err(error::validation("Event bus name must not contain '/'."));
    }
    let _one_writer = events.writer.lock().await;
    let name = names::own(&context, &input.name);
    if events.directory.bus(&name).is_some() {
        return Err(error::exists(format!(
            "Event bus {} already exists.",
            input.name
        )));
    }
    let now = events.clock.now();
    let bus = Bus {
        description: input.description,
        kms_key: input.kms_key_identifier,
        dead_letters: dead_letters(input.dead_letter_config),
        policy: None,
        tags: tags::of(input.tags.unwrap_or_default()),
        created: now,
        modified: now,
    };
    let answer = g::CreateEventBusResponse {
        event_bus_arn: Some(name.arn("event-bus").to_string()),
        description: bus.description.clone(),
        kms_key_identifier: bus.kms_key.clone(),
        dead_letter_config: shown_dead_letters(bus.dead_letters.as_ref()),
        log_config: None,
    };
    events.save_bus(name, bus).await?;
    Ok(answer)
}

pub async fn update(
    events: State,
    context: RequestContext,
    input: g::UpdateEventBusRequest,
) -> Result<g::UpdateEventBusResponse, ServiceError> {
    check_logs(input.log_config.as_ref())?;
    let _one_writer = events.writer.lock().await;
    let (name, bus) = events.own_bus(&context, input.name.as_deref())?;
    let mut bus = (*bus).clone();
    bus.description = input.description.or(bus.description);
    bus.kms_key = input.kms_key_identifier.or(bus.kms_key);
    bus.dead_letters = dead_letters(input.dead_letter_config).or(bus.dead_letters);
    bus.modified = events.clock.now();
    let answer = g::UpdateEventBusResponse {
        arn: Some(name.arn("event-bus").to_string()),
        name: Some(name.name.clone()),
        kms_key_identifier: bus.kms_key.clone(),
        description: bus.description.clone(),
        dead_letter_config: shown_dead_letters(bus.dead_letters.as_ref()),
        log_config: None,
    };
    events.save_bus(name, bus).await?;
    Ok(answer)
}

/// One that is not there is no error.
pub async fn delete(
    events: State,
    context: RequestContext,
    input: g::DeleteEventBusRequest,
) -> Result<Unit, ServiceError> {
    let name = names::bus(&context, Some(&input.name))?;
    if name.name == DEFAULT_BUS {
        return Err(error::validation("Cannot delete event bus default."));
    }
    let _one_writer = events.writer.lock().await;
    if name.account != context.account || events.directory.bus(&name).is_none() {
        return Ok(Unit {});
    }
    let rules = events.directory.rules(&name);
    if rules.iter().any(|(_, rule)| rule.managed_by.is_none()) {
        return Err(error::validation(format!(
            "EventBus {} can't be deleted since it has rules.",
            name.name
        )));
    }
    let mut batch = Batch::new();
    BUSES.delete(&mut batch, name.key());
    RULES.delete_prefix(&mut batch, name.key());
    DUE.delete_prefix(&mut batch, name.key());
    events.commit(Ok(batch)).await?;
    events.directory.remove_bus(&name);
    Ok(Unit {})
}

fn known(at: Timestamp) -> Option<Timestamp> {
    (at.millis() > 0).then_some(at)
}

pub async fn describe(
    events: State,
    context: RequestContext,
    input: g::DescribeEventBusRequest,
) -> Result<g::DescribeEventBusResponse, ServiceError> {
    let (name, bus) = events.own_bus(&context, input.name.as_deref())?;
    Ok(g::DescribeEventBusResponse {
        arn: Some(name.arn("event-bus").to_string()),
        name: Some(name.name),
        description: bus.description.clone(),
        kms_key_identifier: bus.kms_key.clone(),
        dead_letter_config: shown_dead_letters(bus.dead_letters.as_ref()),
        policy: bus.policy.clone(),
        log_config: None,
        creation_time: known(bus.created),
        last_modified_time: known(bus.modified),
        managed_by: None,
    })
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListEventBusesRequest,
) -> Result<g::ListEventBusesResponse, ServiceError> {
    let prefix = input.name_prefix.unwrap_or_default();
    let buses = events.directory.buses(&names::own(&context, ""));
    let wanted = buses
        .into_iter()
        .filter(|(name, _)| name.name.starts_with(&prefix))
        .map(|(name, bus)| (name.name.clone(), (name, bus)));
    let (page, next_token) = page::cut(wanted, input.next_token.as_deref(), input.limit)?;
    let shown = page.into_iter().map(|(_, (name, bus))| g::EventBus {
        arn: Some(name.arn("event-bus").to_string()),
        name: Some(name.name),
        description: bus.description.clone(),
        policy: bus.policy.clone(),
        creation_time: known(bus.created),
        last_modified_time: known(bus.modified),
        managed_by: None,
    });
    Ok(g::ListEventBusesResponse {
        event_buses: Some(shown.collect()),
        next_token,
    })
}
