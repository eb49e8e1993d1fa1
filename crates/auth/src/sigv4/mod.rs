//! AWS Signature Version 4: finding a request's signature, verifying it, making one.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>. Parsing asks only for
//! what routing needs, so that permissive mode can serve signatures nobody could verify; dates,
//! hashes and headers are judged by [`SignedRequest::verify`].

pub mod amz_date;
mod canonical;
mod form;
mod header;
pub(crate) mod key;
mod payload;
mod presigned;
mod scope;
mod sign;
mod verify;

use std::borrow::Cow;
use std::time::Duration;

use base::Timestamp;
use http::header::{AUTHORIZATION, AsHeaderName};
use http::request::Parts;

pub use form::{SignedForm, sign_policy};
pub use payload::PayloadHash;
pub use scope::Scope;
pub use sign::{Signer, presign, sign};
pub use verify::VerifiedSeed;

pub(crate) use canonical::{decoded, push_values};
pub(crate) use verify::ChunkChain;

use crate::{AuthError, sigv2};

/// How far a request's date may lie from ours, either way.
pub const MAX_SKEW: Duration = Duration::from_mins(15);
/// The longest life of a presigned URL, in seconds.
pub const MAX_EXPIRES: u64 = 604_800;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request's signature, not yet verified.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    pub(crate) access_key_id: String,
    pub(crate) scope: Scope,
    pub(crate) session_token: Option<String>,
    pub(crate) signature: String,
    pub(crate) payload: Result<PayloadHash, AuthError>,
    pub(crate) form: Form,
}

/// Where the signature stands, and what only that form has.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Form {
    Header {
        signed_at: Result<Timestamp, AuthError>,
        signed_headers: Vec<String>,
    },
    Presigned {
        signed_at: Result<Timestamp, AuthError>,
        signed_headers: Vec<String>,
        /// `None` where a service other than S3 was given none.
        expires: Result<Option<Duration>, AuthError>,
    },
    /// S3's Signature Version 2, which boto3 still uses by default for presigned URLs of the older
    /// regions.
    V2Header,
    V2Presigned {
        expires: String,
    },
}

/// Finds the signature of a request; `None` if it carries none.
///
/// # Errors
/// What is there but cannot be read: missing components, a malformed credential, an algorithm or
/// scheme that is not supported, or two signatures at once.
pub fn parse(parts: &Parts) -> Result<Option<SignedRequest>, AuthError> {
    let query = Parameters::of(parts);
    let in_query = query.get("X-Amz-Algorithm").is_some()
        || query.get("X-Amz-Signature").is_some()
        || query.get("X-Amz-Credential").is_some();
    let v2_in_query = query.get("AWSAccessKeyId").is_some() && query.get("Signature").is_some();
    let Some(value) = parts.headers.get(AUTHORIZATION) else {
        return if in_query {
            presigned::parse(parts, &query).map(Some)
        } else if v2_in_query {
            sigv2::parse_presigned(&query).map(Some)
        } else {
            Ok(None)
        };
    };
    if in_query || v2_in_query {
        return Err(AuthError::TwoMechanisms);
    }
    // What is UTF-8, as nearly all is, is told faster than what is not is replaced.
    let text = match str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(value.as_bytes()),
    };
    let text = text.trim();
    match text
        .split_once(' ')
        .map_or((text, ""), |(scheme, rest)| (scheme, rest))
    {
        (ALGORITHM, rest) => header::parse(parts, text, rest).map(Some),
        ("AWS", rest) => sigv2::parse_header(parts, text, rest).map(Some),
        (other, _) if other.starts_with("AWS4-") || other.starts_with("AWS3") => {
            Err(AuthError::UnsupportedAlgorithm(other.to_owned()))
        }
        _ => Err(AuthError::UnknownScheme {
            header: text.to_owned(),
        }),
    }
}

impl SignedRequest {
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The region of the credential scope, if the form of the signature has one.
    pub fn region(&self) -> Option<&str> {
        Some(self.scope.region.as_str()).filter(|region| !region.is_empty())
    }

    /// The service of the credential scope, such as `s3` or `lambda`.
    pub fn service(&self) -> &str {
        &self.scope.service
    }

    /// `YYYYMMDD` of the credential scope; empty for Signature Version 2.
    pub fn scope_date(&self) -> &str {
        &self.scope.date
    }

    /// The token that came with a session's key.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// When the client says it signed; `None` if it does not say, or not legibly.
    pub fn signed_at(&self) -> Option<Timestamp> {
        match &self.form {
            Form::Header { signed_at, .. } | Form::Presigned { signed_at, .. } => {
                signed_at.as_ref().ok().copied()
            }
            Form::V2Header | Form::V2Presigned { .. } => None,
        }
    }

    /// When a presigned URL runs out, of either version.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match &self.form {
            Form::V2Presigned { expires } => {
                let seconds: i64 = expires.parse().ok()?;
                Some(Timestamp::from_millis(seconds.checked_mul(1000)?))
            }
            _ => Some(self.signed_at()? + self.expires_after()?),
        }
    }

    /// How long a presigned URL lives from [`signed_at`](Self::signed_at).
    pub fn expires_after(&self) -> Option<Duration> {
        match &self.form {
            Form::Presigned {
                expires: Ok(expires),
                ..
            } => *expires,
            _ => None,
        }
    }

    /// Whether the signature stands in the URL.
    pub fn is_presigned(&self) -> bool {
        matches!(self.form, Form::Presigned { .. } | Form::V2Presigned { .. })
    }

    /// The headers the signature covers, in lowercase; none for Signature Version 2.
    pub fn signed_headers(&self) -> &[String] {
        match &self.form {
            Form::Header { signed_headers, .. } | Form::Presigned { signed_headers, .. } => {
                signed_headers
            }
            Form::V2Header | Form::V2Presigned { .. } => &[],
        }
    }

    /// What the signature says of the body.
    ///
    /// # Errors
    /// [`AuthError::MissingPayloadHash`] (S3 demands the header) or
    /// [`AuthError::InvalidPayloadHash`]; [`verify`](Self::verify) fails alike.
    pub fn payload(&self) -> Result<PayloadHash, AuthError> {
        self.payload.clone()
    }
}

/// Not derived: tokens and signatures open doors.
impl std::fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedRequest")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The query parameters that come before routing, decoded when asked for.
pub(crate) struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    pub(crate) fn of(parts: &'a Parts) -> Self {
        let query = parts.uri.query().unwrap_or("");
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decoded(value))
    }
}

/// A header's value as text; `None` if it is absent or not text.
pub(crate) fn header_text(parts: &Parts, name: impl AsHeaderName) -> Option<&str> {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
}
