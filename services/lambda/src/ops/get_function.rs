//! GetFunction and GetFunctionConfiguration.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::generated::{
    Concurrency, FunctionCodeLocation, FunctionConfiguration, GetFunctionConfigurationRequest,
    GetFunctionRequest, GetFunctionResponse,
};
use crate::records::Code;
use crate::{Lambda, answer};

pub async fn get_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionRequest,
) -> Result<GetFunctionResponse, ServiceError> {
    let (target, name) =
        lambda.resolve(&context, &input.function_name, input.qualifier.as_deref())?;
    let (version, record) = (&target.version, &target.function.record);
    let note = lambda
        .runner
        .runtime_note(&version.record.settings.runtime)
        .await;
    // It belongs to the whole function: a version or an alias is shown without.
    let reserved = record
        .reserved_concurrency
        .filter(|_| name.qualifier.is_none());
    Ok(GetFunctionResponse {
        configuration: Some(answer::current(version, &name.arn(), note)),
        code: Some(location(&lambda, &context, &version.record.code)),
        tags: Some(record.tags.clone()).filter(|tags| !tags.is_empty()),
        tags_error: None,
        concurrency: reserved.map(|reserved| Concurrency {
            reserved_concurrent_executions: Some(reserved.cast_signed()),
        }),
    })
}

pub async fn get_function_configuration(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let (target, name) =
        lambda.resolve(&context, &input.function_name, input.qualifier.as_deref())?;
    let note = lambda
        .runner
        .runtime_note(&target.version.record.settings.runtime)
        .await;
    Ok(answer::current(&target.version, &name.arn(), note))
}

fn location(lambda: &Lambda, context: &RequestContext, code: &Code) -> FunctionCodeLocation {
    if let Some(container) = code.container() {
        return FunctionCodeLocation {
            repository_type: Some("ECR".to_owned()),
            image_uri: Some(container.uri.clone()),
            resolved_image_uri: Some(container.resolved.clone()),
            ..FunctionCodeLocation::default()
        };
    }
    let kms_key = match code {
        Code::Zip { kms_key, .. } => kms_key.clone(),
        Code::HotReload { .. } | Code::Container(_) => None,
    };
    FunctionCodeLocation {
        repository_type: Some("S3".to_owned()),
        location: Some(code_url(lambda, context, code)),
        source_kms_key_arn: kms_key,
        ..FunctionCodeLocation::default()
    }
}

/// Where the package can be fetched: from this server, by the address the caller knows it by.
pub fn code_url(lambda: &Lambda, context: &RequestContext, code: &Code) -> String {
    match code {
        Code::Zip { sha256, .. } => {
            let authority = context.authority().unwrap_or(&lambda.authority);
            format!("http://{authority}/_kagero/lambda/code/{sha256}")
        }
        Code::HotReload { folder } => format!("file://{}", folder.display()),
        Code::Container(container) => container.resolved.clone(),
    }
}
