//! CopyObject and UploadPartCopy.

use crate::objects::content;
use crate::world::World;

async fn with_source() -> World {
    let world = World::with_bucket().await;
    let headers = [
        ("content-type", "text/plain"),
        ("x-amz-meta-a", "1"),
        ("x-amz-tagging", "t=1"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    world
        .send("PUT", "/b-1/from%20here", &headers, content(200_000))
        .await
        .ok();
    world
}

const SOURCE: (&str, &str) = ("x-amz-copy-source", "/b-1/from%20here");

#[tokio::test]
async fn a_copy_keeps_what_it_is_not_told_to_replace() {
    let world = with_source().await;
    world.make_bucket("b-2").await;
    let copied = world.send("PUT", "/b-2/to", &[SOURCE], "").await.ok();
    assert!(copied.text().contains("<CopyObjectResult"));
    assert!(copied.element("LastModified").is_some());
    let got = world.get("/b-2/to").await.ok();
    assert_eq!(got.body, content(200_000));
    assert_eq!(got.header("content-type"), Some("text/plain"));
    assert_eq!(got.header("x-amz-meta-a"), Some("1"));
    assert_eq!(
        got.header("x-amz-storage-class"),
        None,
        "the class is not kept"
    );
    assert_eq!(copied.element("ETag"), Some(got.etag().as_str()));
    assert_eq!(
        world.get("/b-2/to?tagging").await.ok().elements("Key"),
        ["t"]
    );

    let replace = [
        SOURCE,
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-tagging-directive", "REPLACE"),
        ("x-amz-meta-b", "2"),
        ("x-amz-tagging", "u=2"),
    ];
    world.send("PUT", "/b-2/to", &replace, "").await.ok();
    let got = world.get("/b-2/to").await.ok();
    assert_eq!(got.header("x-amz-meta-a"), None);
    assert_eq!(got.header("x-amz-meta-b"), Some("2"));
    assert_eq!(got.header("content-type"), Some("binary/octet-stream"));
    assert_eq!(
        world.get("/b-2/to?tagging").await.ok().elements("Key"),
        ["u"]
    );
    assert_eq!(
        world.records("s3.blob").await,
        2,
        "the copy has its own bytes"
    );
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_something() {
    let world = with_source().await;
    let same = [SOURCE, ("x-amz-storage-class", "STANDARD_IA")];
    world.put("/b-1/plain", "x").await;
    let plain = [("x-amz-copy-source", "b-1/plain")];
    world
        .send("PUT", "/b-1/plain", &plain, "")
        .await
        .fails(400, "InvalidRequest");
    world.send("PUT", "/b-1/from%20here", &same, "").await.ok();
    let encrypted = [plain[0], ("x-amz-server-side-encryption", "AES256")];
    world.send("PUT", "/b-1/plain", &encrypted, "").await.ok();
    let replaced = [
        SOURCE,
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-z", "9"),
    ];
    world
        .send("PUT", "/b-1/from%20here", &replaced, "")
        .await
        .ok();
    let got = world.get("/b-1/from%20here").await.ok();
    assert_eq!(got.header("x-amz-meta-z"), Some("9"));
    assert_eq!(got.body, content(200_000));
}

#[tokio::test]
async fn copies_that_are_refused() {
    let world = with_source().await;
    let etag = world.get("/b-1/from%20here").await.etag();
    let source = |value| [("x-amz-copy-source", value)];
    world
        .send("PUT", "/b-1/to", &source("b-1/none"), "")
        .await
        .fails(404, "NoSuchKey");
    world
        .send("PUT", "/b-1/to", &source("none/k"), "")
        .await
        .fails(404, "NoSuchBucket");
    world
        .send("PUT", "/b-1/to", &source("nonsense"), "")
        .await
        .fails(400, "InvalidArgument");
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", etag.as_str(), 200),
        ("x-amz-copy-source-if-match", "\"x\"", 412),
        ("x-amz-copy-source-if-none-match", etag.as_str(), 412),
        (
            "x-amz-copy-source-if-unmodified-since",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            412,
        ),
        (
            "x-amz-copy-source-if-modified-since",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            200,
        ),
        ("x-amz-metadata-directive", "SHUFFLE", 400),
    ] {
        let answer = world
            .send("PUT", "/b-1/to", &[SOURCE, (name, value)], "")
            .await;
        assert_eq!(answer.status, status, "{name}: {value} {}", answer.text());
        if status == 412 {
            let condition = answer.element("Condition").unwrap();
            assert!(condition.eq_ignore_ascii_case(name), "{condition}");
        }
    }
}
