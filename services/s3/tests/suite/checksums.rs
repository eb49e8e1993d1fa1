//! Checksums in headers and trailers: verified, stored, returned.

use http_body_util::{BodyExt as _, Full};
use service::{HttpService as _, TrailingHeaders};

use crate::world::{REGION, World, context};

/// Of "hello", by every algorithm.
const HELLO: [(&str, &str); 10] = [
    ("x-amz-checksum-crc32", "NhCmhg=="),
    ("x-amz-checksum-crc32c", "mnG7TA=="),
    ("x-amz-checksum-crc64nvme", "M3eFcAZSQlc="),
    ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    (
        "x-amz-checksum-sha256",
        "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
    ),
    (
        "x-amz-checksum-sha512",
        "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==",
    ),
    ("x-amz-checksum-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
    ("x-amz-checksum-xxhash64", "JseCfYifbaM="),
    ("x-amz-checksum-xxhash3", "lVXoVVxi3P0="),
    ("x-amz-checksum-xxhash128", "tenBrQcbPn/Hec+qXlI4GA=="),
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
    for (one, other) in [(0, 1), (4, 5), (5, 6), (0, 9)] {
        world
            .send("PUT", "/b-1/k", &[HELLO[one], HELLO[other]], "hello")
            .await
            .fails(400, "InvalidRequest");
    }
    let listed = world.get("/b-1?list-type=2").await.ok();
    assert_eq!(listed.element("ChecksumAlgorithm"), Some("XXHASH128"));
}

/// In documents too: of copies, of attributes, of uploads and of their parts.
#[tokio::test]
async fn documents_say_checksums_of_every_algorithm() {
    let world = World::with_bucket().await;
    for (header, value) in HELLO {
        let name = header.trim_start_matches("x-amz-checksum-").to_uppercase();
        let element = format!("Checksum{name}");
        world
            .send("PUT", "/b-1/k", &[(header, value)], "hello")
            .await
            .ok();
        let source = [("x-amz-copy-source", "/b-1/k")];
        let copied = world.send("PUT", "/b-1/copy", &source, "").await.ok();
        assert_eq!(copied.element(&element), Some(value));
        let asked = [("x-amz-object-attributes", "Checksum,ObjectParts")];
        let attributes = world.send("GET", "/b-1/copy?attributes", &asked, "").await;
        assert_eq!(attributes.ok().element(&element), Some(value));

        let algorithm = [("x-amz-checksum-algorithm", name.as_str())];
        let begun = world
            .send("POST", "/b-1/k?uploads", &algorithm, "")
            .await
            .ok();
        let id = begun.element("UploadId").unwrap();
        let uri = format!("/b-1/k?partNumber=1&uploadId={id}");
        let part = world
            .send("PUT", &uri, &[(header, value)], "hello")
            .await
            .ok();
        assert_eq!(part.header(header), Some(value));
        let uri = format!("/b-1/k?uploadId={id}");
        let parts = world.get(&uri).await.ok();
        assert_eq!(parts.element(&element), Some(value));
        let completion = |value: &str| {
            format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag>\
                 <{element}>{value}</{element}></Part></CompleteMultipartUpload>",
                part.etag()
            )
        };
        let wrong = value.replace(|c: char| c.is_ascii_alphanumeric(), "A");
        let refused = world.send("POST", &uri, &[], completion(&wrong)).await;
        assert!(refused.status.is_client_error(), "{name}");
        let completed = world.send("POST", &uri, &[], completion(value)).await.ok();
        let whole = completed.element(&element).unwrap().to_owned();
        let mode = [("x-amz-checksum-mode", "ENABLED")];
        let got = world.send("HEAD", "/b-1/k", &mode, "").await.ok();
        assert_eq!(got.header(header), Some(whole.as_str()));
        let attributes = world
            .send("GET", "/b-1/k?attributes", &asked, "")
            .await
            .ok();
        let in_parts = format!("<{element}>{value}</{element}>");
        assert!(attributes.text().contains(&in_parts), "{name}");
    }
    let algorithm = [
        ("x-amz-checksum-algorithm", "SHA512"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    world
        .send("POST", "/b-1/k?uploads", &algorithm, "")
        .await
        .fails(400, "InvalidRequest");
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

/// A trailer that is announced must come, and must be one that S3 knows.
#[tokio::test]
async fn trailers_that_cannot_be() {
    let world = World::with_bucket().await;
    let send = |announced: &str, sent: Option<&str>| {
        let trailers = TrailingHeaders::default();
        if let Some(name) = sent {
            trailers.insert(name.parse().unwrap(), HELLO[0].1.parse().unwrap());
        }
        let request = http::Request::put("/b-1/k")
            .header("x-amz-trailer", announced)
            .header("content-length", 5)
            .extension(trailers)
            .body(
                Full::from("hello")
                    .map_err(|never| match never {})
                    .boxed_unsync(),
            )
            .unwrap();
        world.s3.handle(context(REGION, "000000000000"), request)
    };
    for (announced, sent, code) in [
        (HELLO[0].0, None, "MalformedTrailerError"),
        (HELLO[3].0, Some(HELLO[0].0), "MalformedTrailerError"),
        ("x-amz-checksum-crc31", None, "InvalidRequest"),
    ] {
        let answer = send(announced, sent).await;
        assert_eq!(answer.status(), 400, "{announced}");
        let document = answer.into_body().collect().await.unwrap().to_bytes();
        let document = String::from_utf8_lossy(&document);
        assert!(
            document.contains(&format!("<Code>{code}</Code>")),
            "{document}"
        );
    }
    world.get("/b-1/k").await.fails(404, "NoSuchKey");
}
