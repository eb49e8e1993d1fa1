//! PublishVersion, and what `Publish` does in CreateFunction and UpdateFunctionCode.
//!
//! Of a function whose code is a folder of this machine a version keeps the settings and the path:
//! the folder's content is seen live, and does not count as a change.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html>

use std::sync::Arc;

use base::Timestamp;
use service::{RequestContext, ServiceError};

use super::{function_named, revision};
use crate::code::shown_sha256;
use crate::domain::version::VersionId;
use crate::function::{Function, Version};
use crate::functions::Changing;
use crate::generated::{FunctionConfiguration, PublishVersionRequest};
use crate::records::{FunctionRecord, VersionRecord};
use crate::{Lambda, answer, error};

pub async fn publish_version(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PublishVersionRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(error::not_yet("publishing to $LATEST.PUBLISHED"));
    }
    lambda.functions.get(&name)?;
    let changing = lambda.functions.change(&name.place).await;
    let before = changing.get(&name)?;
    before.check_revision(input.revision_id.as_deref())?;
    check_code(&before, input.code_sha256.as_deref())?;
    if let Some(same) = unchanged(&before, &before.record) {
        let note = lambda
            .runner
            .runtime_note(&same.record.settings.runtime)
            .await;
        return Ok(answer::current(same, &same.record.arn(), note));
    }
    check_storage(&lambda, &changing, before.record.code.size())?;
    let (record, version) = next(before.record.clone(), input.description, lambda.clock.now());
    let after = changing.put_with(record, Some(version)).await?;
    drop(changing);
    let version = published(&lambda, &after);
    Ok(answer::created(version, &version.record.arn()))
}

/// The last published version, if `$LATEST` as it is in `record` is still the same.
pub fn unchanged<'a>(function: &'a Function, record: &FunctionRecord) -> Option<&'a Arc<Version>> {
    function.last_published().filter(|last| {
        let last = &last.record;
        // Two uploads of one package are the same code.
        shown_sha256(&last.code) == shown_sha256(&record.code)
            && last.settings == record.settings
            && last.architecture == record.architecture
    })
}

/// The function's record once `$LATEST` is published, and the version that is.
pub fn next(
    record: FunctionRecord,
    description: Option<String>,
    now: Timestamp,
) -> (FunctionRecord, VersionRecord) {
    let record = FunctionRecord {
        last_version: record.last_version + 1,
        revision_id: revision(),
        ..record
    };
    let version = VersionRecord {
        version: VersionId::Published(record.last_version),
        description: description.filter(|description| !description.is_empty()),
        policy: Vec::new(),
        revision_id: revision(),
        environment_revision: revision(),
        last_modified: now,
        ..VersionRecord::latest(&record)
    };
    (record, version)
}

/// The version that the last change has published, whose preparation begins.
pub fn published<'a>(lambda: &Lambda, function: &'a Function) -> &'a Arc<Version> {
    let version = function.last_published().unwrap_or(&function.latest);
    lambda.runner.begin_preparation(version);
    version
}

/// Each version counts its package.
pub fn check_storage(lambda: &Lambda, changing: &Changing, more: u64) -> Result<(), ServiceError> {
    if changing.code_bytes() + more > lambda.limits.code_storage {
        return Err(error::code_storage_exceeded());
    }
    Ok(())
}

fn check_code(function: &Function, given: Option<&str>) -> Result<(), ServiceError> {
    let current = shown_sha256(&function.record.code);
    match given {
        Some(given) if given != current => Err(error::invalid_parameter(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). \
             Please try again with the CodeSHA256 in $LATEST."
        ))),
        _ => Ok(()),
    }
}
