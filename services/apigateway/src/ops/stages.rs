//! CreateStage, GetStage, GetStages, UpdateStage, DeleteStage, FlushStageCache,
//! FlushStageAuthorizersCache.

use std::collections::BTreeMap;

use base::Timestamp;
use service::{RequestContext, ServiceError};
use wire::{Shape as _, Value};

use super::rest_apis::whole_seconds;
use super::{NOTHING, State, check_tags, entries, filled};
use crate::domain::patch::{self, Asked, Kind};
use crate::domain::{patches, paths};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Api;

pub fn unknown() -> ServiceError {
    not_found("Invalid stage identifier specified")
}

/// A method's settings: how the path ends, the member, and what it is.
const SETTINGS: [(&str, &str, Kind); 10] = [
    ("metrics/enabled", "metricsEnabled", Kind::Bool),
    ("logging/loglevel", "loggingLevel", Kind::Text),
    ("logging/dataTrace", "dataTraceEnabled", Kind::Bool),
    ("throttling/burstLimit", "throttlingBurstLimit", Kind::Int),
    ("throttling/rateLimit", "throttlingRateLimit", Kind::Float),
    ("caching/enabled", "cachingEnabled", Kind::Bool),
    ("caching/ttlInSeconds", "cacheTtlInSeconds", Kind::Int),
    ("caching/dataEncrypted", "cacheDataEncrypted", Kind::Bool),
    (
        "caching/requireAuthorizationForCacheControl",
        "requireAuthorizationForCacheControl",
        Kind::Bool,
    ),
    (
        "caching/unauthorizedCacheControlHeaderStrategy",
        "unauthorizedCacheControlHeaderStrategy",
        Kind::Text,
    ),
];

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateStageRequest,
) -> Result<g::Stage, ServiceError> {
    check_tags(input.tags.as_ref())?;
    let stage = g::Stage {
        deployment_id: Some(input.deployment_id),
        stage_name: Some(input.stage_name),
        description: filled(input.description),
        cache_cluster_enabled: input.cache_cluster_enabled,
        cache_cluster_size: input.cache_cluster_size,
        variables: input.variables,
        documentation_version: filled(input.documentation_version),
        canary_settings: input.canary_settings,
        tracing_enabled: input.tracing_enabled,
        tags: entries(input.tags),
        ..g::Stage::default()
    };
    let now = whole_seconds(context.received_at);
    service
        .change_api(&context, &input.rest_api_id, |api| add(api, stage, now))
        .await
}

/// Adds a stage.
pub fn add(api: &mut Api, mut stage: g::Stage, now: Timestamp) -> Result<g::Stage, ServiceError> {
    let name = stage.stage_name.clone().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 128 || !name.chars().all(fits) {
        return Err(bad_request("Stage name only allows a-zA-Z0-9_-"));
    }
    if api.stages.has(&name) {
        return Err(conflict("Stage already exists"));
    }
    stage.cache_cluster_enabled.get_or_insert(false);
    stage.tracing_enabled.get_or_insert(false);
    stage.method_settings.get_or_insert_default();
    stage.cache_cluster_status = Some(g::CacheClusterStatus::NotAvailable);
    stage.created_date = Some(now);
    stage.last_updated_date = Some(now);
    check(api, &mut stage)?;
    api.stages.put(name, stage.clone());
    Ok(stage)
}

fn check(api: &Api, stage: &mut g::Stage) -> Result<(), ServiceError> {
    let has = |id: Option<&String>| id.is_some_and(|id| api.deployments.has(id));
    if !has(stage.deployment_id.as_ref()) {
        return Err(bad_request("Deployment id does not exist"));
    }
    if let Some(canary) = &mut stage.canary_settings {
        canary.deployment_id = canary
            .deployment_id
            .take()
            .or_else(|| stage.deployment_id.clone());
        canary.percent_traffic.get_or_insert(0.0);
        canary.use_stage_cache.get_or_insert(false);
        if !has(canary.deployment_id.as_ref()) {
            return Err(bad_request("Deployment id does not exist"));
        }
        check_canary(canary)?;
    }
    if stage.cache_cluster_enabled == Some(true) {
        return Err(bad_request(
            "Kagero has no cache clusters: cacheClusterEnabled cannot be true",
        ));
    }
    if stage
        .client_certificate_id
        .as_deref()
        .is_some_and(|id| !id.is_empty())
    {
        return Err(not_found("Invalid Client Certificate identifier specified"));
    }
    stage.client_certificate_id = None;
    stage.variables = entries(stage.variables.take());
    if let Some(variables) = &stage.variables {
        check_variables(variables)?;
    }
    if let Some(version) = &stage.documentation_version
        && !api.documentation_versions.has(version)
    {
        return Err(not_found("Invalid Documentation version specified"));
    }
    Ok(())
}

pub fn check_canary(canary: &g::CanarySettings) -> Result<(), ServiceError> {
    if !(0.0..=100.0).contains(&canary.percent_traffic.unwrap_or(0.0)) {
        return Err(bad_request(
            "Invalid canary percent traffic. Valid range is between 0.0 and 100.0",
        ));
    }
    match &canary.stage_variable_overrides {
        Some(overrides) => check_variables(overrides),
        None => Ok(()),
    }
}

pub fn check_variables(variables: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    let name_fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let value_fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c);
    for (name, value) in variables {
        if name.is_empty() || !name.chars().all(name_fits) {
            return Err(bad_request(format!(
                "Stage variable name {name} is invalid: only alphanumeric characters and underscores are allowed"
            )));
        }
        if value.len() > 512 || !value.chars().all(value_fits) {
            return Err(bad_request(format!(
                "Invalid stage variable value: {value}. Please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
            )));
        }
    }
    Ok(())
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetStageRequest,
) -> Result<g::Stage, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let stage = api.stages.get(&input.stage_name).ok_or_else(unknown)?;
    Ok(g::Stage::clone(stage))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetStagesRequest,
) -> Result<g::Stages, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let wanted = input.deployment_id.as_deref();
    let stages = api.stages.values();
    let stages =
        stages.filter(|stage| wanted.is_none() || stage.deployment_id.as_deref() == wanted);
    Ok(g::Stages {
        item: Some(stages.map(|stage| g::Stage::clone(stage)).collect()),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateStageRequest,
) -> Result<g::Stage, ServiceError> {
    let now = whole_seconds(context.received_at);
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let before = api.stages.get(&input.stage_name).ok_or_else(unknown)?;
            let mut tree = g::Stage::clone(before).into_value();
            for operation in input.patch_operations.unwrap_or_default() {
                let asked = Asked::of(&operation)?;
                if asked.op == g::Op::Copy {
                    promote(&mut tree, &asked)?;
                } else if !setting(&mut tree, &asked)? {
                    patch::apply(&mut tree, &asked, patches::STAGE)?;
                }
            }
            let mut stage: g::Stage = patch::typed(tree)?;
            check(api, &mut stage)?;
            stage.method_settings.get_or_insert_default();
            stage.last_updated_date = Some(now);
            api.stages.put(input.stage_name, stage.clone());
            Ok(stage)
        })
        .await
}

/// The canary becomes the stage.
fn promote(tree: &mut Value, asked: &Asked<'_>) -> Result<(), ServiceError> {
    let from = asked.from.unwrap_or_default();
    let (member, canary_member) = match (asked.path, from) {
        ("/deploymentId", "/canarySettings/deploymentId") => ("deploymentId", "deploymentId"),
        ("/variables", "/canarySettings/stageVariableOverrides") => {
            ("variables", "stageVariableOverrides")
        }
        (path, from) => {
            return Err(bad_request(format!(
                "Invalid copy operation with path: {path} and from {from}. Valid copy:path are [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]"
            )));
        }
    };
    let Some(canary) = tree.get("canarySettings") else {
        return Err(bad_request(
            "Promotion not available. Canary does not exist.",
        ));
    };
    let Some(new) = canary.get(canary_member).cloned() else {
        return Ok(());
    };
    let old = tree.take(member);
    let merged = match (old, new) {
        (Some(Value::Map(mut old)), Value::Map(new)) => {
            old.retain(|(name, _)| !new.iter().any(|(other, _)| other == name));
            old.extend(new);
            Value::Map(old)
        }
        (_, new) => new,
    };
    if let Value::Map(members) = tree {
        members.push((member.to_owned(), merged));
    }
    Ok(())
}

/// Sets or removes methods' settings, if that is what is asked for: paths such as
/// `/~1pets/GET/throttling/rateLimit`, `/*/*/metrics/enabled`, and `/*/*` to be removed.
fn setting(tree: &mut Value, asked: &Asked<'_>) -> Result<bool, ServiceError> {
    let found = SETTINGS.iter().find_map(|(end, member, kind)| {
        let before = asked.path.strip_suffix(end)?.strip_suffix('/')?;
        Some((before, *member, *kind))
    });
    let (method, member) = match found {
        Some((before, member, kind)) => (before, Some((member, kind))),
        None if asked.op == g::Op::Remove => {
            let last = asked.path.rsplit('/').next().unwrap_or_default();
            if last != "*" && !super::METHODS.contains(&last) {
                return Ok(false);
            }
            (asked.path, None)
        }
        None => return Ok(false),
    };
    let Some((path, name)) = method.rsplit_once('/') else {
        return Ok(false);
    };
    let path = path.trim_start_matches('/').replace("~1", "/");
    let key = paths::setting_key(&path, name);
    let Value::Map(members) = tree else {
        return Ok(false);
    };
    let at = patch::place(members, "methodSettings", || Value::Map(Vec::new()));
    let Value::Map(settings) = &mut members[at].1 else {
        return Ok(false);
    };
    let existing = settings.iter().position(|(name, _)| *name == key);
    let Some((member, kind)) = member else {
        let Some(existing) = existing else {
            return Err(bad_request(format!(
                "Cannot remove method setting {key} because there is no method setting for this method "
            )));
        };
        settings.remove(existing);
        return Ok(true);
    };
    let value = match asked.op {
        g::Op::Replace | g::Op::Add => patch::value(asked, kind)?,
        _ => return Err(patch::unsupported(asked)),
    };
    if member == "loggingLevel" && !matches!(asked.value, Some("OFF" | "ERROR" | "INFO")) {
        return Err(bad_request(
            "Invalid logging level. Must be one of: [OFF, ERROR, INFO]",
        ));
    }
    let existing = existing.unwrap_or_else(|| {
        let unset = g::MethodSetting {
            metrics_enabled: Some(false),
            data_trace_enabled: Some(false),
            throttling_burst_limit: Some(-1),
            throttling_rate_limit: Some(-1.0),
            caching_enabled: Some(false),
            cache_ttl_in_seconds: Some(300),
            cache_data_encrypted: Some(false),
            require_authorization_for_cache_control: Some(true),
            unauthorized_cache_control_header_strategy: Some(
                g::UnauthorizedCacheControlHeaderStrategy::SucceedWithResponseHeader,
            ),
            ..g::MethodSetting::default()
        };
        settings.push((key, unset.into_value()));
        settings.len() - 1
    });
    if let Value::Map(setting) = &mut settings[existing].1 {
        setting.retain(|(name, _)| name != member);
        setting.push((member.to_owned(), value));
    }
    Ok(true)
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteStageRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change(&context, |inventory| {
            let used = inventory.plans.values().any(|plan| {
                plan.api_stages.iter().flatten().any(|stage| {
                    stage.api_id.as_deref() == Some(&input.rest_api_id)
                        && stage.stage.as_deref() == Some(&input.stage_name)
                })
            });
            let api = inventory.apis.get_mut(&input.rest_api_id);
            let api = api.ok_or_else(|| not_found("Invalid API identifier specified"))?;
            if !api.stages.has(&input.stage_name) {
                return Err(unknown());
            }
            if used {
                return Err(bad_request(
                    "Cannot delete stage since it is part of a Usage Plan. Please remove the stage from the Usage Plan first.",
                ));
            }
            std::sync::Arc::make_mut(api).stages.remove(&input.stage_name);
            Ok(NOTHING)
        })
        .await
}

/// There is no cache of answers; what there is not is empty.
pub async fn flush_cache(
    service: State,
    context: RequestContext,
    input: g::FlushStageCacheRequest,
) -> Result<wire::Unit, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    api.stages.get(&input.stage_name).ok_or_else(unknown)?;
    Ok(NOTHING)
}

pub async fn flush_authorizers(
    service: State,
    context: RequestContext,
    input: g::FlushStageAuthorizersCacheRequest,
) -> Result<wire::Unit, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    api.stages.get(&input.stage_name).ok_or_else(unknown)?;
    let stage = Some(input.stage_name.as_str());
    service.authorizations.forget(&input.rest_api_id, stage);
    Ok(NOTHING)
}
