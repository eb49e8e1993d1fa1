//! If-Match, If-None-Match and their dates, on reads and writes.

use crate::world::World;

#[tokio::test]
async fn reads_under_conditions() {
    let world = World::with_bucket().await;
    let put = world.put("/b-1/k", "x").await;
    let etag = put.etag();
    let bare = etag.trim_matches('"').to_owned();
    let modified = world
        .get("/b-1/k")
        .await
        .header("last-modified")
        .unwrap()
        .to_owned();
    for method in ["GET", "HEAD"] {
        for (name, value, status) in [
            ("if-match", etag.as_str(), 200),
            ("if-match", bare.as_str(), 200),
            ("if-match", "\"other\"", 412),
            ("if-none-match", etag.as_str(), 304),
            ("if-none-match", "\"other\"", 200),
            ("if-modified-since", modified.as_str(), 304),
            ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT", 200),
            ("if-modified-since", "not a date", 200),
            ("if-unmodified-since", modified.as_str(), 200),
            ("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT", 412),
        ] {
            let answer = world.send(method, "/b-1/k", &[(name, value)], "").await;
            assert_eq!(answer.status, status, "{method} {name}: {value}");
            if status == 304 {
                assert_eq!(answer.etag(), etag);
                assert!(answer.header("last-modified").is_some());
                assert!(answer.body.is_empty());
            }
        }
    }
    let refused = world
        .send("GET", "/b-1/k", &[("if-match", "\"x\"")], "")
        .await;
    let refused = refused.fails(412, "PreconditionFailed");
    assert_eq!(refused.element("Condition"), Some("If-Match"));
}

#[tokio::test]
async fn writes_under_conditions() {
    let world = World::with_bucket().await;
    let new = [("if-none-match", "*")];
    let first = world.send("PUT", "/b-1/k", &new, "1").await.ok();
    world
        .send("PUT", "/b-1/k", &new, "2")
        .await
        .fails(412, "PreconditionFailed");
    world
        .send("PUT", "/b-1/k", &[("if-none-match", "\"x\"")], "2")
        .await
        .fails(501, "NotImplemented");
    let etag = first.etag();
    let same = [("if-match", etag.as_str())];
    world
        .send("PUT", "/b-1/none", &same, "2")
        .await
        .fails(404, "NoSuchKey");
    world.send("PUT", "/b-1/k", &same, "2").await.ok();
    world
        .send("PUT", "/b-1/k", &same, "3")
        .await
        .fails(412, "PreconditionFailed");
    assert_eq!(world.get("/b-1/k").await.body, "2");
    world
        .send("DELETE", "/b-1/k", &same, "")
        .await
        .fails(412, "PreconditionFailed");
    assert_eq!(world.get("/b-1/k").await.body, "2");
    assert_eq!(
        world.records("s3.inline").await,
        1,
        "refused content is not kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_of_many_creates_the_object() {
    let world = std::sync::Arc::new(World::with_bucket().await);
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let world = std::sync::Arc::clone(&world);
            tokio::spawn(async move {
                let new = [("if-none-match", "*")];
                world
                    .send("PUT", "/b-1/k", &new, format!("{n}"))
                    .await
                    .status
                    .as_u16()
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for writer in writers {
        statuses.push(writer.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(
        statuses[1..].iter().all(|status| *status == 412),
        "{statuses:?}"
    );
}
