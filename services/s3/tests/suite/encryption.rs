//! Contents encrypted at rest: by the operator's key, and by the client's own.

use std::sync::Arc;

use base::ManualClock;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use store::{FileBlobs, MemoryStore};

use crate::objects::content;
use crate::world::{NOW, World};

struct Customer {
    key: String,
    md5: String,
}

impl Customer {
    fn new(byte: u8) -> Self {
        let key = [byte; 32];
        Self {
            key: BASE64.encode(key),
            md5: BASE64.encode(Md5::digest(key)),
        }
    }

    fn headers(&self) -> [(&str, &str); 3] {
        [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-customer-key", &self.key),
            ("x-amz-server-side-encryption-customer-key-md5", &self.md5),
        ]
    }

    fn of_source(&self) -> [(&str, &str); 3] {
        [
            (
                "x-amz-copy-source-server-side-encryption-customer-algorithm",
                "AES256",
            ),
            (
                "x-amz-copy-source-server-side-encryption-customer-key",
                &self.key,
            ),
            (
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
                &self.md5,
            ),
        ]
    }
}

/// Whether any stored byte string holds these bytes.
async fn is_stored(world: &World, text: &[u8]) -> bool {
    let all = store::Reader::scan(&world.store, store::Scan::all())
        .await
        .unwrap();
    all.iter()
        .any(|entry| entry.value.windows(text.len()).any(|window| window == text))
}

#[tokio::test]
async fn only_the_clients_key_opens_what_it_sealed() {
    let world = World::with_bucket().await;
    let (mine, other) = (Customer::new(1), Customer::new(2));
    let large = content(300_000);
    for (key, body) in [
        ("small", b"a secret of few bytes".to_vec()),
        ("large", large),
    ] {
        let uri = format!("/b-1/{key}");
        let put = world
            .send("PUT", &uri, &mine.headers(), body.clone())
            .await
            .ok();
        assert_eq!(put.header("x-amz-server-side-encryption"), None);
        let md5 = "x-amz-server-side-encryption-customer-key-md5";
        assert_eq!(put.header(md5), Some(mine.md5.as_str()));
        let got = world.send("GET", &uri, &mine.headers(), "").await.ok();
        assert!(got.body == body);
        assert_eq!(got.header(md5), Some(mine.md5.as_str()));
        let mut part = mine.headers().to_vec();
        part.push(("range", "bytes=3-9"));
        let got = world.send("GET", &uri, &part, "").await;
        assert!(got.body == body[3..=9]);
        world.get(&uri).await.fails(400, "InvalidRequest");
        let refused = world.send("GET", &uri, &other.headers(), "").await;
        refused.fails(403, "AccessDenied");
        let head = world.send("HEAD", &uri, &[], "").await;
        assert_eq!(head.status, 400);
    }
    assert!(!is_stored(&world, b"a secret").await);

    world.put("/b-1/plain", "x").await;
    let needless = world.send("GET", "/b-1/plain", &mine.headers(), "").await;
    needless.fails(400, "InvalidRequest");
    let mut copy = mine.of_source().to_vec();
    copy.push(("x-amz-copy-source", "/b-1/small"));
    world.send("PUT", "/b-1/copy", &copy, "").await.ok();
    assert_eq!(
        world.get("/b-1/copy").await.ok().text(),
        "a secret of few bytes"
    );
    world
        .send("PUT", "/b-1/copy", &copy[3..], "")
        .await
        .fails(400, "InvalidRequest");
}

#[tokio::test]
async fn parts_come_with_the_key_of_their_upload() {
    let world = World::with_bucket().await;
    let (mine, other) = (Customer::new(1), Customer::new(2));
    let begun = world
        .send("POST", "/b-1/k?uploads", &mine.headers(), "")
        .await
        .ok();
    let id = begun.element("UploadId").unwrap().to_owned();
    let uri = |number: u32| format!("/b-1/k?partNumber={number}&uploadId={id}");
    world
        .send("PUT", &uri(1), &[], "x")
        .await
        .fails(400, "InvalidRequest");
    world
        .send("PUT", &uri(1), &other.headers(), "x")
        .await
        .fails(400, "InvalidRequest");
    let (one, two) = (content(5 << 20), content(70_000));
    let mut list = String::new();
    for (number, body) in [(1, &one), (2, &two)] {
        let put = world
            .send("PUT", &uri(number), &mine.headers(), body.clone())
            .await
            .ok();
        let part = format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>",
            put.etag()
        );
        list.push_str(&part);
    }
    let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    world
        .send("POST", &format!("/b-1/k?uploadId={id}"), &[], body)
        .await
        .ok();
    let got = world.send("GET", "/b-1/k", &mine.headers(), "").await.ok();
    let whole = [one, two].concat();
    assert!(got.body == whole);
    let mut across = mine.headers().to_vec();
    across.push(("range", "bytes=5242870-5242890"));
    let got = world.send("GET", "/b-1/k", &across, "").await;
    assert!(got.body == whole[5_242_870..=5_242_890]);
}

#[tokio::test]
async fn the_operators_key_is_needed_again() {
    let store = MemoryStore::new();
    let blobs = Arc::new(FileBlobs::temporary().unwrap());
    let clock = ManualClock::starting_at(NOW).clock();
    let on = |key: Option<[u8; 32]>| {
        World::with_key(store.clone(), Arc::clone(&blobs), clock.clone(), key)
    };
    let world = on(None);
    world.make_bucket("b-1").await;
    world.put("/b-1/before", "plain text").await;
    let world = on(Some([9; 32]));
    let large = content(200_000);
    world.put("/b-1/small", "hidden text").await;
    world.put("/b-1/large", large.clone()).await;
    world.put("/b-1/empty", "").await;
    assert!(is_stored(&world, b"plain text").await);
    assert!(!is_stored(&world, b"hidden text").await);
    assert_eq!(world.get("/b-1/before").await.ok().text(), "plain text");
    let again = on(Some([9; 32]));
    assert_eq!(again.get("/b-1/small").await.ok().text(), "hidden text");
    assert!(again.get("/b-1/large").await.ok().body == large);
    assert_eq!(again.get("/b-1/empty").await.ok().text(), "");
    let lost = on(None);
    lost.get("/b-1/small").await.fails(500, "InternalError");
    assert_eq!(lost.get("/b-1/before").await.ok().text(), "plain text");
}

#[tokio::test]
async fn a_bucket_may_block_customers_keys() {
    let world = World::with_bucket().await;
    let configuration = |default: &str, blocked: &str| {
        format!(
            "<ServerSideEncryptionConfiguration><Rule>{default}<BlockedEncryptionTypes>\
             <EncryptionType>{blocked}</EncryptionType></BlockedEncryptionTypes></Rule>\
             </ServerSideEncryptionConfiguration>"
        )
    };
    let default = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
                   </ApplyServerSideEncryptionByDefault>";
    let put = |body| world.send("PUT", "/b-1?encryption", &[], body);
    let mine = Customer::new(7);
    let headers = mine.headers();
    world.send("PUT", "/b-1/before", &headers, "x").await.ok();
    put(configuration(default, "SSE-C")).await.ok();
    let shown = world.get("/b-1?encryption").await.ok();
    let blocked = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType>\
                   </BlockedEncryptionTypes></Rule>";
    assert!(shown.text().contains(blocked), "{}", shown.text());
    assert_eq!(shown.element("SSEAlgorithm"), Some("aws:kms"));
    for (method, uri) in [("PUT", "/b-1/k"), ("POST", "/b-1/k?uploads")] {
        let refused = world.send(method, uri, &headers, "").await;
        refused.fails(403, "AccessDenied");
    }
    // What is there already can be read.
    world.send("GET", "/b-1/before", &headers, "").await.ok();

    put(configuration("", "NONE")).await.ok();
    world.send("PUT", "/b-1/k", &headers, "x").await.ok();
    let shown = world.get("/b-1?encryption").await.ok();
    assert!(!shown.text().contains("Blocked"), "{}", shown.text());
    assert_eq!(shown.element("SSEAlgorithm"), Some("AES256"));
    put(configuration(default, "SSE-S3"))
        .await
        .fails(400, "MalformedXML");
}
