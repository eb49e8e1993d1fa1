//! Presigned URLs: the signature in `X-Amz-*` query parameters.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

use std::time::Duration;

use http::request::Parts;

use super::scope::parse_credential;
use super::{
    ALGORITHM, Form, MAX_EXPIRES, Parameters, PayloadHash, SignedRequest, amz_date, header_text,
};
use crate::{AuthError, Mechanism};

pub(super) fn parse(parts: &Parts, query: &Parameters<'_>) -> Result<SignedRequest, AuthError> {
    const NAMES: [&str; 5] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "X-Amz-Date",
    ];
    let values = NAMES.map(|name| query.get(name).filter(|value| !value.is_empty()));
    let [
        Some(algorithm),
        Some(credential),
        Some(signature),
        Some(signed_headers),
        Some(date),
    ] = values.clone()
    else {
        let missing = NAMES
            .into_iter()
            .zip(values)
            .filter(|(_, value)| value.is_none());
        return Err(AuthError::Incomplete {
            mechanism: Mechanism::Query,
            missing: missing.map(|(name, _)| name).collect(),
            header: String::new(),
        });
    };
    if algorithm != ALGORITHM {
        return Err(AuthError::UnsupportedAlgorithm(algorithm));
    }
    let (access_key_id, scope) = parse_credential(&credential, Mechanism::Query)?;
    let is_s3 = scope.service == "s3";
    let signed_headers: Vec<String> = signed_headers
        .split(';')
        .map(str::to_ascii_lowercase)
        .collect();
    Ok(SignedRequest {
        payload: payload(parts, query, is_s3, &signed_headers),
        access_key_id,
        scope,
        session_token: query.get("X-Amz-Security-Token"),
        signature,
        form: Form::Presigned {
            signed_at: amz_date::parse(&date).ok_or(AuthError::MalformedDate(date)),
            signed_headers,
            expires: expires(query.get("X-Amz-Expires"), is_s3),
        },
    })
}

fn payload(
    parts: &Parts,
    query: &Parameters<'_>,
    is_s3: bool,
    signed_headers: &[String],
) -> Result<PayloadHash, AuthError> {
    if let Some(value) = query.get("X-Amz-Content-Sha256") {
        return PayloadHash::parse(&value);
    }
    // The header counts only where the signature covers it: anyone may add one to a shared URL.
    let is_signed = signed_headers
        .iter()
        .any(|name| name == "x-amz-content-sha256");
    match header_text(parts, "x-amz-content-sha256").filter(|_| is_signed) {
        Some(value) => PayloadHash::parse(value),
        None if is_s3 => Ok(PayloadHash::Unsigned),
        None => Ok(PayloadHash::OfBody),
    }
}

fn expires(text: Option<String>, is_s3: bool) -> Result<Option<Duration>, AuthError> {
    match text {
        Some(text) => match text.parse::<u64>() {
            Ok(seconds @ 0..=MAX_EXPIRES) => Ok(Some(Duration::from_secs(seconds))),
            _ => Err(AuthError::InvalidExpires(text)),
        },
        None if is_s3 => Err(AuthError::Incomplete {
            mechanism: Mechanism::Query,
            missing: vec!["X-Amz-Expires"],
            header: String::new(),
        }),
        None => Ok(None),
    }
}
