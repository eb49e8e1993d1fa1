//! The MD5 digests that SDKs check every answer by.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation>

use md5::{Digest, Md5};

use super::message_attributes::{Base64, Content, MessageAttributes};

const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// `MD5OfMessageBody`: of the text as UTF-8.
pub fn of_body(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// `MD5OfMessageAttributes`; `None` for no attributes. In order of name: name, type and value, the
/// value preceded by a byte for its transport, and everything of variable length by its length.
pub fn of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, value) in attributes {
        with_length(&mut digest, name.as_bytes());
        with_length(&mut digest, value.data_type.as_bytes());
        match &value.content {
            Content::Text(text) => {
                digest.update([TEXT]);
                with_length(&mut digest, text.as_bytes());
            }
            Content::Binary(Base64(bytes)) => {
                digest.update([BINARY]);
                with_length(&mut digest, bytes);
            }
        }
    }
    Some(hex::encode(digest.finalize()))
}

fn with_length(digest: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a message is far below 4 GiB");
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::message_attributes::AttributeValue;
    use super::*;

    fn text(pairs: &[(&str, &str)]) -> MessageAttributes {
        pairs
            .iter()
            .map(|(name, value)| {
                let value =
                    AttributeValue::check(name, "String", Some((*value).to_owned()), None).unwrap();
                ((*name).to_owned(), value)
            })
            .collect()
    }

    /// Digests that AWS itself answered with.
    #[test]
    fn as_aws_computes_them() {
        assert_eq!(of_body("test"), "098f6bcd4621d373cade4e832627b4f6");
        assert_eq!(of_attributes(&text(&[])), None);
        for (attributes, digest) in [
            (text(&[("Foo", "Bar")]), "ae7155c6026991b6d54b11589678bf9c"),
            (
                text(&[("Hello", "There")]),
                "a311262e065454b75da111d535b8dacd",
            ),
            (
                text(&[("Help.Me", "Me"), ("Hello", "There"), ("General", "Kenobi")]),
                "4c360f3fdafd970e05fae2f149d997f5",
            ),
        ] {
            assert_eq!(of_attributes(&attributes).unwrap(), digest);
        }
        let binary = Bytes::from_static(
            b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01",
        );
        let value = AttributeValue::check("attr1", "Binary", None, Some(binary)).unwrap();
        assert_eq!(
            of_attributes(&[("attr1".to_owned(), value)].into()).unwrap(),
            "8cbe4db156db8a94db8b801b7addb984"
        );
    }
}
