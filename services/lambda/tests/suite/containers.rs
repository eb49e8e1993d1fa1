//! Functions of container images.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use oci::Digest;
use serde_json::{Value as Json, json};
use service::Body;
use tar::{Builder, Header};

use crate::support::{Folder, ROLE, Settings, World, context, eventually, with};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const HOST: &str = "000000000000.dkr.ecr.us-east-1.localhost:4566";

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}

impl World {
    async fn push(&self, method: &str, path: &str, content: &[u8]) -> Digest {
        let content: Bytes = content.to_vec().into();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST)
            .header("content-type", MANIFEST)
            .body(Body::new(
                Full::new(content.clone()).map_err(|never| match never {}),
            ))
            .unwrap();
        let answer = ecr::distribution(&self.ecr)
            .handle(context(), request)
            .await;
        assert_eq!(answer.status(), 201, "{path}");
        Digest::of(&content)
    }

    async fn push_blob(&self, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let path = format!("/v2/app/blobs/uploads/?digest={digest}");
        self.push("POST", &path, content).await
    }

    /// Pushes an image of one layer, whatever that is; returns the manifest's digest. The configuration
    /// says what the layer is, unless it says so itself.
    async fn push_image(&self, tag: &str, layer: &[u8], config: &Json) -> Digest {
        let repository = json!({"repositoryName": "app"});
        let _ = self
            .call_service("ecr", "CreateRepository", repository)
            .await;
        let rootfs = json!({"rootfs": {"diff_ids": [Digest::of(layer).to_string()]}});
        let config = with(rootfs, config.clone()).to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.push_blob(config.as_bytes()).await.to_string(),
                "size": config.len(),
            },
            "layers": [{
                "mediaType": TAR,
                "digest": self.push_blob(layer).await.to_string(),
                "size": layer.len(),
            }],
        });
        let path = format!("/v2/app/manifests/{tag}");
        self.push("PUT", &path, manifest.to_string().as_bytes())
            .await
    }

    async fn push_ordinary(&self, tag: &str) -> Digest {
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {"Entrypoint": ["/bin/none"]},
        });
        self.push_image(tag, &layer(tag), &config).await
    }

    /// Until its image is there, or is known not to be.
    async fn settled(&self, name: &str) -> Json {
        eventually(async || {
            let input = json!({"FunctionName": name});
            let found = self.ok("GetFunctionConfiguration", input).await;
            (found["State"] != "Pending").then_some(found)
        })
        .await
    }

    fn unpacked(&self) -> usize {
        let folder = std::fs::read_dir(self.path().join("images"));
        let entries = folder.into_iter().flatten().flatten();
        entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .count()
    }
}

fn layer(content: &str) -> Vec<u8> {
    let mut layer = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    layer
        .append_data(&mut header, "content", content.as_bytes())
        .unwrap();
    layer.into_inner().unwrap()
}

fn uri(reference: &str) -> String {
    let separator = if reference.starts_with("sha256") {
        '@'
    } else {
        ':'
    };
    format!("{HOST}/app{separator}{reference}")
}

fn new(name: &str, uri: &str) -> Json {
    json!({
        "FunctionName": name,
        "PackageType": "Image",
        "Role": ROLE,
        "Code": {"ImageUri": uri},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pulled_and_shown_by_its_digest() {
    let world = World::new().await;
    let digest = world.push_ordinary("v1").await;
    let created = world
        .ok(
            "CreateFunction",
            with(
                new("f", &uri("v1")),
                json!({"ImageConfig": {"Command": ["handler"], "WorkingDirectory": "/"}}),
            ),
        )
        .await;
    assert_eq!(
        (&created["State"], &created["PackageType"]),
        (&json!("Pending"), &json!("Image"))
    );
    assert_eq!(created["CodeSha256"], digest.hex());
    assert_eq!(created["CodeSize"], 0);
    for absent in ["Runtime", "Handler", "RuntimeVersionConfig"] {
        assert!(created.get(absent).is_none(), "{absent}");
    }
    assert_eq!(
        created["ImageConfigResponse"]["ImageConfig"],
        json!({"Command": ["handler"], "WorkingDirectory": "/"})
    );
    assert_eq!(world.settled("f").await["State"], "Active");
    let got = world.ok("GetFunction", json!({"FunctionName": "f"})).await;
    assert_eq!(
        got["Code"],
        json!({
            "RepositoryType": "ECR",
            "ImageUri": uri("v1"),
            "ResolvedImageUri": uri(&digest.to_string()),
        })
    );
    // By AWS's own name it is the same registry.
    let aws = uri("v1").replace("localhost:4566", "amazonaws.com");
    world.ok("CreateFunction", new("g", &aws)).await;
    let plain = "localhost:4566/app:v1";
    world.ok("CreateFunction", new("h", plain)).await;
    for name in ["g", "h"] {
        assert_eq!(world.settled(name).await["State"], "Active");
    }
    assert_eq!(world.unpacked(), 1);
    let cleared = json!({"FunctionName": "f", "ImageConfig": {}});
    let updated = world.ok("UpdateFunctionConfiguration", cleared).await;
    assert!(updated.get("ImageConfigResponse").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_image_is_refused_in_lambdas_words() {
    let world = World::new().await;
    world.push_ordinary("v1").await;
    let other = if architecture() == "amd64" {
        "arm64"
    } else {
        "amd64"
    };
    let config = json!({"architecture": other, "os": "linux"});
    world.push_image("foreign", &layer("x"), &config).await;
    let artifact = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    });
    let index = artifact.to_string();
    let put = json!({"repositoryName": "app", "imageManifest": index, "imageTag": "index"});
    world.call_service("ecr", "PutImage", put).await.unwrap();
    for (uri, expected) in [
        (uri("v2"), "does not exist. Provide a valid source image."),
        (
            "no-image".to_owned(),
            "is not valid. Provide a valid source image.",
        ),
        (uri("foreign"), "the image is for"),
        (
            uri("index"),
            "The image manifest, config or layer media type for the source image",
        ),
        (
            "oci:relative".to_owned(),
            "An image layout on this machine is named",
        ),
        (
            "oci:/nowhere".to_owned(),
            "does not exist. Provide a valid source image.",
        ),
    ] {
        let (code, message) = world.refused("CreateFunction", new("f", &uri)).await;
        assert_eq!(code, "InvalidParameterValueException");
        assert!(message.contains(expected), "{uri}: {message}");
    }
    for (more, expected) in [
        (
            json!({"Runtime": "python3.12"}),
            "Runtime and Handler are not supported",
        ),
        (
            json!({"Handler": "x"}),
            "Runtime and Handler are not supported",
        ),
        (
            json!({"PackageType": "Zip", "Runtime": "python3.12", "Handler": "x"}),
            "ImageUri",
        ),
        (
            json!({"Code": {"ZipFile": {"$blob": "UEs="}}}),
            "Please provide ImageUri",
        ),
        (
            json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}),
            "is not supported for SnapStart",
        ),
    ] {
        let input = with(new("f", &uri("v1")), more);
        let (code, message) = world.refused("CreateFunction", input).await;
        assert_eq!(code, "InvalidParameterValueException");
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(world.unpacked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_is_none_fails_the_function() {
    let world = World::new().await;
    let config = json!({"architecture": architecture(), "os": "linux"});
    world.push_image("bad", &[b'x'; 2_048], &config).await;
    world.ok("CreateFunction", new("f", &uri("bad"))).await;
    let failed = world.settled("f").await;
    assert_eq!(failed["State"], "Failed");
    assert_eq!(failed["StateReasonCode"], "InvalidImage");
    let reason = failed["StateReason"].as_str().unwrap();
    assert!(reason.starts_with("InvalidImage: "), "{reason}");
    let (code, message) = world.refused("Invoke", json!({"FunctionName": "f"})).await;
    assert_eq!(code, "ResourceConflictException");
    assert!(message.ends_with("state: Failed"), "{message}");
    // An update brings it back.
    world.push_ordinary("v1").await;
    let update = json!({"FunctionName": "f", "ImageUri": uri("v1")});
    world.ok("UpdateFunctionCode", update).await;
    assert_eq!(world.settled("f").await["State"], "Active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_is_what_the_configuration_says() {
    let world = World::new().await;
    let config = |diff_ids: Json| {
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {"Entrypoint": ["/bin/none"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        })
    };
    let lies = config(json!([Digest::of(b"another").to_string()]));
    world.push_image("lies", &layer("x"), &lies).await;
    // Also where the same layer has been unpacked, and put together, for one that does not lie.
    for name in ["first", "second"] {
        world.ok("CreateFunction", new(name, &uri("lies"))).await;
        let failed = world.settled(name).await;
        assert_eq!(failed["State"], "Failed");
        assert_eq!(failed["StateReasonCode"], "InvalidImage");
        let reason = failed["StateReason"].as_str().unwrap();
        assert!(reason.contains("not the diff_id"), "{reason}");
        world
            .push_image(
                "true",
                &layer("x"),
                &config(json!([Digest::of(&layer("x")).to_string()])),
            )
            .await;
        world
            .ok("CreateFunction", new(&format!("{name}-true"), &uri("true")))
            .await;
        assert_eq!(
            world.settled(&format!("{name}-true")).await["State"],
            "Active"
        );
    }
    world
        .push_image("more", &layer("x"), &config(json!([])))
        .await;
    let (code, message) = world
        .refused("CreateFunction", new("more", &uri("more")))
        .await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.contains("has 0 diff_ids for 1 layers"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_is_replaced_published_and_given_up() {
    let world = World::new().await;
    let first = world.push_ordinary("v1").await;
    world.ok("CreateFunction", new("f", &uri("v1"))).await;
    world.settled("f").await;
    let named = json!({"FunctionName": "f"});
    let published = world.ok("PublishVersion", named.clone()).await;
    assert_eq!(published["Version"], "1");
    let second = world.push_ordinary("v2").await;
    let update = |uri: &str| json!({"FunctionName": "f", "ImageUri": uri});
    let updated = world.ok("UpdateFunctionCode", update(&uri("v2"))).await;
    assert_eq!(updated["CodeSha256"], second.hex());
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    assert_eq!(world.unpacked(), 2);
    let dry = with(update(&uri("v1")), json!({"DryRun": true}));
    let would_be = world.ok("UpdateFunctionCode", dry).await;
    assert_eq!(would_be["CodeSha256"], first.hex());
    let zip = json!({"FunctionName": "f", "ZipFile": {"$blob": "UEs="}});
    let (_, message) = world.refused("UpdateFunctionCode", zip).await;
    assert_eq!(
        message,
        "Please provide ImageUri when updating a function with packageType Image."
    );
    let layers = json!({"FunctionName": "f", "Layers": [
        "arn:aws:lambda:us-east-1:000000000000:layer:l:1"
    ]});
    let (_, message) = world.refused("UpdateFunctionConfiguration", layers).await;
    assert!(message.starts_with("Layers are not supported"), "{message}");
    let version = json!({"FunctionName": "f", "Qualifier": "1"});
    world.ok("DeleteFunction", version).await;
    assert_eq!(world.unpacked(), 1);
    world.ok("DeleteFunction", named).await;
    assert_eq!(world.unpacked(), 0);
    let layers = world.path().join("images/.layers");
    assert_eq!(std::fs::read_dir(layers).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_missing_after_a_restart_is_pulled_again() {
    let settings = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(Folder::new(), settings()).await;
    world.push_ordinary("v1").await;
    world.ok("CreateFunction", new("f", &uri("v1"))).await;
    world.settled("f").await;
    let folder = world.end().await;
    let images = folder.path().join("images");
    std::fs::remove_dir_all(&images).unwrap();
    let world = World::on(folder, settings()).await;
    assert_eq!(world.settled("f").await["State"], "Active");
    // There is no such program, which only the image can tell.
    let answer = world.ok("Invoke", json!({"FunctionName": "f"})).await;
    assert_eq!(answer["FunctionError"], "Unhandled");
    assert_eq!(world.unpacked(), 1);
}
