//! The name of a blob.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Names one blob, for ever: ids are never reused.
///
/// The opening of the store that made it, counted from 1, then 122 random bits: so that what an
/// earlier run left behind can be told without asking a clock. Written as 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId {
    opening: u32,
    random: Uuid,
}

impl BlobId {
    pub(crate) fn random(opening: u32) -> Self {
        Self {
            opening,
            random: Uuid::new_v4(),
        }
    }

    /// Which opening of its store made this blob.
    pub(crate) fn opening(&self) -> u32 {
        self.opening
    }

    /// Evenly spread over 0–255, to shard directories by.
    pub(crate) fn shard(&self) -> u8 {
        self.random.as_bytes()[0]
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{}", self.opening, self.random.simple())
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// The text is not a blob id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("blob id is not 40 lower-case hexadecimal digits")]
pub struct InvalidBlobId;

impl FromStr for BlobId {
    type Err = InvalidBlobId;

    fn from_str(text: &str) -> Result<Self, InvalidBlobId> {
        let digits = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        if text.len() != 40 || !text.as_bytes().iter().all(digits) {
            return Err(InvalidBlobId);
        }
        let (opening, random) = text.split_at(8);
        let opening = u32::from_str_radix(opening, 16).map_err(|_| InvalidBlobId)?;
        let random = Uuid::try_parse(random).map_err(|_| InvalidBlobId)?;
        Ok(Self { opening, random })
    }
}

impl Serialize for BlobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = BlobId::random(7);
        assert_eq!(id.to_string().parse::<BlobId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<BlobId>(&json).unwrap(), id);
    }

    #[test]
    fn a_path_is_not_an_id() {
        for text in [
            "",
            "../../../../../../../../etc/passwd______",
            &"G".repeat(40),
            &"A".repeat(40),
        ] {
            assert_eq!(text.parse::<BlobId>(), Err(InvalidBlobId));
        }
    }
}
