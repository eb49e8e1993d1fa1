//! Multipart uploads from their first part to their completion.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use md5::{Digest as _, Md5};
use service::HttpService as _;

use crate::objects::content;
use crate::world::{Answer, REGION, World, context};

const MIB: usize = 1 << 20;

pub async fn begin(world: &World, key: &str, headers: &[(&str, &str)]) -> String {
    let answer = world
        .send("POST", &format!("/b-1/{key}?uploads"), headers, "")
        .await
        .ok();
    assert_eq!(answer.element("Bucket"), Some("b-1"));
    answer.element("UploadId").unwrap().to_owned()
}

pub async fn upload(
    world: &World,
    id: &str,
    number: u32,
    body: Vec<u8>,
    headers: &[(&str, &str)],
) -> Answer {
    let uri = format!("/b-1/k?partNumber={number}&uploadId={id}");
    world.send("PUT", &uri, headers, body).await
}

pub async fn complete(world: &World, id: &str, parts: &[(u32, &str)]) -> Answer {
    let list: Vec<_> = parts
        .iter()
        .map(|(number, etag)| (*number, *etag, ""))
        .collect();
    complete_with(world, id, &list, &[]).await
}

async fn complete_with(
    world: &World,
    id: &str,
    parts: &[(u32, &str, &str)],
    headers: &[(&str, &str)],
) -> Answer {
    let list: String = parts
        .iter()
        .map(|(number, etag, more)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{more}</Part>")
        })
        .collect();
    let body = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{list}\
         </CompleteMultipartUpload>"
    );
    world
        .send("POST", &format!("/b-1/k?uploadId={id}"), headers, body)
        .await
}

#[tokio::test]
async fn parts_become_an_object() {
    let world = World::with_bucket().await;
    let headers = [
        ("content-type", "video/mp4"),
        ("x-amz-meta-a", "1"),
        ("x-amz-tagging", "t=1"),
    ];
    let id = begin(&world, "k", &headers).await;
    let (one, two) = (content(5 * MIB), content(300_000));
    // A part may be uploaded again; the later one counts.
    upload(&world, &id, 2, content(17), &[]).await.ok();
    let second = upload(&world, &id, 2, two.clone(), &[]).await.ok().etag();
    let first = upload(&world, &id, 7, one.clone(), &[]).await.ok().etag();
    upload(&world, &id, 9, content(100), &[]).await.ok();
    let unused = upload(&world, &id, 1, one.clone(), &[]).await.ok().etag();
    assert_eq!(unused, first);
    world.get("/b-1/k").await.fails(404, "NoSuchKey");

    let done = complete(&world, &id, &[(1, &unused), (2, &second)])
        .await
        .ok();
    let mut md5 = Md5::new();
    md5.update(Md5::digest(&one));
    md5.update(Md5::digest(&two));
    let etag = format!("\"{}-2\"", hex::encode(md5.finalize()));
    assert_eq!(done.element("ETag").unwrap().replace("&quot;", "\""), etag);
    assert_eq!(
        done.element("Location"),
        Some("http://localhost:4566/b-1/k")
    );

    let whole = [one, two].concat();
    let got = world.get("/b-1/k").await.ok();
    assert!(got.body == whole);
    assert_eq!(got.etag(), etag);
    assert_eq!(got.header("content-type"), Some("video/mp4"));
    assert_eq!(got.header("x-amz-meta-a"), Some("1"));
    assert_eq!(got.header("x-amz-tagging-count"), Some("1"));
    let across = [("range", "bytes=5242870-5242890")];
    let got = world.send("GET", "/b-1/k", &across, "").await;
    assert_eq!(
        (got.status.as_u16(), got.body),
        (206, Bytes::copy_from_slice(&whole[5_242_870..=5_242_890]))
    );
    let part = world.get("/b-1/k?partNumber=2").await;
    assert_eq!((part.status.as_u16(), part.body.len()), (206, 300_000));
    assert_eq!(part.header("x-amz-mp-parts-count"), Some("2"));
    let head = world.send("HEAD", "/b-1/k?partNumber=1", &[], "").await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-length")),
        (206, Some("5242880"))
    );
    world
        .get("/b-1/k?partNumber=3")
        .await
        .fails(416, "InvalidPartNumber");

    assert_eq!(
        world.records("s3.part").await + world.records("s3.upload").await,
        0
    );
    assert_eq!(
        world.records("s3.blob").await,
        2,
        "unused and replaced parts are forgotten"
    );
    complete(&world, &id, &[(1, &unused)])
        .await
        .fails(404, "NoSuchUpload");
    world.send("DELETE", "/b-1/k", &[], "").await.ok();
    assert_eq!(
        world.records("s3.blob").await + world.records("s3.manifest").await,
        0
    );
}

#[tokio::test]
async fn what_cannot_be_completed() {
    let world = World::with_bucket().await;
    let id = begin(&world, "k", &[]).await;
    let small = upload(&world, &id, 1, content(1000), &[]).await.ok().etag();
    let last = upload(&world, &id, 2, content(10), &[]).await.ok().etag();
    let refused = complete(&world, &id, &[(1, &small), (2, &last)]).await;
    let refused = refused.fails(400, "EntityTooSmall");
    assert_eq!(refused.element("MinSizeAllowed"), Some("5242880"));
    assert_eq!(refused.element("PartNumber"), Some("1"));
    complete(&world, &id, &[(2, &last), (1, &small)])
        .await
        .fails(400, "InvalidPartOrder");
    complete(&world, &id, &[(1, &small), (1, &small)])
        .await
        .fails(400, "InvalidPartOrder");
    complete(&world, &id, &[(1, &last)])
        .await
        .fails(400, "InvalidPart");
    complete(&world, &id, &[(3, &last)])
        .await
        .fails(400, "InvalidPart");
    complete(&world, &id, &[]).await.fails(400, "MalformedXML");
    let size = [("x-amz-mp-object-size", "9")];
    complete_with(&world, &id, &[(2, &last, "")], &size)
        .await
        .fails(400, "InvalidRequest");
    complete(&world, "nothing", &[(1, &small)])
        .await
        .fails(404, "NoSuchUpload");
    upload(&world, "nothing", 1, content(1), &[])
        .await
        .fails(404, "NoSuchUpload");
    for number in [0, 10_001] {
        upload(&world, &id, number, content(1), &[])
            .await
            .fails(400, "InvalidArgument");
    }
    let bad = [("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")];
    upload(&world, &id, 3, content(5), &bad)
        .await
        .fails(400, "BadDigest");
    complete(&world, &id, &[(2, &last)]).await.ok();
    assert_eq!(world.get("/b-1/k").await.body, content(10));
}

#[tokio::test]
async fn aborting_forgets_the_parts() {
    let world = World::with_bucket().await;
    let id = begin(&world, "k", &[]).await;
    upload(&world, &id, 1, content(1000), &[]).await.ok();
    let uri = format!("/b-1/k?uploadId={id}");
    assert_eq!(world.send("DELETE", &uri, &[], "").await.ok().status, 204);
    world
        .send("DELETE", &uri, &[], "")
        .await
        .fails(404, "NoSuchUpload");
    upload(&world, &id, 2, content(1), &[])
        .await
        .fails(404, "NoSuchUpload");
    assert_eq!(
        world.records("s3.part").await + world.records("s3.blob").await,
        0
    );

    // An unfinished upload does not keep the bucket.
    let id = begin(&world, "k", &[]).await;
    upload(&world, &id, 1, content(1000), &[]).await.ok();
    world.send("DELETE", "/b-1", &[], "").await.ok();
    for table in ["s3.part", "s3.upload", "s3.blob"] {
        assert_eq!(world.records(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn lists_of_parts_and_uploads() {
    let world = World::with_bucket().await;
    let id = begin(&world, "k", &[]).await;
    for number in [3, 1, 2] {
        upload(&world, &id, number, content(number as usize), &[])
            .await
            .ok();
    }
    let page = world
        .get(&format!("/b-1/k?uploadId={id}&max-parts=2"))
        .await
        .ok();
    assert_eq!(page.elements("PartNumber"), ["1", "2"]);
    assert_eq!(page.elements("Size"), ["1", "2"]);
    assert_eq!(page.element("IsTruncated"), Some("true"));
    assert_eq!(page.element("NextPartNumberMarker"), Some("2"));
    let rest = world
        .get(&format!("/b-1/k?uploadId={id}&part-number-marker=2"))
        .await
        .ok();
    assert_eq!(rest.elements("PartNumber"), ["3"]);
    assert_eq!(rest.element("IsTruncated"), Some("false"));
    world
        .get("/b-1/k?uploadId=none")
        .await
        .fails(404, "NoSuchUpload");

    let mut ids = vec![id];
    ids.push(begin(&world, "k", &[]).await);
    ids.sort();
    begin(&world, "dir/a", &[]).await;
    begin(&world, "dir/b", &[]).await;
    let all = world.get("/b-1?uploads").await.ok();
    assert_eq!(all.elements("Key"), ["dir/a", "dir/b", "k", "k"]);
    let folders = world.get("/b-1?uploads&delimiter=/").await.ok();
    assert_eq!(folders.elements("Key"), ["k", "k"]);
    assert!(folders.text().contains("<Prefix>dir/</Prefix>"));
    let page = world.get("/b-1?uploads&max-uploads=3").await.ok();
    assert_eq!(page.element("NextKeyMarker"), Some("k"));
    assert_eq!(page.element("NextUploadIdMarker"), Some(ids[0].as_str()));
    let next = format!("/b-1?uploads&key-marker=k&upload-id-marker={}", ids[0]);
    let rest = world.get(&next).await.ok();
    assert_eq!(rest.elements("UploadId"), [ids[1].as_str()]);
    assert!(
        world
            .get("/b-1?uploads&key-marker=k")
            .await
            .ok()
            .elements("UploadId")
            .is_empty()
    );
}

#[tokio::test]
async fn checksums_of_parts_and_of_the_whole() {
    let world = World::with_bucket().await;
    let (one, two) = (content(5 * MIB), content(12345));
    let whole = [one.clone(), two.clone()].concat();

    let declared = [
        ("x-amz-checksum-algorithm", "CRC32"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    let id = begin(&world, "k", &declared).await;
    let first = upload(&world, &id, 1, one.clone(), &[]).await.ok();
    let second = upload(&world, &id, 2, two.clone(), &[]).await.ok();
    assert!(first.header("x-amz-checksum-crc32").is_some());
    let wrong = [(
        "x-amz-checksum-sha256",
        "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
    )];
    upload(&world, &id, 3, content(1), &wrong)
        .await
        .fails(400, "InvalidRequest");
    let list = [(1, first.etag()), (2, second.etag())];
    let list: Vec<_> = list
        .iter()
        .map(|(number, etag)| (*number, etag.as_str(), ""))
        .collect();
    let wrong = [("x-amz-checksum-crc32", "AAAAAA==")];
    complete_with(&world, &id, &list, &wrong)
        .await
        .fails(400, "BadDigest");
    let done = complete_with(&world, &id, &list, &[]).await.ok();
    let asked = [("x-amz-sdk-checksum-algorithm", "CRC32")];
    let plain = world
        .send("PUT", "/b-1/plain", &asked, whole.clone())
        .await
        .ok();
    assert_eq!(
        done.element("ChecksumCRC32"),
        plain.header("x-amz-checksum-crc32")
    );
    assert_eq!(done.element("ChecksumType"), Some("FULL_OBJECT"));

    let id = begin(&world, "k", &[("x-amz-checksum-algorithm", "SHA256")]).await;
    let other = upload(&world, &id, 1, one.clone(), &asked).await;
    let other = other.fails(400, "InvalidRequest");
    assert_eq!(
        other.element("Message"),
        Some(
            "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum \
             Type: crc32"
        )
    );
    let first = upload(&world, &id, 1, one, &[]).await.ok();
    let second = upload(&world, &id, 2, two, &[]).await.ok();
    let sums: Vec<_> = [&first, &second]
        .iter()
        .map(|part| {
            let sum = part.header("x-amz-checksum-sha256").unwrap();
            format!("<ChecksumSHA256>{sum}</ChecksumSHA256>")
        })
        .collect();
    let (one, two) = (first.etag(), second.etag());
    let bare = [(1, one.as_str(), ""), (2, two.as_str(), "")];
    let refused = complete_with(&world, &id, &bare, &[])
        .await
        .fails(400, "InvalidRequest");
    assert!(refused.text().contains("missing for part 1"));
    let swapped = [
        (1, one.as_str(), sums[1].as_str()),
        (2, two.as_str(), sums[0].as_str()),
    ];
    complete_with(&world, &id, &swapped, &[])
        .await
        .fails(400, "InvalidPart");
    let full = [
        (1, one.as_str(), sums[0].as_str()),
        (2, two.as_str(), sums[1].as_str()),
    ];
    let done = complete_with(&world, &id, &full, &[]).await.ok();
    assert!(done.element("ChecksumSHA256").unwrap().ends_with("-2"));
    assert_eq!(done.element("ChecksumType"), Some("COMPOSITE"));
    let mode = [("x-amz-checksum-mode", "ENABLED")];
    let head = world.send("HEAD", "/b-1/k", &mode, "").await.ok();
    assert_eq!(
        head.header("x-amz-checksum-sha256"),
        done.element("ChecksumSHA256")
    );

    let wrong = [
        ("x-amz-checksum-algorithm", "SHA1"),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    world
        .send("POST", "/b-1/k?uploads", &wrong, "")
        .await
        .fails(400, "InvalidRequest");
    let attributes = [("x-amz-object-attributes", "ObjectParts,Checksum")];
    let got = world
        .send("GET", "/b-1/k?attributes", &attributes, "")
        .await
        .ok();
    assert_eq!(got.elements("PartNumber"), ["1", "2"]);
}

#[tokio::test]
async fn parts_can_be_copied() {
    let world = World::with_bucket().await;
    let source = content(6 * MIB);
    world.put("/b-1/source", source.clone()).await;
    let id = begin(&world, "k", &[]).await;
    let uri = |number: u32| format!("/b-1/k?partNumber={number}&uploadId={id}");
    let copy = ("x-amz-copy-source", "b-1/source");
    let etag = |answer: Answer| answer.element("ETag").unwrap().replace("&quot;", "");
    let one = etag(world.send("PUT", &uri(1), &[copy], "").await.ok());
    let range = ("x-amz-copy-source-range", "bytes=10-19");
    let two = etag(world.send("PUT", &uri(2), &[copy, range], "").await.ok());
    for bad in ["bytes=10-", "bytes=0-99999999", "nonsense"] {
        let range = ("x-amz-copy-source-range", bad);
        let refused = world.send("PUT", &uri(3), &[copy, range], "").await;
        refused.fails(400, "InvalidArgument");
    }
    complete(&world, &id, &[(1, &one), (2, &two)]).await.ok();
    let got = world.get("/b-1/k").await.ok();
    assert!(got.body == [&source[..], &source[10..20]].concat());
}

#[tokio::test]
async fn a_reader_keeps_the_parts_of_a_replaced_object() {
    let world = World::with_bucket().await;
    let id = begin(&world, "k", &[]).await;
    let one = upload(&world, &id, 1, content(5 * MIB), &[])
        .await
        .ok()
        .etag();
    let two = upload(&world, &id, 2, content(MIB), &[]).await.ok().etag();
    complete(&world, &id, &[(1, &one), (2, &two)]).await.ok();

    let empty = http_body_util::Empty::<Bytes>::new().map_err(|never| match never {});
    let request = http::Request::get("/b-1/k")
        .body(empty.boxed_unsync())
        .unwrap();
    let answer = world
        .s3
        .handle(context(REGION, "000000000000"), request)
        .await;
    world.put("/b-1/k", "new").await;
    world.settle().await;
    let read = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(read == [content(5 * MIB), content(MIB)].concat());
    assert_eq!(world.records("s3.blob").await, 0);
}

#[tokio::test]
async fn completing_under_a_condition() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", "there").await;
    let id = begin(&world, "k", &[]).await;
    let one = upload(&world, &id, 1, content(10), &[]).await.ok().etag();
    let new = [("if-none-match", "*")];
    let refused = complete_with(&world, &id, &[(1, &one, "")], &new).await;
    refused.fails(412, "PreconditionFailed");
    complete(&world, &id, &[(1, &one)]).await.ok();
}
