//! Lists of the distribution API.

use serde_json::json;

use crate::world::{OCI_MANIFEST, World, header, json_body, part};

#[tokio::test]
async fn tags_and_repositories_come_in_pages() {
    let world = World::new().await;
    for name in ["a1", "a2", "a3"] {
        world.repository(name).await;
    }
    for tag in ["v3", "v1", "v2"] {
        world.push_image("a1", "one", tag).await;
    }
    let all = world.get("/v2/a1/tags/list").await;
    assert_eq!(
        json_body(&all),
        json!({"name": "a1", "tags": ["v1", "v2", "v3"]})
    );
    let first = world.get("/v2/a1/tags/list?n=2").await;
    assert_eq!(json_body(&first)["tags"], json!(["v1", "v2"]));
    let next = header(&first, "link");
    assert_eq!(next, "</v2/a1/tags/list?n=2&last=v2>; rel=\"next\"");
    let last = world.get("/v2/a1/tags/list?n=2&last=v2").await;
    assert_eq!(json_body(&last)["tags"], json!(["v3"]));
    assert!(!last.headers().contains_key("link"));
    let catalog = world.get("/v2/_catalog?n=2").await;
    assert_eq!(json_body(&catalog)["repositories"], json!(["a1", "a2"]));
    assert!(header(&catalog, "link").contains("last=a2"));
}

#[tokio::test]
async fn what_refers_to_an_image_is_listed() {
    let world = World::new().await;
    world.repository("app").await;
    let subject = world.push_image("app", "one", "v1").await;
    let signature = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.signature",
        "config": part("{}", "application/vnd.oci.empty.v1+json"),
        "layers": [part("one", "application/octet-stream")],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject.to_string(), "size": 1},
        "annotations": {"by": "me"},
    })
    .to_string();
    let digest = oci::Digest::of(signature.as_bytes());
    let path = format!("/v2/app/manifests/{digest}");
    let kind = [("content-type", OCI_MANIFEST)];
    let put = world.request("PUT", &path, &kind, signature.clone()).await;
    assert_eq!(header(&put, "oci-subject"), subject.to_string());
    let listed = world.get(&format!("/v2/app/referrers/{subject}")).await;
    assert_eq!(
        json_body(&listed)["manifests"],
        json!([{
            "mediaType": OCI_MANIFEST,
            "digest": digest.to_string(),
            "size": signature.len(),
            "artifactType": "application/vnd.example.signature",
            "annotations": {"by": "me"},
        }])
    );
    let other = format!("/v2/app/referrers/{subject}?artifactType=other");
    let other = world.get(&other).await;
    assert_eq!(json_body(&other)["manifests"], json!([]));
    assert_eq!(header(&other, "oci-filters-applied"), "artifactType");
}
