//! Which events of a bucket go where.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>

use base::Arn;
use serde::{Deserialize, Serialize};

/// A bucket's notification configuration, already checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notifications {
    pub rules: Vec<Rule>,
    /// Every event also goes to the account's default event bus.
    pub event_bridge: bool,
}

impl Notifications {
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && !self.event_bridge
    }
}

/// One function, queue or topic configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    pub target: Target,
    /// As given, such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

/// Where a rule sends its events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Function(Arn),
    Queue(Arn),
    Topic(Arn),
}

impl Target {
    pub fn arn(&self) -> &Arn {
        match self {
            Self::Function(arn) | Self::Queue(arn) | Self::Topic(arn) => arn,
        }
    }
}

/// What can happen to an object here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Put,
    Copy,
    Post,
    CompleteMultipartUpload,
    Delete,
    DeleteMarkerCreated,
    /// As [`Delete`](Self::Delete), by a lifecycle rule.
    Expired,
    /// As [`DeleteMarkerCreated`](Self::DeleteMarkerCreated), by a lifecycle rule.
    ExpiredMarker,
    AclPut,
    TaggingPut,
    TaggingDelete,
}

impl EventKind {
    /// The name in an event, which is the name in a configuration without `s3:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Post => "ObjectCreated:Post",
            Self::Delete => "ObjectRemoved:Delete",
            Self::DeleteMarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
            Self::Expired => "LifecycleExpiration:Delete",
            Self::ExpiredMarker => "LifecycleExpiration:DeleteMarkerCreated",
            Self::AclPut => "ObjectAcl:Put",
            Self::TaggingPut => "ObjectTagging:Put",
            Self::TaggingDelete => "ObjectTagging:Delete",
        }
    }
}

impl Rule {
    /// Whether the rule wants this event of this key.
    pub fn wants(&self, kind: EventKind, key: &str) -> bool {
        let begins = self
            .prefix
            .as_deref()
            .is_none_or(|prefix| key.starts_with(prefix));
        let ends = self
            .suffix
            .as_deref()
            .is_none_or(|suffix| key.ends_with(suffix));
        begins && ends && self.events.iter().any(|pattern| is_named(pattern, kind))
    }
}

fn is_named(pattern: &str, kind: EventKind) -> bool {
    let Some(pattern) = pattern.strip_prefix("s3:") else {
        return false;
    };
    match pattern.strip_suffix('*') {
        Some(start) => kind.name().starts_with(start),
        None => kind.name() == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(events: &[&str], prefix: Option<&str>, suffix: Option<&str>) -> Rule {
        Rule {
            id: "r".into(),
            target: Target::Queue("arn:aws:sqs:eu-west-1:000000000000:q".parse().unwrap()),
            events: events.iter().map(|&event| event.to_owned()).collect(),
            prefix: prefix.map(str::to_owned),
            suffix: suffix.map(str::to_owned),
        }
    }

    #[test]
    fn events_and_filters() {
        let created = rule(&["s3:ObjectCreated:*"], Some("images/"), Some(".jpg"));
        assert!(created.wants(EventKind::Put, "images/a.jpg"));
        assert!(created.wants(EventKind::CompleteMultipartUpload, "images/.jpg"));
        assert!(!created.wants(EventKind::Put, "images/a.png"));
        assert!(!created.wants(EventKind::Put, "a.jpg"));
        assert!(!created.wants(EventKind::Delete, "images/a.jpg"));
        let removed = rule(
            &["s3:ObjectRemoved:Delete", "s3:ObjectTagging:Put"],
            None,
            None,
        );
        assert!(removed.wants(EventKind::Delete, "x"));
        assert!(removed.wants(EventKind::TaggingPut, "x"));
        assert!(!removed.wants(EventKind::TaggingDelete, "x"));
        assert!(!removed.wants(EventKind::Put, "x"));
    }
}
