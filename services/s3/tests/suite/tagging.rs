//! Tags of objects and buckets.

use crate::world::World;

#[tokio::test]
async fn tags_of_an_object() {
    let world = World::with_bucket().await;
    let tagged = [("x-amz-tagging", "project=red%20sun&empty=")];
    world.send("PUT", "/b-1/k", &tagged, "x").await.ok();
    assert_eq!(
        world.get("/b-1/k").await.header("x-amz-tagging-count"),
        Some("2")
    );
    let got = world.get("/b-1/k?tagging").await.ok();
    assert_eq!(got.elements("Key"), ["project", "empty"]);
    assert_eq!(got.elements("Value"), ["red sun", ""]);

    let set = |pairs: &[(&str, &str)]| {
        let tags: String = pairs
            .iter()
            .map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"))
            .collect();
        format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
    };
    world
        .send("PUT", "/b-1/k?tagging", &[], set(&[("a", "1")]))
        .await
        .ok();
    assert_eq!(
        world.get("/b-1/k?tagging").await.ok().elements("Key"),
        ["a"]
    );
    assert_eq!(
        world.get("/b-1/k").await.ok().body,
        "x",
        "tagging leaves the content alone"
    );
    let twice = set(&[("a", "1"), ("a", "2")]);
    world
        .send("PUT", "/b-1/k?tagging", &[], twice)
        .await
        .fails(400, "InvalidTag");
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let eleven: Vec<_> = eleven.iter().map(|n| (n.as_str(), "v")).collect();
    world
        .send("PUT", "/b-1/k?tagging", &[], set(&eleven))
        .await
        .fails(400, "BadRequest");
    world
        .send("PUT", "/b-1/k?tagging", &[], "<Tagging>")
        .await
        .fails(400, "MalformedXML");
    let system = set(&[("aws:x", "1")]);
    world
        .send("PUT", "/b-1/k?tagging", &[], system)
        .await
        .fails(400, "InvalidTag");

    assert_eq!(
        world
            .send("DELETE", "/b-1/k?tagging", &[], "")
            .await
            .ok()
            .status,
        204
    );
    assert!(
        world
            .get("/b-1/k?tagging")
            .await
            .ok()
            .elements("Key")
            .is_empty()
    );
    assert_eq!(
        world.get("/b-1/k").await.header("x-amz-tagging-count"),
        None
    );
    world.get("/b-1/none?tagging").await.fails(404, "NoSuchKey");
    world
        .send("PUT", "/b-1/none?tagging", &[], set(&[]))
        .await
        .fails(404, "NoSuchKey");
    let bad = [("x-amz-tagging", "a=1&a=2")];
    world
        .send("PUT", "/b-1/k", &bad, "y")
        .await
        .fails(400, "InvalidArgument");
}
