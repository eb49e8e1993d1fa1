//! Checksums in headers and trailers: verified, stored, returned.

use http_body_util::{BodyExt as _, Full};
use service::{HttpService as _, TrailingHeaders};

use crate::world::{REGION, World, context};

/// Of "hello", by every algorithm.
const HELLO: [(&str, &str); 5] = [
    ("x-amz-checksum-crc32", "NhCmhg=="),
    ("x-amz-checksum-crc32c", "mnG7TA=="),
    ("x-amz-checksum-crc64nvme", "M3eFcAZSQlc="),
    ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    (
        "x-amz-checksum-sha256",
        "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
    ),
];

#[tokio::test]
async fn checksums_are_verified_kept_and_given_back() {
    let world = World::with_bucket().await;
    for (name, value) in HELLO {
        let put = world
            .send("PUT", "/b-1/k", &[(name, value)], "hello")
            .await
            .ok();
        assert_eq!(put.header(name), Some(value));
        assert_eq!(put.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
        let mode = [("x-amz-checksum-mode", "ENABLED")];
        for method in ["GET", "HEAD"] {
            let got = world.send(method, "/b-1/k", &mode, "").await.ok();
            assert_eq!(got.header(name), Some(value), "{method}");
            assert_eq!(got.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
        }
        assert_eq!(world.get("/b-1/k").await.header(name), None);
        let part = [("x-amz-checksum-mode", "ENABLED"), ("range", "bytes=0-1")];
        assert_eq!(
            world.send("GET", "/b-1/k", &part, "").await.header(name),
            None
        );

        let refused = world
            .send("PUT", "/b-1/other", &[(name, value)], "hullo")
            .await;
        let refused = refused.fails(400, "BadDigest");
        assert!(
            refused
                .text()
                .contains("you specified did not match the calculated checksum")
        );
        world
            .send("PUT", "/b-1/other", &[(name, "AAAA")], "hello")
            .await
            .fails(400, "InvalidRequest");
        world.get("/b-1/other").await.fails(404, "NoSuchKey");
    }
    let two = [HELLO[0], HELLO[1]];
    world
        .send("PUT", "/b-1/k", &two, "hello")
        .await
        .fails(400, "InvalidRequest");
    let listed = world.get("/b-1?list-type=2").await.ok();
    assert_eq!(listed.element("ChecksumAlgorithm"), Some("SHA256"));
}

#[tokio::test]
async fn without_one_the_default_is_computed() {
    let world = World::with_bucket().await;
    let put = world.put("/b-1/k", "hello").await;
    assert_eq!(put.header(HELLO[2].0), Some(HELLO[2].1));
    let asked = [("x-amz-sdk-checksum-algorithm", "CRC32")];
    let put = world.send("PUT", "/b-1/k", &asked, "hello").await.ok();
    assert_eq!(put.header(HELLO[0].0), Some(HELLO[0].1));
}

#[tokio::test]
async fn content_md5() {
    let world = World::with_bucket().await;
    let right = [("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")];
    world.send("PUT", "/b-1/k", &right, "hello").await.ok();
    let refused = world
        .send("PUT", "/b-1/k", &right, "hullo")
        .await
        .fails(400, "BadDigest");
    assert_eq!(
        refused.element("ExpectedDigest"),
        Some("XUFAKrxLKna5cZ2REBfFkg==")
    );
    world
        .send("PUT", "/b-1/k", &[("content-md5", "no")], "x")
        .await
        .fails(400, "InvalidDigest");
    assert_eq!(world.get("/b-1/k").await.body, "hello");
}

/// As the gateway passes an `aws-chunked` body on: the trailer is there once the body is read.
#[tokio::test]
async fn checksums_in_trailers() {
    let world = World::with_bucket().await;
    for (name, value) in HELLO {
        for (body, status) in [("hello", 200), ("hullo", 400)] {
            let trailers = TrailingHeaders::default();
            trailers.insert(name.parse().unwrap(), value.parse().unwrap());
            let request = http::Request::put("/b-1/k")
                .header("x-amz-trailer", name)
                .header("content-length", body.len())
                .extension(trailers)
                .body(
                    Full::from(body)
                        .map_err(|never| match never {})
                        .boxed_unsync(),
                )
                .unwrap();
            let answer = world
                .s3
                .handle(context(REGION, "000000000000"), request)
                .await;
            assert_eq!(answer.status(), status, "{name}");
            if status == 200 {
                assert_eq!(answer.headers()[name], value);
            }
        }
    }
}
