//! What identifies a version of a function.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const LATEST: &str = "$LATEST";
const LATEST_PUBLISHED: &str = "$LATEST.PUBLISHED";

/// `$LATEST`, or a published version: by its number, or the one of a function on a capacity provider
/// that is published again and again. They are in the order of Lambda's lists.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum VersionId {
    Latest,
    LatestPublished,
    Published(u64),
}

/// A text that no version has.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not a version: {0}")]
pub struct NoVersion(String);

impl VersionId {
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Latest | Self::LatestPublished => None,
            Self::Published(number) => Some(number),
        }
    }
}

impl FromStr for VersionId {
    type Err = NoVersion;

    /// Only as Lambda writes it: without a sign or leading zeros.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            LATEST => return Ok(Self::Latest),
            LATEST_PUBLISHED => return Ok(Self::LatestPublished),
            _ => {}
        }
        text.parse()
            .ok()
            .filter(|number: &u64| number.to_string() == text)
            .map(Self::Published)
            .ok_or_else(|| NoVersion(text.to_owned()))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str(LATEST),
            Self::LatestPublished => f.write_str(LATEST_PUBLISHED),
            Self::Published(number) => number.fmt(f),
        }
    }
}

impl TryFrom<String> for VersionId {
    type Error = NoVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VersionId> for String {
    fn from(version: VersionId) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_is_written() {
        for text in ["$LATEST", "$LATEST.PUBLISHED", "1", "18446744073709551615"] {
            assert_eq!(text.parse::<VersionId>().unwrap().to_string(), text);
        }
        for text in ["", "01", "+1", "18446744073709551616", "live", "$latest"] {
            assert!(text.parse::<VersionId>().is_err(), "{text}");
        }
        assert!(VersionId::Latest < VersionId::LatestPublished);
        assert!(VersionId::LatestPublished < VersionId::Published(1));
        assert!(VersionId::Published(9) < VersionId::Published(10));
    }
}
