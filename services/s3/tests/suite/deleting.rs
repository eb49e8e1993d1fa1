//! DeleteObject and DeleteObjects.

use crate::world::World;

fn request(keys: &[&str], quiet: bool) -> String {
    let objects: String = keys
        .iter()
        .map(|key| format!("<Object><Key>{key}</Key></Object>"))
        .collect();
    format!("<Delete><Quiet>{quiet}</Quiet>{objects}</Delete>")
}

#[tokio::test]
async fn deleting_is_idempotent() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", vec![7; 100_000]).await;
    for _ in 0..2 {
        assert_eq!(
            world.send("DELETE", "/b-1/k", &[], "").await.ok().status,
            204
        );
    }
    world.get("/b-1/k").await.fails(404, "NoSuchKey");
    assert_eq!(world.records("s3.blob").await, 0);
    world
        .send("DELETE", "/none/k", &[], "")
        .await
        .fails(404, "NoSuchBucket");
}

#[tokio::test]
async fn many_at_once() {
    let world = World::with_bucket().await;
    for key in ["a", "b", "c", "d"] {
        world.put(&format!("/b-1/{key}"), "x").await;
    }
    let body = request(&["a", "b", "none", "a"], false);
    let answer = world.send("POST", "/b-1?delete", &[], body).await.ok();
    assert_eq!(answer.elements("Key"), ["a", "b", "none", "a"]);
    assert!(!answer.text().contains("<Error>"));
    let quiet = world
        .send("POST", "/b-1?delete", &[], request(&["c"], true))
        .await
        .ok();
    assert!(!quiet.text().contains("<Deleted>"));
    let left = world.get("/b-1").await.ok();
    assert_eq!(left.elements("Key"), ["d"]);

    let long = "k".repeat(1025);
    let mixed = world
        .send("POST", "/b-1?delete", &[], request(&["d", &long], false))
        .await
        .ok();
    assert_eq!(mixed.element("Code"), Some("KeyTooLongError"));
    assert!(world.get("/b-1").await.ok().elements("Key").is_empty());

    world
        .send("POST", "/b-1?delete", &[], "<Delete>")
        .await
        .fails(400, "MalformedXML");
    let empty = request(&[], false);
    world
        .send("POST", "/b-1?delete", &[], empty)
        .await
        .fails(400, "MalformedXML");
    let names: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world
        .send("POST", "/b-1?delete", &[], request(&names, false))
        .await
        .fails(400, "MalformedXML");
    world
        .send("POST", "/b-1?delete", &[], request(&names[..1000], true))
        .await
        .ok();
}

#[tokio::test]
async fn a_list_that_arrived_otherwise_deletes_nothing() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", "x").await;
    let md5 = ("content-md5", "MDAwMDAwMDAwMDAwMDAwMA==");
    let crc = ("x-amz-checksum-crc32", "AAAAAA==");
    for (digest, code) in [
        (md5, "BadDigest"),
        (crc, "BadDigest"),
        (("content-md5", "abc"), "InvalidDigest"),
        (("x-amz-checksum-crc32", "abc"), "InvalidRequest"),
    ] {
        let body = request(&["k"], false);
        let answer = world.send("POST", "/b-1?delete", &[digest], body).await;
        answer.fails(400, code);
    }
    world.get("/b-1/k").await.ok();
    let good = ("content-md5", "5DKh5iefM5MSKvRILIuFwQ==");
    let body = "<Delete><Object><Key>k</Key></Object></Delete>";
    world.send("POST", "/b-1?delete", &[good], body).await.ok();
    world.get("/b-1/k").await.fails(404, "NoSuchKey");

    let tags = "<Tagging><TagSet></TagSet></Tagging>";
    world
        .send("PUT", "/b-1?tagging", &[md5], tags)
        .await
        .fails(400, "BadDigest");
    world
        .send("PUT", "/b-1?tagging", &[], "")
        .await
        .fails(400, "MissingRequestBodyError");
}
