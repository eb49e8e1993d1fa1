//! GetUsage, UpdateUsage: what keys have used of their plans, by day.

use std::collections::BTreeMap;

use base::Timestamp;
use service::{RequestContext, ServiceError};

use super::usage_plans::unknown as unknown_plan;
use super::{State, paged};
use crate::domain::patch::{self, Asked, Kind};
use crate::error::{bad_request, not_found};
use crate::g;
use crate::metering::{Day, KeyUsage};
use crate::records::Place;

fn day(text: &str) -> Result<Day, ServiceError> {
    Day::parse(text).ok_or_else(|| {
        bad_request(format!(
            "Invalid date specified: {text}. Must be of the form YYYY-MM-DD"
        ))
    })
}

/// Each day's used and remaining requests.
fn series(usage: &KeyUsage, plan: &g::UsagePlan, start: Day, end: Day) -> Vec<Vec<i64>> {
    let days = (start.0..=end.0).map(Day);
    days.map(|day| {
        vec![
            usage.used_on(day),
            usage.remaining(plan.quota.as_ref(), day),
        ]
    })
    .collect()
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetUsageRequest,
) -> Result<g::Usage, ServiceError> {
    let inventory = service.inventory(&context);
    let plan = inventory
        .plans
        .get(&input.usage_plan_id)
        .ok_or_else(unknown_plan)?;
    let (start, end) = (day(&input.start_date)?, day(&input.end_date)?);
    if start.0 > end.0 {
        return Err(bad_request(
            "Usage start date must be before usage end date",
        ));
    }
    if end.0 - start.0 >= 90 {
        return Err(bad_request("Usage can be shown for no more than 90 days"));
    }
    let prefix = format!("{}/", input.usage_plan_id);
    let place = Place::of(&context);
    let keys = inventory.plan_keys.iter().filter_map(|(name, _)| {
        let key = name.strip_prefix(&prefix)?;
        let wanted = input.key_id.as_deref().is_none_or(|wanted| wanted == key);
        let usage = service.meter.usage(&place, &input.usage_plan_id, key)?;
        let series = series(&usage, plan, start, end);
        wanted.then(|| (key.to_owned(), (key.to_owned(), series)))
    });
    let keys: Vec<_> = keys.collect();
    let (items, position) = paged(keys, input.position.as_deref(), input.limit)?;
    Ok(g::Usage {
        usage_plan_id: Some(input.usage_plan_id),
        start_date: Some(input.start_date),
        end_date: Some(input.end_date),
        position,
        items: Some(items.into_iter().collect()),
    })
}

/// Gives a key more, or less, of what is left of its period.
pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateUsageRequest,
) -> Result<g::Usage, ServiceError> {
    let inventory = service.inventory(&context);
    let plan = inventory
        .plans
        .get(&input.usage_plan_id)
        .ok_or_else(unknown_plan)?;
    let name = format!("{}/{}", input.usage_plan_id, input.key_id);
    if !inventory.plan_keys.has(&name) {
        return Err(not_found("Invalid Usage Plan Key identifier specified"));
    }
    let today = Day::of(context.received_at);
    let place = Place::of(&context);
    for operation in input.patch_operations.unwrap_or_default() {
        let asked = Asked::of(&operation)?;
        if asked.path != "/remaining" || asked.op != g::Op::Replace {
            return Err(bad_request(format!(
                "Invalid patch path  '{}' specified for op '{}'. Must be one of: [/remaining]",
                asked.path, asked.op
            )));
        }
        let wire::Value::Int(remaining) = patch::value(&asked, Kind::Int)? else {
            return Err(bad_request("Invalid value for remaining"));
        };
        let Some(quota) = &plan.quota else {
            return Err(bad_request("Usage Plan has no quota"));
        };
        let granted = service.meter.grant(
            &place,
            &input.usage_plan_id,
            &input.key_id,
            quota,
            today,
            remaining,
        );
        service.meter.save(&*service.store, granted).await?;
    }
    let usage = service
        .meter
        .usage(&place, &input.usage_plan_id, &input.key_id);
    let date = Timestamp::iso8601_seconds(context.received_at)[..10].to_owned();
    let series = series(&usage.unwrap_or_default(), plan, today, today);
    Ok(g::Usage {
        usage_plan_id: Some(input.usage_plan_id),
        start_date: Some(date.clone()),
        end_date: Some(date),
        position: None,
        items: Some(BTreeMap::from([(input.key_id, series)])),
    })
}
