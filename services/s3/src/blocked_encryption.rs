//! Whether a bucket takes objects that are encrypted with keys of their makers: a part of its
//! encryption's configuration that the wire layer does not know.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/blocking-unblocking-s3-c-encryption-gpb.html>

use bytes::Bytes;

use crate::error::Error;

const OPEN: &str = "<BlockedEncryptionTypes>";
const CLOSE: &str = "</BlockedEncryptionTypes>";
const OPEN_TYPE: &str = "<EncryptionType>";
const CLOSE_TYPE: &str = "</EncryptionType>";
const CUSTOMER_KEYS: &str = "SSE-C";
const NOTHING: &str = "NONE";

/// Takes it out of a configuration: whether customers' keys are blocked, if that is said.
///
/// # Errors
/// `MalformedXML`.
pub fn take(document: Bytes) -> Result<(Bytes, Option<bool>), Error> {
    let Ok(text) = std::str::from_utf8(&document) else {
        return Ok((document, None));
    };
    let Some((before, rest)) = text.split_once(OPEN) else {
        return Ok((document, None));
    };
    let (inner, after) = rest.split_once(CLOSE).ok_or_else(Error::malformed_xml)?;
    let only = inner
        .trim()
        .strip_prefix(OPEN_TYPE)
        .and_then(|inner| inner.strip_suffix(CLOSE_TYPE));
    let blocks = match only {
        Some(CUSTOMER_KEYS) => true,
        Some(NOTHING) => false,
        _ => return Err(Error::malformed_xml()),
    };
    Ok(([before, after].concat().into(), Some(blocks)))
}

/// Puts it into a configuration that is shown.
pub fn put(document: &Bytes) -> Bytes {
    let blocked = [OPEN, OPEN_TYPE, CUSTOMER_KEYS, CLOSE_TYPE, CLOSE].concat();
    let text = String::from_utf8_lossy(document);
    text.replace("</Rule>", &format!("{blocked}</Rule>")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken() {
        let plain = Bytes::from("<a><Rule><b/></Rule></a>");
        let (left, blocks) = take(put(&plain)).unwrap();
        assert_eq!((left, blocks), (plain.clone(), Some(true)));
        assert_eq!(take(plain.clone()).unwrap(), (plain, None));
        for wrong in ["", "<EncryptionType>X</EncryptionType>", "SSE-C"] {
            let document = format!("<a>{OPEN}{wrong}{CLOSE}</a>");
            assert!(take(document.into()).is_err(), "{wrong}");
        }
    }
}
