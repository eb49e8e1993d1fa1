//! Functions' own policies, and what they decide.

use base::{AccountId, Clock, Region};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use service::ports::{InvokeRequest, Invoker as _};
use service::{Principal, RequestContext};

use crate::support::{ECHO, ROLE, Settings, World};

fn permission(sid: &str) -> Json {
    json!({
        "FunctionName": "hello",
        "StatementId": sid,
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::bucket",
        "SourceAccount": "000000000000",
    })
}

#[tokio::test]
async fn statements_come_and_go() {
    let world = World::new().await;
    let created = world.create("hello", ECHO).await;
    let hello = || json!({"FunctionName": "hello"});
    assert_eq!(
        world.refused("GetPolicy", hello()).await.1,
        "The resource you requested does not exist."
    );
    let added = world.ok("AddPermission", permission("s3")).await;
    let statement: Json = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(
        statement["Principal"],
        json!({"Service": "s3.amazonaws.com"})
    );
    assert_eq!(
        statement["Resource"],
        "arn:aws:lambda:us-east-1:000000000000:function:hello"
    );
    assert_eq!(
        statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        "arn:aws:s3:::bucket"
    );
    let got = world.ok("GetPolicy", hello()).await;
    let policy: Json = serde_json::from_str(got["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    assert_eq!(policy["Id"], "default");
    assert_eq!(policy["Statement"], json!([statement]));
    assert_ne!(got["RevisionId"], created["RevisionId"]);
    let configuration = world.ok("GetFunctionConfiguration", hello()).await;
    assert_eq!(configuration["RevisionId"], got["RevisionId"]);

    let error = world.error("AddPermission", permission("s3")).await;
    assert_eq!(error.code, "ResourceConflictException");
    let mut stale = permission("other");
    stale["RevisionId"] = created["RevisionId"].clone();
    assert_eq!(world.error("AddPermission", stale).await.status, 412);
    let remove = |sid: &str| json!({"FunctionName": "hello", "StatementId": sid});
    assert_eq!(
        world.refused("RemovePermission", remove("none")).await.1,
        "Statement none is not found in resource policy."
    );
    world.ok("RemovePermission", remove("s3")).await;
    assert_eq!(
        world.refused("RemovePermission", remove("s3")).await.1,
        "No policy is associated with the given resource."
    );
}

#[tokio::test]
async fn versions_and_aliases_that_are_not_there_have_no_policy() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    for (qualifier, message) in [
        (
            "$LATEST",
            "We currently do not support adding policies for $LATEST.",
        ),
        (
            "42",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:hello:42",
        ),
        (
            "live",
            "Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:hello:live",
        ),
    ] {
        let mut input = permission("s3");
        input["Qualifier"] = json!(qualifier);
        assert_eq!(world.refused("AddPermission", input).await.1, message);
    }
    let mut gone = permission("s3");
    gone["FunctionName"] = json!("gone");
    assert_eq!(
        world.error("AddPermission", gone).await.code,
        "ResourceNotFoundException"
    );
}

fn from_bucket(bucket: &str) -> InvokeRequest {
    let principal = Principal::Service {
        name: "s3.amazonaws.com",
        source_arn: Some(format!("arn:aws:s3:::{bucket}").parse().unwrap()),
        source_account: Some(AccountId::DEFAULT),
    };
    let now = Clock::system().now();
    InvokeRequest {
        function: "arn:aws:lambda:us-east-1:000000000000:function:hello"
            .parse()
            .unwrap(),
        payload: Bytes::from_static(b"{}"),
        context: RequestContext::internal(principal, AccountId::DEFAULT, Region::us_east_1(), now),
    }
}

#[tokio::test]
async fn where_policies_are_enforced_a_service_needs_a_statement_for_its_resource() {
    let world = World::with(Settings {
        is_permissive: false,
        ..Settings::default()
    })
    .await;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }],
    });
    let role = json!({"RoleName": "lambda-role", "AssumeRolePolicyDocument": trust.to_string()});
    world.call_service("iam", "CreateRole", role).await.unwrap();
    assert!(ROLE.ends_with("role/lambda-role"));
    world.create("hello", ECHO).await;
    let denied = world
        .lambda
        .invoke_async(from_bucket("bucket"))
        .await
        .unwrap_err();
    assert_eq!(
        (denied.code.as_ref(), denied.status.as_u16()),
        ("AccessDeniedException", 403)
    );
    world.ok("AddPermission", permission("s3")).await;
    world
        .lambda
        .invoke_async(from_bucket("bucket"))
        .await
        .unwrap();
    world
        .lambda
        .invoke_async(from_bucket("other"))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn in_permissive_mode_services_may_invoke_without_a_statement() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    world
        .lambda
        .invoke_async(from_bucket("bucket"))
        .await
        .unwrap();
}
