//! UpdateFunctionCode.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::publish_version::Publishing;
use super::{function_named, publish_version, revision};
use crate::code::Fetched;
use crate::domain::architecture;
use crate::domain::code_source::{CodeSource, Given};
use crate::domain::function_name::FunctionName;
use crate::function::{Function, Version};
use crate::generated::{FunctionConfiguration, UpdateFunctionCodeRequest};
use crate::records::{Code, FunctionRecord};
use crate::{Lambda, answer, error};

pub async fn update_function_code(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    function.check_revision(input.revision_id.as_deref())?;
    let publishing = Publishing::of(input.publish, input.publish_to);
    publishing.check(&function.record)?;
    let architecture = architecture::choose(input.architectures.as_deref())?;
    let given = Given {
        zip_file: input.zip_file,
        s3_bucket: input.s3_bucket,
        s3_key: input.s3_key,
        s3_object_version: input.s3_object_version,
        image_uri: input.image_uri,
    };
    let source = CodeSource::of(given, "UpdateFunctionCode", lambda.hot_reload)?;
    let is_image = function.record.code.container().is_some();
    source.check_kind(is_image, "updating")?;
    let signing = function.record.attached.code_signing_config.as_deref();
    lambda
        .code_signing
        .check(signing, &name.place, &name.arn())?;
    let layers = &function.record.settings.layers;
    let fetched = lambda
        .code
        .fetch_beside(layers, source, &context, &lambda.functions)
        .await?;
    let note = lambda
        .runner
        .runtime_note(&function.record.settings.runtime)
        .await;
    let code = lambda.code.keep(&fetched).await?;
    let code = code.with_key(input.source_kms_key_arn);
    if input.dry_run == Some(true) {
        let record = with_code(&lambda, &function.record, code.clone());
        let would_be = answer::updated(&Function::new(record).latest, note);
        give_up(&lambda, fetched, &code).await;
        return Ok(FunctionConfiguration {
            revision_id: Some(function.record.revision_id.clone()),
            ..would_be
        });
    }
    // The version that runs goes on running until the next one can.
    if let Err(error) = lambda.code.pulled(&code, &name.place).await {
        give_up(&lambda, fetched, &code).await;
        return Err(error);
    }
    let change = Change {
        code: code.clone(),
        architecture: architecture.as_str(),
        revision_id: input.revision_id,
        publishing,
    };
    match replace(&lambda, &name, change).await {
        Ok(replaced) => {
            lambda.runner.retire(&replaced.before.latest);
            lambda.runner.expect(&replaced.after.latest);
            give_up(&lambda, fetched, &replaced.before.record.code).await;
            if let (Published::New(_), Some(version)) =
                (&replaced.published, publishing.replaced(&replaced.before))
            {
                publish_version::give_up(&lambda, version).await;
            }
            Ok(match &replaced.published {
                Published::Nothing => answer::updated(&replaced.after.latest, note),
                Published::New(version) => answer::created(version, &version.record.arn()),
                Published::Already(version) => {
                    answer::current(version, &version.record.arn(), note)
                }
            })
        }
        Err(error) => {
            give_up(&lambda, fetched, &code).await;
            Err(error)
        }
    }
}

/// What the request makes of the function.
struct Change<'a> {
    code: Code,
    architecture: &'a str,
    revision_id: Option<String>,
    publishing: Publishing,
}

struct Replaced {
    before: Arc<Function>,
    after: Arc<Function>,
    published: Published,
}

enum Published {
    Nothing,
    New(Arc<Version>),
    /// The code is that of the last version.
    Already(Arc<Version>),
}

async fn replace(
    lambda: &Lambda,
    name: &FunctionName,
    change: Change<'_>,
) -> Result<Replaced, ServiceError> {
    let record = &lambda.functions.get(name)?.record;
    let _providers = lambda.capacity_providers.hold_for(record).await;
    let changing = lambda.functions.change(&name.place).await;
    let before = changing.get(name)?;
    before.check_revision(change.revision_id.as_deref())?;
    let publishing = change.publishing;
    let size = change.code.size();
    let record = FunctionRecord {
        architecture: change.architecture.to_owned(),
        ..with_code(lambda, &before.record, change.code)
    };
    let same = publishing.unchanged(&before, &record).cloned();
    let is_new = publishing.is_wanted() && same.is_none();
    let replaced = publishing.replaced(&before).filter(|_| is_new);
    let replaced_size = replaced.map_or(0, |version| version.record.code.size());
    let others = changing.code_bytes() - before.record.code.size() - replaced_size;
    let copies = if is_new { 2 } else { 1 };
    if others + size * copies > lambda.limits.code_storage {
        return Err(error::code_storage_exceeded());
    }
    let (after, published) = if is_new {
        publishing.check_capacity(lambda, &record, replaced)?;
        let now = lambda.clock.now();
        let (record, version) = publishing.next(record, replaced, None, now);
        let after = changing.put_with(record, Some(version)).await?;
        let version = Arc::clone(publishing.published(lambda, &after));
        (after, Published::New(version))
    } else {
        let after = changing.put(record).await?;
        (after, same.map_or(Published::Nothing, Published::Already))
    };
    Ok(Replaced {
        before,
        after,
        published,
    })
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
    lambda.code.give_up(code, &lambda.functions).await;
}
