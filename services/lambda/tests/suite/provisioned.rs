//! Provisioned concurrency: environments that are ready before they are needed.

use exec::EnvironmentInfo;
use serde_json::{Value as Json, json};

use crate::support::{ECHO, Folder, Settings, World, eventually, new_function, payload};

const KIND: &str = "import os\n\ndef handler(event, context):\n    \
                    return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n";
pub const INVALID: &str = "InvalidParameterValueException";

pub fn of(qualifier: &str) -> Json {
    json!({"FunctionName": "hello", "Qualifier": qualifier})
}

pub fn put(qualifier: &str, count: u32) -> Json {
    let mut input = of(qualifier);
    input["ProvisionedConcurrentExecutions"] = json!(count);
    input
}

pub fn alias(version: &str) -> Json {
    json!({"FunctionName": "hello", "Name": "live", "FunctionVersion": version})
}

pub async fn publish(world: &World, description: &str) {
    let change = json!({"FunctionName": "hello", "Description": description});
    world.ok("UpdateFunctionConfiguration", change).await;
    let function = json!({"FunctionName": "hello"});
    world.ok("PublishVersion", function).await;
}

/// A function with its first version, or none where this host has no Python, which is said.
async fn published(source: &str) -> Option<World> {
    published_in(World::new().await, source).await
}

async fn published_in(world: World, source: &str) -> Option<World> {
    world.create("hello", source).await;
    world.invoke("hello", json!({})).await?;
    publish(&world, "first").await;
    Some(world)
}

async fn status(world: &World, qualifier: &str) -> Json {
    world
        .ok("GetProvisionedConcurrencyConfig", of(qualifier))
        .await
}

async fn becomes(world: &World, qualifier: &str, wanted: &str) -> Json {
    eventually(async || {
        let status = status(world, qualifier).await;
        (status["Status"] == wanted).then_some(status)
    })
    .await
}

fn provisioned(world: &World) -> Vec<EnvironmentInfo> {
    let environments = world.exec.environments().into_iter();
    environments.filter(|one| one.provisioned).collect()
}

async fn none_are_left(world: &World) {
    eventually(async || provisioned(world).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_version_has_environments_ready() {
    let Some(world) = published(KIND).await else {
        return;
    };
    let answer = world
        .ok("PutProvisionedConcurrencyConfig", put("1", 2))
        .await;
    assert_eq!(
        (
            &answer["Status"],
            &answer["RequestedProvisionedConcurrentExecutions"]
        ),
        (&json!("IN_PROGRESS"), &json!(2))
    );
    assert_eq!(answer["AllocatedProvisionedConcurrentExecutions"], 0);
    let ready = becomes(&world, "1", "READY").await;
    assert_eq!(ready["AllocatedProvisionedConcurrentExecutions"], 2);
    assert_eq!(ready["LastModified"], answer["LastModified"]);
    assert!(ready.get("StatusReason").is_none(), "{ready}");
    let ahead = world.invoke("hello:1", json!({})).await.unwrap();
    assert_eq!(payload(&ahead), "provisioned-concurrency");
    let on_demand = world.invoke("hello", json!({})).await.unwrap();
    assert_eq!(payload(&on_demand), "on-demand");

    world
        .ok("DeleteProvisionedConcurrencyConfig", of("1"))
        .await;
    none_are_left(&world).await;
    let refused = world
        .refused("GetProvisionedConcurrencyConfig", of("1"))
        .await;
    assert_eq!(
        refused,
        (
            "ProvisionedConcurrencyConfigNotFoundException".to_owned(),
            "No Provisioned Concurrency Config found for this function".to_owned()
        )
    );
    // Again is no error.
    world
        .ok("DeleteProvisionedConcurrencyConfig", of("1"))
        .await;
}

#[tokio::test]
async fn that_of_an_alias_goes_where_the_alias_goes() {
    let Some(world) = published(KIND).await else {
        return;
    };
    publish(&world, "second").await;
    world.ok("CreateAlias", alias("1")).await;
    world
        .ok("PutProvisionedConcurrencyConfig", put("live", 2))
        .await;
    becomes(&world, "live", "READY").await;
    let invoked = world.invoke("hello:live", json!({})).await.unwrap();
    assert_eq!(payload(&invoked), "provisioned-concurrency");

    world.ok("UpdateAlias", alias("2")).await;
    let all_at = async |expected: &[&str]| {
        eventually(async || {
            let mut versions: Vec<String> = provisioned(&world)
                .into_iter()
                .map(|one| one.function.version)
                .collect();
            versions.sort();
            (versions == expected).then_some(())
        })
        .await;
    };
    all_at(&["2", "2"]).await;
    // They are there from the start of their init on, but take a call only after it.
    becomes(&world, "live", "READY").await;
    let invoked = world.invoke("hello:live", json!({})).await.unwrap();
    assert_eq!(
        (payload(&invoked), &invoked["ExecutedVersion"]),
        (json!("provisioned-concurrency"), &json!("2"))
    );

    let mut weighted = alias("2");
    weighted["RoutingConfig"] = json!({"AdditionalVersionWeights": {"1": 0.5}});
    world.ok("UpdateAlias", weighted).await;
    all_at(&["1", "2"]).await;
    becomes(&world, "live", "READY").await;
    for (operation, input) in [
        ("PutProvisionedConcurrencyConfig", put("live", 3)),
        ("DeleteProvisionedConcurrencyConfig", of("live")),
    ] {
        let (code, message) = world.refused(operation, input).await;
        assert_eq!(
            (code.as_str(), message.as_str()),
            (
                INVALID,
                "Alias with weights can not be used with Provisioned Concurrency"
            )
        );
    }
    let input = json!({"FunctionName": "hello", "Name": "live"});
    world.ok("DeleteAlias", input).await;
    none_are_left(&world).await;
}

#[tokio::test]
async fn what_cannot_begin_has_failed() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    if world.invoke("hello", json!({})).await.is_none() {
        return;
    }
    let source = new_function("hello", "raise ValueError('no')\n")["Code"]["ZipFile"].clone();
    let update = json!({"FunctionName": "hello", "ZipFile": source, "Publish": true});
    world.ok("UpdateFunctionCode", update).await;
    world
        .ok("PutProvisionedConcurrencyConfig", put("1", 1))
        .await;
    let failed = becomes(&world, "1", "FAILED").await;
    assert_eq!(failed["StatusReason"], "FUNCTION_ERROR_INIT_FAILURE");
    assert_eq!(failed["AllocatedProvisionedConcurrentExecutions"], 0);
}

#[tokio::test]
async fn it_is_taken_up_by_the_next_run() {
    let durable = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(Folder::new(), durable()).await;
    let Some(world) = published_in(world, KIND).await else {
        return;
    };
    world.ok("CreateAlias", alias("1")).await;
    let answer = world
        .ok("PutProvisionedConcurrencyConfig", put("live", 1))
        .await;
    let world = World::on(world.end().await, durable()).await;
    let ready = becomes(&world, "live", "READY").await;
    assert_eq!(ready["LastModified"], answer["LastModified"]);
    let invoked = world.invoke("hello:live", json!({})).await.unwrap();
    assert_eq!(payload(&invoked), "provisioned-concurrency");
    let function = json!({"FunctionName": "hello"});
    world.ok("DeleteFunction", function.clone()).await;
    none_are_left(&world).await;
    let (code, _) = world
        .refused("ListProvisionedConcurrencyConfigs", function)
        .await;
    assert_eq!(code, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_deleted_version_keeps_nothing_ready() {
    let Some(world) = published(ECHO).await else {
        return;
    };
    world
        .ok("PutProvisionedConcurrencyConfig", put("1", 1))
        .await;
    world.ok("DeleteFunction", of("1")).await;
    none_are_left(&world).await;
    let (code, message) = world
        .refused("GetProvisionedConcurrencyConfig", of("1"))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(
        message,
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:hello:1"
    );
    let settings = world.ok("GetAccountSettings", json!({})).await;
    assert_eq!(
        settings["AccountLimit"]["UnreservedConcurrentExecutions"],
        1_000
    );
}
