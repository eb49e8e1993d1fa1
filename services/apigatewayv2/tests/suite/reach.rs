//! Other servers, for callers on the host and for functions.

use http::Request;
use serde_json::json;
use service::Reach;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::World;

/// A server on this machine, which answers each request with what it got.
async fn server() -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 4_096];
            let count = stream.read(&mut bytes).await.unwrap();
            let head =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {count}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&bytes[..count]).await.unwrap();
        }
    });
    port
}

/// An API that leads to a URI.
async fn leading_to(world: &World, uri: &str) -> String {
    let made = json!({"Name": "a", "ProtocolType": "HTTP", "Target": uri});
    let api = world.ok("CreateApi", made).await;
    api["ApiId"].as_str().unwrap().to_owned()
}

fn as_function(world: &World, is_function: bool) {
    *world.reach.lock() = if is_function {
        Reach::Function
    } else {
        Reach::Anywhere
    };
}

#[tokio::test]
async fn a_server_on_this_machine_is_had_by_callers_on_it_alone() {
    let world = World::new().await;
    let uri = format!("http://localhost:{}/", server().await);
    let api = leading_to(&world, &uri).await;
    assert_eq!(world.status(&api, "/").await, 200);
    as_function(&world, true);
    assert_eq!(world.status(&api, "/").await, 503);
    as_function(&world, false);
    assert_eq!(world.status(&api, "/").await, 200);
}

#[tokio::test]
async fn what_a_function_made_stays_within_its_reach() {
    let world = World::new().await;
    let uri = format!("http://127.0.0.1:{}/", server().await);
    as_function(&world, true);
    let api = leading_to(&world, &uri).await;
    as_function(&world, false);
    assert_eq!(world.status(&api, "/").await, 503);
    let shown = world.ok("GetApi", json!({"ApiId": api})).await;
    // An update by others does not change whose it was.
    let update = json!({"ApiId": api, "Name": "b"});
    world.ok("UpdateApi", update).await;
    assert_eq!(world.status(&api, "/").await, 503);
    let world = world.restart().await;
    assert_eq!(world.status(&api, "/").await, 503);
    assert_eq!(shown["Name"], "a");
}

#[tokio::test]
async fn what_a_function_changed_stays_within_its_reach() {
    let world = World::new().await;
    let uri = format!("http://127.0.0.1:{}/", server().await);
    let api = leading_to(&world, &uri).await;
    assert_eq!(world.status(&api, "/").await, 200);
    as_function(&world, true);
    let stage = json!({"ApiId": api, "StageName": "$default", "StageVariables": {"a": "b"}});
    world.ok("UpdateStage", stage).await;
    as_function(&world, false);
    assert_eq!(world.status(&api, "/").await, 503);
    let world = world.restart().await;
    assert_eq!(world.status(&api, "/").await, 503);
}

#[tokio::test]
async fn commands_to_the_server_itself_are_not_passed_on() {
    let world = World::new().await;
    let port = server().await;
    let api = leading_to(&world, &format!("http://127.0.0.1:{port}/")).await;
    let request = Request::get(format!("/_aws/execute-api/{api}/"))
        .header("x-kagero-command", "1")
        .header("x-kept", "1");
    let (answer, sent) = world.send(request, "").await;
    assert_eq!(answer.status(), 200);
    assert!(sent.contains("x-kept: 1"), "{sent}");
    assert!(!sent.contains("x-kagero"), "{sent}");
    // Without the header, too.
    let reset = format!("http://127.0.0.1:{port}/_kagero/reset");
    let api = leading_to(&world, &reset).await;
    assert_eq!(world.status(&api, "/").await, 503);
}

#[tokio::test]
async fn metadata_of_the_machine_is_had_by_nobody() {
    let world = World::new().await;
    let api = leading_to(&world, "http://169.254.169.254/latest/meta-data/").await;
    assert_eq!(world.status(&api, "/").await, 503);
}
