//! Keys an object may have: 1 to 1,024 bytes of UTF-8.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>

use crate::error::Error;

/// Longest key, in bytes.
pub const MAX_BYTES: usize = 1024;

/// # Errors
/// `KeyTooLongError` with the sizes, as S3 answers.
pub fn check(key: &str) -> Result<(), Error> {
    if key.len() <= MAX_BYTES {
        return Ok(());
    }
    Err(
        Error::bad_request("KeyTooLongError", "Your key is too long")
            .with("Size", key.len().to_string())
            .with("MaxSizeAllowed", MAX_BYTES.to_string()),
    )
}
