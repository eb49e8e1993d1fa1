//! Pushing and pulling by the distribution API.

use oci::Digest;
use serde_json::json;

use crate::world::{OCI_MANIFEST, World, code, header, json_body, manifest};

#[tokio::test]
async fn a_blob_is_pushed_in_pieces_and_pulled() {
    let world = World::new().await;
    world.repository("team/app").await;
    let begun = world
        .request("POST", "/v2/team/app/blobs/uploads/", &[], "")
        .await;
    assert_eq!(begun.status(), 202);
    assert_eq!(header(&begun, "range"), "0-0");
    let place = header(&begun, "location").to_owned();
    let first = world.request("PATCH", &place, &[], "hello, ").await;
    assert_eq!(
        (first.status().as_u16(), header(&first, "range")),
        (202, "0-6")
    );
    // A piece that says where it belongs must be the next one.
    let gap = world
        .request("PATCH", &place, &[("content-range", "9-12")], "late")
        .await;
    assert_eq!((gap.status().as_u16(), header(&gap, "range")), (416, "0-6"));
    let second = world
        .request("PATCH", &place, &[("content-range", "7-11")], "world")
        .await;
    assert_eq!(second.status(), 202);
    let status = world.get(&place).await;
    assert_eq!(
        (status.status().as_u16(), header(&status, "range")),
        (204, "0-11")
    );
    let digest = Digest::of(b"hello, world!");
    let done = world
        .request("PUT", &format!("{place}?digest={digest}"), &[], "!")
        .await;
    assert_eq!(done.status(), 201);
    assert_eq!(header(&done, "docker-content-digest"), digest.to_string());
    let blob = format!("/v2/team/app/blobs/{digest}");
    assert_eq!(header(&done, "location"), blob);
    let head = world.request("HEAD", &blob, &[], "").await;
    assert_eq!(header(&head, "content-length"), "13");
    assert!(head.body().is_empty());
    assert_eq!(world.get(&blob).await.body(), "hello, world!");
    let part = world
        .request("GET", &blob, &[("range", "bytes=7-11")], "")
        .await;
    assert_eq!(
        (part.status().as_u16(), part.body().as_ref()),
        (206, &b"world"[..])
    );
    assert_eq!(header(&part, "content-range"), "bytes 7-11/13");
    let outside = world
        .request("GET", &blob, &[("range", "bytes=13-")], "")
        .await;
    assert_eq!(outside.status(), 416);
    assert_eq!(code(&world.get(&place).await), "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_blob_of_another_digest_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    world.repository("app").await;
    let wrong = Digest::of(b"other");
    let path = format!("/v2/app/blobs/uploads/?digest={wrong}");
    let refused = world.request("POST", &path, &[], "content").await;
    assert_eq!(
        (refused.status().as_u16(), code(&refused).as_str()),
        (400, "DIGEST_INVALID")
    );
    let blob = world.get(&format!("/v2/app/blobs/{wrong}")).await;
    assert_eq!(
        (blob.status().as_u16(), code(&blob).as_str()),
        (404, "BLOB_UNKNOWN")
    );
    let begun = world
        .request("POST", "/v2/app/blobs/uploads/", &[], "")
        .await;
    let place = header(&begun, "location").to_owned();
    let without = world.request("PUT", &place, &[], "x").await;
    assert_eq!(code(&without), "DIGEST_INVALID");
    assert_eq!(world.request("DELETE", &place, &[], "").await.status(), 204);
    assert_eq!(world.get(&place).await.status(), 404);
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository() {
    let world = World::new().await;
    world.repository("from").await;
    world.repository("to").await;
    let digest = world.push_blob("from", "layer").await;
    let mount = |from: &str| format!("/v2/to/blobs/uploads/?mount={digest}&from={from}");
    let missing = world.request("POST", &mount("nowhere"), &[], "").await;
    assert_eq!(missing.status(), 202);
    let mounted = world.request("POST", &mount("from"), &[], "").await;
    assert_eq!(mounted.status(), 201);
    let force = json!({"repositoryName": "from", "force": true});
    world.ok("DeleteRepository", force).await;
    assert_eq!(
        world.get(&format!("/v2/to/blobs/{digest}")).await.body(),
        "layer"
    );
}

#[tokio::test]
async fn a_manifest_is_pushed_by_tag_and_got_by_both() {
    let world = World::new().await;
    world.repository("app").await;
    let kind = [("content-type", OCI_MANIFEST)];
    let early = world
        .request("PUT", "/v2/app/manifests/v1", &kind, manifest("one"))
        .await;
    assert_eq!(code(&early), "MANIFEST_BLOB_UNKNOWN");
    let digest = world.push_image("app", "one", "v1").await;
    for reference in ["v1", &digest.to_string()] {
        let got = world.get(&format!("/v2/app/manifests/{reference}")).await;
        assert_eq!(got.body(), manifest("one").as_bytes());
        assert_eq!(header(&got, "content-type"), OCI_MANIFEST);
        assert_eq!(header(&got, "docker-content-digest"), digest.to_string());
    }
    let other = Digest::of(b"");
    let wrong = format!("/v2/app/manifests/{other}");
    let wrong = world.request("PUT", &wrong, &kind, manifest("one")).await;
    assert_eq!(code(&wrong), "DIGEST_INVALID");
    for (reference, expected) in [
        ("v2", "MANIFEST_UNKNOWN"),
        ("-bad", "TAG_INVALID"),
        ("sha256:00", "DIGEST_INVALID"),
    ] {
        let got = world.get(&format!("/v2/app/manifests/{reference}")).await;
        assert_eq!(code(&got), expected, "{reference}");
    }
    let text = world
        .request("PUT", "/v2/app/manifests/v3", &kind, "no json")
        .await;
    assert_eq!(code(&text), "MANIFEST_INVALID");
    let long = world
        .request(
            "PUT",
            "/v2/app/manifests/v3",
            &kind,
            vec![b' '; (4 << 20) + 1],
        )
        .await;
    assert_eq!(code(&long), "MANIFEST_INVALID");
    let deleted = world
        .request("DELETE", "/v2/app/manifests/v1", &[], "")
        .await;
    assert_eq!(deleted.status(), 202);
    assert_eq!(world.get("/v2/app/manifests/v1").await.status(), 404);
}

#[tokio::test]
async fn errors_are_in_the_apis_own_form() {
    let world = World::new().await;
    let unknown = world.get("/v2/nowhere/tags/list").await;
    assert_eq!(
        (unknown.status().as_u16(), code(&unknown).as_str()),
        (404, "NAME_UNKNOWN")
    );
    let message = &json_body(&unknown)["errors"][0]["message"];
    assert_eq!(
        message,
        "The repository with name 'nowhere' does not exist in the registry with id '000000000000'"
    );
    assert_eq!(code(&world.get("/v2/Bad/tags/list").await), "NAME_INVALID");
    assert_eq!(world.get("/v2/app").await.status(), 404);
    let put = world.request("PUT", "/v2/app/tags/list", &[], "").await;
    assert_eq!(
        (put.status().as_u16(), code(&put).as_str()),
        (405, "UNSUPPORTED")
    );
    let version = world.get("/v2/").await;
    assert_eq!(version.status(), 200);
    assert_eq!(
        header(&version, "docker-distribution-api-version"),
        "registry/2.0"
    );
}
