//! Requests signed by botocore 1.44.5 at 2026-01-02T03:04:05Z, whose spellings differ from ours.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use auth::sigv4::{self, amz_date};
use auth::{AuthError, ServiceStyle};
use http::request::Parts;
use sha2::{Digest, Sha256};

const SECRET: &str = "s3cr3t/key";
const NOW: &str = "20260102T030405Z";

fn verify(parts: &Parts, now: &str, body: &[u8]) -> Result<sigv4::VerifiedSeed, AuthError> {
    let signed = sigv4::parse(parts)?.unwrap();
    assert_eq!(signed.access_key_id(), "AKIAKAGERO");
    assert_eq!(signed.session_token(), Some("tok+en/="));
    signed.verify(
        parts,
        SECRET,
        amz_date::parse(now).unwrap(),
        Some(Sha256::digest(body).into()),
    )
}

fn get(uri: &str) -> http::request::Builder {
    http::Request::get(uri).header("host", "localhost:4566")
}

fn parts(builder: http::request::Builder) -> Parts {
    builder.body(()).unwrap().into_parts().0
}

#[test]
fn a_path_with_an_encoded_arn_is_encoded_again() {
    let request = http::Request::post(
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aa/\
         invocations?Qualifier=%24LATEST",
    )
    .header("host", "localhost:4566")
    .header("x-amz-date", NOW)
    .header("x-amz-security-token", "tok+en/=")
    .header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIAKAGERO/20260102/us-east-1/lambda/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=\
         3cd3ed8a1d9f083764748cf1b0a70225d3c99258ab0a2232dbc8116af012caf3",
    );
    verify(&parts(request), NOW, br#"{"a":1}"#).unwrap();
}

#[test]
fn a_presigned_path_signed_as_it_was_sent() {
    let request = get(
        "/b/k%20%C3%A9%2Bx@?versionId=a%2Bb&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
         AKIAKAGERO%2F20260102%2Fap-northeast-1%2Fs3%2Faws4_request&X-Amz-Date=20260102T030405Z&\
         X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=tok%2Ben%2F%3D&\
         X-Amz-Signature=70acc70c13962aeb405689994f2133d666a23ce66a4cf0e4e856f16be660d8b8",
    );
    verify(&parts(request), NOW, b"").unwrap();
}

const V2: &str = "/b/k%20%C3%A9%2Bx?versionId=a%2Bb&response-content-type=text%2Fplain&\
    AWSAccessKeyId=AKIAKAGERO&Signature=qJ8UGkc96%2FKrOLXLq5Z9JoGQQgY%3D&\
    x-amz-security-token=tok%2Ben%2F%3D&Expires=1767323945";

#[test]
fn boto3_presigns_s3_with_version_2_by_default() {
    let parts = parts(get(V2));
    let signed = sigv4::parse(&parts).unwrap().unwrap();
    assert!(signed.is_presigned());
    assert_eq!((signed.service(), signed.region()), ("s3", None));
    verify(&parts, NOW, b"").unwrap();
    assert_eq!(
        verify(&parts, "20260102T031906Z", b""),
        Err(AuthError::PresignedExpired)
    );
}

#[test]
fn a_version_2_url_may_not_be_altered() {
    let parts = parts(get(&V2.replace("text%2Fplain", "text%2Fhtml")));
    let words = verify(&parts, NOW, b"")
        .unwrap_err()
        .to_parts(ServiceStyle::S3);
    assert_eq!(words.code, "SignatureDoesNotMatch");
}

#[test]
fn version_2_signs_the_bucket_of_a_virtual_host() {
    let request = http::Request::get(
        "/k?AWSAccessKeyId=AKIAKAGERO&Signature=UDgURZuFetZhWFiPcbw%2Fp9hqrVE%3D&\
         content-type=text%2Fplain&x-amz-security-token=tok%2Ben%2F%3D&Expires=1767323945",
    )
    .header("host", "bkt.s3.localhost:4566");
    verify(&parts(request), NOW, b"").unwrap();
}

#[test]
fn version_2_in_a_header() {
    let request = get("/b/k?acl")
        .header("x-amz-meta-a", "1 2")
        .header("x-amz-security-token", "tok+en/=")
        .header("date", "Mon, 23 Nov 2026 21:20:39 GMT")
        .header(
            "authorization",
            "AWS AKIAKAGERO:dQ3wS6oOFblPH/Cv0Oi/+QPz5+A=",
        );
    let parts = parts(request);
    verify(&parts, "20261123T212100Z", b"").unwrap();
    let error = verify(&parts, "20261123T214000Z", b"").unwrap_err();
    assert!(
        matches!(error, AuthError::SignatureExpired { .. }),
        "{error}"
    );
}
