//! Why a caller is not let in, and how each kind of service words it.
//!
//! S3's texts: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>; the others':
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>.

mod words;

use base::Timestamp;
use http::StatusCode;

/// Where a signature came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The `Authorization` header.
    Header,
    /// `X-Amz-*` query parameters: a presigned URL.
    Query,
}

/// How a service's protocol words errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceStyle {
    S3,
    /// IAM, STS, SQS's old protocol.
    Query,
    /// DynamoDB, Logs, SQS's new protocol: every client error is a 400.
    AwsJson,
    /// Lambda, API Gateway.
    RestJson,
}

/// An error as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorParts {
    pub code: &'static str,
    pub message: String,
    pub status: StatusCode,
}

/// What we computed where a signature did not match; nothing in it is secret to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mismatch {
    pub access_key_id: String,
    pub canonical_request: String,
    pub string_to_sign: String,
    pub signature_provided: String,
}

/// Why a request is not who it says it is, or its body is not what was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    #[error("request carries no signature")]
    MissingToken,
    #[error("request carries a signature both in a header and in the query")]
    TwoMechanisms,
    /// SigV2 outside S3, or SigV4A.
    #[error("signature algorithm {0:?} is not supported")]
    UnsupportedAlgorithm(String),
    /// `Basic`, `Bearer` and the like.
    #[error("authorization scheme is not AWS's")]
    UnknownScheme { header: String },
    /// Components of the header (or query parameters) that are not there.
    #[error("signature lacks {}", missing.join(", "))]
    Incomplete {
        mechanism: Mechanism,
        missing: Vec<&'static str>,
        /// The `Authorization` header.
        header: String,
    },
    #[error("authorization part {part:?} is not key=value")]
    NotKeyValue { part: String, header: String },
    #[error("credential {credential:?} is not key/date/region/service/aws4_request")]
    MalformedCredential {
        mechanism: Mechanism,
        credential: String,
    },
    #[error("credential scope ends in {terminator:?}")]
    WrongTerminator {
        mechanism: Mechanism,
        terminator: String,
    },
    /// The scope names another service than the one that is called.
    #[error("credential scope is for {given}, not {expected}")]
    WrongService {
        mechanism: Mechanism,
        given: String,
        expected: &'static str,
    },
    #[error("scope date {scope} is not that of {signed_at}")]
    ScopeDateMismatch {
        mechanism: Mechanism,
        scope: String,
        signed_at: String,
    },
    #[error("request carries no date")]
    MissingDate { header: String },
    #[error("date {0:?} is not ISO 8601 basic format")]
    MalformedDate(String),
    #[error("X-Amz-Expires {0:?} is not 1 to 604800")]
    InvalidExpires(String),
    #[error("host is not a signed header")]
    HostNotSigned,
    #[error("headers {} are not signed", .0.join(", "))]
    HeadersNotSigned(Vec<String>),
    #[error("x-amz-content-sha256 is missing")]
    MissingPayloadHash,
    #[error("x-amz-content-sha256 is neither a hash nor a known constant")]
    InvalidPayloadHash,
    #[error("body does not have the signed hash")]
    PayloadHashMismatch,
    #[error("signature does not match")]
    SignatureMismatch(Box<Mismatch>),
    #[error("request was signed more than 15 minutes ago")]
    SignatureExpired {
        signed_at: Timestamp,
        now: Timestamp,
    },
    #[error("request was signed for a later time")]
    SignatureNotYetCurrent {
        signed_at: Timestamp,
        now: Timestamp,
    },
    #[error("presigned request has expired")]
    PresignedExpired,
    /// Nobody issued this access key, or it is inactive.
    #[error("access key is unknown")]
    UnknownAccessKey,
    /// A session token that is missing, forged or another key's.
    #[error("session token is not valid")]
    InvalidToken,
    #[error("session token has expired")]
    ExpiredToken,
    #[error("chunk does not follow the aws-chunked format: {0}")]
    MalformedChunk(&'static str),
    #[error("trailer is not well-formed: {0}")]
    MalformedTrailer(&'static str),
    #[error("body ends before its announced length")]
    IncompleteBody,
    /// The policies do not let the principal do this.
    #[error("{principal} may not {action}")]
    AccessDenied {
        /// The caller's ARN.
        principal: String,
        action: String,
        resource: String,
        /// A policy forbids it, rather than none allowing it.
        explicit: bool,
    },
}

impl AuthError {
    /// The error in the words of a service of this style.
    pub fn to_parts(&self, style: ServiceStyle) -> ErrorParts {
        match style {
            ServiceStyle::S3 => words::s3(self),
            ServiceStyle::Query => words::query(self),
            ServiceStyle::AwsJson => words::json(self, StatusCode::BAD_REQUEST),
            ServiceStyle::RestJson => words::json(self, StatusCode::FORBIDDEN),
        }
    }
}
