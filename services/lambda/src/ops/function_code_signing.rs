//! PutFunctionCodeSigningConfig, GetFunctionCodeSigningConfig, DeleteFunctionCodeSigningConfig.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionCodeSigningConfig.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::function_named;
use crate::generated::{
    DeleteFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigRequest,
    GetFunctionCodeSigningConfigResponse, PutFunctionCodeSigningConfigRequest,
    PutFunctionCodeSigningConfigResponse,
};
use crate::{Lambda, error};

/// It is about what is deployed from now on.
pub async fn put_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutFunctionCodeSigningConfigRequest,
) -> Result<PutFunctionCodeSigningConfigResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let arn = input.code_signing_config_arn;
    let _unchanging = lambda.code_signing.hold().await;
    if lambda.code_signing.find(&arn, &name.place).is_none() {
        return Err(error::code_signing_config_not_found(&arn));
    }
    lambda
        .attach(&name, |_, attached| {
            attached.code_signing_config = Some(arn.clone());
            Ok(())
        })
        .await?;
    Ok(PutFunctionCodeSigningConfigResponse {
        code_signing_config_arn: arn,
        function_name: name.name,
    })
}

/// Terraform asks this of every function. Of one without a configuration the ARN is empty.
pub async fn get_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    let config = function.record.attached.code_signing_config.clone();
    Ok(GetFunctionCodeSigningConfigResponse {
        code_signing_config_arn: config.unwrap_or_default(),
        function_name: function.record.name.clone(),
    })
}

/// As on Lambda, there being none is no error.
pub async fn delete_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteFunctionCodeSigningConfigRequest,
) -> Result<Unit, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    lambda
        .attach(&name, |_, attached| {
            attached.code_signing_config = None;
            Ok(())
        })
        .await?;
    Ok(Unit {})
}
