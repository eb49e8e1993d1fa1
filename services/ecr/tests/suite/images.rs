//! Images by ECR's own operations.

use serde_json::{Value as Json, json};

use crate::world::{OCI_MANIFEST, World, manifest, part};

fn identified(images: &Json) -> Vec<(String, Option<String>)> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let images = images.as_array().unwrap().iter();
    images
        .map(|it| (text(&it["imageDigest"]).unwrap(), text(&it["imageTag"])))
        .collect()
}

#[tokio::test]
async fn an_image_is_put_when_its_layers_are_there() {
    let world = World::new().await;
    world.repository("app").await;
    let put = json!({
        "repositoryName": "app",
        "imageManifest": manifest("one"),
        "imageTag": "v1",
    });
    let (code, message) = world.refused("PutImage", put.clone()).await;
    assert_eq!(code, "LayersNotFoundException");
    assert!(message.contains("required for pushing image"), "{message}");
    world.push_blob("app", "{}").await;
    world.push_blob("app", "one").await;
    let image = world.ok("PutImage", put.clone()).await;
    let digest = oci::Digest::of(manifest("one").as_bytes()).to_string();
    assert_eq!(image["image"]["imageId"]["imageDigest"], digest);
    assert_eq!(image["image"]["imageManifestMediaType"], OCI_MANIFEST);
    let (code, message) = world.refused("PutImage", put.clone()).await;
    assert_eq!(code, "ImageAlreadyExistsException");
    assert!(message.contains("and tag 'v1'"), "{message}");
    let mut other = put.clone();
    other["imageTag"] = json!("v2");
    world.ok("PutImage", other).await;
    let mut wrong = put.clone();
    wrong["imageDigest"] = json!(oci::Digest::of(b"").to_string());
    let (code, _) = world.refused("PutImage", wrong).await;
    assert_eq!(code, "ImageDigestDoesNotMatchException");
    for bad in ["{}", "no", r#"{"schemaVersion": 1}"#] {
        let mut bad_put = put.clone();
        bad_put["imageManifest"] = json!(bad);
        let (code, message) = world.refused("PutImage", bad_put).await;
        assert_eq!(code, "InvalidParameterException", "{bad}");
        assert!(
            message.starts_with("Invalid parameter at 'ImageManifest'"),
            "{message}"
        );
    }
    let mut bad_tag = put;
    bad_tag["imageTag"] = json!("no tag");
    let (code, _) = world.refused("PutImage", bad_tag).await;
    assert_eq!(code, "InvalidParameterException");
    let described = world
        .ok("DescribeImages", json!({"repositoryName": "app"}))
        .await;
    let detail = &described["imageDetails"][0];
    assert_eq!(detail["imageTags"], json!(["v1", "v2"]));
    assert_eq!(detail["imageSizeInBytes"], 2 + 3);
}

#[tokio::test]
async fn immutable_tags_stay_where_they_are() {
    let world = World::new().await;
    let repository = json!({
        "repositoryName": "app",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
    });
    world.ok("CreateRepository", repository).await;
    for content in ["one", "two"] {
        world.push_blob("app", content).await;
    }
    world.push_image("app", "one", "v1").await;
    world.push_image("app", "one", "dev-1").await;
    let put = |tag: &str| json!({"repositoryName": "app", "imageManifest": manifest("two"), "imageTag": tag});
    let (code, message) = world.refused("PutImage", put("v1")).await;
    assert_eq!(code, "ImageTagAlreadyExistsException");
    assert_eq!(
        message,
        "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten \
         because the tag is immutable."
    );
    world.ok("PutImage", put("dev-1")).await;
    let kind = [("content-type", OCI_MANIFEST)];
    let over = world
        .request("PUT", "/v2/app/manifests/v1", &kind, manifest("two"))
        .await;
    assert_eq!(over.status(), 400);
    // Nor is the same image taken again, as on ECR.
    let again = world
        .request("PUT", "/v2/app/manifests/v1", &kind, manifest("one"))
        .await;
    assert_eq!(again.status(), 400);
    let mut again = put("v1");
    again["imageManifest"] = json!(manifest("one"));
    let (code, _) = world.refused("PutImage", again).await;
    assert_eq!(code, "ImageTagAlreadyExistsException");
    let by_digest = format!(
        "/v2/app/manifests/{}",
        oci::Digest::of(manifest("one").as_bytes())
    );
    let by_digest = world
        .request("PUT", &by_digest, &kind, manifest("one"))
        .await;
    assert_eq!(by_digest.status(), 201);
}

#[tokio::test]
async fn images_are_got_in_batches_with_their_failures() {
    let world = World::new().await;
    world.repository("app").await;
    let one = world.push_image("app", "one", "v1").await.to_string();
    let two = world.push_image("app", "two", "v2").await.to_string();
    let input = json!({"repositoryName": "app", "imageIds": [
        {"imageTag": "v1"},
        {"imageDigest": two},
        {"imageTag": "v3"},
        {"imageDigest": "sha256:0"},
        {"imageDigest": two, "imageTag": "v1"},
        {},
    ]});
    let got = world.ok("BatchGetImage", input).await;
    let images = got["images"].as_array().unwrap();
    assert_eq!(images.len(), 2);
    assert_eq!(
        images[0]["imageId"],
        json!({"imageDigest": one, "imageTag": "v1"})
    );
    assert_eq!(images[0]["imageManifest"], manifest("one"));
    let failures: Vec<&str> = got["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["failureCode"].as_str().unwrap())
        .collect();
    assert_eq!(
        failures,
        [
            "ImageNotFound",
            "InvalidImageDigest",
            "ImageTagDoesNotMatchDigest",
            "MissingDigestAndTag"
        ]
    );
    let missing = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v9"}]});
    let (code, message) = world.refused("DescribeImages", missing).await;
    assert_eq!(code, "ImageNotFoundException");
    assert_eq!(
        message,
        "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the \
         repository with name 'app' in the registry with id '000000000000'"
    );
}

#[tokio::test]
async fn an_image_goes_with_its_last_tag_and_its_layers_with_it() {
    let world = World::new().await;
    world.repository("app").await;
    let digest = world.push_image("app", "one", "v1").await.to_string();
    world.push_image("app", "one", "v2").await;
    world.push_image("app", "two", "other").await;
    let delete = |id: Json| json!({"repositoryName": "app", "imageIds": [id]});
    let deleted = world
        .ok("BatchDeleteImage", delete(json!({"imageTag": "v1"})))
        .await;
    assert_eq!(
        identified(&deleted["imageIds"]),
        [(digest.clone(), Some("v1".to_owned()))]
    );
    assert_eq!(world.get("/v2/app/manifests/v2").await.status(), 200);
    world
        .ok("BatchDeleteImage", delete(json!({"imageTag": "v2"})))
        .await;
    let answer = world.get(&format!("/v2/app/manifests/{digest}")).await;
    assert_eq!(answer.status(), 404);
    let layer = |content: &str| format!("/v2/app/blobs/{}", oci::Digest::of(content.as_bytes()));
    assert_eq!(world.get(&layer("one")).await.status(), 404);
    // The other image still has its own, and the configuration.
    assert_eq!(world.get(&layer("two")).await.status(), 200);
    assert_eq!(world.get(&layer("{}")).await.status(), 200);
    let again = world
        .ok("BatchDeleteImage", delete(json!({"imageTag": "v2"})))
        .await;
    assert_eq!(again["failures"][0]["failureCode"], "ImageNotFound");
}

#[tokio::test]
async fn an_index_keeps_its_images() {
    let world = World::new().await;
    world.repository("app").await;
    let one = manifest("one");
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [part(&one, OCI_MANIFEST)],
    })
    .to_string();
    let put = json!({"repositoryName": "app", "imageManifest": index, "imageTag": "all"});
    let (code, _) = world.refused("PutImage", put.clone()).await;
    assert_eq!(code, "ReferencedImagesNotFoundException");
    let digest = oci::Digest::of(one.as_bytes()).to_string();
    world.push_image("app", "one", &digest).await;
    world.ok("PutImage", put).await;
    let delete = |ids: Json| json!({"repositoryName": "app", "imageIds": ids});
    let kept = world
        .ok("BatchDeleteImage", delete(json!([{"imageDigest": digest}])))
        .await;
    assert_eq!(
        kept["failures"][0]["failureCode"],
        "ImageReferencedByManifestList"
    );
    let both = json!([{"imageDigest": digest}, {"imageTag": "all"}]);
    let deleted = world.ok("BatchDeleteImage", delete(both)).await;
    assert_eq!(deleted["imageIds"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn lists_tell_tags_from_images_without_and_come_in_pages() {
    let world = World::new().await;
    world.repository("app").await;
    let untagged = manifest("zero");
    let untagged = oci::Digest::of(untagged.as_bytes()).to_string();
    world.push_image("app", "zero", &untagged).await;
    for n in 0..4 {
        world
            .push_image("app", &format!("n{n}"), &format!("t{n}"))
            .await;
    }
    let list = |filter: Json| json!({"repositoryName": "app", "filter": filter});
    let tagged = world
        .ok("ListImages", list(json!({"tagStatus": "TAGGED"})))
        .await;
    assert_eq!(tagged["imageIds"].as_array().unwrap().len(), 4);
    let without = world
        .ok("ListImages", list(json!({"tagStatus": "UNTAGGED"})))
        .await;
    assert_eq!(identified(&without["imageIds"]), [(untagged, None)]);
    for operation in ["ListImages", "DescribeImages"] {
        let member = if operation == "ListImages" {
            "imageIds"
        } else {
            "imageDetails"
        };
        let (mut count, mut token) = (0, json!(null));
        loop {
            let mut input = json!({"repositoryName": "app", "maxResults": 2});
            if !token.is_null() {
                input["nextToken"] = token;
            }
            let page = world.ok(operation, input).await;
            count += page[member].as_array().unwrap().len();
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(count, 5, "{operation}");
    }
}

#[tokio::test]
async fn what_is_absent_says_so_by_name() {
    let world = World::new().await;
    let schema = ecr::endpoint(&world.ecr);
    let names = schema.schema().absent.iter().map(|absent| absent.name);
    let names: Vec<&str> = names.collect();
    for absent in [
        "StartImageScan",
        "PutLifecyclePolicy",
        "PutReplicationConfiguration",
        "CreatePullThroughCacheRule",
    ] {
        assert!(names.contains(&absent), "{absent} is not among {names:?}");
    }
}
