//! Customer managed keys of packages and of mappings: nothing is encrypted with them here, and each is
//! given back where AWS does.

use serde_json::{Value as Json, json};

use crate::support::{ECHO, World, new_function, with};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/9f3c1f4e-0000-4000-8000-000000000000";

#[tokio::test]
async fn the_key_of_a_package_is_the_packages() {
    let world = World::new().await;
    let mut function = new_function("hello", ECHO);
    function["Code"]["SourceKMSKeyArn"] = json!(KEY);
    let package = function["Code"]["ZipFile"].clone();
    world.ok("CreateFunction", function).await;
    let shown = async || {
        let got = world
            .ok("GetFunction", json!({"FunctionName": "hello"}))
            .await;
        got["Code"].get("SourceKMSKeyArn").cloned()
    };
    assert_eq!(shown().await, Some(json!(KEY)));
    let update = |more: Json| {
        let update = json!({"FunctionName": "hello", "ZipFile": package});
        world.ok("UpdateFunctionCode", with(update, more))
    };
    update(json!({})).await;
    assert_eq!(shown().await, None);
    update(json!({"SourceKMSKeyArn": KEY})).await;
    assert_eq!(shown().await, Some(json!(KEY)));
}

#[tokio::test]
async fn the_key_of_a_mappings_filters_stays_until_it_is_taken_away() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let queue = world.queue("orders", json!({})).await;
    let input = json!({"FunctionName": "hello", "EventSourceArn": queue, "KMSKeyArn": KEY});
    let created = world.ok("CreateEventSourceMapping", input).await;
    assert_eq!(created["KMSKeyArn"], KEY);
    let uuid = &created["UUID"];
    let batches = json!({"UUID": uuid, "BatchSize": 5});
    let updated = world.ok("UpdateEventSourceMapping", batches).await;
    assert_eq!(updated["KMSKeyArn"], KEY);
    let without = json!({"UUID": uuid, "KMSKeyArn": ""});
    let updated = world.ok("UpdateEventSourceMapping", without).await;
    assert_eq!(updated.get("KMSKeyArn"), None);
}
