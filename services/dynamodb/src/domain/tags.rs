//! Tags of tables.

use std::collections::BTreeMap;

use super::Invalid;
use crate::generated::Tag;

/// A table has at most this many.
const MOST: usize = 50;

pub fn tags(given: Vec<Tag>) -> Result<BTreeMap<String, String>, Invalid> {
    let mut tags = BTreeMap::new();
    for Tag { key, value } in given {
        if key.starts_with("aws:") {
            return Err(Invalid::parameter(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(Invalid::parameter(format!(
                "Found duplicate tag key: {key}"
            )));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

pub fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Invalid> {
    if tags.len() > MOST {
        return Err(Invalid::parameter(
            "Too many tags: a resource has at most 50",
        ));
    }
    Ok(())
}
