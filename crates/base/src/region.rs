//! An AWS region name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A region name such as `ap-northeast-1`: lowercase words and digits joined by hyphens. Cheap to
/// clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(Arc<str>);

/// Why a string is not a region name.
#[derive(Debug, thiserror::Error)]
#[error("a region is lowercase letters, digits and hyphens, 1 to 32 of them, got {0:?}")]
pub struct InvalidRegion(pub String);

impl Region {
    /// The region of callers whose credential scope names none.
    pub fn us_east_1() -> Self {
        Self(Arc::from("us-east-1"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition the region belongs to: `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "aws-cn"
        } else if self.0.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(legal) && !text.starts_with('-') {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidRegion(text.to_owned()))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Region {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Region {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_partitions() {
        assert_eq!(
            "ap-northeast-1".parse::<Region>().unwrap().partition(),
            "aws"
        );
        assert_eq!(
            "cn-north-1".parse::<Region>().unwrap().partition(),
            "aws-cn"
        );
        assert_eq!(
            "us-gov-west-1".parse::<Region>().unwrap().partition(),
            "aws-us-gov"
        );
        for bad in ["", "-x", "US-EAST-1", "a/b", "../x"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }
}
