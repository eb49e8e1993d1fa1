//! API keys, and what usage plans and stages allow of requests.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html>

use crate::generated::{ApiKeySourceType, GatewayResponseType as Kind};
use crate::records::Inventory;
use crate::run::call::Call;
use crate::run::refusal::Refusal;
use crate::{ApiGateway, g};

/// Lets the request in, or says which limit it passes. It is counted once nothing else is in its
/// way.
pub fn admit(service: &ApiGateway, call: &mut Call) -> Result<(), Refusal> {
    if call.is_test {
        return Ok(());
    }
    let inventory = service.inventory_of(&call.deployed);
    let value = key_value(call);
    let key = value
        .as_deref()
        .and_then(|value| enabled(&inventory, value));
    let key_id = key.and_then(|key| key.id.clone());
    let plan = key_id
        .as_deref()
        .and_then(|id| plan_of(&inventory, call, id));
    let needs_key = call.method().api_key_required == Some(true);
    if needs_key && plan.is_none() {
        return Err(Refusal::new(Kind::InvalidApiKey, "Forbidden"));
    }
    stage_throttle(service, call)?;
    let (Some(id), Some(value)) = (key_id, value) else {
        return Ok(());
    };
    call.api_key = Some((id.clone(), value));
    let Some((plan, stage)) = plan.filter(|_| needs_key) else {
        return Ok(());
    };
    plan_throttle(service, call, &id, &plan, &stage)?;
    let plan_id = plan.id.as_deref().unwrap_or_default();
    let quota = plan.quota.as_ref();
    let place = &call.deployed.place;
    if !service.meter.count(place, plan_id, &id, quota, call.at) {
        return Err(Refusal::new(Kind::QuotaExceeded, "Limit Exceeded"));
    }
    service.count_soon();
    Ok(())
}

/// Where the API looks for keys: a header, or what its authorizer said.
fn key_value(call: &Call) -> Option<String> {
    let info = &call.deployed.snapshot.info;
    match info.api_key_source.unwrap_or_default() {
        ApiKeySourceType::Header => {
            let value = call.headers.get("x-api-key")?.to_str().ok()?;
            Some(value.to_owned())
        }
        ApiKeySourceType::Authorizer => {
            let grant = call.authorizer.as_ref()?;
            grant.usage_identifier_key.clone()
        }
    }
}

fn enabled<'i>(inventory: &'i Inventory, value: &str) -> Option<&'i g::ApiKey> {
    let mut keys = inventory.keys.values();
    let key = keys.find(|key| key.value.as_deref() == Some(value))?;
    (key.enabled == Some(true)).then_some(key)
}

/// The plan by which a key opens this stage, and the stage in it.
fn plan_of(inventory: &Inventory, call: &Call, key: &str) -> Option<(g::UsagePlan, g::ApiStage)> {
    inventory.plans.iter().find_map(|(id, plan)| {
        let stage = plan.api_stages.iter().flatten().find(|stage| {
            stage.api_id.as_deref() == Some(&call.deployed.api_id)
                && stage.stage.as_deref() == Some(&call.deployed.stage_name)
        })?;
        let has_key = inventory.plan_keys.has(&format!("{id}/{key}"));
        has_key.then(|| (g::UsagePlan::clone(plan), stage.clone()))
    })
}

fn throttled() -> Refusal {
    Refusal::new(Kind::Throttled, "Too Many Requests")
}

/// The settings of the method, or of all.
pub fn settings(call: &Call) -> Option<&g::MethodSetting> {
    let settings = call.deployed.stage.method_settings.as_ref()?;
    let path = call.resource.path.as_deref().unwrap_or("/");
    let key = crate::domain::paths::setting_key(path, &call.http_method);
    settings.get(&key).or_else(|| settings.get("*/*"))
}

fn stage_throttle(service: &ApiGateway, call: &Call) -> Result<(), Refusal> {
    let Some(setting) = settings(call) else {
        return Ok(());
    };
    let throttle = g::ThrottleSettings {
        burst_limit: setting.throttling_burst_limit,
        rate_limit: setting.throttling_rate_limit,
    };
    let deployed = &call.deployed;
    let path = call.resource.path.as_deref().unwrap_or("/");
    let name = format!(
        "stage {} {} {path} {}",
        deployed.api_id, deployed.stage_name, call.http_method
    );
    if service.meter.takes(&name, &throttle, call.at) {
        Ok(())
    } else {
        Err(throttled())
    }
}

/// A method's own limits in the plan, or those of the plan.
fn plan_throttle(
    service: &ApiGateway,
    call: &Call,
    key: &str,
    plan: &g::UsagePlan,
    stage: &g::ApiStage,
) -> Result<(), Refusal> {
    let path = call.resource.path.as_deref().unwrap_or("/");
    let method = format!("{path}/{}", call.http_method);
    let own = stage
        .throttle
        .as_ref()
        .and_then(|throttles| throttles.get(&method));
    let plan_id = plan.id.as_deref().unwrap_or_default();
    let (throttle, name) = match (own, &plan.throttle) {
        (Some(own), _) => (
            own,
            format!("plan {plan_id} {key} {} {method}", call.deployed.api_id),
        ),
        (None, Some(plan)) => (plan, format!("plan {plan_id} {key}")),
        (None, None) => return Ok(()),
    };
    if service.meter.takes(&name, throttle, call.at) {
        Ok(())
    } else {
        Err(throttled())
    }
}
