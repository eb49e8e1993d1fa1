//! Changing a function's configuration.

use serde_json::json;

use crate::support::{ECHO, World, payload};

#[tokio::test]
async fn an_update_changes_what_it_names_and_the_revision() {
    let world = World::new().await;
    let created = world.create("hello", ECHO).await;
    let updated = world
        .ok(
            "UpdateFunctionConfiguration",
            json!({
                "FunctionName": "hello",
                "Description": "changed",
                "MemorySize": 512,
                "Environment": {"Variables": {"STAGE": "test"}},
                "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
                "RevisionId": created["RevisionId"],
            }),
        )
        .await;
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    assert_eq!(updated["State"], "Active");
    assert_ne!(updated["RevisionId"], created["RevisionId"]);
    assert_eq!(updated["CodeSha256"], created["CodeSha256"]);
    let got = world
        .ok("GetFunctionConfiguration", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(got["LastUpdateStatus"], "Successful");
    assert_eq!(
        (&got["Description"], &got["MemorySize"], &got["Timeout"]),
        (&json!("changed"), &json!(512), &json!(20))
    );
    assert_eq!(got["Environment"]["Variables"], json!({"STAGE": "test"}));
    assert_eq!(got["VpcConfig"]["SubnetIds"], json!(["subnet-1"]));

    let stale = json!({
        "FunctionName": "hello",
        "Timeout": 5,
        "RevisionId": created["RevisionId"],
    });
    let error = world.error("UpdateFunctionConfiguration", stale).await;
    assert_eq!(
        (error.code.as_ref(), error.status.as_u16()),
        ("PreconditionFailedException", 412)
    );
    let invalid = json!({"FunctionName": "hello", "Timeout": 901});
    world.error("UpdateFunctionConfiguration", invalid).await;
    let after = world
        .ok("GetFunctionConfiguration", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(after, got);
}

#[tokio::test]
async fn the_next_invocation_sees_the_new_variables() {
    let world = World::new().await;
    let source = "import os\ndef handler(event, context):\n    return os.environ.get('STAGE')\n";
    world.create("hello", source).await;
    let Some(before) = world.invoke("hello", json!({})).await else {
        return;
    };
    assert_eq!(payload(&before), json!(null));
    world
        .ok(
            "UpdateFunctionConfiguration",
            json!({"FunctionName": "hello", "Environment": {"Variables": {"STAGE": "test"}}}),
        )
        .await;
    let after = world.invoke("hello", json!({})).await.unwrap();
    assert_eq!(payload(&after), json!("test"));
}
