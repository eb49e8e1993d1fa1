//! Other servers, for callers on the host and for functions.

use bytes::Bytes;
use http::Request;
use service::Reach;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wire::Value;

use crate::world::{World, patch, text};

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

fn leading_to(uri: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("type", text("HTTP_PROXY")),
        ("integrationHttpMethod", text("GET")),
        ("uri", text(uri)),
    ]
}

fn as_function(world: &World, is_function: bool) {
    *world.reach.lock() = if is_function {
        Reach::Function
    } else {
        Reach::Anywhere
    };
}

async fn status(world: &World, api: &str) -> u16 {
    let path = format!("/_aws/execute-api/{api}/s/7");
    world.get(&path).await.0
}

#[tokio::test]
async fn a_server_on_this_machine_is_had_by_callers_on_it_alone() {
    let world = World::new().await;
    let uri = format!("http://localhost:{}/", server().await);
    let api = world.deployed(&leading_to(&uri)).await;
    assert_eq!(status(&world, &api).await, 200);
    as_function(&world, true);
    assert_eq!(status(&world, &api).await, 504);
    as_function(&world, false);
    assert_eq!(status(&world, &api).await, 200);
}

#[tokio::test]
async fn what_a_function_made_or_changed_stays_within_its_reach() {
    let world = World::new().await;
    let uri = format!("http://127.0.0.1:{}/", server().await);
    let changed = world.deployed(&leading_to(&uri)).await;
    let untouched = world.deployed(&leading_to(&uri)).await;
    as_function(&world, true);
    let made = world.deployed(&leading_to(&uri)).await;
    let stage = [
        ("restApiId", text(&changed)),
        ("stageName", text("s")),
        (
            "patchOperations",
            Value::List(vec![patch("replace", "/variables/a", Some("b"))]),
        ),
    ];
    world.call("UpdateStage", &stage).await.unwrap();
    as_function(&world, false);
    assert_eq!(status(&world, &made).await, 504);
    assert_eq!(status(&world, &changed).await, 504);
    assert_eq!(status(&world, &untouched).await, 200);
    // A deployment by others does not change whose it was.
    let deployment = [("restApiId", text(&made)), ("stageName", text("s"))];
    world.call("CreateDeployment", &deployment).await.unwrap();
    let world = world.restart().await;
    assert_eq!(status(&world, &made).await, 504);
    assert_eq!(status(&world, &changed).await, 504);
    assert_eq!(status(&world, &untouched).await, 200);
}

#[tokio::test]
async fn a_functions_trial_of_a_method_stays_within_its_reach() {
    let world = World::new().await;
    let uri = format!("http://127.0.0.1:{}/", server().await);
    let api = world.deployed(&leading_to(&uri)).await;
    let all = [("restApiId", text(&api))];
    let resources = world.call("GetResources", &all).await.unwrap();
    let items = resources.get("items").and_then(Value::as_list).unwrap();
    let of_method = items
        .iter()
        .find(|item| item.get("path").and_then(Value::as_str) == Some("/{id}"));
    let resource = of_method.and_then(|item| item.get("id")).unwrap().clone();
    let trial = [
        ("restApiId", text(&api)),
        ("resourceId", resource),
        ("httpMethod", text("GET")),
    ];
    for (is_function, status) in [(false, 200), (true, 504)] {
        as_function(&world, is_function);
        let said = world.call("TestInvokeMethod", &trial).await.unwrap();
        assert_eq!(said.get("status"), Some(&Value::Int(status)));
    }
}

#[tokio::test]
async fn commands_to_the_server_itself_are_not_passed_on() {
    let world = World::new().await;
    let uri = format!("http://127.0.0.1:{}/", server().await);
    let mut integration = leading_to(&uri);
    let mapped = vec![(
        "integration.request.header.x-kagero-mapped".to_owned(),
        text("'1'"),
    )];
    integration.push(("requestParameters", Value::Map(mapped)));
    let api = world.deployed(&integration).await;
    let request = Request::get(format!("/_aws/execute-api/{api}/s/7"))
        .header("x-kagero-command", "1")
        .header("x-kept", "1")
        .body(Bytes::new())
        .unwrap();
    let (status, sent) = world.request(request).await;
    assert_eq!(status, 200);
    assert!(sent.contains("x-kept: 1"), "{sent}");
    assert!(!sent.contains("x-kagero"), "{sent}");
}
