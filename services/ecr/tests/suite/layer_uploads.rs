//! Pushing layers by ECR's own operations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::world::World;

fn part(upload: &Json, first: usize, content: &[u8]) -> Json {
    json!({
        "repositoryName": "app",
        "uploadId": upload["uploadId"],
        "partFirstByte": first,
        "partLastByte": first + content.len() - 1,
        "layerPartBlob": {"$blob": STANDARD.encode(content)},
    })
}

#[tokio::test]
async fn a_layer_is_uploaded_in_parts() {
    let world = World::new().await;
    world.repository("app").await;
    let named = json!({"repositoryName": "app"});
    let upload = world.ok("InitiateLayerUpload", named.clone()).await;
    let large = vec![7; 5 << 20];
    let received = world.ok("UploadLayerPart", part(&upload, 0, &large)).await;
    assert_eq!(received["lastByteReceived"], (5 << 20) - 1);
    let (code, _) = world
        .refused("UploadLayerPart", part(&upload, 3, b"gap"))
        .await;
    assert_eq!(code, "InvalidLayerPartException");
    world
        .ok("UploadLayerPart", part(&upload, 5 << 20, b"end"))
        .await;
    // Only the last part may be so small.
    let (code, _) = world
        .refused("UploadLayerPart", part(&upload, (5 << 20) + 3, b"more"))
        .await;
    assert_eq!(code, "LayerPartTooSmallException");
    let whole = [large.as_slice(), b"end"].concat();
    let digest = oci::Digest::of(&whole).to_string();
    let complete = |digest: &str| {
        json!({
            "repositoryName": "app",
            "uploadId": upload["uploadId"],
            "layerDigests": [digest],
        })
    };
    let other = oci::Digest::of(b"other").to_string();
    let (code, _) = world.refused("CompleteLayerUpload", complete(&other)).await;
    assert_eq!(code, "InvalidLayerException");
    let done = world.ok("CompleteLayerUpload", complete(&digest)).await;
    assert_eq!(done["layerDigest"], digest);
    let (code, _) = world
        .refused("CompleteLayerUpload", complete(&digest))
        .await;
    assert_eq!(code, "UploadNotFoundException");
    let available = world
        .ok(
            "BatchCheckLayerAvailability",
            json!({"repositoryName": "app", "layerDigests": [digest, other, "md5:00"]}),
        )
        .await;
    let layers = available["layers"].as_array().unwrap();
    assert_eq!(layers[0]["layerAvailability"], "AVAILABLE");
    assert_eq!(layers[0]["layerSize"], whole.len());
    assert_eq!(layers[1]["layerAvailability"], "UNAVAILABLE");
    let failure = &available["failures"][0];
    assert_eq!(failure["failureCode"], "InvalidLayerDigest");

    let again = world.ok("InitiateLayerUpload", named).await;
    let empty = json!({
        "repositoryName": "app",
        "uploadId": again["uploadId"],
        "layerDigests": [digest],
    });
    let (code, _) = world.refused("CompleteLayerUpload", empty.clone()).await;
    assert_eq!(code, "EmptyUploadException");
    world.ok("UploadLayerPart", part(&again, 0, &whole)).await;
    let (code, _) = world.refused("CompleteLayerUpload", empty).await;
    assert_eq!(code, "LayerAlreadyExistsException");
}

#[tokio::test]
async fn a_download_address_gives_its_layer_and_no_other() {
    let world = World::enforcing().await;
    world.repository("app").await;
    let url = json!({"repositoryName": "app", "layerDigest": oci::Digest::of(b"x").to_string()});
    let (code, message) = world.refused("GetDownloadUrlForLayer", url).await;
    assert_eq!(code, "LayersNotFoundException");
    assert!(message.starts_with("The layer with digest '"), "{message}");
    for content in [b"layer", b"other"] {
        let upload = json!({"repositoryName": "app"});
        let upload = world.ok("InitiateLayerUpload", upload).await;
        world.ok("UploadLayerPart", part(&upload, 0, content)).await;
        let complete = json!({
            "repositoryName": "app",
            "uploadId": upload["uploadId"],
            "layerDigests": [oci::Digest::of(content).to_string()],
        });
        world.ok("CompleteLayerUpload", complete).await;
    }
    let digest = oci::Digest::of(b"layer").to_string();
    let input = json!({"repositoryName": "app", "layerDigest": digest});
    let answer = world.ok("GetDownloadUrlForLayer", input).await;
    let url = answer["downloadUrl"].as_str().unwrap();
    let path = url.strip_prefix("http://localhost:4566").unwrap();
    let host = [("host", "localhost:4566")];
    let got = world.request("GET", path, &host, "").await;
    assert_eq!(
        (got.status().as_u16(), got.body().as_ref()),
        (200, &b"layer"[..])
    );
    let other = path.replace(&digest, &oci::Digest::of(b"other").to_string());
    let refused = world.request("GET", &other, &host, "").await;
    assert_eq!(refused.status(), 403);
    world.later(std::time::Duration::from_secs(3_601));
    assert_eq!(world.request("GET", path, &host, "").await.status(), 401);
}
