//! What a lifecycle configuration may not say.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>

use std::collections::HashSet;

use base::Timestamp;
use s3s::dto::{self, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, Transition};

use super::lifecycle::is_midnight;
use crate::error::Error;

const MAX_RULES: usize = 1000;
const MAX_ID: usize = 255;
const MAX_NEWER_VERSIONS: i32 = 100;
/// Fewest days before objects may move to these classes.
const INFREQUENT_DAYS: i32 = 30;
const CLASSES: [&str; 6] = [
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];

pub fn timestamp(at: dto::Timestamp) -> Timestamp {
    Timestamp::from_datetime(at.into())
}

/// Checks the rules and gives those an id that have none.
///
/// # Errors
/// `MalformedXML`, `InvalidArgument` or `InvalidRequest` for the first that cannot be.
pub fn check(rules: &mut [LifecycleRule]) -> Result<(), Error> {
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(Error::malformed_xml());
    }
    let mut ids = HashSet::new();
    for rule in rules {
        check_rule(rule)?;
        let id = rule.id.take().filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        if id.len() > MAX_ID {
            let message = "ID length should not exceed allowed limit of 255";
            return Err(Error::invalid_argument(message, "ID", &id));
        }
        if !ids.insert(id.clone()) {
            let message = "Rule ID must be unique. Found same ID for more than one rule";
            return Err(Error::invalid_argument(message, "ID", &id));
        }
        rule.id = Some(id);
    }
    Ok(())
}

fn check_rule(rule: &LifecycleRule) -> Result<(), Error> {
    if !matches!(rule.status.as_str(), "Enabled" | "Disabled")
        || rule.filter.is_some() == rule.prefix.is_some()
    {
        return Err(Error::malformed_xml());
    }
    let narrow = rule
        .filter
        .as_ref()
        .map_or(Ok(Narrow::default()), check_filter)?;
    let transitions = rule.transitions.as_deref().unwrap_or_default();
    let later = rule
        .noncurrent_version_transitions
        .as_deref()
        .unwrap_or_default();
    if rule.expiration.is_none()
        && rule.noncurrent_version_expiration.is_none()
        && rule.abort_incomplete_multipart_upload.is_none()
        && transitions.is_empty()
        && later.is_empty()
    {
        let message = "At least one action needs to be specified in a rule";
        return Err(Error::invalid_request(message));
    }
    if let Some(expiration) = &rule.expiration {
        check_expiration(expiration, &narrow)?;
    }
    if let Some(noncurrent) = &rule.noncurrent_version_expiration {
        let days = noncurrent
            .noncurrent_days
            .ok_or_else(Error::malformed_xml)?;
        positive(days, "NoncurrentDays", "NoncurrentVersionExpiration")?;
        if noncurrent
            .newer_noncurrent_versions
            .is_some_and(|newer| !(1..=MAX_NEWER_VERSIONS).contains(&newer))
        {
            return Err(invalid(
                "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a \
                 positive integer not over 100",
            ));
        }
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        let days = abort
            .days_after_initiation
            .ok_or_else(Error::malformed_xml)?;
        positive(
            days,
            "DaysAfterInitiation",
            "AbortIncompleteMultipartUpload",
        )?;
        if narrow.by_tag {
            let message = "AbortIncompleteMultipartUpload cannot be specified with Tags.";
            return Err(Error::invalid_request(message));
        }
        if narrow.by_size {
            let message = "AbortIncompleteMultipartUpload cannot be specified with Object Size.";
            return Err(Error::invalid_request(message));
        }
    }
    for transition in transitions {
        check_transition(transition, rule.expiration.as_ref())?;
    }
    for transition in later {
        let class = transition.storage_class.as_ref();
        check_class(class.map(dto::TransitionStorageClass::as_str))?;
        if transition.noncurrent_days.is_none_or(|days| days < 0) {
            return Err(invalid(
                "'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative",
            ));
        }
    }
    Ok(())
}

/// By what a rule picks objects, besides their keys.
#[derive(Default)]
struct Narrow {
    by_tag: bool,
    by_size: bool,
}

fn check_filter(filter: &LifecycleRuleFilter) -> Result<Narrow, Error> {
    let by_size =
        filter.object_size_greater_than.is_some() || filter.object_size_less_than.is_some();
    let parts = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
        filter.and.is_some(),
    ];
    if parts.iter().filter(|is_there| **is_there).count() > 1 {
        return Err(Error::malformed_xml());
    }
    let Some(and) = &filter.and else {
        check_sizes(
            filter.object_size_greater_than,
            filter.object_size_less_than,
        )?;
        return Ok(Narrow {
            by_tag: filter.tag.is_some(),
            by_size,
        });
    };
    let tags = and.tags.as_deref().unwrap_or_default();
    let count = usize::from(and.prefix.is_some())
        + tags.len()
        + usize::from(and.object_size_greater_than.is_some())
        + usize::from(and.object_size_less_than.is_some());
    if count < 2 {
        return Err(Error::malformed_xml());
    }
    let keys: HashSet<_> = tags.iter().map(|tag| tag.key.as_deref()).collect();
    if keys.len() != tags.len() {
        return Err(Error::invalid_request(
            "Duplicate Tag Keys are not allowed.",
        ));
    }
    check_sizes(and.object_size_greater_than, and.object_size_less_than)?;
    Ok(Narrow {
        by_tag: !tags.is_empty(),
        by_size: and.object_size_greater_than.is_some() || and.object_size_less_than.is_some(),
    })
}

fn check_sizes(larger: Option<i64>, smaller: Option<i64>) -> Result<(), Error> {
    let is_negative = |size: Option<i64>| size.is_some_and(|size| size < 0);
    if is_negative(larger) || is_negative(smaller) {
        return Err(Error::malformed_xml());
    }
    if larger
        .zip(smaller)
        .is_some_and(|(larger, smaller)| larger >= smaller)
    {
        return Err(Error::invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'",
        ));
    }
    Ok(())
}

fn check_expiration(expiration: &LifecycleExpiration, narrow: &Narrow) -> Result<(), Error> {
    let for_markers = expiration.expired_object_delete_marker.is_some();
    let parts = [
        expiration.days.is_some(),
        expiration.date.is_some(),
        for_markers,
    ];
    if parts.iter().filter(|is_there| **is_there).count() != 1 {
        return Err(Error::malformed_xml());
    }
    if let Some(days) = expiration.days {
        positive(days, "Days", "Expiration")?;
    }
    if let Some(date) = &expiration.date
        && !is_midnight(timestamp(date.clone()))
    {
        return Err(invalid("'Date' must be at midnight GMT"));
    }
    if for_markers && narrow.by_tag {
        return Err(Error::invalid_request(
            "Tag filter cannot be used with ExpiredObjectDeleteMarker.",
        ));
    }
    Ok(())
}

fn check_transition(
    transition: &Transition,
    expiration: Option<&LifecycleExpiration>,
) -> Result<(), Error> {
    let class = transition.storage_class.as_ref();
    let class = check_class(class.map(dto::TransitionStorageClass::as_str))?;
    match (transition.days, &transition.date) {
        (Some(days), None) => {
            if days < 0 {
                return Err(invalid("'Days' in Transition action must be nonnegative"));
            }
            if matches!(class, "STANDARD_IA" | "ONEZONE_IA") && days < INFREQUENT_DAYS {
                return Err(invalid(&format!(
                    "'Days' in Transition action must be greater than or equal to \
                     {INFREQUENT_DAYS} for storageClass '{class}'"
                )));
            }
            if expiration
                .and_then(|e| e.days)
                .is_some_and(|expire| expire <= days)
            {
                return Err(invalid(
                    "'Days' in the Expiration action must be greater than 'Days' in the \
                     Transition action",
                ));
            }
            Ok(())
        }
        (None, Some(date)) if is_midnight(timestamp(date.clone())) => Ok(()),
        (None, Some(_)) => Err(invalid("'Date' must be at midnight GMT")),
        _ => Err(Error::malformed_xml()),
    }
}

fn check_class(class: Option<&str>) -> Result<&str, Error> {
    class
        .filter(|class| CLASSES.contains(class))
        .ok_or_else(Error::malformed_xml)
}

fn positive(days: i32, name: &str, action: &str) -> Result<(), Error> {
    if days > 0 {
        return Ok(());
    }
    Err(invalid(&format!(
        "'{name}' for {action} action must be a positive integer"
    )))
}

fn invalid(message: &str) -> Error {
    Error::bad_request("InvalidArgument", message)
}
