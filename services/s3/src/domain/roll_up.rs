//! How a delimiter rolls keys up into common prefixes.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html>

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// After this key.
    AfterKey(String),
    /// After every key that begins with this.
    AfterPrefix(String),
}

/// The common prefix a key is listed under: through the first delimiter after `prefix`. `None`
/// when the key is listed itself.
pub fn common_prefix<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// What a marker means: a marker that is itself a common prefix stands for all the keys under it.
pub fn place_of_marker(marker: &str, prefix: &str, delimiter: Option<&str>) -> Place {
    if common_prefix(marker, prefix, delimiter) == Some(marker) {
        Place::AfterPrefix(marker.to_owned())
    } else {
        Place::AfterKey(marker.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_roll_up_to_the_first_delimiter_after_the_prefix() {
        let slash = Some("/");
        assert_eq!(common_prefix("a/b/c", "", slash), Some("a/"));
        assert_eq!(common_prefix("a/b/c", "a/", slash), Some("a/b/"));
        assert_eq!(common_prefix("a/", "a/", slash), None);
        assert_eq!(common_prefix("a/b", "a/b", slash), None);
        assert_eq!(common_prefix("ab", "", None), None);
        assert_eq!(common_prefix("ab", "", Some("")), None);
        assert_eq!(common_prefix("xと--y--z", "x", Some("--")), Some("xと--"));
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_covers_it() {
        let place = |marker| place_of_marker(marker, "", Some("/"));
        assert_eq!(place("a/"), Place::AfterPrefix("a/".into()));
        assert_eq!(place("a/b"), Place::AfterKey("a/b".into()));
        assert_eq!(
            place_of_marker("a/", "", None),
            Place::AfterKey("a/".into())
        );
    }
}
