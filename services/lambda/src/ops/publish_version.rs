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
use crate::generated::{
    FunctionConfiguration, FunctionVersionLatestPublished, PublishVersionRequest,
};
use crate::records::{FunctionRecord, VersionRecord};
use crate::{Lambda, answer, error};

pub async fn publish_version(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PublishVersionRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let publishing = Publishing::of(Some(true), input.publish_to);
    let function = lambda.functions.get(&name)?;
    publishing.check(&function.record)?;
    let _providers = lambda.capacity_providers.hold_for(&function.record).await;
    let changing = lambda.functions.change(&name.place).await;
    let before = changing.get(&name)?;
    before.check_revision(input.revision_id.as_deref())?;
    check_code(&before, input.code_sha256.as_deref())?;
    if let Some(same) = publishing.unchanged(&before, &before.record) {
        let note = lambda
            .runner
            .runtime_note(&same.record.settings.runtime)
            .await;
        return Ok(answer::current(same, &same.record.arn(), note));
    }
    let replaced = publishing.replaced(&before);
    check_storage(
        &lambda,
        &changing,
        before.record.code.size() - replaced.map_or(0, size),
    )?;
    publishing.check_capacity(&lambda, &before.record, replaced)?;
    let now = lambda.clock.now();
    let (record, version) =
        publishing.next(before.record.clone(), replaced, input.description, now);
    let after = changing.put_with(record, Some(version)).await?;
    drop(changing);
    let version = publishing.published(&lambda, &after);
    if let Some(replaced) = replaced {
        give_up(&lambda, replaced).await;
    }
    Ok(answer::created(version, &version.record.arn()))
}

/// Under which name `$LATEST` is published, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    Nothing,
    /// The next number.
    Number,
    /// `$LATEST.PUBLISHED`, in the place of what it was.
    Latest,
}

impl Publishing {
    /// Whoever says where to publish wants to.
    pub fn of(publish: Option<bool>, to: Option<FunctionVersionLatestPublished>) -> Self {
        match (publish, to) {
            (_, Some(FunctionVersionLatestPublished::LatestPublished)) => Self::Latest,
            (Some(true), None) => Self::Number,
            (_, None) => Self::Nothing,
        }
    }

    pub fn is_wanted(self) -> bool {
        self != Self::Nothing
    }

    /// `$LATEST.PUBLISHED` is of functions on capacity providers alone.
    pub fn check(self, record: &FunctionRecord) -> Result<(), ServiceError> {
        if self == Self::Latest && record.settings.capacity.is_none() {
            return Err(error::invalid_parameter(
                "PublishTo isn't supported for Lambda Default functions.",
            ));
        }
        Ok(())
    }

    /// Whether the capacity provider of a function can take it so. Whoever asks holds the providers.
    pub fn check_capacity(
        self,
        lambda: &Lambda,
        record: &FunctionRecord,
        replaced: Option<&Arc<Version>>,
    ) -> Result<(), ServiceError> {
        let Some(capacity) = &record.settings.capacity else {
            return Ok(());
        };
        let is_new = self.is_wanted() && replaced.is_none();
        lambda.check_capacity(
            &capacity.provider,
            &record.place(),
            &record.architecture,
            is_new,
        )
    }

    /// The version whose place it takes.
    pub fn replaced(self, function: &Function) -> Option<&Arc<Version>> {
        match self {
            Self::Latest => function.version(VersionId::LatestPublished),
            Self::Nothing | Self::Number => None,
        }
    }

    /// The last version so published, if `$LATEST` as it is in `record` is still the same.
    pub fn unchanged<'a>(
        self,
        function: &'a Function,
        record: &FunctionRecord,
    ) -> Option<&'a Arc<Version>> {
        let last = match self {
            Self::Nothing => None,
            Self::Number => function.last_published(),
            Self::Latest => function.version(VersionId::LatestPublished),
        };
        last.filter(|last| {
            let last = &last.record;
            // Two uploads of one package are the same code.
            shown_sha256(&last.code) == shown_sha256(&record.code)
                && last.settings == record.settings
                && last.architecture == record.architecture
        })
    }

    /// The function's record once `$LATEST` is published, and the version that is. What belongs to
    /// a version and not to its content stays where it takes the place of another.
    pub fn next(
        self,
        record: FunctionRecord,
        replaced: Option<&Arc<Version>>,
        description: Option<String>,
        now: Timestamp,
    ) -> (FunctionRecord, VersionRecord) {
        let (id, last_version) = match self {
            Self::Latest => (VersionId::LatestPublished, record.last_version),
            Self::Nothing | Self::Number => {
                let number = record.last_version + 1;
                (VersionId::Published(number), number)
            }
        };
        let record = FunctionRecord {
            last_version,
            revision_id: revision(),
            ..record
        };
        let replaced = replaced.map(|version| &version.record);
        let version = VersionRecord {
            version: id,
            description: description.filter(|description| !description.is_empty()),
            policy: replaced.map_or_else(Vec::new, |it| it.policy.clone()),
            scaling: replaced.and_then(|it| it.scaling),
            revision_id: revision(),
            environment_revision: revision(),
            last_modified: now,
            ..VersionRecord::latest(&record)
        };
        (record, version)
    }

    /// The version that the last change has published, whose preparation begins.
    pub fn published<'a>(self, lambda: &Lambda, function: &'a Function) -> &'a Arc<Version> {
        let version = match self {
            Self::Latest => function.version(VersionId::LatestPublished),
            Self::Nothing | Self::Number => function.last_published(),
        };
        let version = version.unwrap_or(&function.latest);
        lambda.runner.begin_preparation(version);
        if version.is_managed() {
            lambda.provisioning.follow(function);
        }
        version
    }
}

/// Deletes the code of a version that another has taken the place of, unless it is somebody else's.
pub async fn give_up(lambda: &Lambda, replaced: &Version) {
    let (code, functions) = (&lambda.code, &lambda.functions);
    code.give_up(&replaced.record.code, functions).await;
    code.give_up_layers(replaced.layers(), functions).await;
}

fn size(version: &Arc<Version>) -> u64 {
    version.record.code.size()
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
