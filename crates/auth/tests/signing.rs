//! What we sign, we verify.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use auth::sigv4::{self, PayloadHash, Signer, amz_date};
use http::request::Parts;
use sha2::{Digest, Sha256};

fn signer(service: &str) -> Signer<'_> {
    Signer {
        access_key_id: "AKIAKAGERO",
        secret: "s3cr3t/key",
        session_token: Some("tok+en/="),
        region: "ap-northeast-1",
        service,
        at: amz_date::parse("20260102T030405Z").unwrap(),
    }
}

fn parts(uri: &str) -> Parts {
    http::Request::get(uri)
        .header("content-type", "text/plain")
        .body(())
        .unwrap()
        .into_parts()
        .0
}

#[test]
fn signed_headers_verify() {
    let body: [u8; 32] = Sha256::digest(b"body").into();
    for (service, payload) in [
        ("s3", PayloadHash::Sha256(body)),
        ("s3", PayloadHash::Unsigned),
        ("sqs", PayloadHash::Sha256(body)),
    ] {
        let mut parts = parts("http://localhost:4566/a%20b//c?z&a=%2F");
        let signer = signer(service);
        sigv4::sign(&mut parts, &signer, payload, body).unwrap();
        let signed = sigv4::parse(&parts).unwrap().unwrap();
        assert_eq!(signed.payload(), Ok(payload));
        signed
            .verify(&parts, signer.secret, signer.at, Some(body))
            .unwrap();
        assert!(
            signed
                .verify(&parts, "other", signer.at, Some(body))
                .is_err()
        );
    }
}

#[test]
fn presigned_urls_verify() {
    for service in ["s3", "sts"] {
        let mut parts = parts("http://localhost:4566/b/k?versionId=1");
        let signer = signer(service);
        sigv4::presign(&mut parts, &signer, 60).unwrap();
        let signed = sigv4::parse(&parts).unwrap().unwrap();
        assert_eq!(signed.expires_after().map(|d| d.as_secs()), Some(60));
        signed
            .verify(&parts, signer.secret, signer.at, None)
            .unwrap();
        parts
            .headers
            .insert("content-type", "text/html".parse().unwrap());
        assert!(
            signed
                .verify(&parts, signer.secret, signer.at, None)
                .is_err()
        );
    }
}

#[test]
fn a_request_without_host_cannot_be_signed() {
    let mut parts = parts("/a");
    assert!(sigv4::sign(&mut parts, &signer("s3"), PayloadHash::Unsigned, [0; 32]).is_err());
}
