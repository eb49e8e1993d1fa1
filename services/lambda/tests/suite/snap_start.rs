//! SnapStart's configuration, and the states of the versions it is for.

use serde_json::{Value as Json, json};

use crate::support::{ECHO, World, eventually, new_function, payload};

fn snap_started(runtime: &str) -> Json {
    let mut input = new_function("hello", ECHO);
    input["Runtime"] = json!(runtime);
    input["SnapStart"] = json!({"ApplyOn": "PublishedVersions"});
    input
}

#[tokio::test]
async fn it_is_on_for_published_versions_once_they_are_active() {
    let world = World::new().await;
    let created = world.ok("CreateFunction", snap_started("python3.12")).await;
    let off = json!({"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"});
    let on = json!({"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"});
    assert_eq!(created["SnapStart"], off);
    let published = world
        .ok("PublishVersion", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(published["State"], "Pending");
    let first = json!({"FunctionName": "hello", "Qualifier": "1"});
    let active = eventually(async || {
        let got = world.ok("GetFunctionConfiguration", first.clone()).await;
        match got["State"].as_str().unwrap() {
            "Pending" => {
                assert_eq!(got["SnapStart"], off);
                None
            }
            state => {
                assert_eq!(state, "Active");
                Some(got)
            }
        }
    })
    .await;
    assert_eq!(active["SnapStart"], on);
    let latest = json!({"FunctionName": "hello"});
    assert_eq!(
        world.ok("GetFunctionConfiguration", latest.clone()).await["SnapStart"],
        off
    );
    let listed = world.ok("ListVersionsByFunction", latest).await;
    assert_eq!(listed["Versions"][0]["SnapStart"], off);
    assert_eq!(listed["Versions"][1]["SnapStart"], on);
    if let Some(answer) = world.invoke("hello:1", json!(7)).await {
        assert_eq!(payload(&answer), 7);
    }
}

#[tokio::test]
async fn turned_off_it_concerns_later_versions_only() {
    let world = World::new().await;
    world.ok("CreateFunction", snap_started("python3.13")).await;
    let publish = || world.ok("PublishVersion", json!({"FunctionName": "hello"}));
    publish().await;
    let off = json!({"FunctionName": "hello", "SnapStart": {"ApplyOn": "None"}});
    world.ok("UpdateFunctionConfiguration", off).await;
    let second = publish().await;
    assert_eq!(second["Version"], "2");
    assert_eq!(
        second["SnapStart"],
        json!({"ApplyOn": "None", "OptimizationStatus": "Off"})
    );
    let first = json!({"FunctionName": "hello", "Qualifier": "1"});
    let first = world.ok("GetFunctionConfiguration", first).await;
    assert_eq!(first["SnapStart"]["ApplyOn"], "PublishedVersions");
}

#[tokio::test]
async fn what_it_cannot_do_is_refused() {
    let world = World::new().await;
    for runtime in ["python3.11", "nodejs22.x", "provided.al2023"] {
        assert_eq!(
            world.refused("CreateFunction", snap_started(runtime)).await,
            (
                "InvalidParameterValueException".to_owned(),
                format!("{runtime} is not supported for SnapStart enabled functions.")
            )
        );
    }
    let mut large = snap_started("python3.12");
    large["EphemeralStorage"] = json!({"Size": 513});
    assert_eq!(
        world.refused("CreateFunction", large).await.0,
        "InvalidParameterValueException"
    );
    world.ok("CreateFunction", snap_started("python3.12")).await;
    for change in [
        json!({"FunctionName": "hello", "Runtime": "nodejs22.x"}),
        json!({"FunctionName": "hello", "EphemeralStorage": {"Size": 1_024}}),
    ] {
        let (code, message) = world.refused("UpdateFunctionConfiguration", change).await;
        assert_eq!(code, "InvalidParameterValueException");
        assert!(
            message.ends_with("is not supported for SnapStart enabled functions."),
            "{message}"
        );
    }
}
