//! CreateUsagePlan, GetUsagePlan, GetUsagePlans, UpdateUsagePlan, DeleteUsagePlan.

use service::{RequestContext, ServiceError};
use wire::Shape as _;

use super::{NOTHING, State, check_tags, entries, filled, paged};
use crate::domain::patch::{self, Asked};
use crate::domain::{ids, patches};
use crate::error::{bad_request, not_found};
use crate::g;
use crate::records::Inventory;

pub fn unknown() -> ServiceError {
    not_found("Invalid Usage Plan ID specified")
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateUsagePlanRequest,
) -> Result<g::UsagePlan, ServiceError> {
    check_tags(input.tags.as_ref())?;
    let id = ids::short();
    let plan = g::UsagePlan {
        id: Some(id.clone()),
        name: Some(input.name),
        description: filled(input.description),
        api_stages: Some(input.api_stages.unwrap_or_default()),
        throttle: input.throttle,
        quota: input.quota,
        product_code: None,
        tags: entries(input.tags),
    };
    service
        .change(&context, |inventory| {
            check(inventory, &plan)?;
            inventory.plans.put(id, plan.clone());
            Ok(plan)
        })
        .await
}

fn check(inventory: &Inventory, plan: &g::UsagePlan) -> Result<(), ServiceError> {
    if plan.name.as_deref().unwrap_or_default().is_empty() {
        return Err(bad_request("Usage Plan name cannot be blank"));
    }
    for stage in plan.api_stages.iter().flatten() {
        let api = stage.api_id.as_deref().unwrap_or_default();
        let name = stage.stage.as_deref().unwrap_or_default();
        let Some(found) = inventory.apis.get(api) else {
            return Err(not_found("Invalid API identifier specified"));
        };
        if !found.stages.has(name) {
            return Err(not_found(format!("API Stage not found: {api}:{name}")));
        }
        for throttle in stage.throttle.iter().flat_map(|all| all.values()) {
            check_throttle(throttle)?;
        }
    }
    if let Some(throttle) = &plan.throttle {
        check_throttle(throttle)?;
    }
    let Some(quota) = &plan.quota else {
        return Ok(());
    };
    let (Some(limit), Some(period)) = (quota.limit, quota.period) else {
        return Err(bad_request(
            "Usage Plan quota must have a limit and a period",
        ));
    };
    if limit < 0 {
        return Err(bad_request("Usage Plan quota limit must be positive"));
    }
    let offset = quota.offset.unwrap_or(0);
    let allowed = match period {
        g::QuotaPeriodType::Day => 0..=0,
        g::QuotaPeriodType::Week => 0..=6,
        g::QuotaPeriodType::Month => 0..=27,
    };
    if !allowed.contains(&offset) {
        return Err(bad_request(format!(
            "Usage Plan quota offset must be between 0 and {} for the {period} period",
            allowed.end()
        )));
    }
    Ok(())
}

fn check_throttle(throttle: &g::ThrottleSettings) -> Result<(), ServiceError> {
    if throttle.burst_limit.is_some_and(|burst| burst < 0)
        || throttle.rate_limit.is_some_and(|rate| rate < 0.0)
    {
        return Err(bad_request("Usage Plan throttle must have positive limits"));
    }
    Ok(())
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetUsagePlanRequest,
) -> Result<g::UsagePlan, ServiceError> {
    let inventory = service.inventory(&context);
    let plan = inventory
        .plans
        .get(&input.usage_plan_id)
        .ok_or_else(unknown)?;
    Ok(g::UsagePlan::clone(plan))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetUsagePlansRequest,
) -> Result<g::UsagePlans, ServiceError> {
    let inventory = service.inventory(&context);
    let plans = inventory
        .plans
        .iter()
        .filter(|(id, _)| match &input.key_id {
            Some(key) => inventory.plan_keys.has(&format!("{id}/{key}")),
            None => true,
        });
    let plans = plans.map(|(id, plan)| (id.to_owned(), g::UsagePlan::clone(plan)));
    let (items, position) = paged(plans, input.position.as_deref(), input.limit)?;
    Ok(g::UsagePlans {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateUsagePlanRequest,
) -> Result<g::UsagePlan, ServiceError> {
    service
        .change(&context, |inventory| {
            let before = inventory
                .plans
                .get(&input.usage_plan_id)
                .ok_or_else(unknown)?;
            let mut plan = g::UsagePlan::clone(before);
            for operation in input.patch_operations.unwrap_or_default() {
                let asked = Asked::of(&operation)?;
                if asked.path.starts_with("/apiStages") {
                    stages(&mut plan, &asked)?;
                } else {
                    let mut tree = plan.into_value();
                    patch::apply(&mut tree, &asked, patches::USAGE_PLAN)?;
                    plan = patch::typed(tree)?;
                }
            }
            check(inventory, &plan)?;
            Ok(super::replace(
                &mut inventory.plans,
                &input.usage_plan_id,
                plan,
            ))
        })
        .await
}

/// `/apiStages` takes and gives a stage as `api:stage`; below one are its methods' throttles.
fn stages(plan: &mut g::UsagePlan, asked: &Asked<'_>) -> Result<(), ServiceError> {
    let all = plan.api_stages.get_or_insert_default();
    let place = |all: &[g::ApiStage], named: &str| {
        let (api, stage) = named.split_once(':')?;
        all.iter().position(|one| {
            one.api_id.as_deref() == Some(api) && one.stage.as_deref() == Some(stage)
        })
    };
    let parts: Vec<String> = asked
        .path
        .split('/')
        .skip(2)
        .map(|part| part.replace("~1", "/"))
        .collect();
    let Some(named) = parts.first() else {
        let value = asked.value.unwrap_or_default();
        let Some((api, stage)) = value.split_once(':') else {
            return Err(bad_request(format!(
                "Invalid API stage specified: {value}. Must be of the form apiId:stage"
            )));
        };
        let at = place(all, value);
        match (asked.op, at) {
            (g::Op::Add | g::Op::Replace, None) => all.push(g::ApiStage {
                api_id: Some(api.to_owned()),
                stage: Some(stage.to_owned()),
                throttle: None,
            }),
            (g::Op::Add | g::Op::Replace, Some(_)) => {}
            (g::Op::Remove, Some(at)) => {
                all.remove(at);
            }
            (g::Op::Remove, None) => {
                return Err(not_found(format!("API Stage not found: {value}")));
            }
            _ => return Err(patch::unsupported(asked)),
        }
        return Ok(());
    };
    let Some(at) = place(all, named) else {
        return Err(not_found(format!("API Stage not found: {named}")));
    };
    let throttles = &mut all[at].throttle;
    let refused = || patch::unsupported(asked);
    match parts.get(1..).unwrap_or_default() {
        [throttle] if throttle == "throttle" && asked.op == g::Op::Remove => *throttles = None,
        [throttle, path, method] if throttle == "throttle" && asked.op == g::Op::Remove => {
            let key = format!("{path}/{method}");
            let removed = throttles.get_or_insert_default().remove(&key);
            removed.ok_or_else(refused)?;
        }
        [throttle, path, method, limit] if throttle == "throttle" => {
            let key = format!("{path}/{method}");
            let one = throttles.get_or_insert_default().entry(key).or_default();
            let mut tree = std::mem::take(one).into_value();
            let end = format!("/{limit}");
            let within = Asked {
                path: &end,
                ..*asked
            };
            patch::apply(&mut tree, &within, patches::METHOD_THROTTLE)?;
            *one = patch::typed(tree)?;
        }
        _ => return Err(refused()),
    }
    Ok(())
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteUsagePlanRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change(&context, |inventory| {
            let plan = inventory
                .plans
                .get(&input.usage_plan_id)
                .ok_or_else(unknown)?;
            if plan
                .api_stages
                .as_ref()
                .is_some_and(|stages| !stages.is_empty())
            {
                return Err(bad_request(format!(
                    "Cannot delete Usage Plan {} because it has API stages associated with it",
                    input.usage_plan_id
                )));
            }
            inventory.plans.remove(&input.usage_plan_id);
            let prefix = format!("{}/", input.usage_plan_id);
            inventory
                .plan_keys
                .retain(|name, _| !name.starts_with(&prefix));
            Ok(NOTHING)
        })
        .await
}
