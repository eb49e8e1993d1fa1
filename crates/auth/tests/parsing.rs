//! Requests whose signature cannot be read, and what each kind of service says to them.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use auth::sigv4;
use auth::{AuthError, ServiceStyle};
use http::request::Parts;

fn with_header(authorization: &str) -> Parts {
    let builder = http::Request::builder().uri("http://localhost/");
    let builder = if authorization.is_empty() {
        builder
    } else {
        builder.header("authorization", authorization)
    };
    builder.body(()).unwrap().into_parts().0
}

fn words(error: &AuthError, style: ServiceStyle) -> (&'static str, u16, String) {
    let parts = error.to_parts(style);
    (parts.code, parts.status.as_u16(), parts.message)
}

#[test]
fn no_signature_is_not_an_error_here() {
    assert_eq!(sigv4::parse(&with_header("")), Ok(None));
}

#[test]
fn missing_components_are_named() {
    let parts = with_header("AWS4-HMAC-SHA256 Credential=a/20130524/r/iam/aws4_request");
    let error = sigv4::parse(&parts).unwrap_err();
    let (code, status, message) = words(&error, ServiceStyle::Query);
    assert_eq!((code, status), ("IncompleteSignature", 400));
    assert_eq!(
        message,
        "Authorization header requires 'Signature' parameter. Authorization header requires \
         'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256 \
         Credential=a/20130524/r/iam/aws4_request"
    );
    assert_eq!(
        words(&error, ServiceStyle::AwsJson).0,
        "IncompleteSignatureException"
    );
    assert_eq!(
        words(&error, ServiceStyle::S3).0,
        "AuthorizationHeaderMalformed"
    );
}

#[test]
fn other_schemes_and_algorithms_are_refused_by_name() {
    let error = sigv4::parse(&with_header("Bearer abc")).unwrap_err();
    assert_eq!(
        words(&error, ServiceStyle::S3).2,
        "Unsupported Authorization Type"
    );
    let v4a = "AWS4-ECDSA-P256-SHA256 Credential=a/20130524/s3/aws4_request, SignedHeaders=host, \
               Signature=00";
    let error = sigv4::parse(&with_header(v4a)).unwrap_err();
    assert_eq!(
        error,
        AuthError::UnsupportedAlgorithm("AWS4-ECDSA-P256-SHA256".to_owned())
    );
    assert!(
        words(&error, ServiceStyle::S3)
            .2
            .contains("Please use AWS4-HMAC-SHA256.")
    );
}

#[test]
fn a_part_without_equal_sign_is_quoted() {
    let parts = with_header(
        "AWS4-HMAC-SHA256 Credential=AK ,/20150620/r/iam/aws4_request, SignedHeaders=h, Signature=0",
    );
    let error = sigv4::parse(&parts).unwrap_err();
    let message = words(&error, ServiceStyle::Query).2;
    assert!(
        message.starts_with(
            "'/20150620/r/iam/aws4_request' not a valid key=value pair (missing equal-sign) in \
             Authorization header: 'AWS4-HMAC-SHA256 "
        ),
        "{message}"
    );
}

#[test]
fn credentials_are_read_from_their_end() {
    let credential = |text: &str| {
        let header = format!("AWS4-HMAC-SHA256 Credential={text}, SignedHeaders=host, Signature=0");
        sigv4::parse(&with_header(&header))
    };
    let signed = credential("team/key/20130524/eu-west-1/sqs/aws4_request")
        .unwrap()
        .unwrap();
    assert_eq!(signed.access_key_id(), "team/key");
    assert_eq!(signed.region(), Some("eu-west-1"));
    assert!(matches!(
        credential("key/20130524/sqs"),
        Err(AuthError::MalformedCredential { .. })
    ));
    assert!(matches!(
        credential("key/20130524/eu-west-1/sqs/aws5_request"),
        Err(AuthError::WrongTerminator { .. })
    ));
}

#[test]
fn an_unverifiable_date_does_not_hide_who_calls() {
    let header = "AWS4-HMAC-SHA256 Credential=test/20130524/us-east-1/sqs/aws4_request, \
                  SignedHeaders=host, Signature=made-up";
    let parts = with_header(header);
    let signed = sigv4::parse(&parts).unwrap().unwrap();
    assert_eq!((signed.access_key_id(), signed.signed_at()), ("test", None));
    let now = sigv4::amz_date::parse("20130524T000000Z").unwrap();
    let error = signed.verify(&parts, "secret", now, None).unwrap_err();
    assert!(
        words(&error, ServiceStyle::Query).2.starts_with(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        ),
        "{error}"
    );
}

#[test]
fn two_signatures_are_one_too_many() {
    let mut parts = with_header("AWS key:signature");
    parts.uri = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256".parse().unwrap();
    assert_eq!(sigv4::parse(&parts), Err(AuthError::TwoMechanisms));
}

#[test]
fn secrets_and_tokens_are_not_printed() {
    let mut parts = with_header(
        "AWS4-HMAC-SHA256 Credential=k/20130524/r/s3/aws4_request, SignedHeaders=host, \
         Signature=c0ffee",
    );
    parts
        .headers
        .insert("x-amz-security-token", "t0ken".parse().unwrap());
    let printed = format!("{:?}", sigv4::parse(&parts).unwrap().unwrap());
    assert!(
        !printed.contains("t0ken") && !printed.contains("c0ffee"),
        "{printed}"
    );
}
