//! What a notification configuration may not say.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>

use base::Arn;

use super::notification::{Rule, Target};
use crate::error::Error;

/// The event types S3 knows. Those of features that are absent here can be configured and never
/// happen.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>
const EVENT_TYPES: &[&str] = &[
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:LifecycleTransition",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:IntelligentTiering",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
    "s3:ObjectAcl:Put",
];

/// Most configurations of a bucket.
const MAX_RULES: usize = 100;
/// Longest prefix or suffix, in bytes.
const MAX_FILTER_VALUE: usize = 1024;

/// The prefix and suffix of a filter's rules, given as (name, value).
///
/// # Errors
/// `InvalidArgument` for another name, a name given twice, or a value too long.
pub fn read_filter(rules: &[(String, String)]) -> Result<(Option<String>, Option<String>), Error> {
    let (mut prefix, mut suffix) = (None, None);
    for (name, value) in rules {
        let place = match name.to_ascii_lowercase().as_str() {
            "prefix" => &mut prefix,
            "suffix" => &mut suffix,
            _ => {
                let message = "filter rule name must be either prefix or suffix";
                return Err(Error::invalid_argument(message, "FilterRule.Name", name));
            }
        };
        if place.is_some() {
            let message = format!(
                "Cannot specify more than one {} rule in a filter.",
                name.to_ascii_lowercase()
            );
            return Err(Error::invalid_argument(message, "FilterRule.Name", name));
        }
        if value.len() > MAX_FILTER_VALUE {
            let message = "Size of filter rule value cannot exceed 1024 bytes in UTF-8 \
                           representation";
            return Err(Error::invalid_argument(message, "FilterRule.Value", value));
        }
        *place = Some(value.clone());
    }
    Ok((prefix, suffix))
}

/// Checks a whole configuration, but for whether its destinations exist.
///
/// # Errors
/// `InvalidArgument` or `MalformedXML`, for the first rule that is broken.
pub fn check(rules: &[Rule]) -> Result<(), Error> {
    if rules.len() > MAX_RULES {
        let message = "The notification configuration has more than 100 configurations";
        return Err(Error::bad_request("InvalidArgument", message));
    }
    for (at, rule) in rules.iter().enumerate() {
        check_events(rule)?;
        for earlier in &rules[..at] {
            if earlier.id == rule.id {
                let message = "Same ID used for multiple configurations. IDs must be unique";
                return Err(Error::invalid_argument(message, "Id", &rule.id));
            }
            check_apart(earlier, rule)?;
        }
    }
    Ok(())
}

fn check_events(rule: &Rule) -> Result<(), Error> {
    if rule.events.is_empty() {
        return Err(Error::malformed_xml());
    }
    match rule
        .events
        .iter()
        .find(|event| !EVENT_TYPES.contains(&event.as_str()))
    {
        Some(unknown) => Err(Error::invalid_argument(
            "A specified event is not supported for notifications.",
            "Event",
            unknown,
        )),
        None => Ok(()),
    }
}

/// One event of one key must not match two rules.
fn check_apart(a: &Rule, b: &Rule) -> Result<(), Error> {
    let share_event = a
        .events
        .iter()
        .any(|x| b.events.iter().any(|y| events_meet(x, y)));
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let (a_prefix, b_prefix) = (text(&a.prefix), text(&b.prefix));
    let (a_suffix, b_suffix) = (text(&a.suffix), text(&b.suffix));
    let prefixes_meet = a_prefix.starts_with(&b_prefix) || b_prefix.starts_with(&a_prefix);
    let suffixes_meet = a_suffix.ends_with(&b_suffix) || b_suffix.ends_with(&a_suffix);
    if !(share_event && prefixes_meet && suffixes_meet) {
        return Ok(());
    }
    let unfiltered = [&a_prefix, &b_prefix, &a_suffix, &b_suffix]
        .iter()
        .all(|s| s.is_empty());
    Err(Error::bad_request(
        "InvalidArgument",
        if unfiltered {
            "Configurations overlap. Configurations on the same bucket cannot share a common \
             event type."
        } else {
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules \
             if the prefixes are overlapping for the same event type."
        },
    ))
}

fn events_meet(a: &str, b: &str) -> bool {
    let covers = |wide: &str, narrow: &str| {
        wide.strip_suffix('*')
            .is_some_and(|start| narrow.starts_with(start))
    };
    a == b || covers(a, b) || covers(b, a)
}

/// Checks the ARNs of the destinations by themselves: a plain function, or a standard queue or topic, in the
/// bucket's region.
pub fn is_possible_destination(target: &Target, region: &str) -> bool {
    let arn = target.arn();
    let shape = match target {
        Target::Function(arn) => arn.service == "lambda" && arn.resource.starts_with("function:"),
        Target::Queue(arn) => arn.service == "sqs" && !is_fifo(arn),
        Target::Topic(arn) => arn.service == "sns" && !is_fifo(arn) && !arn.resource.contains(':'),
    };
    shape && arn.region == region && arn.account_id().is_some()
}

/// S3 does not deliver to FIFO queues and topics.
fn is_fifo(arn: &Arn) -> bool {
    arn.resource.strip_suffix(".fifo").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, events: &[&str], prefix: &str, suffix: &str) -> Rule {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Rule {
            id: id.into(),
            target: Target::Queue("arn:aws:sqs:eu-west-1:000000000000:q".parse().unwrap()),
            events: events.iter().map(|&event| event.to_owned()).collect(),
            prefix: some(prefix),
            suffix: some(suffix),
        }
    }

    #[test]
    fn rules_that_overlap_are_refused() {
        let put = &["s3:ObjectCreated:Put"][..];
        let created = &["s3:ObjectCreated:*"][..];
        let removed = &["s3:ObjectRemoved:*"][..];
        let cases = [
            (rule("a", put, "", ""), rule("b", created, "", ""), false),
            (rule("a", put, "", ""), rule("b", removed, "", ""), true),
            (
                rule("a", put, "images/", ""),
                rule("b", put, "images/x", ""),
                false,
            ),
            (
                rule("a", put, "images/", ""),
                rule("b", put, "logs/", ""),
                true,
            ),
            (
                rule("a", put, "images/", ".jpg"),
                rule("b", put, "images/", ".png"),
                true,
            ),
            (
                rule("a", put, "images/", ".jpg"),
                rule("b", put, "", ".thumb.jpg"),
                false,
            ),
            (
                rule("a", put, "", ".jpg"),
                rule("b", put, "logs/", ""),
                false,
            ),
            (rule("a", put, "", ""), rule("a", removed, "", ""), false),
        ];
        for (a, b, fine) in cases {
            assert_eq!(check(&[a.clone(), b.clone()]).is_ok(), fine, "{a:?} {b:?}");
        }
        assert!(check(&[rule("a", &["s3:Nothing"], "", "")]).is_err());
        assert!(check(&[rule("a", &[], "", "")]).is_err());
    }

    #[test]
    fn filters_have_one_prefix_and_one_suffix() {
        let rules = |names: &[&str]| -> Vec<_> {
            names
                .iter()
                .map(|&name| (name.to_owned(), "v".to_owned()))
                .collect()
        };
        assert!(read_filter(&rules(&["Prefix", "SUFFIX"])).is_ok());
        assert!(read_filter(&rules(&["prefix", "Prefix"])).is_err());
        assert!(read_filter(&rules(&["infix"])).is_err());
        assert!(read_filter(&[("prefix".into(), "é".repeat(513))]).is_err());
    }

    #[test]
    fn destinations() {
        let function = |arn: &str| Target::Function(arn.parse().unwrap());
        let queue = |arn: &str| Target::Queue(arn.parse().unwrap());
        for (target, fine) in [
            (
                function("arn:aws:lambda:eu-west-1:000000000000:function:f"),
                true,
            ),
            (
                function("arn:aws:lambda:eu-west-1:000000000000:function:f:live"),
                true,
            ),
            (
                function("arn:aws:lambda:us-east-1:000000000000:function:f"),
                false,
            ),
            (function("arn:aws:sqs:eu-west-1:000000000000:q"), false),
            (queue("arn:aws:sqs:eu-west-1:000000000000:q"), true),
            (queue("arn:aws:sqs:eu-west-1:000000000000:q.fifo"), false),
        ] {
            assert_eq!(
                is_possible_destination(&target, "eu-west-1"),
                fine,
                "{target:?}"
            );
        }
    }
}
