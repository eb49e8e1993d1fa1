//! Putting and getting objects: content, headers, ranges.

use crate::world::World;
use bytes::Bytes;

/// Content that no two places of look alike.
pub fn content(size: usize) -> Vec<u8> {
    (0..size as u64)
        .flat_map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
        .take(size)
        .collect()
}

#[tokio::test]
async fn what_is_put_is_got() {
    let world = World::with_bucket().await;
    for size in [0, 1, 4096, 16 * 1024, 16 * 1024 + 1, 300_000, 2_000_000] {
        let body = content(size);
        let put = world
            .send("PUT", "/b-1/dir/key", &[], body.clone())
            .await
            .ok();
        let got = world.get("/b-1/dir/key").await.ok();
        assert_eq!(got.body, body, "{size} bytes");
        assert_eq!(
            got.header("content-length"),
            Some(size.to_string().as_str())
        );
        assert_eq!(got.etag(), put.etag());
        assert_eq!(got.header("content-type"), Some("binary/octet-stream"));
        assert_eq!(got.header("accept-ranges"), Some("bytes"));
        assert!(got.header("last-modified").unwrap().ends_with("GMT"));
        assert!(got.header("x-amz-storage-class").is_none());
        for answer in [&put, &got] {
            let encryption = answer.header("x-amz-server-side-encryption");
            assert_eq!(encryption, Some("AES256"), "every bucket's default");
        }
        assert!(got.header("x-amz-request-id").is_some() && got.header("x-amz-id-2").is_some());
        let head = world.send("HEAD", "/b-1/dir/key", &[], "").await.ok();
        assert_eq!(
            head.header("content-length"),
            Some(size.to_string().as_str())
        );
        assert_eq!(head.etag(), put.etag());
        assert!(head.body.is_empty());
    }
    world.put("/b-1/dir/key", "hello").await;
    assert_eq!(
        world.get("/b-1/dir/key").await.etag(),
        "\"5d41402abc4b2a76b9719d911017c592\""
    );
    world.settle().await;
    assert_eq!(
        world.records("s3.inline").await,
        1,
        "replaced content is forgotten"
    );
    assert_eq!(
        world.records("s3.blob").await,
        0,
        "replaced blobs are forgotten"
    );
    let missing = world.get("/b-1/other").await.fails(404, "NoSuchKey");
    assert_eq!(missing.element("Key"), Some("other"));
    assert_eq!(
        missing.element("Message"),
        Some("The specified key does not exist.")
    );
}

#[tokio::test]
async fn headers_and_metadata_come_back() {
    let world = World::with_bucket().await;
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "attachment; filename=\"a.html\""),
        ("content-encoding", "gzip"),
        ("content-language", "ja"),
        ("expires", "tomorrow, perhaps"),
        ("x-amz-meta-owner", "me"),
        ("x-amz-meta-Mixed", "Case"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-server-side-encryption", "AES256"),
    ];
    world.send("PUT", "/b-1/k", &headers, "x").await.ok();
    for method in ["GET", "HEAD"] {
        let got = world.send(method, "/b-1/k", &[], "").await.ok();
        for (name, value) in headers {
            assert_eq!(
                got.header(&name.to_ascii_lowercase()),
                Some(value),
                "{method} {name}"
            );
        }
    }
    let overrides = "/b-1/k?response-content-type=text%2Fplain&response-cache-control=no-cache\
                     &response-content-disposition=inline&response-content-language=de\
                     &response-content-encoding=identity\
                     &response-expires=Mon%2C%2023%20Nov%202026%2020%3A35%3A44%20GMT";
    let got = world.get(overrides).await.ok();
    assert_eq!(got.header("content-type"), Some("text/plain"));
    assert_eq!(got.header("cache-control"), Some("no-cache"));
    assert_eq!(got.header("content-disposition"), Some("inline"));
    assert_eq!(got.header("content-language"), Some("de"));
    assert_eq!(got.header("content-encoding"), Some("identity"));
    assert_eq!(got.header("expires"), Some("Mon, 23 Nov 2026 20:35:44 GMT"));

    let large = "v".repeat(2049);
    let headers = [("x-amz-meta-a", large.as_str())];
    world
        .send("PUT", "/b-1/k", &headers, "x")
        .await
        .fails(400, "MetadataTooLarge");
    for (name, value, status, code) in [
        ("x-amz-storage-class", "COLD", 400, "InvalidStorageClass"),
        ("x-amz-storage-class", "GLACIER", 501, "NotImplemented"),
        (
            "x-amz-server-side-encryption",
            "rot13",
            400,
            "InvalidArgument",
        ),
        ("x-amz-object-lock-legal-hold", "ON", 400, "InvalidRequest"),
        (
            "x-amz-website-redirect-location",
            "elsewhere",
            400,
            "InvalidRedirectLocation",
        ),
    ] {
        world
            .send("PUT", "/b-1/k", &[(name, value)], "x")
            .await
            .fails(status, code);
    }
    assert_eq!(
        world.get("/b-1/k").await.ok().header("content-language"),
        Some("ja")
    );
}

#[tokio::test]
async fn ranges() {
    let world = World::with_bucket().await;
    for size in [10_usize, 700_000] {
        let body = content(size);
        world.put("/b-1/k", body.clone()).await;
        for (range, from, to) in [
            ("bytes=0-4", 0, 5),
            ("bytes=2-", 2, size),
            ("bytes=-3", size - 3, size),
            ("bytes=5-99999999", 5, size),
        ] {
            for method in ["GET", "HEAD"] {
                let got = world.send(method, "/b-1/k", &[("range", range)], "").await;
                assert_eq!(got.status, 206, "{method} {range}");
                let expected = format!("bytes {from}-{}/{size}", to - 1);
                assert_eq!(got.header("content-range"), Some(expected.as_str()));
                let length = (to - from).to_string();
                assert_eq!(got.header("content-length"), Some(length.as_str()));
                if method == "GET" {
                    assert_eq!(got.body, body[from..to], "{range}");
                }
            }
        }
        let past = format!("bytes={size}-");
        let refused = world.send("GET", "/b-1/k", &[("range", &past)], "").await;
        let refused = refused.fails(416, "InvalidRange");
        assert_eq!(refused.element("RangeRequested"), Some(past.as_str()));
        assert_eq!(
            refused.element("ActualObjectSize"),
            Some(size.to_string().as_str())
        );
        for ignored in ["bytes=4-2", "lines=1-2", "bytes=0-1,3-4"] {
            let got = world.send("GET", "/b-1/k", &[("range", ignored)], "").await;
            assert_eq!(
                (got.status.as_u16(), got.body.len()),
                (200, size),
                "{ignored}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let world = World::with_bucket().await;
    world
        .send("PUT", "/b-1/k", &[("content-length", "100")], "short")
        .await
        .fails(400, "IncompleteBody");
    let request = |length: usize, sent: usize| {
        let chunks = [
            Ok(http_body::Frame::data(Bytes::from(content(sent)))),
            Err(service::BoxError::from("the connection is gone")),
        ];
        let body = http_body_util::StreamBody::new(futures::stream::iter(chunks));
        let body = http_body_util::BodyExt::boxed_unsync(body);
        http::Request::put("/b-1/k")
            .header("content-length", length)
            .body(body)
            .unwrap()
    };
    for sent in [5, 100_000] {
        let context = crate::world::context(crate::world::REGION, "000000000000");
        let answer =
            service::HttpService::handle(&*world.s3, context, request(200_000, sent)).await;
        assert_eq!(answer.status(), 400);
    }
    world.get("/b-1/k").await.fails(404, "NoSuchKey");
    assert_eq!(
        world.records("s3.inline").await + world.records("s3.blob").await,
        0
    );
}

#[tokio::test]
async fn a_reader_of_a_replaced_object_finishes() {
    let world = World::with_bucket().await;
    let body = content(3_000_000);
    world.put("/b-1/k", body.clone()).await;
    let context = crate::world::context(crate::world::REGION, "000000000000");
    let empty = http_body_util::BodyExt::boxed_unsync(http_body_util::BodyExt::map_err(
        http_body_util::Empty::<Bytes>::new(),
        |never| match never {},
    ));
    let request = http::Request::get("/b-1/k").body(empty).unwrap();
    let answer = service::HttpService::handle(&*world.s3, context, request).await;
    world.put("/b-1/k", "new").await;
    world.settle().await;
    let read = http_body_util::BodyExt::collect(answer.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(read, body);
    assert_eq!(world.get("/b-1/k").await.body, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_key_all_succeed_and_one_is_last() {
    let world = std::sync::Arc::new(World::with_bucket().await);
    let writers: Vec<_> = (0..32)
        .map(|n| {
            let world = std::sync::Arc::clone(&world);
            tokio::spawn(async move { world.put("/b-1/k", format!("{n:05}")).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(world.get("/b-1/k").await.body.len(), 5);
    assert_eq!(world.records("s3.inline").await, 1);
}

/// An empty body is never asked for with a 100, which botocore does not get over.
#[tokio::test]
async fn an_empty_upload_that_awaits_a_100_ends_the_connection() {
    let world = World::with_bucket().await;
    let expect = [("expect", "100-continue")];
    let empty = world.send("PUT", "/b-1/k", &expect, "").await.ok();
    assert_eq!(empty.header("connection"), Some("close"));
    let full = world.send("PUT", "/b-1/k", &expect, "x").await.ok();
    assert_eq!(full.header("connection"), None);
}

#[tokio::test]
async fn attributes_and_acl_of_an_object() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", "hello").await;
    let wanted = [(
        "x-amz-object-attributes",
        "ETag,ObjectSize,StorageClass,Checksum",
    )];
    let got = world
        .send("GET", "/b-1/k?attributes", &wanted, "")
        .await
        .ok();
    assert_eq!(got.element("ObjectSize"), Some("5"));
    assert_eq!(got.element("StorageClass"), Some("STANDARD"));
    assert_eq!(
        got.element("ETag"),
        Some("\"5d41402abc4b2a76b9719d911017c592\"")
    );
    assert!(got.element("ChecksumCRC64NVME").is_some());
    let unknown = [("x-amz-object-attributes", "ETag,Colour")];
    let refused = world.send("GET", "/b-1/k?attributes", &unknown, "").await;
    let refused = refused.fails(400, "InvalidArgument");
    assert_eq!(refused.element("ArgumentValue"), Some("Colour"));
    let acl = world.get("/b-1/k?acl").await.ok();
    assert_eq!(acl.element("Permission"), Some("FULL_CONTROL"));
    world.get("/b-1/none?acl").await.fails(404, "NoSuchKey");
}
