//! What others than its owner may do in a bucket: by its policy and by ACLs.

use base::{AccountId, Arn};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use service::{Anonymous, HttpService as _, Principal};

use crate::world::{REGION, World, context};

const OTHER: &str = "111122223333";

async fn as_nobody(world: &World, method: &str, uri: &str) -> u16 {
    let body = Full::new(bytes::Bytes::new())
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .unwrap();
    request.extensions_mut().insert(Anonymous);
    let answer = world
        .s3
        .handle(context(REGION, "000000000000"), request)
        .await;
    answer.status().as_u16()
}

async fn as_other(world: &World, method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
    let answer = world
        .send_as(context(REGION, OTHER), method, uri, headers, "x")
        .await;
    answer.status.as_u16()
}

fn policy(principal: &str, action: &str, effect: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Principal":{principal},
            "Action":{action},"Resource":["arn:aws:s3:::b-1","arn:aws:s3:::b-1/*"]}}]}}"#
    )
}

#[tokio::test]
async fn nobody_may_what_no_policy_allows() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", "x").await;
    for uri in ["/b-1/k", "/b-1", "/"] {
        assert_eq!(as_nobody(&world, "GET", uri).await, 403, "{uri}");
    }
    assert_eq!(as_nobody(&world, "PUT", "/new-1").await, 403);
    world
        .put("/b-1?policy", policy("\"*\"", "\"s3:GetObject\"", "Allow"))
        .await;
    assert_eq!(as_nobody(&world, "GET", "/b-1/k").await, 200);
    assert_eq!(as_nobody(&world, "HEAD", "/b-1/k").await, 200);
    assert_eq!(as_nobody(&world, "GET", "/b-1").await, 403);
    assert_eq!(as_nobody(&world, "DELETE", "/b-1/k").await, 403);
    let missing = as_nobody(&world, "GET", "/b-1/none").await;
    assert_eq!(missing, 403, "who may not list is not told what there is");
    let dressed = as_nobody(&world, "GET", "/b-1/k?response-content-type=text/html").await;
    assert_eq!(dressed, 400);
    let actions = r#"["s3:GetObject","s3:ListBucket"]"#;
    world
        .put("/b-1?policy", policy("\"*\"", actions, "Allow"))
        .await;
    assert_eq!(as_nobody(&world, "GET", "/b-1/none").await, 404);
    let block = "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true\
                 </RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    world.put("/b-1?publicAccessBlock", block).await;
    assert_eq!(as_nobody(&world, "GET", "/b-1/k").await, 403);
}

#[tokio::test]
async fn another_account_by_name() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", "x").await;
    assert_eq!(as_other(&world, "GET", "/b-1/k", &[]).await, 403);
    let root = format!(r#"{{"AWS":"arn:aws:iam::{OTHER}:root"}}"#);
    let actions = r#"["s3:GetObject","s3:PutObject","s3:ListBucket"]"#;
    world
        .put("/b-1?policy", policy(&root, actions, "Allow"))
        .await;
    assert_eq!(as_other(&world, "GET", "/b-1/k", &[]).await, 200);
    assert_eq!(as_other(&world, "PUT", "/b-1/new", &[]).await, 200);
    assert_eq!(as_other(&world, "GET", "/b-1?list-type=2", &[]).await, 200);
    assert_eq!(as_other(&world, "DELETE", "/b-1/k", &[]).await, 403);
    let theirs = [("x-amz-copy-source", "/b-1/k")];
    world
        .send_as(context("us-east-1", OTHER), "PUT", "/theirs", &[], "")
        .await
        .ok();
    assert_eq!(as_other(&world, "PUT", "/theirs/k", &theirs).await, 200);
    world
        .put("/b-1?policy", policy(&root, "\"s3:PutObject\"", "Allow"))
        .await;
    assert_eq!(as_other(&world, "PUT", "/theirs/k", &theirs).await, 403);
    assert_eq!(as_other(&world, "GET", "/b-1/k?tagging", &[]).await, 403);
}

#[tokio::test]
async fn a_user_of_another_account() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", "x").await;
    let arn: Arn = format!("arn:aws:iam::{OTHER}:user/ann").parse().unwrap();
    let mut ann = context(REGION, OTHER);
    ann.account = OTHER.parse::<AccountId>().unwrap();
    ann.principal = Principal::User {
        arn,
        user_id: "AIDAANN".to_owned(),
    };
    let named = format!(r#"{{"AWS":"arn:aws:iam::{OTHER}:user/ann"}}"#);
    world
        .put("/b-1?policy", policy(&named, "\"s3:GetObject\"", "Allow"))
        .await;
    let got = world.send_as(ann.clone(), "GET", "/b-1/k", &[], "").await;
    assert_eq!(got.status, 200);
    let other = named.replace("ann", "bob");
    world
        .put("/b-1?policy", policy(&other, "\"s3:GetObject\"", "Allow"))
        .await;
    let got = world.send_as(ann, "GET", "/b-1/k", &[], "").await;
    assert_eq!(got.status, 403);
}

#[tokio::test]
async fn acls_let_in_too() {
    let world = World::with_bucket().await;
    let writer = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
                  </OwnershipControls>";
    world.put("/b-1?ownershipControls", writer).await;
    let public = [("x-amz-acl", "public-read")];
    world.send("PUT", "/b-1/open", &public, "x").await.ok();
    world.put("/b-1/closed", "x").await;
    assert_eq!(as_nobody(&world, "GET", "/b-1/open").await, 200);
    assert_eq!(as_nobody(&world, "GET", "/b-1/closed").await, 403);
    assert_eq!(as_nobody(&world, "GET", "/b-1").await, 403);
    world.send("PUT", "/b-1?acl", &public, "").await.ok();
    assert_eq!(as_nobody(&world, "GET", "/b-1").await, 200);
    assert_eq!(as_nobody(&world, "PUT", "/b-1/new").await, 403);
    let deny = policy("\"*\"", "\"s3:GetObject\"", "Deny");
    world.put("/b-1?policy", deny).await;
    assert_eq!(as_nobody(&world, "GET", "/b-1/open").await, 403);
    world.send("DELETE", "/b-1?policy", &[], "").await.ok();
    let ignore = "<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls>\
                  </PublicAccessBlockConfiguration>";
    world.put("/b-1?publicAccessBlock", ignore).await;
    assert_eq!(as_nobody(&world, "GET", "/b-1/open").await, 403);
}
