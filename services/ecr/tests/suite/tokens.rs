//! Who may push and pull.

use std::time::Duration;

use serde_json::json;

use crate::world::{HOST, OCI_MANIFEST, READER, World, code, header, json_body, manifest};

#[tokio::test]
async fn a_token_opens_its_own_registry_until_it_expires() {
    let world = World::enforcing().await;
    world.repository("app").await;
    let path = "/v2/app/tags/list";
    let nobody = world.get(path).await;
    assert_eq!(
        (nobody.status().as_u16(), code(&nobody).as_str()),
        (401, "UNAUTHORIZED")
    );
    assert_eq!(
        header(&nobody, "www-authenticate"),
        format!("Basic realm=\"http://{HOST}/\",service=\"ecr.amazonaws.com\"")
    );
    let answer = world.ok("GetAuthorizationToken", json!({})).await;
    let data = &answer["authorizationData"][0];
    assert_eq!(data["proxyEndpoint"], format!("http://{HOST}"));
    let basic = format!("Basic {}", data["authorizationToken"].as_str().unwrap());
    let with = [("authorization", basic.as_str())];
    assert_eq!(world.request("GET", path, &with, "").await.status(), 200);
    let elsewhere = [
        ("authorization", basic.as_str()),
        ("host", "111111111111.dkr.ecr.us-east-1.localhost:4566"),
    ];
    let denied = world.request("GET", path, &elsewhere, "").await;
    assert_eq!(
        (denied.status().as_u16(), code(&denied).as_str()),
        (403, "DENIED")
    );
    for forged in ["Basic QVdTOng=", "Basic !", "Bearer x", "Basic"] {
        let with = [("authorization", forged)];
        let refused = world.request("GET", path, &with, "").await;
        assert_eq!(refused.status(), 401, "{forged}");
    }
    world.later(Duration::from_hours(12));
    assert_eq!(world.request("GET", path, &with, "").await.status(), 401);
}

#[tokio::test]
async fn without_a_telling_host_the_token_says_whose_registry_it_is() {
    let world = World::new().await;
    world.repository("app").await;
    let answer = world.ok("GetAuthorizationToken", json!({})).await;
    let token = answer["authorizationData"][0]["authorizationToken"].clone();
    let basic = format!("Basic {}", token.as_str().unwrap());
    for headers in [
        vec![("host", "localhost:4566")],
        vec![
            ("host", "127.0.0.1:4566"),
            ("authorization", basic.as_str()),
        ],
    ] {
        let got = world
            .request("GET", "/v2/app/tags/list", &headers, "")
            .await;
        assert_eq!(got.status(), 200, "{headers:?}");
    }
    let elsewhere = [("host", "localhost:4566"), ("authorization", "Basic x")];
    let unknown = world
        .request("GET", "/v2/none/tags/list", &elsewhere, "")
        .await;
    assert_eq!(code(&unknown), "NAME_UNKNOWN");
    // Another account's, where nobody checks.
    let other = [("host", "111111111111.dkr.ecr.us-east-1.localhost:4566")];
    let got = world.request("GET", "/v2/app/tags/list", &other, "").await;
    assert_eq!(code(&got), "NAME_UNKNOWN");
}

#[tokio::test]
async fn a_tokens_holder_does_what_its_policies_allow() {
    let world = World::enforcing().await;
    world.repository("app").await;
    world.repository("other").await;
    let root = world.basic_of(None).await;
    let reader = world.basic_of(Some(READER)).await;
    let nobody = world
        .basic_of(Some("arn:aws:iam::000000000000:user/gone"))
        .await;
    let ask = async |method: &str, path: &str, who: &str, content: String| {
        let headers = [("authorization", who), ("content-type", OCI_MANIFEST)];
        world.request(method, path, &headers, content).await
    };
    for content in ["{}", "one"] {
        let digest = oci::Digest::of(content.as_bytes());
        let path = format!("/v2/app/blobs/uploads/?digest={digest}");
        let pushed = ask("POST", &path, &root, content.to_owned()).await;
        assert_eq!(pushed.status(), 201);
    }
    let image = "/v2/app/manifests/v1";
    assert_eq!(
        ask("PUT", image, &root, manifest("one")).await.status(),
        201
    );
    for path in [
        "/v2/",
        image,
        "/v2/app/tags/list",
        &format!("/v2/app/blobs/{}", oci::Digest::of(b"one")),
    ] {
        let got = ask("GET", path, &reader, String::new()).await;
        assert_eq!(got.status(), 200, "{path}");
    }
    for (method, path, action) in [
        ("PUT", image, "ecr:PutImage"),
        ("DELETE", image, "ecr:BatchDeleteImage"),
        ("POST", "/v2/app/blobs/uploads/", "ecr:InitiateLayerUpload"),
        ("GET", "/v2/other/tags/list", "ecr:ListImages"),
        ("GET", "/v2/_catalog", "ecr:DescribeRepositories"),
    ] {
        let denied = ask(method, path, &reader, manifest("one")).await;
        assert_eq!(
            (denied.status().as_u16(), code(&denied).as_str()),
            (403, "DENIED")
        );
        let message = json_body(&denied)["errors"][0]["message"].to_string();
        assert!(
            message.contains(&format!("perform: {action} on")),
            "{message}"
        );
    }
    let gone = ask("GET", image, &nobody, String::new()).await;
    assert_eq!(gone.status(), 401);
}
