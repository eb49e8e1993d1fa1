//! What becomes of objects in time, by a bucket's rules.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use std::time::Duration;

use base::Timestamp;
use s3s::dto::{LifecycleRule, LifecycleRuleFilter, Tag as TagFilter};

use super::lifecycle_check::timestamp;
use super::tags::Tag;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// One rule that is enabled.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    filter: Filter,
    expiration: Option<Expiration>,
    noncurrent: Option<Noncurrent>,
    abort_days: Option<u32>,
}

#[derive(Clone, Debug, Default)]
struct Filter {
    prefix: String,
    tags: Vec<Tag>,
    larger_than: Option<u64>,
    smaller_than: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Expiration {
    Days(u32),
    Date(Timestamp),
    /// Delete markers with nothing behind them.
    Markers,
}

#[derive(Clone, Copy, Debug)]
struct Noncurrent {
    days: u32,
    /// So many of the newest are kept.
    newer: usize,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub key: &'a str,
    pub size: u64,
    pub tags: &'a [Tag],
    pub since: Timestamp,
}

/// When something is due, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub at: Timestamp,
    pub rule: String,
}

/// The rules that are enabled, of a configuration that has been checked.
pub fn rules(configured: &[LifecycleRule]) -> Vec<Rule> {
    configured
        .iter()
        .filter(|rule| rule.status.as_str() == "Enabled")
        .map(read)
        .collect()
}

fn read(rule: &LifecycleRule) -> Rule {
    let number = |days: Option<i32>| days.and_then(|days| u32::try_from(days).ok());
    let expiration = rule.expiration.as_ref().and_then(|expiration| {
        let date = expiration.date.clone().map(timestamp).map(Expiration::Date);
        let days = number(expiration.days).map(Expiration::Days);
        let markers = expiration.expired_object_delete_marker == Some(true);
        days.or(date).or(markers.then_some(Expiration::Markers))
    });
    let noncurrent = rule
        .noncurrent_version_expiration
        .as_ref()
        .map(|given| Noncurrent {
            days: number(given.noncurrent_days).unwrap_or(0),
            newer: number(given.newer_noncurrent_versions).unwrap_or(0) as usize,
        });
    let abort = rule.abort_incomplete_multipart_upload.as_ref();
    Rule {
        id: rule.id.clone().unwrap_or_default(),
        filter: filter(rule.filter.as_ref(), rule.prefix.as_deref()),
        expiration,
        noncurrent,
        abort_days: abort.and_then(|abort| number(abort.days_after_initiation)),
    }
}

fn filter(given: Option<&LifecycleRuleFilter>, prefix: Option<&str>) -> Filter {
    let Some(given) = given else {
        return Filter {
            prefix: prefix.unwrap_or_default().to_owned(),
            ..Filter::default()
        };
    };
    let tag = |tag: &TagFilter| Tag {
        key: tag.key.clone().unwrap_or_default(),
        value: tag.value.clone().unwrap_or_default(),
    };
    let bytes = |size: Option<i64>| size.and_then(|size| u64::try_from(size).ok());
    match &given.and {
        Some(and) => Filter {
            prefix: and.prefix.clone().unwrap_or_default(),
            tags: and.tags.iter().flatten().map(tag).collect(),
            larger_than: bytes(and.object_size_greater_than),
            smaller_than: bytes(and.object_size_less_than),
        },
        None => Filter {
            prefix: given.prefix.clone().unwrap_or_default(),
            tags: given.tag.iter().map(tag).collect(),
            larger_than: bytes(given.object_size_greater_than),
            smaller_than: bytes(given.object_size_less_than),
        },
    }
}

impl Filter {
    fn takes(&self, subject: Subject<'_>) -> bool {
        subject.key.starts_with(&self.prefix)
            && self.tags.iter().all(|tag| subject.tags.contains(tag))
            && self.larger_than.is_none_or(|size| subject.size > size)
            && self.smaller_than.is_none_or(|size| subject.size < size)
    }
}

/// When the current object of a key expires, if it does.
pub fn expiry(rules: &[Rule], subject: Subject<'_>) -> Option<Due> {
    earliest(rules, subject, |rule| match rule.expiration? {
        Expiration::Days(days) => Some(midnight_after(subject.since, days)),
        Expiration::Date(date) => Some(date),
        Expiration::Markers => None,
    })
}

/// When an older version goes, which stopped being the current one at `subject.since` and has
/// `newer` versions between itself and that.
pub fn noncurrent_expiry(rules: &[Rule], subject: Subject<'_>, newer: usize) -> Option<Due> {
    earliest(rules, subject, |rule| {
        let noncurrent = rule.noncurrent?;
        (newer >= noncurrent.newer).then(|| midnight_after(subject.since, noncurrent.days))
    })
}

/// When a delete marker goes that has nothing behind it.
pub fn marker_expiry(rules: &[Rule], subject: Subject<'_>) -> Option<Due> {
    earliest(rules, subject, |rule| match rule.expiration? {
        Expiration::Markers => Some(subject.since),
        Expiration::Days(days) => Some(midnight_after(subject.since, days)),
        Expiration::Date(date) => Some(date),
    })
}

/// When a multipart upload is aborted that began at `since`.
pub fn abortion(rules: &[Rule], key: &str, since: Timestamp) -> Option<Due> {
    let subject = Subject {
        key,
        size: 0,
        tags: &[],
        since,
    };
    earliest(rules, subject, |rule| {
        rule.abort_days.map(|days| midnight_after(since, days))
    })
}

fn earliest(
    rules: &[Rule],
    subject: Subject<'_>,
    due: impl Fn(&Rule) -> Option<Timestamp>,
) -> Option<Due> {
    rules
        .iter()
        .filter(|rule| rule.filter.takes(subject))
        .filter_map(|rule| {
            let at = due(rule)?;
            let rule = rule.id.clone();
            Some(Due { at, rule })
        })
        .min_by_key(|due| due.at)
}

/// S3 counts whole days, to the midnight (UTC) after.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html#intro-lifecycle-rules-number-of-days>
fn midnight_after(since: Timestamp, days: u32) -> Timestamp {
    next_midnight(since + Duration::from_hours(24 * u64::from(days)))
}

/// The first midnight (UTC) past a time.
pub fn next_midnight(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.millis().div_euclid(DAY_MILLIS) + 1) * DAY_MILLIS)
}

/// Whether a time is a midnight.
pub fn is_midnight(at: Timestamp) -> bool {
    at.millis().rem_euclid(DAY_MILLIS) == 0
}

impl Due {
    /// As `x-amz-expiration` says it.
    pub fn header(&self) -> String {
        let rule = super::url_encoding::in_list(&self.rule);
        format!(
            "expiry-date=\"{}\", rule-id=\"{rule}\"",
            self.at.http_date()
        )
    }
}

#[cfg(test)]
mod tests {
    use s3s::dto::{
        ExpirationStatus, LifecycleExpiration, LifecycleRuleAndOperator,
        NoncurrentVersionExpiration,
    };

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_iso8601(text).unwrap()
    }

    fn rule(filter: LifecycleRuleFilter) -> LifecycleRule {
        LifecycleRule {
            abort_incomplete_multipart_upload: None,
            expiration: Some(LifecycleExpiration {
                days: Some(3),
                ..LifecycleExpiration::default()
            }),
            filter: Some(filter),
            id: Some("r".into()),
            noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
                newer_noncurrent_versions: Some(1),
                noncurrent_days: Some(1),
            }),
            noncurrent_version_transitions: None,
            prefix: None,
            status: ExpirationStatus::from_static(ExpirationStatus::ENABLED),
            transitions: None,
        }
    }

    #[test]
    fn days_are_counted_to_the_midnight_after() {
        let tags = [Tag {
            key: "a".into(),
            value: "1".into(),
        }];
        let subject = Subject {
            key: "logs/x",
            size: 10,
            tags: &tags,
            since: at("2014-01-15T10:30:00Z"),
        };
        let all = rules(&[rule(LifecycleRuleFilter::default())]);
        let due = expiry(&all, subject).unwrap();
        assert_eq!(due.at, at("2014-01-19T00:00:00Z"));
        assert_eq!(
            due.header(),
            "expiry-date=\"Sun, 19 Jan 2014 00:00:00 GMT\", rule-id=\"r\""
        );
        assert_eq!(noncurrent_expiry(&all, subject, 0), None);
        let due = noncurrent_expiry(&all, subject, 1).unwrap();
        assert_eq!(due.at, at("2014-01-17T00:00:00Z"));
    }

    #[test]
    fn filters() {
        let tags = [Tag {
            key: "a".into(),
            value: "1".into(),
        }];
        let subject = Subject {
            key: "logs/x",
            size: 10,
            tags: &tags,
            since: at("2014-01-15T10:30:00Z"),
        };
        let takes = |filter| expiry(&rules(&[rule(filter)]), subject).is_some();
        let by_prefix = |prefix: &str| LifecycleRuleFilter {
            prefix: Some(prefix.into()),
            ..LifecycleRuleFilter::default()
        };
        assert!(takes(by_prefix("logs/")));
        assert!(!takes(by_prefix("tmp/")));
        let both = |value: &str, size| LifecycleRuleFilter {
            and: Some(LifecycleRuleAndOperator {
                object_size_greater_than: Some(size),
                object_size_less_than: None,
                prefix: Some("logs/".into()),
                tags: Some(vec![TagFilter {
                    key: Some("a".into()),
                    value: Some(value.into()),
                }]),
            }),
            ..LifecycleRuleFilter::default()
        };
        assert!(takes(both("1", 9)));
        assert!(!takes(both("2", 9)));
        assert!(!takes(both("1", 10)));
        let mut off = rule(LifecycleRuleFilter::default());
        off.status = ExpirationStatus::from_static(ExpirationStatus::DISABLED);
        assert!(rules(&[off]).is_empty());
    }
}
