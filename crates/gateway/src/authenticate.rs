//! Who is calling: from the signature, or from the socket, or in permissive mode from nothing.

use auth::sigv4::{SignedRequest, VerifiedSeed};
use auth::{AuthError, Mechanism, constant_time_eq};
use base::{AccountId, Region, Timestamp};
use http::request::Parts;
use service::Principal;
use service::ports::IssuedCredential;

use crate::host::HostHint;
use crate::listen::Connection;
use crate::registry::Registry;
use crate::{AuthMode, Gateway};

/// An authenticated caller.
pub struct Caller {
    pub principal: Principal,
    pub account: AccountId,
    pub region: Region,
    /// What we issued to them, with the policies that bind them.
    pub credential: Option<IssuedCredential>,
    /// What the body still has to prove, where signatures are verified.
    pub seed: Option<VerifiedSeed>,
}

impl Gateway {
    /// Finds the signature. In permissive mode an `Authorization` header of another scheme is none
    /// of our business.
    pub(crate) fn parse_signature(
        &self,
        parts: &Parts,
    ) -> Result<Option<SignedRequest>, AuthError> {
        match auth::sigv4::parse(parts) {
            Err(AuthError::UnknownScheme { .. }) if self.config.auth == AuthMode::Permissive => {
                Ok(None)
            }
            parsed => parsed,
        }
    }

    /// Makes a caller of a signature, or of its absence. `service` is the signing name of the
    /// service that is called; `body_sha256` is `None` while the body streams.
    #[expect(
        clippy::too_many_arguments,
        reason = "all that tells who sent one request"
    )]
    pub(crate) async fn identify(
        &self,
        registry: &Registry,
        service: &'static str,
        parts: &Parts,
        signed: Option<&SignedRequest>,
        host: &HostHint,
        connection: &Connection,
        body_sha256: Option<[u8; 32]>,
    ) -> Result<Caller, AuthError> {
        let now = self.clock.now();
        let region = self.region(signed, host, connection);
        let credential = match signed {
            Some(signed) => {
                let token = signed.session_token();
                registry
                    .credentials
                    .find(signed.access_key_id(), token)
                    .await
            }
            None => None,
        };
        let mut seed = None;
        if self.config.auth == AuthMode::Enforce {
            seed = verify(parts, signed, credential.as_ref(), now, body_sha256)?;
            signed.map_or(Ok(()), |signed| check_scope(signed, service))?;
        } else if let Some(signed) = signed {
            refuse_expired_url(signed, now)?;
        }
        let (principal, account) = match (&credential, &connection.identity) {
            (Some(credential), _) => (credential.principal.clone(), credential.account),
            (None, Some(identity)) => (identity.clone(), account_of(identity)),
            (None, None) => {
                let account = signed
                    .and_then(|signed| signed.access_key_id().parse().ok())
                    .unwrap_or(AccountId::DEFAULT);
                (Principal::Root { account }, account)
            }
        };
        Ok(Caller {
            principal,
            account,
            region,
            credential,
            seed,
        })
    }

    fn region(
        &self,
        signed: Option<&SignedRequest>,
        host: &HostHint,
        connection: &Connection,
    ) -> Region {
        let parsed = |text: &str| text.parse::<Region>().ok();
        signed
            .and_then(SignedRequest::region)
            .and_then(parsed)
            .or_else(|| host.region.as_deref().and_then(parsed))
            .or_else(|| connection.region.clone())
            .unwrap_or_else(|| self.config.default_region.clone())
    }
}

/// Checks everything a caller can prove.
fn verify(
    parts: &Parts,
    signed: Option<&SignedRequest>,
    credential: Option<&IssuedCredential>,
    now: Timestamp,
    body_sha256: Option<[u8; 32]>,
) -> Result<Option<VerifiedSeed>, AuthError> {
    let Some(signed) = signed else {
        return Err(AuthError::MissingToken);
    };
    let Some(credential) = credential else {
        return Err(AuthError::UnknownAccessKey);
    };
    let token_matches = match (&credential.session_token, signed.session_token()) {
        (Some(issued), Some(given)) => constant_time_eq(issued.as_bytes(), given.as_bytes()),
        (None, None) => true,
        _ => false,
    };
    if !token_matches {
        return Err(AuthError::InvalidToken);
    }
    if credential.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(AuthError::ExpiredToken);
    }
    signed
        .verify(parts, &credential.secret, now, body_sha256)
        .map(Some)
}

/// A key derived for one service signs for no other, whatever `X-Amz-Target` says.
fn check_scope(signed: &SignedRequest, service: &'static str) -> Result<(), AuthError> {
    if signed.service() == service {
        return Ok(());
    }
    Err(AuthError::WrongService {
        mechanism: if signed.is_presigned() {
            Mechanism::Query
        } else {
            Mechanism::Header
        },
        given: signed.service().to_owned(),
        expected: service,
    })
}

/// A presigned URL runs out even where nobody checks its signature.
fn refuse_expired_url(signed: &SignedRequest, now: Timestamp) -> Result<(), AuthError> {
    let expiry = signed.expires_at();
    if signed.is_presigned() && expiry.is_some_and(|at| now > at) {
        return Err(AuthError::PresignedExpired);
    }
    Ok(())
}

fn account_of(principal: &Principal) -> AccountId {
    match principal {
        Principal::Root { account } => *account,
        Principal::User { arn, .. } | Principal::Session { arn, .. } => {
            arn.account_id().unwrap_or(AccountId::DEFAULT)
        }
        Principal::Service { source_account, .. } => source_account.unwrap_or(AccountId::DEFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_for(service: &str) -> SignedRequest {
        let scope = format!("AKID/20260101/us-east-1/{service}/aws4_request");
        let (parts, ()) = http::Request::builder()
            .uri("/")
            .header("host", "localhost")
            .header("x-amz-date", "20260101T000000Z")
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, \
                     Signature={}",
                    "0".repeat(64)
                ),
            )
            .body(())
            .unwrap()
            .into_parts();
        auth::sigv4::parse(&parts).unwrap().unwrap()
    }

    #[test]
    fn a_signature_for_one_service_is_none_for_another() {
        assert_eq!(check_scope(&signed_for("sqs"), "sqs"), Ok(()));
        let error = check_scope(&signed_for("iam"), "sqs").unwrap_err();
        let words = error.to_parts(auth::ServiceStyle::AwsJson);
        assert_eq!(words.code, "InvalidSignatureException");
        assert!(
            words.message.contains("correct service: 'sqs'"),
            "{}",
            words.message
        );
        let words = error.to_parts(auth::ServiceStyle::S3);
        assert_eq!(words.code, "AuthorizationHeaderMalformed");
    }
}
