//! Tags of roles, users and policies: keys are unique without regard to case.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>

use std::collections::BTreeMap;

use service::ServiceError;

use crate::error;
use crate::records::Tag;

pub const MAX_TAGS: usize = 50;
/// Keys that begin so, in any case, are AWS's own.
const RESERVED: &str = "aws:";

/// Adds tags, replacing those of the same key. Adds none when it fails.
pub fn add(tags: &mut Vec<Tag>, new: impl IntoIterator<Item = Tag>) -> Result<(), ServiceError> {
    let mut merged: BTreeMap<String, Tag> = BTreeMap::new();
    for tag in new {
        if tag.key.to_lowercase().starts_with(RESERVED) {
            return Err(error::invalid_input(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if merged.insert(tag.key.to_lowercase(), tag).is_some() {
            return Err(error::invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    for tag in tags.iter() {
        merged
            .entry(tag.key.to_lowercase())
            .or_insert_with(|| tag.clone());
    }
    if merged.len() > MAX_TAGS {
        return Err(error::limit_exceeded(
            "The number of tags has reached the maximum limit.",
        ));
    }
    *tags = merged.into_values().collect();
    Ok(())
}

/// Removes tags; keys that are not there do not matter.
pub fn remove(tags: &mut Vec<Tag>, keys: &[String]) {
    tags.retain(|tag| {
        !keys
            .iter()
            .any(|key| key.to_lowercase() == tag.key.to_lowercase())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn keys_are_case_insensitive() {
        let mut tags = Vec::new();
        add(&mut tags, [tag("b", "1"), tag("A", "2")]).unwrap();
        add(&mut tags, [tag("B", "3")]).unwrap();
        assert_eq!(tags, [tag("A", "2"), tag("B", "3")]);
        assert!(add(&mut tags, [tag("x", "1"), tag("X", "2")]).is_err());
        remove(&mut tags, &["a".to_owned(), "none".to_owned()]);
        assert_eq!(
            tags.iter()
                .map(|tag| tag.value.as_str())
                .collect::<Vec<_>>(),
            ["3"]
        );
    }

    #[test]
    fn fifty_is_the_limit() {
        let many = |n: usize| (0..n).map(|at| tag(&at.to_string(), ""));
        add(&mut Vec::new(), many(50)).unwrap();
        let error = add(&mut Vec::new(), many(51)).unwrap_err();
        assert_eq!(error.query_code, Some("LimitExceeded"));
    }
}
