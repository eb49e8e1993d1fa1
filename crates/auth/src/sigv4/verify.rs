//! Judging a signature: time, signed headers, then the signature itself.

use base::Timestamp;
use http::request::Parts;

use super::canonical::{self, PathRule};
use super::key::{SigningKey, empty_sha256, sha256};
use super::{ALGORITHM, Form, MAX_SKEW, PayloadHash, SignedRequest, amz_date};
use crate::{AuthError, Mechanism, Mismatch, constant_time_eq, sigv2};

/// A verified signature, and what the body still has to prove.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedSeed {
    /// The body must have this SHA-256, where [`SignedRequest::verify`] was not given the body's.
    /// The caller compares once it has read the body, and fails with
    /// [`AuthError::PayloadHashMismatch`].
    pub expected_sha256: Option<[u8; 32]>,
    pub(crate) chain: Option<ChunkChain>,
}

/// What the signatures of `aws-chunked` chunks are made with, each from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkChain {
    pub(crate) key: SigningKey,
    /// `X-Amz-Date`.
    pub(crate) date: String,
    pub(crate) scope: String,
    /// The signature of the request head, in hexadecimal.
    pub(crate) seed: String,
}

impl std::fmt::Debug for VerifiedSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedSeed").finish_non_exhaustive()
    }
}

impl SignedRequest {
    /// Checks the signature with the key's secret. `parts` is the request as it came in, before
    /// any rewriting. `body_sha256` is the body's hash, or `None` while the body still streams:
    /// then [`VerifiedSeed::expected_sha256`] says what it must turn out to be. For
    /// [`PayloadHash::OfBody`], `None` means an empty body.
    ///
    /// Whether the key is active and the session token its own is the caller's to check.
    pub fn verify(
        &self,
        parts: &Parts,
        secret: &str,
        now: Timestamp,
        body_sha256: Option<[u8; 32]>,
    ) -> Result<VerifiedSeed, AuthError> {
        let (signed_at, signed_headers, without) = match &self.form {
            Form::V2Header | Form::V2Presigned { .. } => {
                sigv2::verify(self, parts, secret, now)?;
                return Ok(VerifiedSeed {
                    expected_sha256: None,
                    chain: None,
                });
            }
            Form::Header {
                signed_at,
                signed_headers,
            } => {
                let signed_at = signed_at.clone()?;
                check_skew(signed_at, now)?;
                (signed_at, signed_headers, None)
            }
            Form::Presigned {
                signed_at,
                signed_headers,
                expires,
            } => {
                let signed_at = signed_at.clone()?;
                match expires.clone()? {
                    Some(life) => {
                        check_not_early(signed_at, now)?;
                        if now > signed_at + life {
                            return Err(AuthError::PresignedExpired);
                        }
                    }
                    None => check_skew(signed_at, now)?,
                }
                (signed_at, signed_headers, Some("X-Amz-Signature"))
            }
        };
        let date = amz_date::format(signed_at);
        self.check_scope_date(&date)?;
        self.check_signed_headers(parts, signed_headers)?;
        let payload = self.payload()?;
        let payload_line = payload.canonical(body_sha256.unwrap_or_else(empty_sha256));
        let key = SigningKey::derive(secret, &self.scope);
        let mut computed = Vec::new();
        for rule in PathRule::of_service(&self.scope.service) {
            let request = canonical::request(parts, *rule, without, signed_headers, &payload_line);
            let text = string_to_sign(&date, &self.scope.to_text(), &request);
            let signature = hex::encode(key.sign(&text));
            if constant_time_eq(signature.as_bytes(), self.signature.as_bytes()) {
                let chain = ChunkChain {
                    key,
                    date,
                    scope: self.scope.to_text(),
                    seed: signature,
                };
                return seed(payload, body_sha256, chain);
            }
            computed.push((request, text));
        }
        let (request, text) = computed.into_iter().next().unwrap_or_default();
        Err(AuthError::SignatureMismatch(Box::new(Mismatch {
            access_key_id: self.access_key_id.clone(),
            canonical_request: String::from_utf8_lossy(&request).into_owned(),
            string_to_sign: text,
            signature_provided: self.signature.clone(),
        })))
    }

    fn check_scope_date(&self, signed_at: &str) -> Result<(), AuthError> {
        if signed_at.starts_with(&self.scope.date) && self.scope.date.len() == 8 {
            return Ok(());
        }
        let mechanism = if self.is_presigned() {
            Mechanism::Query
        } else {
            Mechanism::Header
        };
        Err(AuthError::ScopeDateMismatch {
            mechanism,
            scope: self.scope.date.clone(),
            signed_at: signed_at.to_owned(),
        })
    }

    /// `host` must be signed; for S3 so must every `x-amz-*` header there is.
    fn check_signed_headers(&self, parts: &Parts, signed: &[String]) -> Result<(), AuthError> {
        let is_signed = |name: &str| signed.iter().any(|s| s == name);
        if !is_signed("host") && !is_signed(":authority") {
            return Err(AuthError::HostNotSigned);
        }
        if self.scope.service != "s3" {
            return Ok(());
        }
        let unsigned: Vec<String> = parts
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| name.starts_with("x-amz-") && !is_signed(name))
            // An upload to a presigned URL may name the constant its signature implies.
            .filter(|name| !(self.is_presigned() && *name == "x-amz-content-sha256"))
            .map(str::to_owned)
            .collect();
        if unsigned.is_empty() {
            Ok(())
        } else {
            Err(AuthError::HeadersNotSigned(unsigned))
        }
    }
}

fn seed(
    payload: PayloadHash,
    body: Option<[u8; 32]>,
    chain: ChunkChain,
) -> Result<VerifiedSeed, AuthError> {
    let expected_sha256 = match (payload, body) {
        (PayloadHash::Sha256(signed), Some(body)) if signed != body => {
            return Err(AuthError::PayloadHashMismatch);
        }
        (PayloadHash::Sha256(signed), None) => Some(signed),
        (PayloadHash::OfBody, None) => Some(empty_sha256()),
        _ => None,
    };
    Ok(VerifiedSeed {
        expected_sha256,
        chain: Some(chain),
    })
}

pub(super) fn string_to_sign(date: &str, scope: &str, canonical_request: &[u8]) -> String {
    format!(
        "{ALGORITHM}\n{date}\n{scope}\n{}",
        hex::encode(sha256(canonical_request))
    )
}

fn check_skew(signed_at: Timestamp, now: Timestamp) -> Result<(), AuthError> {
    if signed_at + MAX_SKEW < now {
        return Err(AuthError::SignatureExpired { signed_at, now });
    }
    check_not_early(signed_at, now)
}

fn check_not_early(signed_at: Timestamp, now: Timestamp) -> Result<(), AuthError> {
    if signed_at > now + MAX_SKEW {
        return Err(AuthError::SignatureNotYetCurrent { signed_at, now });
    }
    Ok(())
}
