//! Tags of functions and event source mappings.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>

use std::collections::BTreeMap;

use service::ServiceError;

use crate::error;

const MAX_TAGS: usize = 50;
/// Keys that begin so are AWS's own.
const RESERVED: &str = "aws:";

/// The tags after adding some.
///
/// # Errors
/// More than 50 in all; a key of AWS's.
pub fn with(
    before: &BTreeMap<String, String>,
    added: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ServiceError> {
    if added.keys().any(|key| key.starts_with(RESERVED)) {
        return Err(error::invalid_parameter(
            "aws: prefixed tag key names are not allowed for external use.",
        ));
    }
    let mut tags = before.clone();
    tags.extend(added);
    if tags.len() > MAX_TAGS {
        return Err(error::invalid_parameter(
            "Number of tags exceeds resource tag limit.",
        ));
    }
    Ok(tags)
}

/// The tags after removing some; names that are not there do no harm.
pub fn without(before: &BTreeMap<String, String>, keys: &[String]) -> BTreeMap<String, String> {
    let mut tags = before.clone();
    tags.retain(|key, _| !keys.contains(key));
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_what_is_left_after_overwriting() {
        let tags = |range: std::ops::Range<u32>| -> BTreeMap<String, String> {
            range.map(|n| (format!("k{n}"), String::new())).collect()
        };
        let full = with(&BTreeMap::new(), tags(0..50)).unwrap();
        assert_eq!(with(&full, tags(0..50)).unwrap().len(), 50);
        assert!(with(&full, tags(50..51)).is_err());
        assert_eq!(
            without(&full, &["k1".to_owned(), "none".to_owned()]).len(),
            49
        );
    }

    #[test]
    fn keys_of_aws_are_reserved() {
        let named = |key: &str| BTreeMap::from([(key.to_owned(), String::new())]);
        assert!(with(&BTreeMap::new(), named("aws:stack")).is_err());
        assert!(with(&BTreeMap::new(), named("aws")).is_ok());
    }
}
