//! Tags of groups.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html>

use std::collections::BTreeMap;

use service::ServiceError;

use crate::error;

const MAX_TAGS: usize = 50;
/// Keys that begin so are AWS's own.
const RESERVED: &str = "aws:";

/// Adds tags, replacing those of the same key. Adds none when it fails.
pub fn add(
    tags: &mut BTreeMap<String, String>,
    new: BTreeMap<String, String>,
) -> Result<(), ServiceError> {
    if new.keys().any(|key| key.starts_with(RESERVED)) {
        return Err(error::invalid_parameter(
            "aws: prefixed tag key names are not allowed for external use.",
        ));
    }
    let added = new.keys().filter(|key| !tags.contains_key(*key)).count();
    if tags.len() + added > MAX_TAGS {
        return Err(error::too_many_tags());
    }
    tags.extend(new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(range: std::ops::Range<u32>) -> BTreeMap<String, String> {
        range.map(|n| (format!("k{n}"), String::new())).collect()
    }

    #[test]
    fn fifty_are_the_most() {
        let mut tags = numbered(0..49);
        add(&mut tags, numbered(0..50)).unwrap();
        let refused = add(&mut tags, numbered(50..51)).unwrap_err();
        assert_eq!(refused.code, "TooManyTagsException");
        assert_eq!(tags.len(), 50);
    }

    #[test]
    fn keys_of_aws_are_reserved() {
        let mut tags = BTreeMap::new();
        let named = |key: &str| BTreeMap::from([(key.to_owned(), String::new())]);
        let refused = add(&mut tags, named("aws:stack")).unwrap_err();
        assert_eq!(refused.code, "InvalidParameterException");
        add(&mut tags, named("aws")).unwrap();
    }
}
