//! Code signing configurations, and what they mean where nothing is signed.

use serde_json::{Value as Json, json};

use crate::support::{ECHO, Folder, Settings, World, new_function, with};

const PROFILE: &str = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij";

async fn create(world: &World, policy: Option<&str>) -> Json {
    let policies = policy.map(|policy| json!({"UntrustedArtifactOnDeployment": policy}));
    let input = json!({
        "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
        "CodeSigningPolicies": policies.unwrap_or_else(|| json!({})),
    });
    let answer = world.ok("CreateCodeSigningConfig", input).await;
    answer["CodeSigningConfig"].clone()
}

#[tokio::test]
async fn a_configuration_is_kept_until_it_is_deleted() {
    let settings = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(Folder::new(), settings()).await;
    let config = create(&world, None).await;
    let id = config["CodeSigningConfigId"].as_str().unwrap();
    assert!(id.starts_with("csc-") && id.len() == 21, "{id}");
    let warn = json!({"UntrustedArtifactOnDeployment": "Warn"});
    assert_eq!(config["CodeSigningPolicies"], warn);
    let arn = json!({"CodeSigningConfigArn": config["CodeSigningConfigArn"]});
    let update = with(
        arn.clone(),
        json!({
            "Description": "strict",
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Enforce"},
        }),
    );
    world.ok("UpdateCodeSigningConfig", update).await;
    create(&world, None).await;
    let world = World::on(world.end().await, settings()).await;
    let shown = world.ok("GetCodeSigningConfig", arn.clone()).await;
    let shown = &shown["CodeSigningConfig"];
    assert_eq!(shown["Description"], "strict");
    assert_eq!(
        shown["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"],
        "Enforce"
    );
    assert_eq!(
        shown["AllowedPublishers"]["SigningProfileVersionArns"],
        json!([PROFILE])
    );
    let first = world
        .ok("ListCodeSigningConfigs", json!({"MaxItems": 1}))
        .await;
    let rest = json!({"Marker": first["NextMarker"]});
    let rest = world.ok("ListCodeSigningConfigs", rest).await;
    assert_eq!(rest["CodeSigningConfigs"].as_array().unwrap().len(), 1);
    world.ok("DeleteCodeSigningConfig", arn.clone()).await;
    let (code, _) = world.refused("GetCodeSigningConfig", arn).await;
    assert_eq!(code, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_enforced_configuration_lets_no_unsigned_code_in() {
    let world = World::new().await;
    let enforce = create(&world, Some("Enforce")).await["CodeSigningConfigArn"].clone();
    let warn = create(&world, Some("Warn")).await["CodeSigningConfigArn"].clone();
    let input = with(
        new_function("echo", ECHO),
        json!({"CodeSigningConfigArn": enforce}),
    );
    let (code, _) = world.refused("CreateFunction", input).await;
    assert_eq!(code, "CodeVerificationFailedException");
    let input = with(
        new_function("echo", ECHO),
        json!({"CodeSigningConfigArn": warn}),
    );
    world.ok("CreateFunction", input).await;
    let name = json!({"FunctionName": "echo"});
    let has = world.ok("GetFunctionCodeSigningConfig", name.clone()).await;
    assert_eq!(has["CodeSigningConfigArn"], warn);
    let put = with(name.clone(), json!({"CodeSigningConfigArn": enforce}));
    world.ok("PutFunctionCodeSigningConfig", put).await;
    let update = with(
        name.clone(),
        json!({"ZipFile": new_function("echo", ECHO)["Code"]["ZipFile"]}),
    );
    let (code, _) = world.refused("UpdateFunctionCode", update.clone()).await;
    assert_eq!(code, "CodeVerificationFailedException");

    let arn = json!({"CodeSigningConfigArn": enforce});
    let users = world
        .ok("ListFunctionsByCodeSigningConfig", arn.clone())
        .await;
    assert_eq!(
        users["FunctionArns"],
        json!(["arn:aws:lambda:us-east-1:000000000000:function:echo"])
    );
    let (code, _) = world.refused("DeleteCodeSigningConfig", arn.clone()).await;
    assert_eq!(code, "ResourceConflictException");
    world
        .ok("DeleteFunctionCodeSigningConfig", name.clone())
        .await;
    world.ok("UpdateFunctionCode", update).await;
    world.ok("DeleteCodeSigningConfig", arn.clone()).await;
    let put = with(name, arn);
    let (code, _) = world.refused("PutFunctionCodeSigningConfig", put).await;
    assert_eq!(code, "CodeSigningConfigNotFoundException");
}

#[tokio::test]
async fn a_configuration_has_tags() {
    let world = World::new().await;
    let arn = create(&world, None).await["CodeSigningConfigArn"].clone();
    world
        .ok("TagResource", json!({"Resource": arn, "Tags": {"a": "b"}}))
        .await;
    let tags = world.ok("ListTags", json!({"Resource": arn})).await;
    assert_eq!(tags["Tags"], json!({"a": "b"}));
    world
        .ok("UntagResource", json!({"Resource": arn, "TagKeys": ["a"]}))
        .await;
    let tags = world.ok("ListTags", json!({"Resource": arn})).await;
    assert_eq!(tags["Tags"], json!({}));
}
