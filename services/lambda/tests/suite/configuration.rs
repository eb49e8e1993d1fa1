//! Changing a function's configuration.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

#[tokio::test]
async fn the_log_has_the_format_and_the_levels_that_were_asked_for() {
    let world = World::new().await;
    let source = "import logging\n\
                  def handler(event, context):\n    logging.warning('careful')\n";
    world.create("hello", source).await;
    let update = |config: serde_json::Value| {
        let input = json!({"FunctionName": "hello", "LoggingConfig": config});
        world.call("UpdateFunctionConfiguration", input)
    };
    let refused = update(json!({"ApplicationLogLevel": "WARN"})).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, "InvalidParameterValueException");
    let updated = update(json!({"LogFormat": "JSON", "LogGroup": "/shared"})).await;
    assert_eq!(
        updated.unwrap()["LoggingConfig"],
        json!({
            "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO",
            "LogGroup": "/shared",
        })
    );
    let updated = update(json!({"ApplicationLogLevel": "ERROR", "SystemLogLevel": "DEBUG"})).await;
    assert_eq!(
        updated.unwrap()["LoggingConfig"],
        json!({
            "LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "DEBUG",
            "LogGroup": "/shared",
        })
    );
    let tail = json!({"FunctionName": "hello", "LogType": "Tail"});
    let Ok(answer) = world.call("Invoke", tail).await else {
        return;
    };
    let tail = STANDARD.decode(answer["LogResult"].as_str().unwrap());
    let tail = String::from_utf8(tail.unwrap()).unwrap();
    assert!(tail.contains("\"type\":\"platform.runtimeDone\""), "{tail}");
    assert!(!tail.contains("careful"), "{tail}");
    let text = update(json!({"LogFormat": "Text"})).await;
    assert_eq!(
        text.unwrap()["LoggingConfig"],
        json!({"LogFormat": "Text", "LogGroup": "/shared"})
    );
}
