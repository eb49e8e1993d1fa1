//! Managed policies: the account's and AWS's, their versions, who they are attached to.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{ACCOUNT, Server, allow, lambda};
use serde_json::json;

const BASIC: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

async fn create(server: &Server, name: &str) -> String {
    let input = json!({"PolicyName": name, "PolicyDocument": allow("sqs:*")});
    let policy = server.ok("CreatePolicy", input).await["Policy"].clone();
    policy["Arn"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_policy_is_made_attached_and_only_then_deleted() {
    let server = Server::new().await;
    let arn = create(&server, "queues").await;
    assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:policy/queues"));
    let again = json!({"PolicyName": "Queues", "PolicyDocument": allow("sqs:*")});
    assert_eq!(
        server.refused("CreatePolicy", again).await,
        (
            "EntityAlreadyExists".to_owned(),
            409,
            "A policy called Queues already exists. Duplicate names are not allowed.".to_owned()
        )
    );
    server.create_role("r", lambda()).await;
    let attach = json!({"RoleName": "r", "PolicyArn": arn});
    server.ok("AttachRolePolicy", attach.clone()).await;
    server.ok("AttachRolePolicy", attach.clone()).await;
    let policy = server.ok("GetPolicy", json!({"PolicyArn": arn})).await["Policy"].clone();
    assert_eq!(policy["AttachmentCount"], 1);
    assert_eq!(policy["DefaultVersionId"], "v1");
    assert_eq!(policy["Tags"], json!([]));
    let listed = server.ok("ListPolicies", json!({"Scope": "Local"})).await;
    assert_eq!(listed["Policies"][0].get("Tags"), None);
    assert_eq!(
        server
            .refused("DeletePolicy", json!({"PolicyArn": arn}))
            .await
            .2,
        "Cannot delete a policy attached to entities."
    );
    server.ok("DetachRolePolicy", attach.clone()).await;
    let missing = (
        "NoSuchEntity".to_owned(),
        404,
        format!("Policy {arn} was not found."),
    );
    assert_eq!(server.refused("DetachRolePolicy", attach).await, missing);
    server.ok("DeletePolicy", json!({"PolicyArn": arn})).await;
    assert_eq!(
        server.refused("GetPolicy", json!({"PolicyArn": arn})).await,
        missing
    );
}

#[tokio::test]
async fn versions_are_numbered_once_and_five_at_most() {
    let server = Server::new().await;
    let arn = create(&server, "p").await;
    let version = |action: &str, default: bool| json!({"PolicyArn": arn, "PolicyDocument": allow(action), "SetAsDefault": default});
    for action in ["a:b", "a:c", "a:d"] {
        server
            .ok("CreatePolicyVersion", version(action, false))
            .await;
    }
    let made =
        server.ok("CreatePolicyVersion", version("a:e", true)).await["PolicyVersion"].clone();
    assert_eq!(
        (&made["VersionId"], &made["IsDefaultVersion"]),
        (&json!("v5"), &json!(true))
    );
    let refused = server
        .refused("CreatePolicyVersion", version("a:f", false))
        .await;
    assert_eq!(refused.0, "LimitExceeded");
    assert!(
        refused
            .2
            .starts_with("A managed policy can have up to 5 versions."),
        "{}",
        refused.2
    );

    let of = |id: &str| json!({"PolicyArn": arn, "VersionId": id});
    let refused = server.refused("DeletePolicyVersion", of("v5")).await;
    assert_eq!((refused.0.as_str(), refused.1), ("DeleteConflict", 409));
    server.ok("DeletePolicyVersion", of("v2")).await;
    let made = server
        .ok("CreatePolicyVersion", version("a:g", false))
        .await["PolicyVersion"]
        .clone();
    assert_eq!(made["VersionId"], "v6");
    server.ok("SetDefaultPolicyVersion", of("v6")).await;
    let list = server
        .ok(
            "ListPolicyVersions",
            json!({"PolicyArn": arn, "MaxItems": 2}),
        )
        .await;
    let ids: Vec<_> = list["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["VersionId"])
        .collect();
    assert_eq!(ids, ["v6", "v5"]);
    let next = json!({"PolicyArn": arn, "Marker": list["Marker"]});
    let rest = server.ok("ListPolicyVersions", next).await;
    assert_eq!(rest["Versions"].as_array().unwrap().len(), 3);
    assert_eq!(
        server.refused("GetPolicyVersion", of("v2")).await.0,
        "NoSuchEntity"
    );
    let text = server.ok("GetPolicyVersion", of("v6")).await["PolicyVersion"]["Document"].clone();
    assert!(text.as_str().unwrap().contains("a%3Ag"));
    let refused = server
        .refused("DeletePolicy", json!({"PolicyArn": arn}))
        .await;
    assert!(
        refused
            .2
            .starts_with("This policy has more than one version."),
        "{}",
        refused.2
    );
}

#[tokio::test]
async fn aws_managed_policies_are_there_and_not_for_changing() {
    let server = Server::new().await;
    server.create_role("r", lambda()).await;
    server
        .ok(
            "AttachRolePolicy",
            json!({"RoleName": "r", "PolicyArn": BASIC}),
        )
        .await;
    let listed = server
        .ok(
            "ListAttachedRolePolicies",
            json!({"RoleName": "r", "PathPrefix": "/service-role/"}),
        )
        .await;
    assert_eq!(
        listed["AttachedPolicies"],
        json!([{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}])
    );
    let none = server
        .ok(
            "ListAttachedRolePolicies",
            json!({"RoleName": "r", "PathPrefix": "/x/"}),
        )
        .await;
    assert_eq!(none["AttachedPolicies"], json!([]));
    let version = json!({"PolicyArn": BASIC, "VersionId": "v1"});
    let document =
        server.ok("GetPolicyVersion", version).await["PolicyVersion"]["Document"].clone();
    assert!(document.as_str().unwrap().contains("logs%3APutLogEvents"));
    assert_eq!(
        server
            .refused("DeletePolicy", json!({"PolicyArn": BASIC}))
            .await
            .0,
        "AccessDenied"
    );
    let unknown = "arn:aws:iam::aws:policy/NoSuchThing";
    assert_eq!(
        server
            .refused(
                "AttachRolePolicy",
                json!({"RoleName": "r", "PolicyArn": unknown})
            )
            .await,
        (
            "NoSuchEntity".to_owned(),
            404,
            format!("Policy {unknown} does not exist or is not attachable.")
        )
    );
    let refused = server
        .refused(
            "AttachRolePolicy",
            json!({"RoleName": "r", "PolicyArn": "arn:aws:s3:::bucket-x-y"}),
        )
        .await;
    assert_eq!((refused.0.as_str(), refused.1), ("InvalidInput", 400));
}

#[tokio::test]
async fn ten_policies_are_the_most_for_a_role() {
    let server = Server::new().await;
    server.create_role("r", lambda()).await;
    let list = server
        .ok("ListPolicies", json!({"Scope": "AWS", "MaxItems": 11}))
        .await;
    let policies = list["Policies"].as_array().unwrap().clone();
    for policy in &policies[..10] {
        server
            .ok(
                "AttachRolePolicy",
                json!({"RoleName": "r", "PolicyArn": policy["Arn"]}),
            )
            .await;
    }
    let last = json!({"RoleName": "r", "PolicyArn": policies[10]["Arn"]});
    let refused = server.refused("AttachRolePolicy", last).await;
    assert_eq!(refused.2, "Cannot exceed quota for PoliciesPerRole: 10");
}

#[tokio::test]
async fn lists_tell_ours_from_awss_and_the_used_from_the_rest() {
    let server = Server::new().await;
    let ours = create(&server, "ours").await;
    create(&server, "unused").await;
    server.create_role("r", lambda()).await;
    server
        .ok(
            "CreateUser",
            json!({"UserName": "u", "PermissionsBoundary": BASIC}),
        )
        .await;
    server
        .ok(
            "AttachRolePolicy",
            json!({"RoleName": "r", "PolicyArn": ours}),
        )
        .await;
    server
        .ok(
            "AttachUserPolicy",
            json!({"UserName": "u", "PolicyArn": ours}),
        )
        .await;
    let names = |list: serde_json::Value| -> Vec<String> {
        let policies = list["Policies"].as_array().unwrap().clone();
        policies
            .iter()
            .map(|p| p["PolicyName"].as_str().unwrap().to_owned())
            .collect()
    };
    let local = server.ok("ListPolicies", json!({"Scope": "Local"})).await;
    assert_eq!(names(local), ["ours", "unused"]);
    let attached = server
        .ok("ListPolicies", json!({"OnlyAttached": true}))
        .await;
    assert_eq!(names(attached), ["AWSLambdaBasicExecutionRole", "ours"]);
    let bounding = json!({"PolicyUsageFilter": "PermissionsBoundary"});
    let bounding = server.ok("ListPolicies", bounding).await;
    assert_eq!(names(bounding), ["AWSLambdaBasicExecutionRole"]);

    let entities = server
        .ok("ListEntitiesForPolicy", json!({"PolicyArn": ours}))
        .await;
    assert_eq!(entities["PolicyRoles"][0]["RoleName"], "r");
    assert_eq!(entities["PolicyUsers"][0]["UserName"], "u");
    let only = json!({"PolicyArn": ours, "EntityFilter": "User", "MaxItems": 1});
    let entities = server.ok("ListEntitiesForPolicy", only).await;
    assert_eq!(
        (&entities["PolicyRoles"], &entities["IsTruncated"]),
        (&json!([]), &json!(false))
    );
}

#[tokio::test]
async fn policies_are_refused_in_awss_words() {
    let server = Server::new().await;
    let refused = server
        .refused(
            "CreatePolicy",
            json!({"PolicyName": "p", "PolicyDocument": lambda().to_string()}),
        )
        .await;
    assert_eq!(refused.0, "MalformedPolicyDocument");
    assert_eq!(refused.2, "Policy document should not specify a principal.");
}
