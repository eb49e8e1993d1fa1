//! Keys with every odd byte, and those that are refused.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use crate::world::World;

#[tokio::test]
async fn odd_keys_are_told_apart() {
    let world = World::with_bucket().await;
    let keys = [
        "a",
        "a/",
        "a//",
        "/a",
        "//",
        "a b",
        "a+b",
        "a%20b",
        "a?b",
        "a#b",
        "a&b=c",
        "日本語",
        ".",
        "..",
        "a/../b",
        "a\u{1}b",
        "a\u{0}b",
        "\u{10ffff}",
        "'\"<>&",
        "index?uploads",
    ];
    for key in keys {
        let path = format!("/b-1/{}", utf8_percent_encode(key, NON_ALPHANUMERIC));
        world.put(&path, key.as_bytes().to_vec()).await;
    }
    for key in keys {
        let path = format!("/b-1/{}", utf8_percent_encode(key, NON_ALPHANUMERIC));
        assert_eq!(world.get(&path).await.ok().body, key.as_bytes(), "{key:?}");
    }
    let listed = world.get("/b-1?list-type=2&encoding-type=url").await.ok();
    assert_eq!(listed.elements("Key").len(), keys.len());
    assert!(listed.elements("Key").contains(&"a%20b"));
    assert!(listed.elements("Key").contains(&"a%2520b"));
    assert!(listed.elements("Key").contains(&"a%01b"));
}

#[tokio::test]
async fn a_key_has_up_to_1024_bytes() {
    let world = World::with_bucket().await;
    let most = format!("/b-1/{}", "k".repeat(1024));
    world.put(&most, "x").await;
    assert_eq!(world.get(&most).await.body, "x");
    let more = format!("/b-1/{}", "k".repeat(1025));
    world
        .send("PUT", &more, &[], "x")
        .await
        .fails(400, "KeyTooLongError");
    let wide = format!("/b-1/{}", "%E3%81%82".repeat(342));
    world
        .send("PUT", &wide, &[], "x")
        .await
        .fails(400, "KeyTooLongError");
    world
        .send("PUT", "/b-1/%FF", &[], "x")
        .await
        .fails(400, "InvalidURI");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_is_a_key(key in "\\PC{1,40}|[\u{0}-\u{7f}]{1,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::with_bucket().await;
            let path = format!("/b-1/{}", utf8_percent_encode(&key, NON_ALPHANUMERIC));
            world.put(&path, key.clone()).await;
            let got = world.get(&path).await.ok();
            prop_assert_eq!(got.body, key.clone());
            world.send("DELETE", &path, &[], "").await.ok();
            prop_assert_eq!(world.records("s3.object").await, 0);
            Ok(())
        })?;
    }
}
