//! Roles: what they look like, their errors, their pages.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{ACCOUNT, Server, allow, lambda};
use serde_json::{Value, json};

fn error(code: &str, status: u16, message: &str) -> (String, u16, String) {
    (code.to_owned(), status, message.to_owned())
}

#[tokio::test]
async fn a_role_reads_back_with_its_policy_encoded() {
    let server = Server::new().await;
    let input = json!({"RoleName": "worker", "Path": "/team/", "Description": "d",
        "AssumeRolePolicyDocument": lambda().to_string(), "MaxSessionDuration": 7200,
        "Tags": [{"Key": "a", "Value": "b"}]});
    let created = server.ok("CreateRole", input).await["Role"].clone();
    assert_eq!(
        created["Arn"],
        format!("arn:aws:iam::{ACCOUNT}:role/team/worker")
    );
    let id = created["RoleId"].as_str().unwrap();
    assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    assert_eq!(created["CreateDate"], "2026-11-23T20:00:00Z");
    let document = created["AssumeRolePolicyDocument"].as_str().unwrap();
    assert!(
        document.starts_with("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22"),
        "{document}"
    );

    let read = server.ok("GetRole", json!({"RoleName": "WORKER"})).await["Role"].clone();
    assert_eq!(read["RoleName"], "worker");
    assert_eq!(read["MaxSessionDuration"], 7200);
    assert_eq!(read["Tags"], json!([{"Key": "a", "Value": "b"}]));
}

#[tokio::test]
async fn names_are_taken_without_regard_to_case() {
    let server = Server::new().await;
    server.create_role("lambda-role", lambda()).await;
    let again =
        json!({"RoleName": "Lambda-Role", "AssumeRolePolicyDocument": lambda().to_string()});
    assert_eq!(
        server.refused("CreateRole", again).await,
        error(
            "EntityAlreadyExists",
            409,
            "Role with name Lambda-Role already exists."
        )
    );
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let server = Server::new().await;
    let role = json!({"RoleName": "none"});
    let missing = error(
        "NoSuchEntity",
        404,
        "The role with name none cannot be found.",
    );
    for operation in [
        "GetRole",
        "DeleteRole",
        "ListRolePolicies",
        "ListAttachedRolePolicies",
        "ListRoleTags",
        "ListInstanceProfilesForRole",
        "UpdateRole",
    ] {
        assert_eq!(
            server.refused(operation, role.clone()).await,
            missing,
            "{operation}"
        );
    }
    server.create_role("r", lambda()).await;
    assert_eq!(
        server
            .refused("GetRolePolicy", json!({"RoleName": "r", "PolicyName": "p"}))
            .await,
        error(
            "NoSuchEntity",
            404,
            "The role policy with name p cannot be found."
        )
    );
}

#[tokio::test]
async fn a_bad_trust_policy_creates_nothing() {
    let server = Server::new().await;
    for (document, message) in [
        ("{".to_owned(), "This policy contains invalid Json"),
        (allow("sts:AssumeRole"), "Has prohibited field Resource"),
    ] {
        let input = json!({"RoleName": "r", "AssumeRolePolicyDocument": document});
        let refused = server.refused("CreateRole", input).await;
        assert_eq!(refused, error("MalformedPolicyDocument", 400, message));
    }
    assert_eq!(
        server.refused("GetRole", json!({"RoleName": "r"})).await.0,
        "NoSuchEntity"
    );
}

#[tokio::test]
async fn a_role_that_holds_policies_cannot_be_deleted() {
    let server = Server::new().await;
    server.create_role("r", lambda()).await;
    let role = json!({"RoleName": "r"});
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let attached = json!({"RoleName": "r", "PolicyArn": arn});
    server.ok("AttachRolePolicy", attached.clone()).await;
    let inline = json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": allow("s3:*")});
    server.ok("PutRolePolicy", inline.clone()).await;
    assert_eq!(
        server.refused("DeleteRole", role.clone()).await,
        error(
            "DeleteConflict",
            409,
            "Cannot delete entity, must detach all policies first."
        )
    );
    server.ok("DetachRolePolicy", attached).await;
    assert_eq!(
        server.refused("DeleteRole", role.clone()).await,
        error(
            "DeleteConflict",
            409,
            "Cannot delete entity, must delete policies first."
        )
    );
    server.ok("DeleteRolePolicy", inline).await;
    server.ok("DeleteRole", role.clone()).await;
    assert_eq!(server.refused("GetRole", role).await.0, "NoSuchEntity");
}

#[tokio::test]
async fn roles_are_listed_in_pages_by_path() {
    let server = Server::new().await;
    for at in 0..5 {
        let path = if at == 3 { "/other/" } else { "/team/" };
        server
            .ok(
                "CreateRole",
                json!({"RoleName": format!("r{at}"), "Path": path,
                "AssumeRolePolicyDocument": lambda().to_string()}),
            )
            .await;
    }
    let mut seen = Vec::new();
    let mut marker = Value::Null;
    loop {
        let input = json!({"PathPrefix": "/team", "MaxItems": 2, "Marker": marker});
        let page = server.ok("ListRoles", input).await;
        seen.extend(
            page["Roles"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r["RoleName"].clone()),
        );
        if page["IsTruncated"] == false {
            assert!(page.get("Marker").is_none(), "{page}");
            break;
        }
        marker = page["Marker"].clone();
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r4"]);
    let refused = server.refused("ListRoles", json!({"Marker": "!"})).await;
    assert_eq!((refused.0.as_str(), refused.1), ("ValidationError", 400));
}

#[tokio::test]
async fn a_role_is_changed_in_place() {
    let server = Server::new().await;
    let before = server.create_role("r", lambda()).await;
    server
        .ok(
            "UpdateRole",
            json!({"RoleName": "r", "Description": "x", "MaxSessionDuration": 43200}),
        )
        .await;
    let trust = common::trust(json!({"AWS": ACCOUNT})).to_string();
    server
        .ok(
            "UpdateAssumeRolePolicy",
            json!({"RoleName": "r", "PolicyDocument": trust}),
        )
        .await;
    let after = server.ok("GetRole", json!({"RoleName": "r"})).await["Role"].clone();
    assert_eq!(after["RoleId"], before["RoleId"]);
    assert_eq!(
        (&after["Description"], &after["MaxSessionDuration"]),
        (&json!("x"), &json!(43200))
    );
    assert!(
        after["AssumeRolePolicyDocument"]
            .as_str()
            .unwrap()
            .contains(ACCOUNT)
    );
    let input = json!({"RoleName": "r", "Description": "y"});
    assert_eq!(
        server.ok("UpdateRoleDescription", input).await["Role"]["Description"],
        "y"
    );
}

#[tokio::test]
async fn inline_policies_share_a_quota() {
    let server = Server::new().await;
    server.create_role("r", lambda()).await;
    let actions: Vec<String> = (0..400).map(|at| format!("s3:Action{at:04}")).collect();
    let document = json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
    let put = |name: &str| json!({"RoleName": "r", "PolicyName": name, "PolicyDocument": document.to_string()});
    server.ok("PutRolePolicy", put("a")).await;
    assert_eq!(
        server.refused("PutRolePolicy", put("b")).await,
        error(
            "LimitExceeded",
            409,
            "Maximum policy size of 10240 bytes exceeded for role r"
        )
    );
    let names = server
        .ok("ListRolePolicies", json!({"RoleName": "r"}))
        .await["PolicyNames"]
        .clone();
    assert_eq!(names, json!(["a"]));
}

#[tokio::test]
async fn tags_come_and_go() {
    let server = Server::new().await;
    server.create_role("r", lambda()).await;
    let tags = json!([{"Key": "b", "Value": "1"}, {"Key": "A", "Value": "2"}]);
    server
        .ok("TagRole", json!({"RoleName": "r", "Tags": tags}))
        .await;
    server
        .ok("UntagRole", json!({"RoleName": "r", "TagKeys": ["B"]}))
        .await;
    let left = server.ok("ListRoleTags", json!({"RoleName": "r"})).await["Tags"].clone();
    assert_eq!(left, json!([{"Key": "A", "Value": "2"}]));
    let twice = json!([{"Key": "x", "Value": ""}, {"Key": "X", "Value": ""}]);
    let refused = server
        .refused("TagRole", json!({"RoleName": "r", "Tags": twice}))
        .await;
    assert_eq!(refused.0, "InvalidInput");
    let of_aws = json!([{"Key": "AWS:x", "Value": ""}]);
    let refused = server
        .refused("TagRole", json!({"RoleName": "r", "Tags": of_aws}))
        .await;
    assert_eq!(refused.0, "InvalidInput");
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let server = Server::new().await;
    server.create_role("r", lambda()).await;
    let other = "222222222222".parse().unwrap();
    let mut context = service::RequestContext::internal(
        service::Principal::Root { account: other },
        other,
        base::Region::us_east_1(),
        server.now(),
    );
    context.account = other;
    let input = wire::Value::Map(vec![("RoleName".into(), wire::Value::Str("r".into()))]);
    let error = iam::service(&server.identity)
        .call("GetRole", context, input)
        .await
        .unwrap_err();
    assert_eq!(error.query_code, Some("NoSuchEntity"));
}
