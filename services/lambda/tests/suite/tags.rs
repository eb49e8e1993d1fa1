//! Tags of functions and mappings.

use serde_json::json;

use crate::support::{ECHO, World, new_function};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let world = World::new().await;
    let mut input = new_function("hello", ECHO);
    input["Tags"] = json!({"a": "1"});
    world.ok("CreateFunction", input).await;
    let tag = json!({"Resource": ARN, "Tags": {"a": "2", "b": "3"}});
    world.ok("TagResource", tag).await;
    let got = world
        .ok("GetFunction", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(got["Tags"], json!({"a": "2", "b": "3"}));
    world
        .ok(
            "UntagResource",
            json!({"Resource": ARN, "TagKeys": ["a", "b", "c"]}),
        )
        .await;
    let listed = world.ok("ListTags", json!({"Resource": ARN})).await;
    assert_eq!(listed["Tags"], json!({}));
    let version = json!({"Resource": format!("{ARN}:$LATEST")});
    assert_eq!(
        world.refused("ListTags", version).await.1,
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    );
}

#[tokio::test]
async fn mappings_have_tags_too() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let queue = world.queue("orders", json!({})).await;
    let input = json!({"FunctionName": "hello", "EventSourceArn": queue, "Tags": {"a": "1"}});
    let created = world.ok("CreateEventSourceMapping", input).await;
    let arn = &created["EventSourceMappingArn"];
    world
        .ok("TagResource", json!({"Resource": arn, "Tags": {"b": "2"}}))
        .await;
    let listed = world.ok("ListTags", json!({"Resource": arn})).await;
    assert_eq!(listed["Tags"], json!({"a": "1", "b": "2"}));
    let here = arn.as_str().unwrap();
    for elsewhere in [
        here.replace("us-east-1", "eu-west-1"),
        here.replace("000000000000", "111111111111"),
    ] {
        let (code, _) = world
            .refused("ListTags", json!({"Resource": elsewhere}))
            .await;
        assert_eq!(code, "ResourceNotFoundException");
    }
}
