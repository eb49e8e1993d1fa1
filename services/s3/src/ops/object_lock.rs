//! Object Lock of buckets and of objects: PutObjectLockConfiguration, PutObjectRetention,
//! PutObjectLegalHold, and the three that read them.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::{
    DefaultRetention as Rule, GetObjectLegalHoldInput, GetObjectLegalHoldOutput,
    GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, GetObjectRetentionInput,
    GetObjectRetentionOutput, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold,
    ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule,
    PutObjectLegalHoldInput, PutObjectLegalHoldOutput, PutObjectLockConfigurationInput,
    PutObjectLockConfigurationOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
};

use super::fields::{self, none};
use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, Change, Update};
use crate::domain::lock::{self, BucketLock, DefaultRetention, Mode, Period};
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::records::{Object, Versioning};
use crate::state::State;
use crate::versions;

pub async fn put_object_lock_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutObjectLockConfigurationInput,
) -> Result<PutObjectLockConfigurationOutput, Error> {
    let configuration = input.object_lock_configuration;
    let configuration = configuration.ok_or_else(Error::malformed_xml)?;
    let enabled = configuration.object_lock_enabled.as_ref();
    if enabled.map(ObjectLockEnabled::as_str) != Some(ObjectLockEnabled::ENABLED) {
        return Err(Error::malformed_xml());
    }
    let default = configuration.rule.map(read_rule).transpose()?;
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        if bucket.versioning != Some(Versioning::Enabled) {
            let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock \
                           configuration";
            return Err(Error::new(
                "InvalidBucketState",
                StatusCode::CONFLICT,
                message,
            ));
        }
        bucket.lock = Some(BucketLock { default });
        Ok(())
    })
    .await?;
    Ok(PutObjectLockConfigurationOutput::default())
}

fn read_rule(rule: ObjectLockRule) -> Result<DefaultRetention, Error> {
    let rule = rule.default_retention.ok_or_else(Error::malformed_xml)?;
    let mode = rule
        .mode
        .as_ref()
        .and_then(|mode| Mode::parse(mode.as_str()));
    Ok(DefaultRetention {
        mode: mode.ok_or_else(Error::malformed_xml)?,
        period: Period::read(rule.days, rule.years)?,
    })
}

pub async fn get_object_lock_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectLockConfigurationInput,
) -> Result<GetObjectLockConfigurationOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let lock = bucket.value.lock.ok_or_else(|| {
        let message = "Object Lock configuration does not exist for this bucket";
        none(
            "ObjectLockConfigurationNotFoundError",
            message,
            &input.bucket,
        )
    })?;
    let rule = lock.default.map(|default| {
        let (days, years) = match default.period {
            Period::Days(days) => (Some(days as i32), None),
            Period::Years(years) => (None, Some(years as i32)),
        };
        ObjectLockRule {
            default_retention: Some(Rule {
                days,
                mode: Some(ObjectLockRetentionMode::from_static(default.mode.name())),
                years,
            }),
        }
    });
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule,
        }),
    })
}

/// Changes what locks one version.
async fn update(
    state: &Arc<State>,
    call: &Arc<Call>,
    bucket: &str,
    key: String,
    version: Option<&str>,
    update: Update,
) -> Result<(), Error> {
    let action = Action::Update {
        version: VersionId::read(version)?,
        update,
    };
    commit::apply(state, call, bucket, Change { key, action }, None).await?;
    Ok(())
}

/// An object of a bucket that has a lock.
async fn locked(
    state: &State,
    call: &Call,
    (bucket, key): (&str, &str),
    version: Option<&str>,
    expected_owner: Option<&str>,
) -> Result<Object, Error> {
    let found = buckets::find_of(state, call, bucket, expected_owner).await?;
    if found.value.lock.is_none() {
        return Err(lock::missing());
    }
    let version = VersionId::read(version)?;
    versions::find(&*state.store, bucket, key, version.as_ref()).await
}

fn no_lock() -> Error {
    let message = "The specified object does not have a ObjectLock configuration";
    Error::new(
        "NoSuchObjectLockConfiguration",
        StatusCode::NOT_FOUND,
        message,
    )
}

pub async fn put_object_retention(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutObjectRetentionInput,
) -> Result<PutObjectRetentionOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    if bucket.value.lock.is_none() {
        return Err(lock::missing());
    }
    let given = input.retention.ok_or_else(Error::malformed_xml)?;
    let mode = given.mode.as_ref().map(ObjectLockRetentionMode::as_str);
    if mode.is_some_and(|mode| Mode::parse(mode).is_none())
        || mode.is_some() != given.retain_until_date.is_some()
    {
        return Err(Error::malformed_xml());
    }
    let until = given.retain_until_date.map(fields::timestamp);
    let change = Update::Retention {
        retention: lock::read_retention(mode, until, state.clock.now())?,
        bypass: input.bypass_governance_retention == Some(true),
    };
    let version = input.version_id.as_deref();
    update(&state, &call, &input.bucket, input.key, version, change).await?;
    Ok(PutObjectRetentionOutput::default())
}

pub async fn get_object_retention(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectRetentionInput,
) -> Result<GetObjectRetentionOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let at = (input.bucket.as_str(), input.key.as_str());
    let object = locked(&state, &call, at, input.version_id.as_deref(), owner).await?;
    let retention = object.attributes.lock.retention.ok_or_else(no_lock)?;
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(retention.mode.name())),
            retain_until_date: Some(retention.until.datetime().into()),
        }),
    })
}

pub async fn put_object_legal_hold(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutObjectLegalHoldInput,
) -> Result<PutObjectLegalHoldOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    if bucket.value.lock.is_none() {
        return Err(lock::missing());
    }
    let status = input.legal_hold.and_then(|hold| hold.status);
    let status = status.as_ref().map(ObjectLockLegalHoldStatus::as_str);
    let hold = match status {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(Error::malformed_xml()),
    };
    let version = input.version_id.as_deref();
    let change = Update::LegalHold(hold);
    update(&state, &call, &input.bucket, input.key, version, change).await?;
    Ok(PutObjectLegalHoldOutput::default())
}

pub async fn get_object_legal_hold(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectLegalHoldInput,
) -> Result<GetObjectLegalHoldOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let at = (input.bucket.as_str(), input.key.as_str());
    let object = locked(&state, &call, at, input.version_id.as_deref(), owner).await?;
    let hold = object.attributes.lock.legal_hold.ok_or_else(no_lock)?;
    Ok(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold {
            status: Some(fields::hold(hold)),
        }),
    })
}
