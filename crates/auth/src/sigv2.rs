//! S3's Signature Version 2, which boto3 still makes for presigned URLs of the older regions
//! (us-east-1, ap-northeast-1 and others) unless told otherwise.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use sha1::Sha1;

use crate::sigv4::{
    Form, MAX_SKEW, Parameters, PayloadHash, Scope, SignedRequest, amz_date, decoded, header_text,
    push_values,
};
use crate::{AuthError, Mechanism, Mismatch, constant_time_eq};

/// The parameters that select what a request is about, and are therefore signed.
const SUBRESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Reads `Authorization: AWS key:signature`.
pub(crate) fn parse_header(
    parts: &Parts,
    whole: &str,
    rest: &str,
) -> Result<SignedRequest, AuthError> {
    let (key, signature) = rest
        .trim()
        .rsplit_once(':')
        .ok_or_else(|| AuthError::Incomplete {
            mechanism: Mechanism::Header,
            missing: vec!["Credential", "Signature", "SignedHeaders"],
            header: whole.to_owned(),
        })?;
    let token = header_text(parts, "x-amz-security-token").map(str::to_owned);
    Ok(signed(
        key.to_owned(),
        signature.to_owned(),
        token,
        Form::V2Header,
    ))
}

/// Reads `?AWSAccessKeyId=…&Signature=…&Expires=…`.
pub(crate) fn parse_presigned(query: &Parameters<'_>) -> Result<SignedRequest, AuthError> {
    if query.get("SignatureVersion").is_some() {
        return Err(AuthError::UnsupportedAlgorithm(
            "Signature Version 2".to_owned(),
        ));
    }
    let (Some(key), Some(signature), Some(expires)) = (
        query.get("AWSAccessKeyId"),
        query.get("Signature"),
        query.get("Expires"),
    ) else {
        return Err(AuthError::Incomplete {
            mechanism: Mechanism::Query,
            missing: vec!["Expires"],
            header: String::new(),
        });
    };
    let token = query.get("x-amz-security-token");
    Ok(signed(key, signature, token, Form::V2Presigned { expires }))
}

fn signed(key: String, signature: String, token: Option<String>, form: Form) -> SignedRequest {
    SignedRequest {
        access_key_id: key,
        scope: Scope {
            date: String::new(),
            region: String::new(),
            service: "s3".to_owned(),
        },
        session_token: token,
        signature,
        payload: Ok(PayloadHash::Unsigned),
        form,
    }
}

pub(crate) fn verify(
    request: &SignedRequest,
    parts: &Parts,
    secret: &str,
    now: Timestamp,
) -> Result<(), AuthError> {
    let date = match &request.form {
        Form::V2Presigned { expires } => {
            let at: i64 = expires
                .parse()
                .map_err(|_| AuthError::InvalidExpires(expires.clone()))?;
            if now.seconds() > at {
                return Err(AuthError::PresignedExpired);
            }
            expires.clone()
        }
        _ => header_date(parts, now)?,
    };
    let mut first = None;
    for resource in resources(parts) {
        let text = string_to_sign(parts, &date, &resource);
        let signature = STANDARD.encode(hmac_sha1(secret.as_bytes(), text.as_bytes()));
        // Some clients send '+' unescaped in the query, which decodes to a space.
        let given = request.signature.replace(' ', "+");
        if constant_time_eq(signature.as_bytes(), given.as_bytes()) {
            return Ok(());
        }
        first.get_or_insert(text);
    }
    Err(AuthError::SignatureMismatch(Box::new(Mismatch {
        access_key_id: request.access_key_id.clone(),
        canonical_request: String::new(),
        string_to_sign: first.unwrap_or_default(),
        signature_provided: request.signature.clone(),
    })))
}

/// The signature of a form's policy, in base64 as the policy is.
pub(crate) fn sign_policy(policy: &str, secret: &str) -> String {
    STANDARD.encode(hmac_sha1(secret.as_bytes(), policy.as_bytes()))
}

/// The date line of a header signature, empty where `x-amz-date` stands in for it.
fn header_date(parts: &Parts, now: Timestamp) -> Result<String, AuthError> {
    let amz = header_text(parts, "x-amz-date");
    let text =
        amz.or_else(|| header_text(parts, "date"))
            .ok_or_else(|| AuthError::MissingDate {
                header: String::new(),
            })?;
    let signed_at = Timestamp::parse_http_date(text)
        .or_else(|| amz_date::parse(text))
        .ok_or_else(|| AuthError::MalformedDate(text.to_owned()))?;
    if signed_at + MAX_SKEW < now {
        return Err(AuthError::SignatureExpired { signed_at, now });
    }
    if signed_at > now + MAX_SKEW {
        return Err(AuthError::SignatureNotYetCurrent { signed_at, now });
    }
    Ok(if amz.is_some() {
        String::new()
    } else {
        text.to_owned()
    })
}

fn string_to_sign(parts: &Parts, date: &str, resource: &str) -> String {
    let query = Parameters::of(parts);
    // A presigned URL carries in its query the headers that were signed.
    let header = |name: &str| {
        let text = header_text(parts, name).map(str::to_owned);
        text.or_else(|| query.get(name)).unwrap_or_default()
    };
    let mut out = format!(
        "{}\n{}\n{}\n{date}\n",
        parts.method,
        header("content-md5"),
        header("content-type"),
    );
    for (name, value) in amz_headers(parts) {
        for part in [&name, ":", &value, "\n"] {
            out.push_str(part);
        }
    }
    out + resource
}

/// The `x-amz-*` headers, and those a presigned URL carries as parameters, sorted.
fn amz_headers(parts: &Parts) -> std::collections::BTreeMap<String, String> {
    let mut found = std::collections::BTreeMap::new();
    for pair in parts.uri.query().unwrap_or("").split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        if name.starts_with("x-amz-") {
            found.insert(name, decoded(value));
        }
    }
    for name in parts
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-amz-"))
    {
        let mut value = Vec::new();
        push_values(&mut value, &parts.headers, name.as_str());
        found.insert(
            name.to_string(),
            String::from_utf8_lossy(&value).into_owned(),
        );
    }
    found
}

/// What the signature may call the resource: the path as sent, and with the bucket of a
/// virtual-host request put back in front.
fn resources(parts: &Parts) -> Vec<String> {
    let mut chosen: Vec<(&str, Option<String>)> = parts
        .uri
        .query()
        .unwrap_or("")
        .split('&')
        .map(|pair| {
            pair.split_once('=')
                .map_or((pair, None), |(k, v)| (k, Some(decoded(v))))
        })
        .filter(|(name, _)| SUBRESOURCES.contains(name))
        .collect();
    chosen.sort_unstable();
    let query: Vec<String> = chosen
        .into_iter()
        .map(|(name, value)| value.map_or(name.to_owned(), |value| format!("{name}={value}")))
        .collect();
    let path = parts.uri.path();
    let suffix = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let mut out = vec![format!("{path}{suffix}")];
    let host = header_text(parts, "host")
        .or_else(|| parts.uri.host())
        .unwrap_or("");
    if let Some((bucket, _)) = host.split_once(".s3.").or_else(|| host.split_once(".s3-")) {
        out.push(format!("/{bucket}{path}{suffix}"));
    }
    out
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}
