//! Repositories, and what can be set of one.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_repository_is_made_described_and_deleted() {
    let world = World::new().await;
    let made = world
        .ok(
            "CreateRepository",
            json!({
                "repositoryName": "team/app",
                "imageTagMutability": "IMMUTABLE",
                "imageScanningConfiguration": {"scanOnPush": true},
                "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/k"},
                "tags": [{"Key": "stage", "Value": "test"}],
            }),
        )
        .await;
    let repository = &made["repository"];
    assert_eq!(repository["registryId"], "000000000000");
    assert_eq!(
        repository["repositoryArn"],
        "arn:aws:ecr:us-east-1:000000000000:repository/team/app"
    );
    assert_eq!(
        repository["repositoryUri"],
        "000000000000.dkr.ecr.us-east-1.localhost:4566/team/app"
    );
    assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
    assert_eq!(repository["imageScanningConfiguration"]["scanOnPush"], true);
    assert_eq!(repository["encryptionConfiguration"]["kmsKey"], "alias/k");
    let again = world.refused("CreateRepository", json!({"repositoryName": "team/app"}));
    assert_eq!(
        again.await,
        (
            "RepositoryAlreadyExistsException".to_owned(),
            "The repository with name 'team/app' already exists in the registry with id \
             '000000000000'"
                .to_owned()
        )
    );
    let named = json!({"repositoryNames": ["team/app"]});
    let described = world.ok("DescribeRepositories", named.clone()).await;
    assert_eq!(described["repositories"][0], *repository);
    world
        .ok("DeleteRepository", json!({"repositoryName": "team/app"}))
        .await;
    let missing = world.refused("DescribeRepositories", named).await;
    assert_eq!(
        missing,
        (
            "RepositoryNotFoundException".to_owned(),
            "The repository with name 'team/app' does not exist in the registry with id \
             '000000000000'"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn names_are_checked() {
    let world = World::new().await;
    for bad in ["Team", "a", "a//b", "-a", "a_"] {
        let input = json!({"repositoryName": bad});
        let (code, _) = world.refused("CreateRepository", input).await;
        assert_eq!(code, "InvalidParameterException", "{bad}");
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    for n in 0..5 {
        world.repository(&format!("app-{n}")).await;
    }
    let (mut names, mut token) = (Vec::new(), json!(null));
    loop {
        let mut input = json!({"maxResults": 2});
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let page = world.ok("DescribeRepositories", input).await;
        for repository in page["repositories"].as_array().unwrap() {
            names.push(repository["repositoryName"].as_str().unwrap().to_owned());
        }
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["app-0", "app-1", "app-2", "app-3", "app-4"]);
    let bad = json!({"nextToken": "?"});
    let (code, _) = world.refused("DescribeRepositories", bad).await;
    assert_eq!(code, "InvalidParameterException");
}

#[tokio::test]
async fn one_with_images_is_deleted_only_by_force_and_its_layers_go() {
    let world = World::new().await;
    world.repository("app").await;
    world.repository("other").await;
    world.push_image("app", "layer", "latest").await;
    world.push_blob("other", "layer").await;
    let (code, message) = world
        .refused("DeleteRepository", json!({"repositoryName": "app"}))
        .await;
    assert_eq!(code, "RepositoryNotEmptyException");
    assert!(
        message.contains("because it still contains images"),
        "{message}"
    );
    let force = json!({"repositoryName": "app", "force": true});
    world.ok("DeleteRepository", force).await;
    // The other repository has the same layer, and the same blob.
    let answer = world
        .get(&format!("/v2/other/blobs/{}", oci::Digest::of(b"layer")))
        .await;
    assert_eq!(answer.body(), "layer");
    world.repository("app").await;
    let images = world
        .ok("ListImages", json!({"repositoryName": "app"}))
        .await;
    assert_eq!(images["imageIds"], json!([]));
    let gone = world
        .get(&format!("/v2/app/blobs/{}", oci::Digest::of(b"layer")))
        .await;
    assert_eq!(gone.status(), 404);
}

#[tokio::test]
async fn tags_policies_and_settings() {
    let world = World::new().await;
    world.repository("app").await;
    let arn = "arn:aws:ecr:us-east-1:000000000000:repository/app";
    let tags = json!({"resourceArn": arn, "tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]});
    world.ok("TagResource", tags).await;
    world
        .ok(
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": ["a"]}),
        )
        .await;
    let listed = world
        .ok("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    assert_eq!(listed["tags"], json!([{"Key": "b", "Value": "2"}]));
    let reserved = json!({"resourceArn": arn, "tags": [{"Key": "aws:x", "Value": "1"}]});
    let (code, _) = world.refused("TagResource", reserved).await;
    assert_eq!(code, "InvalidTagParameterException");
    let many: Vec<_> = (0..51)
        .map(|n| json!({"Key": format!("k{n}"), "Value": ""}))
        .collect();
    let (code, _) = world
        .refused("TagResource", json!({"resourceArn": arn, "tags": many}))
        .await;
    assert_eq!(code, "TooManyTagsException");

    let named = json!({"repositoryName": "app"});
    let (code, message) = world.refused("GetRepositoryPolicy", named.clone()).await;
    assert_eq!(code, "RepositoryPolicyNotFoundException");
    assert_eq!(
        message,
        "Repository policy does not exist for the repository with name 'app' in the registry with \
         id '000000000000'"
    );
    let text = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let set = json!({"repositoryName": "app", "policyText": text});
    world.ok("SetRepositoryPolicy", set).await;
    let got = world.ok("GetRepositoryPolicy", named.clone()).await;
    assert_eq!(got["policyText"], text);
    let bad = json!({"repositoryName": "app", "policyText": "no"});
    let (code, _) = world.refused("SetRepositoryPolicy", bad).await;
    assert_eq!(code, "InvalidParameterException");
    world.ok("DeleteRepositoryPolicy", named.clone()).await;
    let (code, _) = world.refused("DeleteRepositoryPolicy", named).await;
    assert_eq!(code, "RepositoryPolicyNotFoundException");

    let scanning = json!({
        "repositoryName": "app",
        "imageScanningConfiguration": {"scanOnPush": true},
    });
    world.ok("PutImageScanningConfiguration", scanning).await;
    let mutability = json!({
        "repositoryName": "app",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
    });
    world.ok("PutImageTagMutability", mutability).await;
    let without = json!({
        "repositoryName": "app",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    });
    let (code, _) = world.refused("PutImageTagMutability", without).await;
    assert_eq!(code, "InvalidParameterException");
    let world = world.reopened().await;
    let described = world.ok("DescribeRepositories", json!({})).await;
    let app = &described["repositories"][0];
    assert_eq!(app["imageScanningConfiguration"]["scanOnPush"], true);
    assert_eq!(app["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    let filter = &app["imageTagMutabilityExclusionFilters"][0];
    assert_eq!(filter["filter"], "dev-*");
}

#[tokio::test]
async fn what_breaks_the_model_is_worded_as_ecr_does() {
    let world = World::new().await;
    let name = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*";
    for (given, expected) in [
        // The first alone, though it is too short as well.
        ("A", format!("must satisfy regular expression '{name}'")),
        (
            "a",
            "must have length greater than or equal to 2".to_owned(),
        ),
    ] {
        let refused = world.refused("CreateRepository", json!({"repositoryName": given}));
        let (code, message) = refused.await;
        assert_eq!(code, "InvalidParameterException");
        assert_eq!(
            message,
            format!(
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: '{expected}'"
            )
        );
    }
}
