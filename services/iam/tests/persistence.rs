//! What survives a restart: everything, sessions included.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::sync::Arc;

use common::{ACCOUNT, Server, allow, trust};
use serde_json::json;
use store::{EmbeddedStore, MemoryStore, Store};

async fn survives(open: impl Fn() -> Arc<dyn Store>) {
    let first = Server::over(open()).await;
    let (principal, key) = first.create_user("bob").await;
    let role = first.create_role("r", trust(json!({"AWS": ACCOUNT}))).await;
    first
        .ok(
            "PutRolePolicy",
            json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": allow("s3:*")}),
        )
        .await;
    let policy = json!({"PolicyName": "mine", "PolicyDocument": allow("sqs:*")});
    let policy = first.ok("CreatePolicy", policy).await["Policy"].clone();
    first
        .ok(
            "AttachUserPolicy",
            json!({"UserName": "bob", "PolicyArn": policy["Arn"]}),
        )
        .await;
    let session = json!({"RoleArn": role["Arn"], "RoleSessionName": "s1"});
    let session = first.ok("AssumeRole", session).await["Credentials"].clone();
    drop(first);

    let second = Server::over(open()).await;
    assert_eq!(
        second.ok("GetRole", json!({"RoleName": "r"})).await["Role"]["RoleId"],
        role["RoleId"]
    );
    let found = second
        .find(key["AccessKeyId"].as_str().unwrap(), None)
        .await
        .unwrap();
    assert_eq!(found.principal, principal);
    assert_eq!(found.secret, key["SecretAccessKey"].as_str().unwrap());
    assert_eq!(found.identity_policies, [allow("sqs:*")]);
    let token = session["SessionToken"].as_str();
    let found = second
        .find(session["AccessKeyId"].as_str().unwrap(), token)
        .await
        .unwrap();
    assert_eq!(found.secret, session["SecretAccessKey"].as_str().unwrap());
    assert_eq!(found.identity_policies, [allow("s3:*")]);
}

#[tokio::test]
async fn identities_survive_in_memory_as_long_as_the_store() {
    let store = MemoryStore::new();
    survives(|| Arc::new(store.clone())).await;
}

#[tokio::test]
async fn identities_survive_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    survives(|| Arc::new(EmbeddedStore::open(dir.path()).unwrap())).await;
}

#[tokio::test]
async fn another_states_sessions_are_not_ours() {
    let server = Server::new().await;
    server
        .create_role("r", trust(json!({"AWS": ACCOUNT})))
        .await;
    let role = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let session = json!({"RoleArn": role, "RoleSessionName": "s1"});
    let session = server.ok("AssumeRole", session).await["Credentials"].clone();
    let other = Server::new().await;
    let (key, token) = (
        session["AccessKeyId"].as_str().unwrap(),
        session["SessionToken"].as_str(),
    );
    assert!(server.find(key, token).await.is_some());
    assert!(other.find(key, token).await.is_none());
}

#[tokio::test]
async fn changes_at_once_do_not_lose_each_other() {
    let server = Arc::new(Server::new().await);
    server.create_role("r", common::lambda()).await;
    let tasks: Vec<_> = (0..20)
        .map(|at| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let tag = json!([{"Key": format!("k{at:02}"), "Value": ""}]);
                server
                    .ok("TagRole", json!({"RoleName": "r", "Tags": tag}))
                    .await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let tags = server.ok("ListRoleTags", json!({"RoleName": "r"})).await["Tags"].clone();
    assert_eq!(tags.as_array().unwrap().len(), 20);
}
