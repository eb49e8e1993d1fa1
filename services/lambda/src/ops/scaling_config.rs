//! PutFunctionScalingConfig and GetFunctionScalingConfig: how many environments a version has on its
//! capacity provider.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionScalingConfig.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::domain::scaling::Scaling;
use crate::function::Version;
use crate::generated::{
    GetFunctionScalingConfigRequest, GetFunctionScalingConfigResponse,
    PutFunctionScalingConfigRequest, PutFunctionScalingConfigResponse,
};
use crate::records::VersionRecord;
use crate::{Lambda, answer, error};

pub async fn put_function_scaling_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutFunctionScalingConfigRequest,
) -> Result<PutFunctionScalingConfigResponse, ServiceError> {
    let (target, name) = lambda.resolve(&context, &input.function_name, Some(&input.qualifier))?;
    check(&target.version)?;
    let scaling = Scaling::of(input.function_scaling_config.as_ref())?;
    let changing = lambda.functions.change(&name.place).await;
    let function = changing.get(&name)?;
    let before = function.version(target.version.record.version);
    let before = before.ok_or_else(|| error::function_not_found(&name.arn()))?;
    let record = VersionRecord {
        scaling: Some(scaling),
        ..before.record.clone()
    };
    changing.put_version(&function, record).await?;
    drop(changing);
    lambda.provisioning.follow(&function);
    let (target, _) = lambda.resolve(&context, &input.function_name, Some(&input.qualifier))?;
    Ok(PutFunctionScalingConfigResponse {
        function_state: Some(answer::state(&target.version)),
    })
}

pub async fn get_function_scaling_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionScalingConfigRequest,
) -> Result<GetFunctionScalingConfigResponse, ServiceError> {
    let (target, name) = lambda.resolve(&context, &input.function_name, Some(&input.qualifier))?;
    check(&target.version)?;
    let requested = target.version.scaling();
    let applied = lambda.provisioning.applied(&target.version);
    Ok(GetFunctionScalingConfigResponse {
        function_arn: Some(name.arn().to_string()),
        applied_function_scaling_config: applied.map(Scaling::shown),
        requested_function_scaling_config: Some(requested.shown()),
    })
}

fn check(version: &Version) -> Result<(), ServiceError> {
    if version.is_managed() {
        return Ok(());
    }
    Err(error::not_on_a_capacity_provider())
}
