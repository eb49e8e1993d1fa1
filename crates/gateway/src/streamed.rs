//! Requests of services that read HTTP themselves (S3): authenticated, unwrapped, handed on.

use auth::chunked::{Decoder, Format};
use auth::sigv4::SignedRequest;
use auth::{AuthError, ServiceStyle};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use service::{Body, HttpService, RequestContext, TrailingHeaders};

use crate::answer::in_words;
use crate::authenticate::Caller;
use crate::chunked::{Dechunked, Hashed};
use crate::host::HostHint;
use crate::{AuthMode, Gateway};

const PAYLOAD_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");

/// Query parameters that carry a signature and are no business of the service.
const SIGNATURE_PARAMETERS: [&str; 11] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
    "AWSAccessKeyId",
    "Signature",
    "Expires",
];

impl Gateway {
    /// Hands a request on, whose caller is known, and answers in the service's own form if it may
    /// not or cannot.
    pub(crate) async fn stream(
        &self,
        service: &dyn HttpService,
        context: RequestContext,
        caller: &Caller,
        signed: Option<&SignedRequest>,
        host: &HostHint,
        (mut parts, body): (Parts, Body),
    ) -> Response<Body> {
        to_path_style(&mut parts, host);
        for mut demand in service.demands(&parts) {
            if self.config.auth == AuthMode::Enforce && demand.resource_policy.is_none() {
                demand.resource_policy = service
                    .resource_policy(&demand.access, caller.account)
                    .await;
            }
            if let Err(error) = self.authorize_demand(caller, &demand, &context) {
                let error = in_words(&error, ServiceStyle::S3);
                return service.error_response(&context, &error);
            }
        }
        match unwrap_body(&mut parts, body, signed, caller) {
            Ok(body) => {
                strip_signature(&mut parts);
                service
                    .handle(context, Request::from_parts(parts, body))
                    .await
            }
            Err(error) => service.error_response(&context, &in_words(&error, ServiceStyle::S3)),
        }
    }
}

/// Where a service finds a bucket's website.
const WEBSITE: &str = "/_aws/s3-website";

/// `/key` of `bucket.s3.localhost` becomes `/bucket/key`.
pub(crate) fn to_path_style(parts: &mut Parts, host: &HostHint) {
    let Some(bucket) = &host.bucket else { return };
    let path_and_query = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let before = if host.website { WEBSITE } else { "" };
    let rewritten = format!("{before}/{bucket}{path_and_query}");
    // A host label is made of characters that a path may have.
    if let Ok(uri) = rewritten.parse() {
        parts.uri = uri;
    }
}

/// Undoes `aws-chunked`, and arranges for signed hashes to be checked as the body passes.
fn unwrap_body(
    parts: &mut Parts,
    body: Body,
    signed: Option<&SignedRequest>,
    caller: &Caller,
) -> Result<Body, AuthError> {
    let expected = caller.seed.as_ref().and_then(|seed| seed.expected_sha256);
    let Some(format) = chunk_format(&parts.headers, signed)? else {
        return Ok(match expected {
            Some(expected) => Hashed::new(body, expected).boxed_unsync(),
            None => body,
        });
    };
    let length = decoded_length(&parts.headers)?;
    let trailers = TrailingHeaders::default();
    parts.extensions.insert(trailers.clone());
    parts.headers.remove(DECODED_LENGTH);
    remove_chunked_encoding(&mut parts.headers);
    match length {
        Some(length) => parts
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from(length)),
        None => parts.headers.remove(CONTENT_LENGTH),
    };
    let decoder = Decoder::new(format, caller.seed.clone(), length);
    Ok(Dechunked::new(body, decoder, trailers, length).boxed_unsync())
}

/// The body's framing, by the signed payload hash or, unsigned, by the header alone.
fn chunk_format(
    headers: &HeaderMap,
    signed: Option<&SignedRequest>,
) -> Result<Option<Format>, AuthError> {
    if let Some(Ok(payload)) = signed.map(SignedRequest::payload) {
        return Ok(Format::of_payload(payload));
    }
    match headers
        .get(PAYLOAD_HASH)
        .and_then(|value| value.to_str().ok())
    {
        Some(value) if value.starts_with("STREAMING-") => {
            Ok(Format::of_payload(auth::sigv4::PayloadHash::parse(value)?))
        }
        _ => Ok(None),
    }
}

fn decoded_length(headers: &HeaderMap) -> Result<Option<u64>, AuthError> {
    let Some(value) = headers.get(DECODED_LENGTH) else {
        return Ok(None);
    };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or(AuthError::MalformedChunk(
        "x-amz-decoded-content-length is no number",
    ))
}

/// `aws-chunked` frames the request; what else is encoded stays with the object.
fn remove_chunked_encoding(headers: &mut HeaderMap) {
    let Some(encodings) = headers.remove(CONTENT_ENCODING) else {
        return;
    };
    let rest: Vec<&str> = encodings
        .to_str()
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked")
        .collect();
    if let Ok(value) = HeaderValue::try_from(rest.join(","))
        && !rest.is_empty()
    {
        headers.insert(CONTENT_ENCODING, value);
    }
}

/// Takes out what only authentication needed, so that the service cannot judge it again.
fn strip_signature(parts: &mut Parts) {
    parts.headers.remove(AUTHORIZATION);
    parts.headers.remove(PAYLOAD_HASH);
    parts.headers.remove("x-amz-security-token");
    let Some(query) = parts.uri.query() else {
        return;
    };
    let is_v2 = query.contains("AWSAccessKeyId=") && query.contains("Signature=");
    if !query.contains("X-Amz-") && !is_v2 {
        return;
    }
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !SIGNATURE_PARAMETERS.contains(&name)
        })
        .collect();
    let path = parts.uri.path();
    let rewritten = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    };
    // Parts of a valid URI, put together again, are one.
    if let Ok(uri) = rewritten.parse() {
        parts.uri = uri;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn parts(uri: &str) -> Parts {
        Request::builder()
            .uri(uri)
            .body(Bytes::new())
            .unwrap()
            .into_parts()
            .0
    }

    #[test]
    fn virtual_hosts_become_paths() {
        let mut host = crate::host::parse("my.bucket.s3.localhost");
        let mut request = parts("/a%2Fb?list-type=2");
        to_path_style(&mut request, &host);
        assert_eq!(request.uri, "/my.bucket/a%2Fb?list-type=2");
        let mut request = parts("/a%2Fb");
        host.website = true;
        to_path_style(&mut request, &host);
        assert_eq!(request.uri, "/_aws/s3-website/my.bucket/a%2Fb");
        let mut request = parts("/a");
        to_path_style(&mut request, &HostHint::default());
        assert_eq!(request.uri, "/a");
    }

    #[test]
    fn presigned_parameters_are_taken_out_and_no_others() {
        let mut request =
            parts("/b/k?X-Amz-Algorithm=x&versionId=1&X-Amz-Signature=y&response-expires=z");
        strip_signature(&mut request);
        assert_eq!(request.uri, "/b/k?versionId=1&response-expires=z");
        let mut request = parts("/b/k?AWSAccessKeyId=a&Signature=b&Expires=1");
        strip_signature(&mut request);
        assert_eq!(request.uri, "/b/k");
    }

    #[test]
    fn only_the_chunk_framing_leaves_the_encodings() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_ENCODING,
            HeaderValue::from_static("aws-chunked, gzip"),
        );
        remove_chunked_encoding(&mut headers);
        assert_eq!(headers[CONTENT_ENCODING], "gzip");
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aws-chunked"));
        remove_chunked_encoding(&mut headers);
        assert!(!headers.contains_key(CONTENT_ENCODING));
    }
}
