//! PutFunctionRecursionConfig, GetFunctionRecursionConfig.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::function_named;
use crate::Lambda;
use crate::generated::{
    GetFunctionRecursionConfigRequest, GetFunctionRecursionConfigResponse,
    PutFunctionRecursionConfigRequest, PutFunctionRecursionConfigResponse, RecursiveLoop,
};

pub async fn put_function_recursion_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutFunctionRecursionConfigRequest,
) -> Result<PutFunctionRecursionConfigResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let wanted = input.recursive_loop;
    lambda
        .attach(&name, |_, attached| {
            attached.allows_recursion = wanted == RecursiveLoop::Allow;
            Ok(())
        })
        .await?;
    Ok(PutFunctionRecursionConfigResponse {
        recursive_loop: Some(wanted),
    })
}

pub async fn get_function_recursion_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionRecursionConfigRequest,
) -> Result<GetFunctionRecursionConfigResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    let setting = if function.record.attached.allows_recursion {
        RecursiveLoop::Allow
    } else {
        RecursiveLoop::Terminate
    };
    Ok(GetFunctionRecursionConfigResponse {
        recursive_loop: Some(setting),
    })
}
