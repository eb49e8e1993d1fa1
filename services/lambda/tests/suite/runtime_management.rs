//! Runtime management, per version.

use serde_json::json;

use crate::support::{ECHO, World, with};

#[tokio::test]
async fn a_version_follows_its_runtime_unless_told_otherwise() {
    let world = World::new().await;
    world.create("echo", ECHO).await;
    let name = json!({"FunctionName": "echo"});
    let shown = world.ok("GetRuntimeManagementConfig", name.clone()).await;
    assert_eq!(shown["UpdateRuntimeOn"], "Auto");
    let function = world.ok("GetFunctionConfiguration", name.clone()).await;
    let arn = function["RuntimeVersionConfig"]["RuntimeVersionArn"].clone();
    let manual = with(
        name.clone(),
        json!({"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": arn}),
    );
    world.ok("PutRuntimeManagementConfig", manual).await;
    let shown = world.ok("GetRuntimeManagementConfig", name.clone()).await;
    assert_eq!(
        (&shown["UpdateRuntimeOn"], &shown["RuntimeVersionArn"]),
        (&json!("Manual"), &arn)
    );
    let other = "arn:aws:lambda:us-east-1::runtime:0000000000000000000000000000000000000000";
    for bad in [
        json!({"UpdateRuntimeOn": "Manual"}),
        json!({"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": arn}),
        json!({"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": other}),
        json!({"UpdateRuntimeOn": "Auto", "Qualifier": "7"}),
    ] {
        let input = with(name.clone(), bad);
        world.refused("PutRuntimeManagementConfig", input).await;
    }
    let unchanged = world.ok("GetRuntimeManagementConfig", name).await;
    assert_eq!(unchanged, shown);
}
