//! CreateFunctionUrlConfig, UpdateFunctionUrlConfig, GetFunctionUrlConfig, ListFunctionUrlConfigs,
//! DeleteFunctionUrlConfig.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html>

use std::ops::Bound;
use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::named;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::function_url::{Cors, FunctionUrl};
use crate::domain::marker::{MAX_PAGE, PageRequest};
use crate::domain::tenancy;
use crate::function::Function;
use crate::generated::{
    CreateFunctionUrlConfigRequest, CreateFunctionUrlConfigResponse,
    DeleteFunctionUrlConfigRequest, FunctionUrlAuthType, FunctionUrlConfig,
    GetFunctionUrlConfigRequest, GetFunctionUrlConfigResponse, InvokeMode,
    ListFunctionUrlConfigsRequest, ListFunctionUrlConfigsResponse, UpdateFunctionUrlConfigRequest,
    UpdateFunctionUrlConfigResponse,
};
use crate::{Lambda, error};

/// The port that clients use who do not say.
const PORT: &str = "4566";
const LATEST: &str = Qualifier::Latest.as_str();

pub async fn create_function_url_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CreateFunctionUrlConfigRequest,
) -> Result<CreateFunctionUrlConfigResponse, ServiceError> {
    let name = subject(
        &lambda,
        &context,
        &input.function_name,
        input.qualifier.as_deref(),
    )?;
    let url = FunctionUrl::new(
        input.auth_type,
        input.invoke_mode,
        input.cors,
        lambda.clock.now(),
    );
    lambda
        .attach(&name.whole(), |function, attached| {
            check_exists(function, &name)?;
            tenancy::refuse(&function.record, "Function URL")?;
            if attached.urls.contains_key(key(&name)) {
                return Err(error::conflict(format!(
                    "Failed to create function url config for [functionArn = {}]. Error message:  \
                     FunctionUrlConfig exists for this Lambda function",
                    name.arn()
                )));
            }
            attached.urls.insert(key(&name).to_owned(), url.clone());
            Ok(())
        })
        .await?;
    let shown = shown(&lambda, &context, &name, &url);
    Ok(CreateFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        invoke_mode: shown.invoke_mode,
    })
}

pub async fn update_function_url_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateFunctionUrlConfigRequest,
) -> Result<UpdateFunctionUrlConfigResponse, ServiceError> {
    let name = subject(
        &lambda,
        &context,
        &input.function_name,
        input.qualifier.as_deref(),
    )?;
    let now = lambda.clock.now();
    let url = lambda
        .attach(&name.whole(), |_, attached| {
            let before = attached.urls.get_mut(key(&name));
            let before = before.ok_or_else(error::no_such_resource)?;
            *before = before.updated(input.auth_type, input.invoke_mode, input.cors, now);
            Ok(before.clone())
        })
        .await?;
    let shown = shown(&lambda, &context, &name, &url);
    Ok(UpdateFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode: shown.invoke_mode,
    })
}

pub async fn get_function_url_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionUrlConfigRequest,
) -> Result<GetFunctionUrlConfigResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.functions.get(&name.whole());
    let function = function.map_err(|_| error::no_such_resource())?;
    let url = function.record.attached.urls.get(key(&name));
    let url = url.ok_or_else(error::no_such_resource)?;
    let shown = shown(&lambda, &context, &name, url);
    Ok(GetFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode: shown.invoke_mode,
    })
}

pub async fn list_function_url_configs(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListFunctionUrlConfigsRequest,
) -> Result<ListFunctionUrlConfigsResponse, ServiceError> {
    let name = named(&context, &input.function_name, None)?.whole();
    let function = lambda.functions.get(&name).map_err(|_| no_function())?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let from = page
        .after
        .as_deref()
        .map_or(Bound::Unbounded, Bound::Excluded);
    let urls = function
        .record
        .attached
        .urls
        .range::<str, _>((from, Bound::Unbounded));
    let (urls, next_marker) = page.cut(urls.take(page.limit + 1).collect(), |(qualifier, _)| {
        (*qualifier).clone()
    });
    let shown = urls.into_iter().map(|(qualifier, url)| {
        let alias = Some(Qualifier::Alias(qualifier.clone()));
        let name = FunctionName {
            qualifier: alias.filter(|_| qualifier != LATEST),
            ..name.clone()
        };
        shown(&lambda, &context, &name, url)
    });
    Ok(ListFunctionUrlConfigsResponse {
        function_url_configs: shown.collect(),
        next_marker,
    })
}

pub async fn delete_function_url_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteFunctionUrlConfigRequest,
) -> Result<Unit, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    if lambda.functions.get(&name.whole()).is_err() {
        return Err(error::no_such_resource());
    }
    lambda
        .attach(&name.whole(), |_, attached| {
            let before = attached.urls.remove(key(&name));
            before.map(|_| ()).ok_or_else(error::no_such_resource)
        })
        .await?;
    Ok(Unit {})
}

/// The function or the alias that a request names, which must be there. The model's pattern takes
/// neither versions nor `$LATEST` for a qualifier.
fn subject(
    lambda: &Lambda,
    context: &RequestContext,
    name: &str,
    qualifier: Option<&str>,
) -> Result<FunctionName, ServiceError> {
    let name = named(context, name, qualifier)?;
    let function = lambda.functions.get(&name.whole());
    check_exists(&*function.map_err(|_| no_function())?, &name)?;
    Ok(name)
}

fn check_exists(function: &Function, name: &FunctionName) -> Result<(), ServiceError> {
    match &name.qualifier {
        Some(alias) if !function.aliases.contains_key(alias.as_str()) => Err(no_function()),
        _ => Ok(()),
    }
}

/// The function's own address is that of `$LATEST`, without saying so.
fn key(name: &FunctionName) -> &str {
    name.qualifier.as_ref().map_or(LATEST, Qualifier::as_str)
}

fn no_function() -> ServiceError {
    error::not_found("Function does not exist")
}

fn shown(
    lambda: &Lambda,
    context: &RequestContext,
    name: &FunctionName,
    url: &FunctionUrl,
) -> FunctionUrlConfig {
    let authority = context.authority().unwrap_or(&lambda.authority);
    let port = authority.rsplit_once(':').map_or(PORT, |(_, port)| port);
    let auth_type = FunctionUrlAuthType::parse(&url.auth_type);
    FunctionUrlConfig {
        function_url: url.url(&name.place.region, port),
        function_arn: name.arn().to_string(),
        creation_time: url.created.lambda_date(),
        last_modified_time: url.last_modified.lambda_date(),
        cors: url.cors.as_ref().map(Cors::shown),
        auth_type: auth_type.unwrap_or(FunctionUrlAuthType::AwsIam),
        invoke_mode: InvokeMode::parse(&url.invoke_mode),
    }
}
