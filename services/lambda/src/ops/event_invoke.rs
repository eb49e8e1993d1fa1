//! PutFunctionEventInvokeConfig, UpdateFunctionEventInvokeConfig, GetFunctionEventInvokeConfig,
//! ListFunctionEventInvokeConfigs, DeleteFunctionEventInvokeConfig.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>

use std::ops::Bound;
use std::sync::Arc;

use base::Arn;
use routing::deliveries::Kind;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{function_named, named};
use crate::domain::event_invoke::{EventInvoke, Given};
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::marker::{MAX_PAGE, PageRequest};
use crate::function::Function;
use crate::generated::{
    DeleteFunctionEventInvokeConfigRequest, FunctionEventInvokeConfig,
    GetFunctionEventInvokeConfigRequest, ListFunctionEventInvokeConfigsRequest,
    ListFunctionEventInvokeConfigsResponse, PutFunctionEventInvokeConfigRequest,
    UpdateFunctionEventInvokeConfigRequest,
};
use crate::target::Target;
use crate::{Lambda, error};

/// Replaces what there was.
pub async fn put_function_event_invoke_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ServiceError> {
    let name = subject(
        &lambda,
        &context,
        &input.function_name,
        input.qualifier.as_deref(),
    )?;
    let config = Given::from(&input).applied_to(None, lambda.clock.now())?;
    put(&lambda, &name, move |_| Ok(config)).await
}

/// Changes only what the request names, of a configuration that is there.
pub async fn update_function_event_invoke_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ServiceError> {
    let name = subject(
        &lambda,
        &context,
        &input.function_name,
        input.qualifier.as_deref(),
    )?;
    let now = lambda.clock.now();
    put(&lambda, &name, |before| {
        let before = before.ok_or_else(|| not_configured(&name))?;
        Given::from(&input).applied_to(Some(before), now)
    })
    .await
}

pub async fn get_function_event_invoke_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, ServiceError> {
    let name = with_qualifier(named(
        &context,
        &input.function_name,
        input.qualifier.as_deref(),
    )?);
    let function = lambda.functions.get(&name.whole());
    let configs = function.as_ref().map(|it| &it.record.attached.event_invoke);
    let config = configs.ok().and_then(|configs| configs.get(key(&name)));
    let config = config.ok_or_else(|| not_configured(&name))?;
    Ok(shown(&name.arn(), config))
}

pub async fn list_function_event_invoke_configs(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListFunctionEventInvokeConfigsRequest,
) -> Result<ListFunctionEventInvokeConfigsResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name).map_err(|_| no_function())?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let from = page
        .after
        .as_deref()
        .map_or(Bound::Unbounded, Bound::Excluded);
    let configs = function
        .record
        .attached
        .event_invoke
        .range::<str, _>((from, Bound::Unbounded))
        .take(page.limit + 1)
        .collect();
    let (configs, next_marker) = page.cut(configs, |(qualifier, _)| (*qualifier).clone());
    let place = function.record.place();
    let shown = configs.into_iter().map(|(qualifier, config)| {
        let qualified = format!("{}:{qualifier}", name.name);
        shown(&place.function_arn(&qualified), config)
    });
    Ok(ListFunctionEventInvokeConfigsResponse {
        function_event_invoke_configs: Some(shown.collect()),
        next_marker,
    })
}

pub async fn delete_function_event_invoke_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteFunctionEventInvokeConfigRequest,
) -> Result<Unit, ServiceError> {
    let name = with_qualifier(named(
        &context,
        &input.function_name,
        input.qualifier.as_deref(),
    )?);
    if lambda.functions.get(&name.whole()).is_err() {
        return Err(not_configured(&name));
    }
    lambda
        .attach(&name.whole(), |_, attached| {
            let before = attached.event_invoke.remove(key(&name));
            before.map(|_| ()).ok_or_else(|| not_configured(&name))
        })
        .await?;
    Ok(Unit {})
}

async fn put(
    lambda: &Lambda,
    name: &FunctionName,
    make: impl FnOnce(Option<&EventInvoke>) -> Result<EventInvoke, ServiceError> + Send,
) -> Result<FunctionEventInvokeConfig, ServiceError> {
    let config = lambda
        .attach(&name.whole(), |function, attached| {
            check_exists(function, name)?;
            let config = make(attached.event_invoke.get(key(name)))?;
            for destination in config.destinations() {
                check_destination(lambda, function, destination)?;
            }
            let qualifier = key(name).to_owned();
            attached.event_invoke.insert(qualifier, config.clone());
            Ok(config)
        })
        .await?;
    Ok(shown(&name.arn(), &config))
}

/// What a request names, which must be there.
fn subject(
    lambda: &Lambda,
    context: &RequestContext,
    name: &str,
    qualifier: Option<&str>,
) -> Result<FunctionName, ServiceError> {
    let name = with_qualifier(named(context, name, qualifier)?);
    lambda.functions.resolve(&name).map_err(|_| no_function())?;
    Ok(name)
}

/// Without a qualifier it is about `$LATEST`.
fn with_qualifier(name: FunctionName) -> FunctionName {
    let qualifier = name.qualifier.clone().unwrap_or(Qualifier::Latest);
    FunctionName {
        qualifier: Some(qualifier),
        ..name
    }
}

fn key(name: &FunctionName) -> &str {
    name.qualifier.as_ref().map_or("", Qualifier::as_str)
}

fn check_exists(function: &Function, name: &FunctionName) -> Result<(), ServiceError> {
    match &name.qualifier {
        Some(Qualifier::Alias(alias)) if !function.aliases.contains_key(alias) => {
            Err(no_function())
        }
        Some(Qualifier::Version(text)) => {
            let version = text.parse().ok().and_then(|id| function.version(id));
            version.map(|_| ()).ok_or_else(no_function)
        }
        _ => Ok(()),
    }
}

/// A function that is named must be there, and be another one. Of other targets Lambda learns when
/// it sends something.
fn check_destination(
    lambda: &Lambda,
    function: &Function,
    destination: &Arn,
) -> Result<(), ServiceError> {
    if Kind::of(destination) != Some(Kind::Function) {
        return Ok(());
    }
    let target = FunctionName::of_arn(destination);
    if target.as_ref().map(FunctionName::unqualified_arn) == Some(function.record.arn()) {
        return Err(error::invalid_parameter(
            "You can't specify the function as a destination for itself.",
        ));
    }
    let found = target.and_then(|name| {
        let function = lambda.functions.get(&name).ok()?;
        Target::of(function, &name)
    });
    match found {
        Some(_) => Ok(()),
        None => Err(error::invalid_parameter(format!(
            "The destination ARN {destination} is invalid."
        ))),
    }
}

fn shown(arn: &Arn, config: &EventInvoke) -> FunctionEventInvokeConfig {
    FunctionEventInvokeConfig {
        last_modified: Some(config.last_modified),
        function_arn: Some(arn.to_string()),
        maximum_retry_attempts: config.maximum_retry_attempts.map(u32::cast_signed),
        maximum_event_age_in_seconds: config.maximum_event_age.map(u32::cast_signed),
        destination_config: Some(config.shown_destinations()),
    }
}

fn no_function() -> ServiceError {
    error::not_found("The function doesn't exist.")
}

fn not_configured(name: &FunctionName) -> ServiceError {
    error::not_found(format!(
        "The function {} doesn't have an EventInvokeConfig",
        name.arn()
    ))
}
