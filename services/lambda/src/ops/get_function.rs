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
    let (function, name) =
        lambda.resolve(&context, &input.function_name, input.qualifier.as_deref())?;
    let record = &function.record;
    let note = lambda.runner.runtime_note(&record.settings.runtime).await;
    let reserved = record.reserved_concurrency;
    Ok(GetFunctionResponse {
        configuration: Some(answer::ready(&function, &name.arn(), note)),
        code: Some(location(&lambda, &context, &record.code)),
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
    let (function, name) =
        lambda.resolve(&context, &input.function_name, input.qualifier.as_deref())?;
    let note = lambda
        .runner
        .runtime_note(&function.record.settings.runtime)
        .await;
    Ok(answer::ready(&function, &name.arn(), note))
}

/// Where the package can be fetched: from this server, by the address the caller knows it by.
fn location(lambda: &Lambda, context: &RequestContext, code: &Code) -> FunctionCodeLocation {
    let location = match code {
        Code::Zip { sha256, .. } => {
            let authority = context.authority().unwrap_or(&lambda.authority);
            format!("http://{authority}/_kagero/lambda/code/{sha256}")
        }
        Code::HotReload { folder } => format!("file://{}", folder.display()),
    };
    FunctionCodeLocation {
        repository_type: Some("S3".to_owned()),
        location: Some(location),
        ..FunctionCodeLocation::default()
    }
}
