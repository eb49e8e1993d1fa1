//! Tags of objects and buckets.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Most tags of an object.
pub const MAX_OF_OBJECT: usize = 10;
/// Most tags of a bucket.
pub const MAX_OF_BUCKET: usize = 50;
/// Longest key, in UTF-16 code units as S3 counts them.
const MAX_KEY: usize = 128;
/// Longest value, in UTF-16 code units.
const MAX_VALUE: usize = 256;

/// Keys that begin so are AWS's own.
const OF_THE_SYSTEM: &str = "aws:";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// # Errors
/// `InvalidTag` or `BadRequest` with S3's words for the first rule that is broken.
pub fn check(tags: &[Tag], most: usize) -> Result<(), Error> {
    if tags.len() > most {
        let what = if most == MAX_OF_OBJECT {
            "Object"
        } else {
            "Bucket"
        };
        return Err(Error::bad_request(
            "BadRequest",
            format!("{what} tags cannot be greater than {most}"),
        ));
    }
    for (at, tag) in tags.iter().enumerate() {
        check_one(tag)?;
        if tags[..at].iter().any(|earlier| earlier.key == tag.key) {
            return Err(Error::bad_request(
                "InvalidTag",
                "Cannot provide multiple Tags with the same key",
            )
            .with("TagKey", &tag.key));
        }
    }
    Ok(())
}

fn check_one(tag: &Tag) -> Result<(), Error> {
    let length = |text: &str| text.encode_utf16().count();
    if tag.key.is_empty() || length(&tag.key) > MAX_KEY || !tag.key.chars().all(is_legal) {
        let message = "The TagKey you have provided is invalid";
        return Err(Error::bad_request("InvalidTag", message).with("TagKey", &tag.key));
    }
    if length(&tag.value) > MAX_VALUE || !tag.value.chars().all(is_legal) {
        let message = "The TagValue you have provided is invalid";
        return Err(Error::bad_request("InvalidTag", message)
            .with("TagKey", &tag.key)
            .with("TagValue", &tag.value));
    }
    if tag.key.starts_with(OF_THE_SYSTEM) {
        let message = "System tags cannot be added/updated by requester";
        return Err(Error::bad_request("InvalidTag", message).with("TagKey", &tag.key));
    }
    Ok(())
}

fn is_legal(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

/// Reads the `x-amz-tagging` header: `key=value&key2=value2`, percent-encoded.
///
/// # Errors
/// `InvalidArgument` when it is not a query string of distinct keys, else as [`check`].
pub fn parse_header(header: &str) -> Result<Vec<Tag>, Error> {
    let invalid = || {
        Error::invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
             parameters without tag name duplicates.",
            "x-amz-tagging",
            header,
        )
    };
    let mut tags: Vec<Tag> = Vec::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key).ok_or_else(invalid)?;
        let value = decode(value).ok_or_else(invalid)?;
        if tags.iter().any(|earlier| earlier.key == key) {
            return Err(invalid());
        }
        tags.push(Tag { key, value });
    }
    if let Some(tag) = tags.iter().find(|tag| tag.key.starts_with(OF_THE_SYSTEM)) {
        let message = "Your TagKey cannot be prefixed with aws:";
        return Err(Error::bad_request("InvalidTag", message).with("TagKey", &tag.key));
    }
    check(&tags, MAX_OF_OBJECT)?;
    Ok(tags)
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_tags() {
        let tags = parse_header("project=red+and%20blue&empty=&bare").unwrap();
        let pairs: Vec<_> = tags
            .iter()
            .map(|t| (t.key.as_str(), t.value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [("project", "red and blue"), ("empty", ""), ("bare", "")]
        );
        assert!(parse_header("a=1&a=2").is_err());
        assert!(parse_header("a=%FF").is_err());
        assert!(parse_header("aws:x=1").is_err());
        assert!(parse_header("a=<b>").is_err());
        let eleven = (0..11)
            .map(|i| format!("k{i}=v"))
            .collect::<Vec<_>>()
            .join("&");
        assert!(parse_header(&eleven).is_err());
    }

    #[test]
    fn lengths_are_counted_as_s3_counts_them() {
        let tag = |key: String, value: String| [Tag { key, value }];
        assert!(check(&tag("k".repeat(128), "v".repeat(256)), 10).is_ok());
        assert!(check(&tag("k".repeat(129), String::new()), 10).is_err());
        assert!(check(&tag("k".into(), "v".repeat(257)), 10).is_err());
        assert!(check(&tag(String::new(), "v".into()), 10).is_err());
    }
}
