//! `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>

use base::Timestamp;
use http::HeaderName;
use http::header::DATE;
use http::request::Parts;

use super::scope::parse_credential;
use super::{Form, PayloadHash, SignedRequest, amz_date, header_text};
use crate::{AuthError, Mechanism};

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Reads the part after the algorithm; `whole` is the header's value, for messages.
pub(super) fn parse(parts: &Parts, whole: &str, rest: &str) -> Result<SignedRequest, AuthError> {
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (name, value) = part.split_once('=').ok_or_else(|| AuthError::NotKeyValue {
            part: part.to_owned(),
            header: whole.to_owned(),
        })?;
        match name {
            "Credential" => credential = Some(value),
            "SignedHeaders" => signed_headers = Some(value),
            "Signature" => signature = Some(value),
            _ => {}
        }
    }
    let (Some(credential), Some(signed_headers), Some(signature)) =
        (credential, signed_headers, signature)
    else {
        let missing = [
            ("Credential", credential),
            ("Signature", signature),
            ("SignedHeaders", signed_headers),
        ];
        return Err(AuthError::Incomplete {
            mechanism: Mechanism::Header,
            missing: missing
                .into_iter()
                .filter(|(_, v)| v.is_none())
                .map(|(n, _)| n)
                .collect(),
            header: whole.to_owned(),
        });
    };
    let (access_key_id, scope) = parse_credential(credential, Mechanism::Header)?;
    Ok(SignedRequest {
        payload: payload(parts, scope.service == "s3"),
        access_key_id,
        scope,
        session_token: header_text(parts, SECURITY_TOKEN).map(str::to_owned),
        signature: signature.to_owned(),
        form: Form::Header {
            signed_at: date(parts, whole),
            signed_headers: signed_headers
                .split(';')
                .map(str::to_ascii_lowercase)
                .collect(),
        },
    })
}

fn payload(parts: &Parts, is_s3: bool) -> Result<PayloadHash, AuthError> {
    match header_text(parts, CONTENT_SHA256) {
        Some(value) => PayloadHash::parse(value),
        None if is_s3 => Err(AuthError::MissingPayloadHash),
        None => Ok(PayloadHash::OfBody),
    }
}

/// `X-Amz-Date`, or else `Date` in either format.
fn date(parts: &Parts, whole: &str) -> Result<Timestamp, AuthError> {
    let text = header_text(parts, AMZ_DATE)
        .or_else(|| header_text(parts, DATE))
        .ok_or_else(|| AuthError::MissingDate {
            header: whole.to_owned(),
        })?;
    amz_date::parse(text)
        .or_else(|| Timestamp::parse_http_date(text))
        .ok_or_else(|| AuthError::MalformedDate(text.to_owned()))
}
