//! STS: who is who, and who may become whom.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::time::Duration;

use common::{ACCOUNT, Server, allow, lambda, trust, words};
use serde_json::{Value, json};
use service::ports::IssuedCredential;
use service::{Origin, Principal};

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn assume(name: &str) -> Value {
    json!({"RoleArn": role_arn(name), "RoleSessionName": "s1"})
}

fn lambda_service() -> Principal {
    Principal::Service {
        name: "lambda.amazonaws.com",
        source_arn: None,
        source_account: None,
    }
}

async fn found(server: &Server, answer: &Value) -> Option<IssuedCredential> {
    let text = |name: &str| answer["Credentials"][name].as_str().unwrap();
    let found = server
        .find(text("AccessKeyId"), Some(text("SessionToken")))
        .await?;
    assert_eq!(found.secret, text("SecretAccessKey"));
    Some(found)
}

#[tokio::test]
async fn callers_learn_who_they_are() {
    let server = Server::new().await;
    let root = server.ok("GetCallerIdentity", json!({})).await;
    let expected = json!({"UserId": ACCOUNT, "Account": ACCOUNT,
        "Arn": format!("arn:aws:iam::{ACCOUNT}:root")});
    assert_eq!(root, expected);
    let (bob, _) = server.create_user("bob").await;
    let user = server
        .call_as(bob, "GetCallerIdentity", json!({}))
        .await
        .unwrap();
    assert_eq!(user["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/bob"));
    let role = server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    let answer = server.ok("AssumeRole", assume("r")).await;
    let session = found(&server, &answer).await.unwrap();
    let who = server
        .call_as(session.principal, "GetCallerIdentity", json!({}))
        .await
        .unwrap();
    assert_eq!(
        who["Arn"],
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/r/s1")
    );
    assert_eq!(
        who["UserId"],
        format!("{}:s1", role["RoleId"].as_str().unwrap())
    );
    assert_eq!(answer["AssumedRoleUser"]["Arn"], who["Arn"]);
    assert_eq!(answer["AssumedRoleUser"]["AssumedRoleId"], who["UserId"]);
}

#[tokio::test]
async fn a_service_assumes_the_roles_that_trust_it() {
    let server = Server::new().await;
    server.create_role("fn", lambda()).await;
    server
        .create_role("other", trust(json!({"Service": "ec2.amazonaws.com"})))
        .await;
    let call = |name: &str| {
        server.call_in(
            lambda_service(),
            Origin::Internal,
            "AssumeRole",
            assume(name),
        )
    };
    let answer = call("fn").await.unwrap();
    assert!(
        answer["Credentials"]["AccessKeyId"]
            .as_str()
            .unwrap()
            .starts_with("ASIA")
    );
    assert_eq!(answer["Credentials"]["Expiration"], "2026-11-23T21:00:00Z");
    let error = call("other").await.unwrap_err();
    assert_eq!(
        words(&error),
        (
            "AccessDenied".into(),
            403,
            format!(
                "User: lambda.amazonaws.com is not authorized to perform: sts:AssumeRole on \
                 resource: {}",
                role_arn("other")
            )
        )
    );
    let error = call("none").await.unwrap_err();
    assert_eq!(words(&error).2, "The role with name none cannot be found.");
}

#[tokio::test]
async fn conditions_of_a_trust_policy_count() {
    let server = Server::new().await;
    let (bob, _) = server.create_user("bob").await;
    let mut document = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:user/bob")}));
    document["Statement"][0]["Condition"] = json!({"StringEquals": {"sts:ExternalId": "secret"}});
    server.create_role("r", document).await;
    let mut input = assume("r");
    let error = server
        .call_as(bob.clone(), "AssumeRole", input.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code, "AccessDenied");
    input["ExternalId"] = json!("secret");
    // Named by the trust policy, bob needs no policy of his own.
    server.call_as(bob, "AssumeRole", input).await.unwrap();
}

#[tokio::test]
async fn a_role_that_trusts_the_account_leaves_it_to_the_callers_policies() {
    let server = Server::new().await;
    let (bob, _) = server.create_user("bob").await;
    server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    let error = server
        .call_as(bob.clone(), "AssumeRole", assume("r"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "AccessDenied");
    let policy = allow("sts:AssumeRole");
    let inline = json!({"UserName": "bob", "PolicyName": "p", "PolicyDocument": policy});
    server.ok("PutUserPolicy", inline).await;
    server
        .call_as(bob.clone(), "AssumeRole", assume("r"))
        .await
        .unwrap();
    // A role that does not exist looks the same from outside as one that does not trust.
    let error = server
        .call_as(bob, "AssumeRole", assume("none"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "AccessDenied");
}

#[tokio::test]
async fn durations_have_limits() {
    let server = Server::new().await;
    server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    let mut input = assume("r");
    input["DurationSeconds"] = json!(3601);
    assert_eq!(
        server.refused("AssumeRole", input.clone()).await,
        (
            "ValidationError".into(),
            400,
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                .into()
        )
    );
    server
        .ok(
            "UpdateRole",
            json!({"RoleName": "r", "MaxSessionDuration": 7200}),
        )
        .await;
    let answer = server.ok("AssumeRole", input.clone()).await;
    let session = found(&server, &answer).await.unwrap();
    let inline =
        json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": allow("sts:AssumeRole")});
    server.ok("PutRolePolicy", inline).await;
    let error = server
        .call_as(session.principal, "AssumeRole", input)
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .ends_with("for roles assumed by role chaining."),
        "{error}"
    );
}

#[tokio::test]
async fn a_session_has_its_roles_policies_as_they_are_now() {
    let server = Server::new().await;
    server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    let answer = server.ok("AssumeRole", assume("r")).await;
    assert!(
        found(&server, &answer)
            .await
            .unwrap()
            .identity_policies
            .is_empty()
    );
    let inline = json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": allow("s3:*")});
    server.ok("PutRolePolicy", inline.clone()).await;
    let session = found(&server, &answer).await.unwrap();
    assert_eq!(session.identity_policies, [allow("s3:*")]);
    let expiry = session.expires_at.unwrap();
    assert_eq!(expiry, server.now() + Duration::from_hours(1));
    // Made anew, it is another role.
    server.ok("DeleteRolePolicy", inline.clone()).await;
    server.ok("DeleteRole", json!({"RoleName": "r"})).await;
    server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    server.ok("PutRolePolicy", inline).await;
    assert!(
        found(&server, &answer)
            .await
            .unwrap()
            .identity_policies
            .is_empty()
    );
}

#[tokio::test]
async fn session_policies_bound_the_session() {
    let server = Server::new().await;
    server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    let mut input = assume("r");
    input["Policy"] = json!(allow("s3:GetObject"));
    input["PolicyArns"] = json!([{"arn": "arn:aws:iam::aws:policy/AmazonSQSFullAccess"}]);
    let answer = server.ok("AssumeRole", input.clone()).await;
    assert!(answer["PackedPolicySize"].as_i64().unwrap() > 0);
    let bounds = found(&server, &answer).await.unwrap().boundaries;
    assert_eq!(bounds.len(), 1, "one document that unites them");
    assert!(
        bounds[0].contains("s3:GetObject") && bounds[0].contains("sqs:*"),
        "{}",
        bounds[0]
    );
    input["Policy"] = json!("{}");
    assert_eq!(
        server.refused("AssumeRole", input.clone()).await.0,
        "MalformedPolicyDocument"
    );
    input["PolicyArns"] = json!([{"arn": "arn:aws:iam::aws:policy/None"}]);
    assert_eq!(
        server.refused("AssumeRole", input).await.0,
        "ValidationError"
    );
}

#[tokio::test]
async fn a_bounded_session_does_not_escape_into_another_role() {
    let server = Server::new().await;
    server
        .create_role("first", trust(json!({"AWS": ACCOUNT})))
        .await;
    server
        .create_role("second", trust(json!({"AWS": role_arn("first")})))
        .await;
    let free = server.ok("AssumeRole", assume("first")).await;
    let free = found(&server, &free).await.unwrap().principal;
    server
        .call_as(free, "AssumeRole", assume("second"))
        .await
        .unwrap();
    let mut input = assume("first");
    input["RoleSessionName"] = json!("bounded");
    input["Policy"] = json!(allow("s3:GetObject"));
    let bounded = server.ok("AssumeRole", input).await;
    let bounded = found(&server, &bounded).await.unwrap().principal;
    let error = server
        .call_as(bounded, "AssumeRole", assume("second"))
        .await
        .unwrap_err();
    assert_eq!(error.code, "AccessDenied");
}

#[tokio::test]
async fn a_token_is_good_for_its_own_key_only() {
    let server = Server::new().await;
    server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    let (one, two) = (
        server.ok("AssumeRole", assume("r")).await,
        server.ok("AssumeRole", assume("r")).await,
    );
    let key = one["Credentials"]["AccessKeyId"].as_str().unwrap();
    let token = two["Credentials"]["SessionToken"].as_str();
    assert!(server.find(key, token).await.is_none());
    assert!(server.find(key, None).await.is_none());
    assert!(server.find(key, Some("forged")).await.is_none());
}

#[tokio::test]
async fn bad_role_arns_are_invalid() {
    let server = Server::new().await;
    for arn in [
        "arn:aws:s3:::a-bucket-name",
        "not-an-arn-but-long-enough",
        "arn:aws:iam::1:role/r",
    ] {
        let refused = server
            .refused(
                "AssumeRole",
                json!({"RoleArn": arn, "RoleSessionName": "s1"}),
            )
            .await;
        assert_eq!(
            refused,
            ("ValidationError".into(), 400, format!("{arn} is invalid"))
        );
    }
}

#[tokio::test]
async fn users_take_sessions_of_their_own() {
    let server = Server::new().await;
    let (bob, key) = server.create_user("bob").await;
    let answer = server
        .call_as(bob.clone(), "GetSessionToken", json!({}))
        .await
        .unwrap();
    assert_eq!(answer["Credentials"]["Expiration"], "2026-11-24T08:00:00Z");
    let session = found(&server, &answer).await.unwrap();
    assert_eq!(session.principal, bob);
    let mfa = json!({"SerialNumber": "arn:aws:iam::1:mfa/x", "TokenCode": "123456"});
    let error = server
        .call_as(bob, "GetSessionToken", mfa)
        .await
        .unwrap_err();
    assert_eq!(error.code, "AccessDenied");
    let info = |id: &Value| json!({"AccessKeyId": id});
    for id in [&key["AccessKeyId"], &answer["Credentials"]["AccessKeyId"]] {
        assert_eq!(
            server.ok("GetAccessKeyInfo", info(id)).await,
            json!({"Account": ACCOUNT})
        );
    }
    let refused = server
        .refused("GetAccessKeyInfo", info(&json!("AKIA0000000000000000")))
        .await;
    assert_eq!(refused.0, "ValidationError");
}
