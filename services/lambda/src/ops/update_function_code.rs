//! UpdateFunctionCode.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::{named, revision};
use crate::code::Fetched;
use crate::domain::architecture;
use crate::domain::code_source::{CodeSource, Given};
use crate::domain::function_name::FunctionName;
use crate::functions::Function;
use crate::generated::{FunctionConfiguration, UpdateFunctionCodeRequest};
use crate::records::{Code, FunctionRecord};
use crate::{Lambda, answer, error};

pub async fn update_function_code(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let name = named(&context, &input.function_name, None)?;
    let function = lambda.functions.get(&name)?;
    function.check_revision(input.revision_id.as_deref())?;
    if input.publish == Some(true) || input.publish_to.is_some() {
        return Err(error::not_yet("published versions"));
    }
    let architecture = architecture::choose(input.architectures.as_deref())?;
    let given = Given {
        zip_file: input.zip_file,
        s3_bucket: input.s3_bucket,
        s3_key: input.s3_key,
        s3_object_version: input.s3_object_version,
        image_uri: input.image_uri,
    };
    let source = CodeSource::of(given, "UpdateFunctionCode", lambda.hot_reload)?;
    let fetched = lambda.code.fetch(source, &context).await?;
    let note = lambda
        .runner
        .runtime_note(&function.record.settings.runtime)
        .await;
    let code = lambda.code.keep(&fetched).await?;
    if input.dry_run == Some(true) {
        let record = with_code(&lambda, &function.record, code.clone());
        let would_be = answer::updated(&Function::new(record), note);
        give_up(&lambda, fetched, &code).await;
        return Ok(FunctionConfiguration {
            revision_id: Some(function.record.revision_id.clone()),
            ..would_be
        });
    }
    match replace(
        &lambda,
        &name,
        &code,
        architecture.as_str(),
        input.revision_id,
    )
    .await
    {
        Ok((before, after)) => {
            lambda.runner.retire(&before.record);
            give_up(&lambda, fetched, &before.record.code).await;
            Ok(answer::updated(&after, note))
        }
        Err(error) => {
            give_up(&lambda, fetched, &code).await;
            Err(error)
        }
    }
}

/// The function before and after.
async fn replace(
    lambda: &Lambda,
    name: &FunctionName,
    code: &Code,
    architecture: &str,
    revision_id: Option<String>,
) -> Result<(Arc<Function>, Arc<Function>), ServiceError> {
    let changing = lambda.functions.change(&name.place).await;
    let before = changing.get(name)?;
    before.check_revision(revision_id.as_deref())?;
    let others = changing.code_bytes() - before.record.code.size();
    if others + code.size() > lambda.limits.code_storage {
        return Err(error::code_storage_exceeded());
    }
    let record = FunctionRecord {
        architecture: architecture.to_owned(),
        ..with_code(lambda, &before.record, code.clone())
    };
    let after = changing.put(record).await?;
    Ok((before, after))
}

fn with_code(lambda: &Lambda, record: &FunctionRecord, code: Code) -> FunctionRecord {
    FunctionRecord {
        code,
        revision_id: revision(),
        environment_revision: revision(),
        last_modified: lambda.clock.now(),
        ..record.clone()
    }
}

/// Deletes code that is no function's. Our own hold on what was fetched goes first, so that the
/// image can.
async fn give_up(lambda: &Lambda, fetched: Fetched, code: &Code) {
    drop(fetched);
    lambda
        .code
        .give_up(code, |image| lambda.functions.uses_image(image))
        .await;
}
