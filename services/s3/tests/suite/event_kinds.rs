//! Every kind of event there is, at a function and at EventBridge's bus.

use std::time::Duration;

use base::ManualClock;
use serde_json::Value;

use crate::versions;
use crate::world::{NOW, World};

const FUNCTION: &str = "arn:aws:lambda:ap-northeast-1:000000000000:function:handler";
const KINDS: [&str; 5] = [
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:ObjectTagging:*",
    "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration:*",
];

async fn watched(clock: &ManualClock) -> World {
    let world = World::at(clock);
    world.make_bucket("b-1").await;
    world.api.known_functions.lock().insert(FUNCTION.to_owned());
    let events: String = KINDS
        .iter()
        .map(|kind| format!("<Event>{kind}</Event>"))
        .collect();
    let configuration = format!(
        "<NotificationConfiguration><CloudFunctionConfiguration><CloudFunction>{FUNCTION}\
         </CloudFunction>{events}</CloudFunctionConfiguration><EventBridgeConfiguration/>\
         </NotificationConfiguration>"
    );
    world.put("/b-1?notification", configuration).await;
    let writer = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
                  </OwnershipControls>";
    world.put("/b-1?ownershipControls", writer).await;
    world
}

/// The next event: its name, and its object.
async fn next(world: &World) -> (String, Value) {
    let (_, mut record) = world.functions.invocation().await;
    let name = record["eventName"].as_str().unwrap().to_owned();
    (name, record["s3"]["object"].take())
}

#[tokio::test]
async fn what_requests_do() {
    let world = watched(&ManualClock::starting_at(NOW)).await;
    versions::set(&world, "Enabled").await;
    let put = world.put("/b-1/k", "x").await;
    let id = put.header("x-amz-version-id").unwrap().to_owned();
    let (name, object) = next(&world).await;
    assert_eq!(
        (name.as_str(), object["versionId"].as_str()),
        ("ObjectCreated:Put", Some(&*id))
    );
    let form = "--XX\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nposted\r\n--XX\r\n\
                Content-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--XX--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=XX")];
    world.send("POST", "/b-1", &kind, form).await.ok();
    assert_eq!(next(&world).await.0, "ObjectCreated:Post");
    let copy = [("x-amz-copy-source", "/b-1/k")];
    world.send("PUT", "/b-1/copy", &copy, "").await.ok();
    assert_eq!(next(&world).await.0, "ObjectCreated:Copy");
    let acl = [("x-amz-acl", "public-read")];
    world.send("PUT", "/b-1/k?acl", &acl, "").await.ok();
    let (name, object) = next(&world).await;
    assert_eq!(
        (name.as_str(), object["versionId"].as_str()),
        ("ObjectAcl:Put", Some(&*id))
    );
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    world.put("/b-1/k?tagging", tags).await;
    assert_eq!(next(&world).await.0, "ObjectTagging:Put");
    world.send("DELETE", "/b-1/k?tagging", &[], "").await.ok();
    assert_eq!(next(&world).await.0, "ObjectTagging:Delete");
    let gone = world.send("DELETE", "/b-1/k", &[], "").await.ok();
    let (name, object) = next(&world).await;
    assert_eq!(name, "ObjectRemoved:DeleteMarkerCreated");
    assert_eq!(
        object["versionId"].as_str(),
        gone.header("x-amz-version-id")
    );
    world
        .send("DELETE", &format!("/b-1/k?versionId={id}"), &[], "")
        .await
        .ok();
    let (name, object) = next(&world).await;
    assert_eq!(
        (name.as_str(), object["versionId"].as_str()),
        ("ObjectRemoved:Delete", Some(&*id))
    );

    for _ in 0..10_000 {
        if world.events.published.lock().len() == 8 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let published = world.events.published.lock();
    let told: Vec<_> = published
        .iter()
        .map(|event| event.text("DetailType"))
        .collect();
    for (kind, count) in [
        ("Object Created", 3),
        ("Object Deleted", 2),
        ("Object Tags Added", 1),
        ("Object Tags Deleted", 1),
        ("Object ACL Updated", 1),
    ] {
        assert_eq!(
            told.iter().filter(|told| **told == kind).count(),
            count,
            "{told:?}"
        );
    }
    let details: String = published.iter().map(|event| event.text("Detail")).collect();
    for part in [
        "Delete Marker Created",
        "Permanently Deleted",
        "\"version-id\"",
    ] {
        assert!(details.contains(part), "{details}");
    }
}

#[tokio::test]
async fn what_lifecycle_rules_do() {
    let clock = ManualClock::starting_at(NOW);
    let world = watched(&clock).await;
    world.s3.resume().await.unwrap();
    let rules = "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration>\
                 <Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    world.put("/b-1?lifecycle", rules).await;
    world.put("/b-1/k", "x").await;
    assert_eq!(next(&world).await.0, "ObjectCreated:Put");
    for _ in 0..3 {
        clock.advance(Duration::from_hours(24));
        tokio::task::yield_now().await;
    }
    assert_eq!(next(&world).await.0, "LifecycleExpiration:Delete");
    versions::set(&world, "Enabled").await;
    world.put("/b-1/k", "x").await;
    assert_eq!(next(&world).await.0, "ObjectCreated:Put");
    for _ in 0..3 {
        clock.advance(Duration::from_hours(24));
        tokio::task::yield_now().await;
    }
    let (name, object) = next(&world).await;
    assert_eq!(name, "LifecycleExpiration:DeleteMarkerCreated");
    assert!(object["versionId"].is_string(), "{object}");
}
