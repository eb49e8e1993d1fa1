//! Which tags may be moved to another image.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>

use patterns::matches_wildcard;
use serde::{Deserialize, Serialize};

/// What a repository is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutability {
    pub is_immutable: bool,
    /// Patterns of tags to which the opposite applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<String>,
}

impl Mutability {
    /// Whether a tag stays where it is.
    pub fn fixes(&self, tag: &str) -> bool {
        let is_excluded = self
            .exclusions
            .iter()
            .any(|pattern| matches_wildcard(pattern, tag));
        self.is_immutable != is_excluded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_turn_the_rule_around() {
        let set = |is_immutable, exclusions: &[&str]| Mutability {
            is_immutable,
            exclusions: exclusions.iter().map(|it| (*it).to_owned()).collect(),
        };
        assert!(!Mutability::default().fixes("latest"));
        assert!(set(true, &[]).fixes("latest"));
        assert!(!set(true, &["latest", "dev-*"]).fixes("dev-1"));
        assert!(set(true, &["dev-*"]).fixes("prod-1"));
        assert!(set(false, &["v*"]).fixes("v1.0"));
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("ab*ba", "aba", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(matches_wildcard(pattern, text), fits, "{pattern} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_matched_without_a_panic(pattern in ".{0,20}", text in ".{0,20}") {
            let _ = matches_wildcard(&pattern, &text);
        }
    }
}
