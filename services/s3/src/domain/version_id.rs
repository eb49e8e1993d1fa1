//! Version ids: opaque to clients, and to us the order of the version among those of its key.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::error::Error;

/// What S3 calls the version of an object made while versioning was not enabled.
pub const NULL: &str = "null";

/// Bytes of the order, and of all.
const ORDER: usize = 8;
const ALL: usize = 24;

/// A version as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionId {
    Null,
    Id { order: u64, text: String },
}

impl VersionId {
    /// # Errors
    /// `InvalidArgument` for what S3 never gave out.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text == NULL {
            return Ok(Self::Null);
        }
        order_of(text).map_or_else(
            || {
                let message = "Invalid version id specified";
                Err(Error::invalid_argument(message, "versionId", text))
            },
            |order| {
                let text = text.to_owned();
                Ok(Self::Id { order, text })
            },
        )
    }

    /// As [`parse`](Self::parse), of a request's `versionId`.
    ///
    /// # Errors
    /// `InvalidArgument` also for an empty one.
    pub fn read(given: Option<&str>) -> Result<Option<Self>, Error> {
        match given {
            Some("") => {
                let message = "Version id cannot be the empty string";
                Err(Error::invalid_argument(message, "versionId", ""))
            }
            given => given.map(Self::parse).transpose(),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Null => NULL,
            Self::Id { text, .. } => text,
        }
    }

    /// Whether this is the id in a record.
    pub fn is(&self, recorded: Option<&str>) -> bool {
        recorded.unwrap_or(NULL) == self.as_str()
    }
}

/// A fresh id for a version of this order.
pub fn make(order: u64) -> String {
    let mut bytes = [0; ALL];
    bytes[..ORDER].copy_from_slice(&order.to_be_bytes());
    bytes[ORDER..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    BASE64.encode(bytes)
}

fn order_of(text: &str) -> Option<u64> {
    let bytes = BASE64.decode(text).ok().filter(|b| b.len() == ALL)?;
    let (order, _) = bytes.split_first_chunk::<ORDER>()?;
    Some(u64::from_be_bytes(*order))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_says_its_order(order: u64) {
            let text = make(order);
            prop_assert_eq!(text.len(), 32);
            let id = VersionId::parse(&text).unwrap();
            prop_assert!(id.is(Some(&text)) && !id.is(None));
            prop_assert_eq!(id, VersionId::Id { order, text });
        }

        #[test]
        fn anything_else_is_refused(text in ".{0,40}") {
            if let Ok(id) = VersionId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }

    #[test]
    fn null_is_the_id_of_no_version() {
        assert!(VersionId::parse("null").unwrap().is(None));
        assert!(VersionId::read(Some("")).is_err());
        assert_eq!(VersionId::read(None).unwrap(), None);
    }
}
