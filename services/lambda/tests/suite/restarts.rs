//! What a restart leaves of versions and aliases: all.

use serde_json::json;

use crate::support::{Folder, Settings, World, payload};
use crate::versions::{get, publish, returns, update};

#[tokio::test]
async fn versions_and_aliases_come_back_after_a_restart() {
    let durable = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let folder = Folder::new();
    let world = World::on(folder, durable()).await;
    world.create("hello", &returns("one")).await;
    publish(&world).await;
    update(&world, "two").await;
    publish(&world).await;
    let alias = json!({
        "FunctionName": "hello", "Name": "live", "FunctionVersion": "1",
        "Description": "for users",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.0}},
    });
    let alias = world.ok("CreateAlias", alias).await;
    let permission = json!({
        "FunctionName": "hello", "Qualifier": "1", "StatementId": "s3",
        "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
    });
    world.ok("AddPermission", permission).await;
    update(&world, "gone").await;
    publish(&world).await;
    let third = || json!({"FunctionName": "hello", "Qualifier": "3"});
    world.ok("DeleteFunction", third()).await;
    let before = (get(&world, "1").await, get(&world, "2").await);
    let folder = world.end().await;
    let world = World::on(folder, durable()).await;
    assert_eq!((get(&world, "1").await, get(&world, "2").await), before);
    let named = json!({"FunctionName": "hello", "Name": "live"});
    assert_eq!(world.ok("GetAlias", named).await, alias);
    let policy = json!({"FunctionName": "hello", "Qualifier": "1"});
    world.ok("GetPolicy", policy).await;
    assert_eq!(
        world.refused("GetFunction", third()).await.0,
        "ResourceNotFoundException"
    );
    assert_eq!(publish(&world).await["Version"], "4");
    if let Some(answer) = world.invoke("hello:live", json!({})).await {
        assert_eq!(payload(&answer), "one");
        assert_eq!(answer["ExecutedVersion"], "1");
    }
}
