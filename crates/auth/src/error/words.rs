//! AWS's codes, messages and statuses for one [`AuthError`], by kind of service.

use std::fmt::Write as _;

use base::Timestamp;
use http::StatusCode;

use super::{AuthError, ErrorParts, Mechanism};
use crate::sigv4::{MAX_SKEW, amz_date};

const QUERY_PARAMETERS: &str = "Query-string authentication version 4 requires the \
    X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
    X-Amz-Expires parameters.";
const HEADER_COMPONENTS: &str = "The authorization header is malformed; the authorization header \
    requires three components: Credential, SignedHeaders, and Signature.";
const PAYLOAD_HASH_VALUES: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
    STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
    STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, \
    STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";
const TOKEN_INVALID: &str = "The security token included in the request is invalid.";
const TOKEN_EXPIRED: &str = "The security token included in the request is expired";

fn parts(code: &'static str, status: u16, message: impl Into<String>) -> ErrorParts {
    ErrorParts {
        code,
        message: message.into(),
        status: StatusCode::from_u16(status).expect("the statuses below are valid"),
    }
}

pub(super) fn s3(error: &AuthError) -> ErrorParts {
    use AuthError as E;
    match error {
        E::MissingToken => parts("AccessDenied", 403, "Access Denied"),
        E::TwoMechanisms => parts(
            "InvalidArgument",
            400,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature \
             query string parameter or the Authorization header should be specified",
        ),
        E::UnsupportedAlgorithm(_) => parts(
            "InvalidRequest",
            400,
            "The authorization mechanism you have provided is not supported. Please use \
             AWS4-HMAC-SHA256.",
        ),
        E::UnknownScheme { .. } => parts("InvalidArgument", 400, "Unsupported Authorization Type"),
        E::Incomplete {
            mechanism: Mechanism::Query,
            ..
        } => parts("AuthorizationQueryParametersError", 400, QUERY_PARAMETERS),
        E::Incomplete { .. } | E::NotKeyValue { .. } => {
            parts("AuthorizationHeaderMalformed", 400, HEADER_COMPONENTS)
        }
        E::MalformedCredential { mechanism, .. } => s3_credential(
            *mechanism,
            "the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        ),
        E::WrongTerminator {
            mechanism,
            terminator,
        } => s3_credential(
            *mechanism,
            &format!("incorrect terminator \"{terminator}\". This endpoint uses \"aws4_request\"."),
        ),
        E::WrongService {
            mechanism,
            given,
            expected,
        } => s3_credential(
            *mechanism,
            &format!("incorrect service \"{given}\". This endpoint belongs to \"{expected}\"."),
        ),
        E::ScopeDateMismatch {
            mechanism,
            scope,
            signed_at,
        } => s3_credential(
            *mechanism,
            &format!(
                "Invalid credential date \"{scope}\". This date is not the same as X-Amz-Date: \
                 \"{}\".",
                signed_at.get(..8).unwrap_or(signed_at)
            ),
        ),
        E::MissingDate { .. } | E::MalformedDate(_) => parts(
            "AccessDenied",
            403,
            "AWS authentication requires a valid Date or x-amz-date header",
        ),
        E::InvalidExpires(text) => {
            parts("AuthorizationQueryParametersError", 400, s3_expires(text))
        }
        E::HostNotSigned | E::HeadersNotSigned(_) => parts(
            "AccessDenied",
            403,
            "There were headers present in the request which were not signed",
        ),
        E::MissingPayloadHash => parts(
            "InvalidRequest",
            400,
            "Missing required header for this request: x-amz-content-sha256",
        ),
        E::InvalidPayloadHash => parts("InvalidArgument", 400, PAYLOAD_HASH_VALUES),
        E::PayloadHashMismatch => parts(
            "XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        E::SignatureMismatch(_) => parts(
            "SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided. Check \
             your key and signing method.",
        ),
        E::SignatureExpired { .. } | E::SignatureNotYetCurrent { .. } => parts(
            "RequestTimeTooSkewed",
            403,
            "The difference between the request time and the current time is too large.",
        ),
        E::PresignedExpired => parts("AccessDenied", 403, "Request has expired"),
        E::UnknownAccessKey => parts(
            "InvalidAccessKeyId",
            403,
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        E::InvalidToken => parts(
            "InvalidToken",
            400,
            "The provided token is malformed or otherwise invalid.",
        ),
        E::ExpiredToken => parts("ExpiredToken", 400, "The provided token has expired."),
        E::MalformedChunk(_) | E::MalformedTrailer(_) | E::IncompleteBody => body(error),
        E::AccessDenied { .. } => parts("AccessDenied", 403, denied(error)),
    }
}

fn s3_credential(mechanism: Mechanism, what: &str) -> ErrorParts {
    match mechanism {
        Mechanism::Header => parts(
            "AuthorizationHeaderMalformed",
            400,
            format!("The authorization header is malformed; {what}"),
        ),
        Mechanism::Query => parts(
            "AuthorizationQueryParametersError",
            400,
            format!("Error parsing the X-Amz-Credential parameter; {what}"),
        ),
    }
}

fn s3_expires(text: &str) -> &'static str {
    match text.parse::<i64>() {
        Err(_) => "X-Amz-Expires should be a number",
        Ok(..0) => "X-Amz-Expires must be non-negative",
        Ok(_) => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires \
             must be less than 604800 seconds"
        }
    }
}

pub(super) fn query(error: &AuthError) -> ErrorParts {
    use AuthError as E;
    match error {
        E::MissingToken => parts(
            "MissingAuthenticationToken",
            403,
            "Request is missing Authentication Token",
        ),
        E::UnknownAccessKey | E::InvalidToken => parts("InvalidClientTokenId", 403, TOKEN_INVALID),
        E::ExpiredToken => parts("ExpiredToken", 403, TOKEN_EXPIRED),
        E::AccessDenied { .. } => parts("AccessDenied", 403, denied(error)),
        E::MalformedChunk(_) | E::MalformedTrailer(_) | E::IncompleteBody => body(error),
        _ => match signature(error) {
            Fault::Incomplete(message) => parts("IncompleteSignature", 400, message),
            Fault::Mismatch(message) => parts("SignatureDoesNotMatch", 403, message),
        },
    }
}

pub(super) fn json(error: &AuthError, status: StatusCode) -> ErrorParts {
    use AuthError as E;
    let status = status.as_u16();
    match error {
        E::MissingToken => parts(
            "MissingAuthenticationTokenException",
            status,
            "Missing Authentication Token",
        ),
        E::UnknownAccessKey | E::InvalidToken => {
            parts("UnrecognizedClientException", status, TOKEN_INVALID)
        }
        E::ExpiredToken => parts("ExpiredTokenException", status, TOKEN_EXPIRED),
        E::AccessDenied { .. } => parts("AccessDeniedException", status, denied(error)),
        E::MalformedChunk(_) | E::MalformedTrailer(_) | E::IncompleteBody => body(error),
        _ => match signature(error) {
            Fault::Incomplete(message) => parts("IncompleteSignatureException", status, message),
            Fault::Mismatch(message) => parts("InvalidSignatureException", status, message),
        },
    }
}

/// The two codes every fault of a signature falls under, S3 apart.
enum Fault {
    Incomplete(String),
    Mismatch(String),
}

fn signature(error: &AuthError) -> Fault {
    use AuthError as E;
    match error {
        E::Incomplete {
            mechanism: Mechanism::Header,
            missing,
            header,
        } => {
            let mut message = String::new();
            for name in missing {
                let _ = write!(
                    message,
                    "Authorization header requires '{name}' parameter. "
                );
            }
            Fault::Incomplete(message + "Authorization=" + header)
        }
        E::Incomplete { missing, .. } => {
            let mut message = String::new();
            for name in missing {
                let _ = write!(
                    message,
                    "AWS query-string parameters must include '{name}'. "
                );
            }
            Fault::Incomplete(message + "Re-examine the query-string parameters.")
        }
        E::TwoMechanisms => Fault::Incomplete(
            "Only one of the Authorization header and the X-Amz-Algorithm query-string parameter \
             may be given."
                .to_owned(),
        ),
        E::UnsupportedAlgorithm(algorithm) => {
            Fault::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'."))
        }
        E::UnknownScheme { header } => Fault::Incomplete(format!(
            "Authorization header requires 'Credential' parameter. Authorization header requires \
             'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. \
             Authorization={header}"
        )),
        E::NotKeyValue { part, header } => Fault::Incomplete(format!(
            "'{part}' not a valid key=value pair (missing equal-sign) in Authorization header: \
             '{header}'."
        )),
        E::MalformedCredential { credential, .. } => Fault::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{credential}'"
        )),
        E::MissingDate { header } => Fault::Incomplete(format!(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. \
             Authorization={header}"
        )),
        E::MalformedDate(date) => Fault::Incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{date}'. See \
             http://en.wikipedia.org/wiki/ISO_8601"
        )),
        E::InvalidExpires(text) => Fault::Incomplete(s3_expires(text).to_owned()),
        E::MissingPayloadHash | E::InvalidPayloadHash => {
            Fault::Incomplete(PAYLOAD_HASH_VALUES.to_owned())
        }
        _ => Fault::Mismatch(mismatch(error)),
    }
}

fn mismatch(error: &AuthError) -> String {
    use AuthError as E;
    match error {
        E::WrongTerminator { terminator, .. } => format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not \
             '{terminator}'."
        ),
        E::WrongService { expected, .. } => {
            format!("Credential should be scoped to correct service: '{expected}'. ")
        }
        E::ScopeDateMismatch {
            scope, signed_at, ..
        } => format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{scope}' != '{}', from '{signed_at}'.",
            signed_at.get(..8).unwrap_or(signed_at)
        ),
        E::HostNotSigned => {
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned()
        }
        E::HeadersNotSigned(names) => format!(
            "'{}' must be a 'SignedHeader' in the AWS Authorization.",
            names.join("', '")
        ),
        E::SignatureExpired { signed_at, now } => {
            let earliest = *now - MAX_SKEW;
            format!(
                "Signature expired: {} is now earlier than {} ({} - 15 min.)",
                text(*signed_at),
                text(earliest),
                text(*now)
            )
        }
        E::SignatureNotYetCurrent { signed_at, now } => {
            let latest = *now + MAX_SKEW;
            format!(
                "Signature not yet current: {} is still later than {} ({} + 15 min.)",
                text(*signed_at),
                text(latest),
                text(*now)
            )
        }
        E::PresignedExpired => {
            "Signature expired: the request's X-Amz-Expires has passed".to_owned()
        }
        E::SignatureMismatch(computed) => format!(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details.\n\nThe Canonical String for this request should have been\n'{}'\n\nThe \
             String-to-Sign should have been\n'{}'\n",
            computed.canonical_request, computed.string_to_sign
        ),
        _ => "The request signature we calculated does not match the signature you provided. \
              Check your AWS Secret Access Key and signing method. Consult the service \
              documentation for details."
            .to_owned(),
    }
}

fn body(error: &AuthError) -> ErrorParts {
    match error {
        AuthError::IncompleteBody => parts(
            "IncompleteBody",
            400,
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ),
        AuthError::MalformedTrailer(_) => parts(
            "MalformedTrailerError",
            400,
            "The request contained trailing data that was not well-formed or did not conform to \
             our published schema.",
        ),
        _ => parts(
            "InvalidRequest",
            400,
            "The request's chunked encoding is not well-formed.",
        ),
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn denied(error: &AuthError) -> String {
    let AuthError::AccessDenied {
        principal,
        action,
        resource,
        explicit,
    } = error
    else {
        return "Access Denied".to_owned();
    };
    let target = if resource == "*" {
        String::new()
    } else {
        format!(" on resource: {resource}")
    };
    let because = if *explicit {
        "with an explicit deny in an identity-based policy".to_owned()
    } else {
        format!("because no identity-based policy allows the {action} action")
    };
    format!("User: {principal} is not authorized to perform: {action}{target} {because}")
}

fn text(at: Timestamp) -> String {
    amz_date::format(at)
}
