//! PutRuntimeManagementConfig, GetRuntimeManagementConfig.
//!
//! A machine has one version of each runtime, so that `Manual` can pin no other than that.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::named;
use crate::attached::RuntimeManagement;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::function::{Function, Version};
use crate::generated::{
    GetRuntimeManagementConfigRequest, GetRuntimeManagementConfigResponse,
    PutRuntimeManagementConfigRequest, PutRuntimeManagementConfigResponse, UpdateRuntimeOn,
};
use crate::{Lambda, answer, error};

pub async fn put_runtime_management_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutRuntimeManagementConfigRequest,
) -> Result<PutRuntimeManagementConfigResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let mode = input.update_runtime_on;
    let pinned = pinned(mode, input.runtime_version_arn)?;
    let arn = lambda
        .attach(&name.whole(), |function, attached| {
            let version = version(function, &name)?;
            if let Some(pinned) = &pinned
                && *pinned != answer::runtime_version_arn(&version.record)
            {
                return Err(error::invalid_parameter(format!(
                    "The runtime version {pinned} is not available for runtime {}.",
                    version.record.settings.runtime
                )));
            }
            let management = RuntimeManagement {
                update_on: mode.as_str().to_owned(),
                version_arn: pinned.clone(),
            };
            let key = version.record.version.to_string();
            attached.runtime_management.insert(key, management);
            Ok(version.record.arn())
        })
        .await?;
    Ok(PutRuntimeManagementConfigResponse {
        update_runtime_on: mode,
        function_arn: arn.to_string(),
        runtime_version_arn: pinned,
    })
}

pub async fn get_runtime_management_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetRuntimeManagementConfigRequest,
) -> Result<GetRuntimeManagementConfigResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.functions.get(&name.whole())?;
    let version = version(&function, &name)?;
    let key = version.record.version.to_string();
    let management = function.record.attached.runtime_management.get(&key);
    let mode = management.and_then(|it| UpdateRuntimeOn::parse(&it.update_on));
    Ok(GetRuntimeManagementConfigResponse {
        update_runtime_on: Some(mode.unwrap_or(UpdateRuntimeOn::Auto)),
        function_arn: Some(version.record.arn().to_string()),
        runtime_version_arn: management.and_then(|it| it.version_arn.clone()),
    })
}

/// The version that only `Manual` names, and must.
fn pinned(mode: UpdateRuntimeOn, arn: Option<String>) -> Result<Option<String>, ServiceError> {
    match (mode, arn) {
        (UpdateRuntimeOn::Manual, None) => Err(error::invalid_parameter(
            "You must specify a RuntimeVersionArn when UpdateRuntimeOn is set to Manual.",
        )),
        (UpdateRuntimeOn::Auto | UpdateRuntimeOn::FunctionUpdate, Some(_)) => {
            Err(error::invalid_parameter(format!(
                "RuntimeVersionArn can only be specified when UpdateRuntimeOn is set to Manual, \
                 and it is {mode}."
            )))
        }
        (_, arn) => Ok(arn),
    }
}

/// Aliases have no configuration of their own.
fn version<'a>(
    function: &'a Function,
    name: &FunctionName,
) -> Result<&'a Arc<Version>, ServiceError> {
    let found = match &name.qualifier {
        None | Some(Qualifier::Latest) => Some(&function.latest),
        Some(Qualifier::Version(text)) => text.parse().ok().and_then(|it| function.version(it)),
        Some(Qualifier::Alias(_)) => None,
    };
    found.ok_or_else(|| error::function_not_found(&name.arn()))
}
