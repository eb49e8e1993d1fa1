//! Bodies that are documents, such as the list of a DeleteObjects: whether they arrived as they
//! were sent. The content of objects is checked where it is written.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use bytes::Bytes;
use futures::stream;
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use md5::{Digest as _, Md5};
use service::{Body, BoxError};

use crate::content::Expected;
use crate::domain::checksum::{Algorithm, Hasher};
use crate::error::Error;

/// The sub-resources of an object that are put as documents.
const OBJECT_DOCUMENTS: [&str; 4] = ["acl", "legal-hold", "retention", "tagging"];

/// The body of a request, which breaks off at its end if it is a document and not what the
/// request's digests say.
///
/// # Errors
/// `InvalidDigest` or `InvalidRequest` for digests that cannot be.
pub fn guard(parts: &Parts, body: Body) -> Result<Body, Error> {
    if !is_document(parts) {
        return Ok(body);
    }
    let Some(intake) = Intake::of(&parts.headers)? else {
        return Ok(body);
    };
    let frames = stream::try_unfold((body, Some(intake)), |(mut body, intake)| async move {
        let Some(mut intake) = intake else {
            return Ok::<_, BoxError>(None);
        };
        let Some(frame) = body.frame().await else {
            intake.finish()?;
            return Ok(None);
        };
        let frame: Frame<Bytes> = frame?;
        if let Some(bytes) = frame.data_ref() {
            intake.take(bytes);
        }
        Ok(Some((frame, (body, Some(intake)))))
    });
    Ok(StreamBody::new(frames).boxed_unsync())
}

/// Not content, and not a CompleteMultipartUpload: its digests are those of the object.
fn is_document(parts: &Parts) -> bool {
    let has = |names: &[&str]| {
        let query = parts.uri.query().unwrap_or_default();
        query
            .split('&')
            .any(|pair| names.contains(&pair.split('=').next().unwrap_or(pair)))
    };
    let path = parts.uri.path().trim_start_matches('/');
    let names_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    match parts.method {
        Method::POST => !names_object && has(&["delete"]),
        Method::PUT => !names_object || has(&OBJECT_DOCUMENTS),
        _ => false,
    }
}

struct Intake {
    expected: Expected,
    size: u64,
    md5: Md5,
    hasher: Hasher,
}

impl Intake {
    /// `None` for headers without any digest.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let md5 = Expected::read_md5(text("content-md5"))?;
        let given = Algorithm::ALL
            .into_iter()
            .find_map(|algorithm| Some((algorithm, text(algorithm.header())?.to_owned())));
        if md5.is_none() && given.is_none() {
            return Ok(None);
        }
        let (algorithm, checksum) = given.unzip();
        let algorithm = algorithm.unwrap_or(Algorithm::DEFAULT);
        if let Some(value) = &checksum {
            algorithm.check_form(value)?;
        }
        let expected = Expected {
            md5,
            checksum,
            ..Expected::nothing(algorithm)
        };
        Ok(Some(Self {
            expected,
            size: 0,
            md5: Md5::new(),
            hasher: Hasher::new(algorithm),
        }))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.md5.update(bytes);
        self.hasher.update(bytes);
    }

    fn finish(self) -> Result<(), BoxError> {
        let md5 = self.md5.finalize().into();
        let checked = self.expected.check(self.size, md5, &self.hasher.finish());
        checked.map_err(|error| error.into_service_error().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_bodies_are_documents() {
        for (method, uri, expected) in [
            ("POST", "/b?delete", true),
            ("POST", "/b/?delete=", true),
            ("PUT", "/b", true),
            ("PUT", "/b/?tagging", true),
            ("PUT", "/b/k?x-id=PutObjectTagging&tagging", true),
            ("PUT", "/b/k", false),
            ("PUT", "/b/k/tagging", false),
            ("PUT", "/b/k?partNumber=1&uploadId=tagging", false),
            ("POST", "/b/k?uploadId=1", false),
            ("GET", "/b?tagging", false),
        ] {
            let request = http::Request::builder().method(method).uri(uri);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(is_document(&parts), expected, "{method} {uri}");
        }
    }
}
