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
