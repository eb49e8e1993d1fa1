//! What was acknowledged is there after a restart, and what nobody came to use goes.

use std::time::Duration;

use oci::Digest;
use serde_json::json;

use crate::world::{World, header, manifest};

#[tokio::test]
async fn images_survive_and_uploads_begin_again() {
    let world = World::new().await;
    world.repository("app").await;
    let digest = world.push_image("app", "one", "v1").await;
    let begun = world
        .request("POST", "/v2/app/blobs/uploads/", &[], "")
        .await;
    let place = header(&begun, "location").to_owned();
    world.request("PATCH", &place, &[], "some").await;
    let world = world.reopened().await;
    let got = world.get(&format!("/v2/app/manifests/{digest}")).await;
    assert_eq!(got.body(), manifest("one").as_bytes());
    let layer = Digest::of(b"one");
    assert_eq!(
        world.get(&format!("/v2/app/blobs/{layer}")).await.body(),
        "one"
    );
    assert_eq!(world.get(&place).await.status(), 404);
    let listed = world
        .ok("ListImages", json!({"repositoryName": "app"}))
        .await;
    assert_eq!(listed["imageIds"][0]["imageTag"], "v1");
}

#[tokio::test]
async fn layers_without_an_image_go_after_a_day() {
    let world = World::new().await;
    world.repository("app").await;
    world.push_image("app", "used", "v1").await;
    let unused = world.push_blob("app", "unused").await;
    let path = format!("/v2/app/blobs/{unused}");
    world.later(Duration::from_hours(23));
    let world = world.reopened().await;
    assert_eq!(world.get(&path).await.status(), 200);
    world.later(Duration::from_hours(2));
    let world = world.reopened().await;
    assert_eq!(world.get(&path).await.status(), 404);
    let used = format!("/v2/app/blobs/{}", Digest::of(b"used"));
    assert_eq!(world.get(&used).await.status(), 200);
}
