//! Checksums of algorithms that the wire layer does not know, carried through it as if they were of
//! SHA-256, with the algorithm's name in front: in headers, and in documents.
//!
//! A checksum is base64, so that nothing else has a colon in it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::checksum::Algorithm;
use crate::error::Error;

/// The algorithms that the wire layer has no members for.
const UNKNOWN: [Algorithm; 5] = [
    Algorithm::Sha512,
    Algorithm::Md5,
    Algorithm::XxHash64,
    Algorithm::XxHash3,
    Algorithm::XxHash128,
];

const BORROWED: Algorithm = Algorithm::Sha256;
const OPEN: &str = "<ChecksumSHA256>";
const CLOSE: &str = "</ChecksumSHA256>";

/// A checksum as the wire layer is given it.
pub fn value(algorithm: Algorithm, value: String) -> String {
    if UNKNOWN.contains(&algorithm) {
        format!("{}:{value}", algorithm.name())
    } else {
        value
    }
}

/// What a member of the wire layer holds.
pub fn read(member: Algorithm, value: String) -> (Algorithm, String) {
    let carried = value.split_once(':').and_then(|(name, value)| {
        let algorithm = named(name).filter(|_| member == BORROWED)?;
        Some((algorithm, value.to_owned()))
    });
    carried.unwrap_or((member, value))
}

fn named(name: &str) -> Option<Algorithm> {
    UNKNOWN.into_iter().find(|one| one.name() == name)
}

/// Gives the headers of a request to the wire layer.
///
/// # Errors
/// `InvalidRequest` for more than one checksum.
pub fn headers_in(headers: &mut HeaderMap) -> Result<(), Error> {
    for algorithm in UNKNOWN {
        let Some(given) = headers.remove(algorithm.header()) else {
            continue;
        };
        if headers.contains_key(BORROWED.header()) {
            return Err(several());
        }
        let given = value(algorithm, given.to_str().unwrap_or_default().to_owned());
        let given = HeaderValue::try_from(given)
            .map_err(|_| Error::invalid_request("A checksum is no text."))?;
        headers.insert(BORROWED.header(), given);
    }
    Ok(())
}

/// Takes the headers of an answer from the wire layer.
pub fn headers_out(headers: &mut HeaderMap) {
    let given = headers.get(BORROWED.header());
    let carried = given.and_then(|value| value.to_str().ok()?.split_once(':'));
    let Some((name, value)) = carried else { return };
    let (Some(algorithm), Ok(value)) = (named(name), HeaderValue::from_str(value)) else {
        return;
    };
    headers.remove(BORROWED.header());
    headers.insert(HeaderName::from_static(algorithm.header()), value);
}

/// Gives a document of a request to the wire layer.
pub fn document_in(document: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&document) else {
        return document;
    };
    let mut text = Cow::Borrowed(text);
    for algorithm in UNKNOWN {
        let name = algorithm.name();
        let element = format!("<Checksum{name}>");
        if text.contains(&element) {
            let carried = text
                .replace(&element, &format!("{OPEN}{name}:"))
                .replace(&format!("</Checksum{name}>"), CLOSE);
            text = Cow::Owned(carried);
        }
    }
    match text {
        Cow::Borrowed(_) => document,
        Cow::Owned(text) => text.into(),
    }
}

/// Takes a document of an answer from the wire layer.
pub fn document_out(document: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&document) else {
        return document;
    };
    if !text.contains(OPEN) {
        return document;
    }
    let mut parts = text.split(OPEN);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let carried = part.split_once(CLOSE).and_then(|(value, rest)| {
            let (name, value) = value.split_once(':')?;
            Some((named(name)?.name(), value, rest))
        });
        if let Some((name, value, rest)) = carried {
            let pieces = ["<Checksum", name, ">", value, "</Checksum", name, ">", rest];
            written.extend(pieces);
        } else {
            written.extend([OPEN, part]);
        }
    }
    written.into()
}

/// S3 takes one checksum with a request.
pub fn several() -> Error {
    Error::invalid_request(
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back_as_they_went() {
        let document = "<a><ChecksumSHA512>x==-2</ChecksumSHA512><b/><ChecksumSHA256>y</ChecksumSHA256>\
                        <ChecksumXXHASH3>z</ChecksumXXHASH3></a>";
        let carried = document_in(document.into());
        assert_eq!(
            carried,
            "<a><ChecksumSHA256>SHA512:x==-2</ChecksumSHA256><b/><ChecksumSHA256>y</ChecksumSHA256>\
             <ChecksumSHA256>XXHASH3:z</ChecksumSHA256></a>"
        );
        assert_eq!(document_out(carried), document);
    }
}
