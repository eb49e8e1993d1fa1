//! What the gateway relies on: every modelled operation answers, and says what it needs.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{ACCOUNT, Server, lambda};
use serde_json::json;
use service::ports::Credentials as _;
use service::{Principal, RequestContext, Service};
use wire::Value;

fn input(members: &[(&str, &str)]) -> Value {
    let member =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Value::Str((*value).to_owned()));
    Value::Map(members.iter().map(member).collect())
}

#[tokio::test]
async fn every_modelled_operation_is_implemented() {
    let server = Server::new().await;
    for service in [
        iam::service(&server.identity),
        iam::sts_service(&server.identity),
    ] {
        for operation in service.schema().operations {
            let answer = server.call(operation.name, json!({})).await;
            if let Err(error) = answer {
                assert_ne!(error.code, "NotImplementedException", "{}", operation.name);
            }
        }
    }
    let error = server.call("CreateGroup", json!({})).await.unwrap_err();
    assert_eq!(error.status.as_u16(), 501);
}

#[tokio::test]
async fn actions_and_resources_are_what_policies_name() {
    let server = Server::new().await;
    let (bob, _) = server.create_user("bob").await;
    let role = json!({"RoleName": "r", "Path": "/team/",
        "AssumeRolePolicyDocument": lambda().to_string()});
    server.ok("CreateRole", role).await;
    let (iam, sts) = (
        iam::service(&server.identity),
        iam::sts_service(&server.identity),
    );
    let context = |principal: Principal| {
        let account = common::account();
        RequestContext::internal(principal, account, base::Region::us_east_1(), server.now())
    };
    let resource = |service: &dyn Service, operation: &str, members: &[(&str, &str)]| {
        service.resource(operation, &context(bob.clone()), &input(members))
    };
    let of = |resource: &str| format!("arn:aws:iam::{ACCOUNT}:{resource}");
    assert_eq!(
        resource(&*iam, "GetRole", &[("RoleName", "r")]),
        of("role/team/r")
    );
    let new = [("RoleName", "n"), ("Path", "/p/")];
    assert_eq!(resource(&*iam, "CreateRole", &new), of("role/p/n"));
    assert_eq!(
        resource(&*iam, "CreatePolicy", &[("PolicyName", "p")]),
        of("policy/p")
    );
    let attach = [
        ("RoleName", "r"),
        ("PolicyArn", "arn:aws:iam::aws:policy/X"),
    ];
    assert_eq!(
        resource(&*iam, "AttachRolePolicy", &attach),
        of("role/team/r")
    );
    assert_eq!(resource(&*iam, "CreateAccessKey", &[]), of("user/bob"));
    assert_eq!(resource(&*iam, "ListRoles", &[]), of("role/"));
    let under = [("PathPrefix", "/team/")];
    assert_eq!(resource(&*iam, "ListUsers", &under), of("user/team/"));
    assert_eq!(resource(&*iam, "ListPolicies", &[]), "policy path /");
    assert_eq!(iam.action("CreateRole"), "iam:CreateRole");
    let arn = of("role/team/r");
    assert_eq!(resource(&*sts, "AssumeRole", &[("RoleArn", &arn)]), arn);
    assert_eq!(sts.action("GetCallerIdentity"), "");
    assert_eq!(sts.action("GetAccessKeyInfo"), "sts:GetAccessKeyInfo");
}

#[tokio::test]
async fn what_a_principal_may_do_is_known_without_its_key_until_it_is_gone() {
    let server = Server::new().await;
    let name = json!({"UserName": "reader"});
    let made = server.ok("CreateUser", name.clone()).await;
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}]}"#;
    let put = json!({"UserName": "reader", "PolicyName": "p", "PolicyDocument": policy});
    server.ok("PutUserPolicy", put).await;
    let principal = Principal::User {
        arn: made["User"]["Arn"].as_str().unwrap().parse().unwrap(),
        user_id: made["User"]["UserId"].as_str().unwrap().to_owned(),
    };
    let credentials = iam::credentials(&server.identity);
    let found = credentials.of(&principal).await.unwrap();
    assert_eq!(found.identity_policies.len(), 1);
    assert!(found.secret.is_empty());
    let delete = json!({"UserName": "reader", "PolicyName": "p"});
    server.ok("DeleteUserPolicy", delete).await;
    server.ok("DeleteUser", name.clone()).await;
    assert!(credentials.of(&principal).await.is_none());
    // Somebody else of that name.
    server.ok("CreateUser", name).await;
    assert!(credentials.of(&principal).await.is_none());
}
