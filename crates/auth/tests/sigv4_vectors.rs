//! The signatures AWS publishes as examples, and some made by botocore.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use auth::sigv4::{self, PayloadHash};
use auth::{AuthError, ServiceStyle};
use base::Timestamp;
use http::request::Parts;
use sha2::{Digest, Sha256};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn at(text: &str) -> Timestamp {
    sigv4::amz_date::parse(text).unwrap()
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut builder = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn s3_header(signed: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={signed},Signature={signature}"
    )
}

fn s3_get(uri: &str, signature: &str) -> Parts {
    let authorization = s3_header("host;x-amz-content-sha256;x-amz-date", signature);
    request(
        "GET",
        uri,
        &[
            ("host", "examplebucket.s3.amazonaws.com"),
            ("x-amz-content-sha256", EMPTY),
            ("x-amz-date", "20130524T000000Z"),
            ("authorization", &authorization),
        ],
    )
}

fn verify(parts: &Parts, now: &str) -> Result<sigv4::VerifiedSeed, AuthError> {
    sigv4::parse(parts)?
        .unwrap()
        .verify(parts, SECRET, at(now), None)
}

#[test]
fn s3_get_object_with_range() {
    let authorization = s3_header(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    let parts = request(
        "GET",
        "/test.txt",
        &[
            ("Host", "examplebucket.s3.amazonaws.com"),
            ("Range", "bytes=0-9"),
            ("x-amz-content-sha256", EMPTY),
            ("x-amz-date", "20130524T000000Z"),
            ("Authorization", &authorization),
        ],
    );
    let signed = sigv4::parse(&parts).unwrap().unwrap();
    assert_eq!(signed.access_key_id(), "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(
        (signed.region(), signed.service()),
        (Some("us-east-1"), "s3")
    );
    assert_eq!(signed.signed_at(), Some(at("20130524T000000Z")));
    let seed = signed
        .verify(&parts, SECRET, at("20130524T001000Z"), None)
        .unwrap();
    assert_eq!(
        seed.expected_sha256.map(hex::encode).as_deref(),
        Some(EMPTY)
    );
}

#[test]
fn s3_put_object_with_a_character_to_encode() {
    let authorization = s3_header(
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    let hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let parts = request(
        "PUT",
        "/test$file.text",
        &[
            ("Host", "examplebucket.s3.amazonaws.com"),
            ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-content-sha256", hash),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("Authorization", &authorization),
        ],
    );
    let signed = sigv4::parse(&parts).unwrap().unwrap();
    let now = at("20130524T000000Z");
    let body = Sha256::digest(b"Welcome to Amazon S3.").into();
    signed.verify(&parts, SECRET, now, Some(body)).unwrap();
    let other = Sha256::digest(b"Welcome").into();
    assert_eq!(
        signed.verify(&parts, SECRET, now, Some(other)),
        Err(AuthError::PayloadHashMismatch)
    );
}

#[test]
fn s3_subresource_and_list_queries() {
    let lifecycle = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    verify(&s3_get("/?lifecycle", lifecycle), "20130524T000000Z").unwrap();
    let list = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    verify(&s3_get("/?prefix=J&max-keys=2", list), "20130524T000000Z").unwrap();
}

#[test]
fn iam_list_users() {
    let parts = request(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        &[
            (
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, Signature=\
                 5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ],
    );
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let signed = sigv4::parse(&parts).unwrap().unwrap();
    assert_eq!(signed.payload(), Ok(PayloadHash::OfBody));
    signed
        .verify(&parts, secret, at("20150830T123600Z"), None)
        .unwrap();
    let body = Sha256::digest(b"Action=ListRoles").into();
    let error = signed
        .verify(&parts, secret, at("20150830T123600Z"), Some(body))
        .unwrap_err();
    assert!(matches!(error, AuthError::SignatureMismatch(_)), "{error}");
}

const PRESIGNED: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
    AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&\
    X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=\
    aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

fn presigned(uri: &str) -> Parts {
    request("GET", uri, &[("host", "examplebucket.s3.amazonaws.com")])
}

#[test]
fn s3_presigned_url_lives_as_long_as_it_says() {
    let parts = presigned(PRESIGNED);
    assert!(sigv4::parse(&parts).unwrap().unwrap().is_presigned());
    verify(&parts, "20130524T235959Z").unwrap();
    let late = verify(&parts, "20130525T000001Z").unwrap_err();
    let words = late.to_parts(ServiceStyle::S3);
    assert_eq!(
        (words.code, words.message.as_str()),
        ("AccessDenied", "Request has expired")
    );
    assert!(
        verify(&parts, "20130523T234000Z").is_err(),
        "more than 15 minutes early"
    );
}

#[test]
fn s3_presigned_url_may_not_be_altered_or_live_past_a_week() {
    let altered = presigned(&PRESIGNED.replace("/test.txt", "/test2.txt"));
    let error = verify(&altered, "20130524T000000Z").unwrap_err();
    let words = error.to_parts(ServiceStyle::S3);
    assert_eq!(
        (words.code, words.status.as_u16()),
        ("SignatureDoesNotMatch", 403)
    );
    let error = verify(
        &presigned(&PRESIGNED.replace("86400", "604801")),
        "20130524T000000Z",
    );
    let words = error.unwrap_err().to_parts(ServiceStyle::S3);
    assert_eq!(words.code, "AuthorizationQueryParametersError");
    assert!(
        words.message.contains("less than 604800 seconds"),
        "{}",
        words.message
    );
}

#[test]
fn a_presigned_request_with_an_unsigned_amz_header_is_refused() {
    let mut parts = presigned(PRESIGNED);
    parts
        .headers
        .insert("x-amz-acl", "public-read".parse().unwrap());
    let error = verify(&parts, "20130524T000000Z").unwrap_err();
    assert_eq!(
        error,
        AuthError::HeadersNotSigned(vec!["x-amz-acl".to_owned()])
    );
}

#[test]
fn clocks_more_than_a_quarter_of_an_hour_apart_are_refused() {
    let list = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    let parts = s3_get("/?prefix=J&max-keys=2", list);
    verify(&parts, "20130524T001500Z").unwrap();
    for (now, expected) in [
        (
            "20130524T001501Z",
            "Signature expired: 20130524T000000Z is now earlier than 20130524T000001Z \
             (20130524T001501Z - 15 min.)",
        ),
        (
            "20130523T234400Z",
            "Signature not yet current: 20130524T000000Z is still later than 20130523T235900Z \
             (20130523T234400Z + 15 min.)",
        ),
    ] {
        let error = verify(&parts, now).unwrap_err();
        assert_eq!(
            error.to_parts(ServiceStyle::S3).code,
            "RequestTimeTooSkewed"
        );
        let words = error.to_parts(ServiceStyle::Query);
        assert_eq!(
            (words.code, words.message.as_str()),
            ("SignatureDoesNotMatch", expected)
        );
        assert_eq!(
            error.to_parts(ServiceStyle::AwsJson).code,
            "InvalidSignatureException"
        );
    }
}

#[test]
fn the_scope_must_be_of_the_day_it_was_signed() {
    let mut parts = s3_get("/", "00");
    let text = parts.headers["authorization"]
        .to_str()
        .unwrap()
        .replace("20130524", "20130523");
    parts.headers.insert("authorization", text.parse().unwrap());
    let error = verify(&parts, "20130524T000000Z").unwrap_err();
    assert!(
        matches!(error, AuthError::ScopeDateMismatch { .. }),
        "{error}"
    );
}
