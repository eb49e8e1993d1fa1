//! Execution roles, as IAM knows them.

use serde_json::json;

use crate::support::{ECHO, Settings, World, new_function, payload};

pub async fn make_role(world: &World, trusted: &str) {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": trusted},
            "Action": "sts:AssumeRole",
        }],
    });
    let role = json!({"RoleName": "lambda-role", "AssumeRolePolicyDocument": trust.to_string()});
    world.call_service("iam", "CreateRole", role).await.unwrap();
}

const NOT_ASSUMABLE: &str = "The role defined for the function cannot be assumed by Lambda.";

const CREDENTIALS: &str = r"
import os
def handler(event, context):
    return [os.environ['AWS_ACCESS_KEY_ID'], os.environ.get('AWS_SESSION_TOKEN') is not None]
";

#[tokio::test]
async fn an_unknown_role_is_accepted_in_permissive_mode_only() {
    let world = World::with(Settings {
        is_permissive: false,
        ..Settings::default()
    })
    .await;
    let (code, message) = world
        .refused("CreateFunction", new_function("hello", ECHO))
        .await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(message, NOT_ASSUMABLE);
    make_role(&world, "lambda.amazonaws.com").await;
    world.create("hello", ECHO).await;

    let world = World::new().await;
    world.create("hello", CREDENTIALS).await;
    if let Some(answer) = world.invoke("hello", json!({})).await {
        assert_eq!(payload(&answer)[0], "000000000000");
    }
}

#[tokio::test]
async fn a_role_that_does_not_trust_lambda_is_refused_in_any_mode() {
    let world = World::new().await;
    make_role(&world, "ec2.amazonaws.com").await;
    let (_, message) = world
        .refused("CreateFunction", new_function("hello", ECHO))
        .await;
    assert_eq!(message, NOT_ASSUMABLE);
}

#[tokio::test]
async fn a_function_gets_a_session_of_its_role() {
    let world = World::new().await;
    make_role(&world, "lambda.amazonaws.com").await;
    world.create("hello", CREDENTIALS).await;
    let Some(answer) = world.invoke("hello", json!({})).await else {
        return;
    };
    let answer = payload(&answer);
    let key = answer[0].as_str().unwrap();
    assert!(key.starts_with("ASIA"), "{key}");
    assert_eq!(answer[1], true);
}
