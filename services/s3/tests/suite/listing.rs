//! ListObjects and ListObjectsV2 against a simple model.

use crate::world::World;

async fn filled() -> World {
    let world = World::with_bucket().await;
    for key in ["a", "b/1", "b/2", "b/c/3", "d", "e/4", "f g"] {
        world
            .put(&format!("/b-1/{}", key.replace(' ', "%20")), "12345")
            .await;
    }
    world
}

#[tokio::test]
async fn version_two() {
    let world = filled().await;
    let all = world.get("/b-1?list-type=2").await.ok();
    assert_eq!(
        all.elements("Key"),
        ["a", "b/1", "b/2", "b/c/3", "d", "e/4", "f g"]
    );
    assert_eq!(all.element("KeyCount"), Some("7"));
    assert_eq!(all.element("MaxKeys"), Some("1000"));
    assert_eq!(all.element("IsTruncated"), Some("false"));
    assert_eq!(all.element("Name"), Some("b-1"));
    assert_eq!(all.element("Size"), Some("5"));
    assert_eq!(all.element("StorageClass"), Some("STANDARD"));
    assert_eq!(all.element("Owner"), None);
    assert!(all.element("ETag").is_some());
    assert!(all.element("LastModified").unwrap().contains(".000Z"));

    let folders = world.get("/b-1?list-type=2&delimiter=/").await.ok();
    assert_eq!(folders.elements("Key"), ["a", "d", "f g"]);
    let prefixes = |answer: &crate::world::Answer| -> Vec<String> {
        let groups = answer.elements("CommonPrefixes").into_iter();
        groups
            .map(|g| g.replace("<Prefix>", "").replace("</Prefix>", ""))
            .collect()
    };
    assert_eq!(prefixes(&folders), ["b/", "e/"]);
    assert_eq!(folders.element("KeyCount"), Some("5"));

    let inside = world
        .get("/b-1?list-type=2&delimiter=/&prefix=b/")
        .await
        .ok();
    assert_eq!(inside.elements("Key"), ["b/1", "b/2"]);
    assert_eq!(prefixes(&inside), ["b/c/"]);

    let after = world.get("/b-1?list-type=2&start-after=b/2").await.ok();
    assert_eq!(after.elements("Key"), ["b/c/3", "d", "e/4", "f g"]);
    assert_eq!(after.element("StartAfter"), Some("b/2"));
    let owners = world
        .get("/b-1?list-type=2&fetch-owner=true&max-keys=1")
        .await
        .ok();
    assert_eq!(owners.element("ID").map(str::len), Some(64));
    let encoded = world
        .get("/b-1?list-type=2&encoding-type=url&prefix=f%20")
        .await
        .ok();
    assert_eq!(encoded.elements("Key"), ["f%20g"]);
    assert_eq!(encoded.element("Prefix"), Some("f%20"));
    assert_eq!(encoded.element("EncodingType"), Some("url"));
    world
        .get("/none?list-type=2")
        .await
        .fails(404, "NoSuchBucket");
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let world = World::with_bucket().await;
    for (method, uri, header, name, words) in [
        (
            "GET",
            "/b-1?max-keys=many",
            None,
            "max-keys",
            "Provided max-keys not an integer",
        ),
        (
            "GET",
            "/b-1/k?partNumber=one",
            None,
            "partNumber",
            "Part number must be",
        ),
        (
            "PUT",
            "/b-1/k",
            Some(("x-amz-copy-source", "nothing")),
            "x-amz-copy-source",
            "Copy Source must mention",
        ),
    ] {
        let answer = world.send(method, uri, header.as_slice(), "").await;
        let refused = answer.fails(400, "InvalidArgument");
        assert_eq!(refused.element("ArgumentName"), Some(name));
        let value = refused.element("ArgumentValue").unwrap();
        assert!(["many", "one", "nothing"].contains(&value), "{value}");
        assert!(refused.element("Message").unwrap().starts_with(words));
    }
}

#[tokio::test]
async fn pages() {
    let world = filled().await;
    for delimiter in ["", "&delimiter=/"] {
        let whole = world
            .get(&format!("/b-1?list-type=2{delimiter}"))
            .await
            .ok();
        let whole: Vec<_> = whole
            .elements("Key")
            .into_iter()
            .map(str::to_owned)
            .collect();
        let (mut keys, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let uri = format!("/b-1?list-type=2&max-keys=2{delimiter}{token}");
            let page = world.get(&uri).await.ok();
            keys.extend(page.elements("Key").into_iter().map(str::to_owned));
            pages += 1;
            match page.element("NextContinuationToken") {
                Some(next) => token = format!("&continuation-token={next}"),
                None => break,
            }
            assert_eq!(page.element("IsTruncated"), Some("true"));
        }
        assert_eq!(keys, whole);
        assert!(pages >= 3);
    }
    let none = world.get("/b-1?list-type=2&max-keys=0").await.ok();
    assert_eq!(none.element("IsTruncated"), Some("false"));
    assert_eq!(none.element("KeyCount"), Some("0"));
    world
        .get("/b-1?list-type=2&max-keys=-1")
        .await
        .fails(400, "InvalidArgument");
    world
        .get("/b-1?list-type=2&max-keys=many")
        .await
        .fails(400, "InvalidArgument");
    world
        .get("/b-1?list-type=2&continuation-token=mine")
        .await
        .fails(400, "InvalidArgument");
    let capped = world.get("/b-1?list-type=2&max-keys=5000").await.ok();
    assert_eq!(capped.element("MaxKeys"), Some("1000"));
}

#[tokio::test]
async fn version_one() {
    let world = filled().await;
    let first = world.get("/b-1?max-keys=3").await.ok();
    assert_eq!(first.elements("Key"), ["a", "b/1", "b/2"]);
    assert_eq!(first.element("IsTruncated"), Some("true"));
    assert_eq!(first.element("NextMarker"), None);
    assert_eq!(first.element("ID").map(str::len), Some(64));
    let second = world.get("/b-1?max-keys=3&marker=b/2").await.ok();
    assert_eq!(second.elements("Key"), ["b/c/3", "d", "e/4"]);
    assert_eq!(second.element("Marker"), Some("b/2"));

    let folders = world.get("/b-1?delimiter=/&max-keys=2").await.ok();
    assert_eq!(folders.elements("Key"), ["a"]);
    assert_eq!(folders.element("NextMarker"), Some("b/"));
    let rest = world.get("/b-1?delimiter=/&marker=b/").await.ok();
    assert_eq!(rest.elements("Key"), ["d", "f g"]);
    assert!(rest.text().contains("<Prefix>e/</Prefix>"));
    assert!(!rest.text().contains("<Prefix>b/</Prefix>"));
}
