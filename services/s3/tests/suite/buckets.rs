//! Making, finding, listing and deleting buckets.

use crate::world::{REGION, World, context};

fn location(region: &str) -> String {
    format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    )
}

#[tokio::test]
async fn a_bucket_lives_and_dies() {
    let world = World::new();
    world.get("/abc").await.fails(404, "NoSuchBucket");
    let made = world.send("PUT", "/abc", &[], location(REGION)).await.ok();
    assert_eq!(made.header("location"), Some("/abc"));
    let head = world.send("HEAD", "/abc", &[], "").await.ok();
    assert_eq!(head.header("x-amz-bucket-region"), Some(REGION));
    assert_eq!(head.header("x-amz-access-point-alias"), Some("false"));
    assert_eq!(
        world
            .get("/abc?location")
            .await
            .ok()
            .element("LocationConstraint"),
        None
    );
    assert!(
        world
            .get("/abc?location")
            .await
            .text()
            .contains(&format!(">{REGION}</"))
    );

    world.put("/abc/key", "x").await;
    world
        .send("DELETE", "/abc", &[], "")
        .await
        .fails(409, "BucketNotEmpty");
    world.get("/abc/key").await.ok();
    world.send("DELETE", "/abc/key", &[], "").await.ok();
    let gone = world.send("DELETE", "/abc", &[], "").await.ok();
    assert_eq!(gone.status, 204);
    assert_eq!(world.send("HEAD", "/abc", &[], "").await.status, 404);
    assert!(world.send("HEAD", "/abc", &[], "").await.body.is_empty());
    for table in ["s3.bucket", "s3.owned", "s3.object", "s3.inline", "s3.blob"] {
        assert_eq!(world.records(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn where_a_bucket_may_be() {
    let world = World::new();
    let at = |region| context(region, "000000000000");
    for (endpoint, body, outcome) in [
        ("us-east-1", String::new(), Ok("us-east-1")),
        ("us-east-1", location("eu-west-1"), Ok("eu-west-1")),
        ("us-east-1", location("EU"), Ok("eu-west-1")),
        (
            "us-east-1",
            location("us-east-1"),
            Err("InvalidLocationConstraint"),
        ),
        (REGION, location(REGION), Ok(REGION)),
        (
            REGION,
            location("us-east-1"),
            Err("IllegalLocationConstraintException"),
        ),
        (
            REGION,
            String::new(),
            Err("IllegalLocationConstraintException"),
        ),
        (
            REGION,
            location("eu-west-1"),
            Err("IllegalLocationConstraintException"),
        ),
        (
            REGION,
            location("NOWHERE"),
            Err("InvalidLocationConstraint"),
        ),
        (
            "us-east-1",
            location("mars-1"),
            Err("InvalidLocationConstraint"),
        ),
        (
            REGION,
            "<CreateBucketConfiguration>".into(),
            Err("MalformedXML"),
        ),
    ] {
        let answer = world
            .send_as(at(endpoint), "PUT", "/abc", &[], body.clone())
            .await;
        match outcome {
            Err(code) => drop(answer.fails(400, code)),
            Ok(region) => {
                answer.ok();
                let head = world.send("HEAD", "/abc", &[], "").await.ok();
                assert_eq!(head.header("x-amz-bucket-region"), Some(region), "{body}");
                world.send("DELETE", "/abc", &[], "").await.ok();
            }
        }
    }
    // us-east-1 is written as an empty constraint.
    world
        .send_as(at("us-east-1"), "PUT", "/abc", &[], "")
        .await
        .ok();
    let text = world.get("/abc?location").await.ok();
    assert!(
        text.text().contains("<LocationConstraint"),
        "{}",
        text.text()
    );
    assert!(!text.text().contains("us-east-1"), "{}", text.text());
}

#[tokio::test]
async fn names_are_one_namespace() {
    let world = World::new();
    let mine = || context(REGION, "000000000000");
    let other = || context(REGION, "111111111111");
    world
        .send_as(mine(), "PUT", "/abc", &[], location(REGION))
        .await
        .ok();
    world
        .send_as(mine(), "PUT", "/abc", &[], location(REGION))
        .await
        .fails(409, "BucketAlreadyOwnedByYou");
    world
        .send_as(other(), "PUT", "/abc", &[], location(REGION))
        .await
        .fails(409, "BucketAlreadyExists");
    world
        .send_as(other(), "GET", "/abc", &[], "")
        .await
        .fails(403, "AccessDenied");
    world
        .send_as(other(), "PUT", "/abc/k", &[], "x")
        .await
        .fails(403, "AccessDenied");

    let us = || context("us-east-1", "000000000000");
    world.send_as(us(), "PUT", "/def", &[], "").await.ok();
    world.send_as(us(), "PUT", "/def", &[], "").await.ok();
    world
        .send_as(mine(), "PUT", "/def", &[], location(REGION))
        .await
        .fails(409, "BucketAlreadyOwnedByYou");

    let expected = [("x-amz-expected-bucket-owner", "111111111111")];
    world
        .send("GET", "/abc?list-type=2", &expected, "")
        .await
        .fails(403, "AccessDenied");
    let expected = [("x-amz-expected-bucket-owner", "000000000000")];
    world
        .send("GET", "/abc?list-type=2", &expected, "")
        .await
        .ok();

    let names = |answer: &crate::world::Answer| {
        answer
            .elements("Name")
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&world.get("/").await.ok()), ["abc", "def"]);
    assert!(names(&world.send_as(other(), "GET", "/", &[], "").await.ok()).is_empty());
}

#[tokio::test]
async fn bad_names_are_refused() {
    let world = World::new();
    for name in ["ab", "Abc", "a_b", "192.168.0.1", "xn--abc", "abc-s3alias"] {
        world
            .send("PUT", &format!("/{name}"), &[], location(REGION))
            .await
            .fails(400, "InvalidBucketName");
    }
    let refused = world.get("/A_B/key").await.fails(400, "InvalidBucketName");
    assert_eq!(
        refused.element("Message"),
        Some("The specified bucket is not valid.")
    );
    assert!(refused.element("RequestId").is_some() && refused.element("HostId").is_some());
}

#[tokio::test]
async fn buckets_are_listed_in_pages() {
    let world = World::new();
    for name in ["aaa", "bbb", "bbc", "ccc", "ddd"] {
        world.make_bucket(name).await;
    }
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let page = world.get(&format!("/?max-buckets=2{token}")).await.ok();
        listed.extend(page.elements("Name").into_iter().map(str::to_owned));
        match page.element("ContinuationToken") {
            Some(next) => token = format!("&continuation-token={next}"),
            None => break,
        }
    }
    assert_eq!(listed, ["aaa", "bbb", "bbc", "ccc", "ddd"]);
    let some = world.get("/?prefix=bb").await.ok();
    assert_eq!(some.elements("Name"), ["bbb", "bbc"]);
    assert_eq!(some.elements("BucketRegion"), [REGION, REGION]);
    assert!(
        world
            .get("/?bucket-region=eu-west-1")
            .await
            .ok()
            .elements("Name")
            .is_empty()
    );
    world
        .get("/?max-buckets=0")
        .await
        .fails(400, "InvalidArgument");
    world
        .get("/?continuation-token=nonsense")
        .await
        .fails(400, "InvalidArgument");
}

#[tokio::test]
async fn configurations_of_a_bucket() {
    let world = World::with_bucket().await;
    world.get("/b-1?tagging").await.fails(404, "NoSuchTagSet");
    let tags = "<Tagging><TagSet><Tag><Key>team</Key><Value>a+b</Value></Tag></TagSet></Tagging>";
    assert_eq!(
        world
            .send("PUT", "/b-1?tagging", &[], tags)
            .await
            .ok()
            .status,
        204
    );
    assert_eq!(
        world.get("/b-1?tagging").await.ok().element("Value"),
        Some("a+b")
    );
    assert_eq!(
        world
            .send("DELETE", "/b-1?tagging", &[], "")
            .await
            .ok()
            .status,
        204
    );
    world.get("/b-1?tagging").await.fails(404, "NoSuchTagSet");

    world
        .get("/b-1?policy")
        .await
        .fails(404, "NoSuchBucketPolicy");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*"}]}"#;
    assert_eq!(
        world
            .send("PUT", "/b-1?policy", &[], policy)
            .await
            .ok()
            .status,
        204
    );
    assert_eq!(world.get("/b-1?policy").await.ok().text(), policy);
    world
        .send("PUT", "/b-1?policy", &[], "{")
        .await
        .fails(400, "MalformedPolicy");
    let unreadable = policy.replace("\"Allow\"", "\"Perhaps\"");
    world
        .send("PUT", "/b-1?policy", &[], unreadable)
        .await
        .fails(400, "MalformedPolicy");
    let elsewhere = policy.replace("b-1", "b-2");
    world
        .send("PUT", "/b-1?policy", &[], elsewhere)
        .await
        .fails(400, "MalformedPolicy");
    world.send("DELETE", "/b-1?policy", &[], "").await.ok();
    world
        .get("/b-1?policy")
        .await
        .fails(404, "NoSuchBucketPolicy");

    for (method, uri, operation) in [
        ("PUT", "/b-1/k?renameObject", "RenameObject"),
        ("PUT", "/b-1/k?encryption", "UpdateObjectEncryption"),
        ("PUT", "/b-1/k?annotation", "PutObjectAnnotation"),
        ("DELETE", "/b-1/k?annotation=n", "DeleteObjectAnnotation"),
        (
            "DELETE",
            "/b-1?metadataConfiguration",
            "DeleteBucketMetadataConfiguration",
        ),
        ("PUT", "/b-2?abac", "PutBucketAbac"),
    ] {
        let absent = world.send(method, uri, &[], "").await;
        let absent = absent.fails(501, "NotImplemented");
        assert!(absent.text().contains(operation), "{}", absent.text());
    }
    // None of them was taken for something that makes, overwrites or deletes.
    world.get("/b-1?location").await.ok();
    world.get("/b-1/k").await.fails(404, "NoSuchKey");
    world.get("/b-2?location").await.fails(404, "NoSuchBucket");

    let absent = world
        .get("/b-1?metadataTable")
        .await
        .fails(501, "NotImplemented");
    assert!(
        absent
            .text()
            .contains("GetBucketMetadataTableConfiguration"),
        "{}",
        absent.text()
    );

    let acl = world.get("/b-1?acl").await.ok();
    assert_eq!(acl.element("Permission"), Some("FULL_CONTROL"));
    let public = [("x-amz-acl", "public-read")];
    world
        .send("PUT", "/b-1?acl", &public, "")
        .await
        .fails(400, "AccessControlListNotSupported");
    world
        .send("PUT", "/b-1/k", &public, "")
        .await
        .fails(400, "AccessControlListNotSupported");
}

/// What tools such as Terraform ask of every bucket.
#[tokio::test]
async fn configurations_that_are_not_there() {
    let world = World::with_bucket().await;
    for (query, code) in [
        ("cors", "NoSuchCORSConfiguration"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ] {
        world.get(&format!("/b-1?{query}")).await.fails(404, code);
        world
            .get(&format!("/none?{query}"))
            .await
            .fails(404, "NoSuchBucket");
    }
    for (query, text) in [
        ("accelerate", "AccelerateConfiguration"),
        ("encryption", "<SSEAlgorithm>AES256</SSEAlgorithm>"),
        ("logging", "BucketLoggingStatus"),
        ("ownershipControls", "BucketOwnerEnforced"),
        ("requestPayment", "<Payer>BucketOwner</Payer>"),
    ] {
        assert!(
            world
                .get(&format!("/b-1?{query}"))
                .await
                .ok()
                .text()
                .contains(text),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_put_and_a_delete_of_the_bucket_never_both_win() {
    for _ in 0..50 {
        let world = World::with_bucket().await;
        let (put, deleted) = tokio::join!(
            world.send("PUT", "/b-1/k", &[], "x"),
            world.send("DELETE", "/b-1", &[], "")
        );
        assert_ne!(put.status.is_success(), deleted.status.is_success());
        let objects = usize::from(put.status.is_success());
        assert_eq!(world.records("s3.object").await, objects);
        assert_eq!(world.records("s3.bucket").await, objects);
    }
}
