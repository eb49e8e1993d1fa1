//! Functions whose published versions run on a capacity provider, as they are invoked.

use serde_json::json;

use crate::capacity::{
    ARN, CONFLICT, INVALID, LATEST, SOURCE, becomes, function, is_there, named, of, provider,
    scaling, state, world,
};
use crate::support::{Folder, Settings, World, blob, eventually, payload};

#[tokio::test]
async fn only_what_is_published_is_invoked() {
    let world = world().await;
    let made = world.ok("CreateFunction", function(SOURCE)).await;
    assert_eq!(made["MemorySize"], 2_048);
    assert!(made.get("SnapStart").is_none());
    assert_eq!(made["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(
        made["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"],
        json!({
            "CapacityProviderArn": ARN, "PerExecutionEnvironmentMaxConcurrency": 2,
            "ExecutionEnvironmentMemoryGiBPerVCpu": 2.0,
        })
    );
    assert_eq!(state(&world, "$LATEST").await, "ActiveNonInvocable");
    let invoke = json!({"FunctionName": "hello", "Payload": blob("{}")});
    assert_eq!(
        world.refused("Invoke", invoke.clone()).await,
        (
            "NoPublishedVersionException".to_owned(),
            "The function has no published versions available.".to_owned()
        )
    );
    let mut event = invoke.clone();
    event["InvocationType"] = json!("Event");
    assert_eq!(
        world.refused("Invoke", event).await.0,
        "NoPublishedVersionException"
    );
    let mut latest = invoke.clone();
    latest["Qualifier"] = json!("$LATEST");
    let (code, message) = world.refused("Invoke", latest).await;
    assert_eq!(code, CONFLICT);
    assert!(message.ends_with("state: ActiveNonInvocable"), "{message}");
    if !is_there(&world).await {
        return;
    }

    let publish = json!({"FunctionName": "hello", "PublishTo": "LATEST_PUBLISHED"});
    let published = world.ok("PublishVersion", publish.clone()).await;
    assert_eq!(published["Version"], LATEST);
    assert!(
        published["FunctionArn"]
            .as_str()
            .unwrap()
            .ends_with(":hello:$LATEST.PUBLISHED")
    );
    assert_eq!(published["State"], "Pending");
    becomes(&world, LATEST, "Active").await;
    assert_eq!(world.exec.environments().len(), 3);
    let answer = world.ok("Invoke", invoke.clone()).await;
    assert_eq!(answer["ExecutedVersion"], LATEST);
    let told = payload(&answer);
    assert_eq!(told[0], "lambda-managed-instances");
    assert_eq!((&told[1], &told[2]), (&json!(LATEST), &json!("2")));
    // $LATEST has not changed since.
    let same = world.ok("PublishVersion", publish.clone()).await;
    assert_eq!(
        same["RevisionId"],
        world.ok("GetFunctionConfiguration", of(LATEST)).await["RevisionId"]
    );
    assert_eq!(same["State"], "Active");

    // A number is another version, with environments of its own.
    let numbered = world
        .ok("PublishVersion", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(numbered["Version"], "1");
    becomes(&world, "1", "Active").await;
    let listed = world
        .ok("ListVersionsByFunction", json!({"FunctionName": "hello"}))
        .await;
    let versions: Vec<_> = listed["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["Version"])
        .collect();
    assert_eq!(versions, ["$LATEST", LATEST, "1"]);
    let on_provider = world
        .ok("ListFunctionVersionsByCapacityProvider", named("mine"))
        .await;
    assert_eq!(on_provider["CapacityProviderArn"], ARN);
    let items = on_provider["FunctionVersions"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        items[0],
        json!({"FunctionArn": published["FunctionArn"], "State": "Active"})
    );
    let mut page = named("mine");
    page["MaxItems"] = json!(1);
    let first = world
        .ok("ListFunctionVersionsByCapacityProvider", page.clone())
        .await;
    page["Marker"] = first["NextMarker"].clone();
    let second = world
        .ok("ListFunctionVersionsByCapacityProvider", page)
        .await;
    assert_eq!(second["FunctionVersions"][0], items[1]);
    assert!(second.get("NextMarker").is_none());

    // An alias may lead there.
    let alias = json!({"FunctionName": "hello", "Name": "live", "FunctionVersion": LATEST});
    world.ok("CreateAlias", alias).await;
    let live = world.invoke("hello:live", json!({})).await.unwrap();
    assert_eq!(live["ExecutedVersion"], LATEST);
    let provisioned = json!({
        "FunctionName": "hello", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1,
    });
    let (code, message) = world
        .refused("PutProvisionedConcurrencyConfig", provisioned)
        .await;
    assert_eq!(code, INVALID);
    assert!(
        message.starts_with("Provisioned Concurrency isn't supported"),
        "{message}"
    );
    assert_eq!(
        world
            .refused("DeleteCapacityProvider", named("mine"))
            .await
            .0,
        CONFLICT
    );

    world
        .ok("DeleteFunction", json!({"FunctionName": "hello"}))
        .await;
    eventually(async || world.exec.environments().is_empty().then_some(())).await;
    world.ok("DeleteCapacityProvider", named("mine")).await;
}

#[tokio::test]
async fn what_is_published_again_takes_the_place_of_what_was() {
    let world = world().await;
    let mut input = function(SOURCE);
    (input["Publish"], input["PublishTo"]) = (json!(true), json!("LATEST_PUBLISHED"));
    world.ok("CreateFunction", input).await;
    if !is_there(&world).await {
        return;
    }
    becomes(&world, LATEST, "Active").await;
    world
        .ok(
            "PutFunctionScalingConfig",
            scaling(
                LATEST,
                json!({
                    "MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1,
                }),
            ),
        )
        .await;
    let code = "def handler(event, context):\n    return 'second'\n";
    let update = json!({
        "FunctionName": "hello", "ZipFile": function(code)["Code"]["ZipFile"],
        "PublishTo": "LATEST_PUBLISHED",
    });
    let updated = world.ok("UpdateFunctionCode", update).await;
    assert_eq!(updated["Version"], LATEST);
    // It is invoked without a pause.
    let answer = world.invoke("hello", json!({})).await.unwrap();
    assert_eq!(payload(&answer), "second");
    let kept = world.ok("GetFunctionScalingConfig", of(LATEST)).await;
    assert_eq!(
        kept["RequestedFunctionScalingConfig"]["MinExecutionEnvironments"],
        1
    );
    eventually(async || (world.exec.environments().len() == 1).then_some(())).await;

    let broken = "import nothing_like_it\n";
    let update = json!({
        "FunctionName": "hello", "ZipFile": function(broken)["Code"]["ZipFile"],
        "Publish": true,
    });
    world.ok("UpdateFunctionCode", update).await;
    becomes(&world, "1", "Failed").await;
    let failed = world.ok("GetFunctionConfiguration", of("1")).await;
    assert_eq!(failed["StateReasonCode"], "FunctionError");
    let reason = failed["StateReason"].as_str().unwrap();
    assert!(reason.starts_with("Runtime.ImportModuleError"), "{reason}");
    let invoke = json!({"FunctionName": "hello:1", "Payload": blob("{}")});
    let (code, message) = world.refused("Invoke", invoke).await;
    assert_eq!(code, CONFLICT);
    assert!(message.ends_with("state: Failed"), "{message}");
    world.ok("DeleteFunction", of(LATEST)).await;
    let invoke = json!({"FunctionName": "hello", "Payload": blob("{}")});
    assert_eq!(
        world.refused("Invoke", invoke).await.0,
        "NoPublishedVersionException"
    );
}

#[tokio::test]
async fn a_version_has_as_many_environments_as_it_is_told() {
    let folder = Folder::new();
    let settings = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(folder, settings()).await;
    world.ok("CreateCapacityProvider", provider("mine")).await;
    let mut input = function(SOURCE);
    input["Publish"] = json!(true);
    world.ok("CreateFunction", input).await;
    if !is_there(&world).await {
        return;
    }
    becomes(&world, "1", "Active").await;
    let config = world.ok("GetFunctionScalingConfig", of("1")).await;
    let three = json!({"MinExecutionEnvironments": 3});
    assert_eq!(config["RequestedFunctionScalingConfig"], three);
    assert_eq!(config["AppliedFunctionScalingConfig"], three);
    assert!(
        config["FunctionArn"]
            .as_str()
            .unwrap()
            .ends_with(":hello:1")
    );
    let inverted = json!({"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 1});
    let refused = world
        .refused("PutFunctionScalingConfig", scaling("1", inverted))
        .await;
    assert_eq!(refused.0, INVALID);

    let one = json!({"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1});
    let put = world
        .ok("PutFunctionScalingConfig", scaling("1", one.clone()))
        .await;
    assert_eq!(put["FunctionState"], "Active");
    eventually(async || (world.exec.environments().len() == 1).then_some(())).await;
    let config = world.ok("GetFunctionScalingConfig", of("1")).await;
    assert_eq!(config["AppliedFunctionScalingConfig"], one);

    // As many at once as it takes, and no more.
    let call = async || {
        let event = json!({"sleep": 1});
        let input = json!({"FunctionName": "hello:1", "Payload": blob(event.to_string())});
        world.call("Invoke", input).await
    };
    let outcomes = futures::join!(call(), call(), call());
    let outcomes = [outcomes.0, outcomes.1, outcomes.2];
    let throttled = outcomes.iter().filter_map(|it| it.as_ref().err());
    let codes: Vec<_> = throttled.map(|error| error.code.as_ref()).collect();
    assert_eq!(codes, ["TooManyRequestsException"]);

    let folder = world.end().await;
    let world = World::on(folder, settings()).await;
    eventually(async || (world.exec.environments().len() == 1).then_some(())).await;
    let config = world.ok("GetFunctionScalingConfig", of("1")).await;
    assert_eq!(config["RequestedFunctionScalingConfig"], one);

    let none = json!({"MinExecutionEnvironments": 0, "MaxExecutionEnvironments": 0});
    let put = world
        .ok("PutFunctionScalingConfig", scaling("1", none))
        .await;
    assert_eq!(put["FunctionState"], "Deactivated");
    eventually(async || world.exec.environments().is_empty().then_some(())).await;
    let invoke = json!({"FunctionName": "hello:1", "Payload": blob("{}")});
    let (code, message) = world.refused("Invoke", invoke).await;
    assert_eq!(code, CONFLICT);
    assert!(message.ends_with("state: Deactivated"), "{message}");
    // What is not said is Lambda's default.
    world.ok("PutFunctionScalingConfig", of("1")).await;
    eventually(async || (world.exec.environments().len() == 3).then_some(())).await;
    assert!(world.invoke("hello:1", json!({})).await.is_some());
}
