//! Users and their access keys.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::{ACCOUNT, Server, allow, words};
use serde_json::json;
use service::Principal;

#[tokio::test]
async fn a_key_stands_for_its_user_while_it_is_active() {
    let server = Server::new().await;
    let (principal, key) = server.create_user("bob").await;
    assert!(matches!(&principal, Principal::User { arn, user_id }
        if arn.to_string() == format!("arn:aws:iam::{ACCOUNT}:user/bob")
            && user_id.starts_with("AIDA")));
    let id = key["AccessKeyId"].as_str().unwrap();
    assert!(id.starts_with("AKIA") && id.len() == 20, "{id}");
    assert_eq!(key["SecretAccessKey"].as_str().unwrap().len(), 40);
    let found = server.find(id, None).await.unwrap();
    assert_eq!(found.secret, key["SecretAccessKey"].as_str().unwrap());
    assert_eq!(found.account.as_str(), ACCOUNT);
    assert!(server.find("AKIAUNKNOWN", None).await.is_none());

    let update = json!({"UserName": "bob", "AccessKeyId": id, "Status": "Inactive"});
    server.ok("UpdateAccessKey", update).await;
    assert!(server.find(id, None).await.is_none());
    let list = server
        .ok("ListAccessKeys", json!({"UserName": "bob"}))
        .await;
    assert_eq!(list["AccessKeyMetadata"][0]["Status"], "Inactive");
    assert!(list.to_string().find("Secret").is_none(), "{list}");
}

#[tokio::test]
async fn a_key_carries_its_users_policies() {
    let server = Server::new().await;
    let (_, key) = server.create_user("bob").await;
    let inline = json!({"UserName": "bob", "PolicyName": "p", "PolicyDocument": allow("s3:*")});
    server.ok("PutUserPolicy", inline).await;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    server
        .ok(
            "AttachUserPolicy",
            json!({"UserName": "bob", "PolicyArn": admin}),
        )
        .await;
    let found = server
        .find(key["AccessKeyId"].as_str().unwrap(), None)
        .await
        .unwrap();
    assert_eq!(found.identity_policies.len(), 2);
    assert_eq!(found.identity_policies[0], allow("s3:*"));
    assert!(found.boundaries.is_empty());
}

#[tokio::test]
async fn two_keys_are_the_most() {
    let server = Server::new().await;
    let (principal, key) = server.create_user("bob").await;
    // Without a name, the caller's own.
    server
        .call_as(principal.clone(), "CreateAccessKey", json!({}))
        .await
        .unwrap();
    let refused = server
        .refused("CreateAccessKey", json!({"UserName": "bob"}))
        .await;
    assert_eq!(refused.0, "LimitExceeded");
    assert_eq!(refused.2, "Cannot exceed quota for AccessKeysPerUser: 2");
    let delete = json!({"AccessKeyId": key["AccessKeyId"]});
    server
        .call_as(principal.clone(), "DeleteAccessKey", delete.clone())
        .await
        .unwrap();
    let error = server
        .call_as(principal, "DeleteAccessKey", delete)
        .await
        .unwrap_err();
    let id = key["AccessKeyId"].as_str().unwrap();
    assert_eq!(
        words(&error).2,
        format!("The Access Key with id {id} cannot be found.")
    );
}

#[tokio::test]
async fn a_user_goes_only_when_it_holds_nothing() {
    let server = Server::new().await;
    let (_, key) = server.create_user("bob").await;
    let bob = json!({"UserName": "bob"});
    assert_eq!(
        server.refused("DeleteUser", bob.clone()).await.2,
        "Cannot delete entity, must delete access keys first."
    );
    let key = json!({"UserName": "bob", "AccessKeyId": key["AccessKeyId"]});
    server.ok("DeleteAccessKey", key).await;
    server.ok("DeleteUser", bob.clone()).await;
    assert_eq!(
        server.refused("GetUser", bob).await,
        (
            "NoSuchEntity".into(),
            404,
            "The user with name bob cannot be found.".into()
        )
    );
}

#[tokio::test]
async fn a_renamed_user_keeps_key_and_id() {
    let server = Server::new().await;
    let (_, key) = server.create_user("bob").await;
    server.ok("CreateUser", json!({"UserName": "eve"})).await;
    let taken = json!({"UserName": "bob", "NewUserName": "EVE"});
    let refused = server.refused("UpdateUser", taken).await;
    assert_eq!(refused.2, "User with name EVE already exists.");
    let before = server.ok("GetUser", json!({"UserName": "bob"})).await["User"]["UserId"].clone();
    let rename = json!({"UserName": "bob", "NewUserName": "Robert", "NewPath": "/x/"});
    server.ok("UpdateUser", rename).await;
    assert_eq!(
        server
            .refused("GetUser", json!({"UserName": "bob"}))
            .await
            .0,
        "NoSuchEntity"
    );
    let after = server.ok("GetUser", json!({"UserName": "robert"})).await["User"].clone();
    assert_eq!(after["UserId"], before);
    let found = server
        .find(key["AccessKeyId"].as_str().unwrap(), None)
        .await
        .unwrap();
    assert!(matches!(found.principal, Principal::User { arn, .. }
        if arn.resource == "user/x/Robert"));
}

#[tokio::test]
async fn who_calls_without_a_name() {
    let server = Server::new().await;
    let (principal, key) = server.create_user("bob").await;
    let own = server
        .call_as(principal, "GetUser", json!({}))
        .await
        .unwrap();
    assert_eq!(own["User"]["UserName"], "bob");
    let root = server.ok("GetUser", json!({})).await["User"].clone();
    assert_eq!(root["Arn"], format!("arn:aws:iam::{ACCOUNT}:root"));
    let refused = server.refused("CreateAccessKey", json!({})).await;
    assert_eq!(
        refused.2,
        "Must specify userName when calling with non-User credentials"
    );
    let used = json!({"AccessKeyId": key["AccessKeyId"]});
    let used = server.ok("GetAccessKeyLastUsed", used).await;
    assert_eq!(used["UserName"], "bob");
    assert_eq!(used["AccessKeyLastUsed"]["ServiceName"], "N/A");
}
