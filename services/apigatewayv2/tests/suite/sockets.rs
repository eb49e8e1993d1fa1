//! WebSockets over a connection in memory, on a clock that the tests move.

use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Region};
use futures::{SinkExt as _, StreamExt as _};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use service::{Principal, RequestContext};
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::world::{FUNCTION, World};

pub type Client = WebSocketStream<DuplexStream>;

/// An API whose `$default` answers with what it got.
async fn api(world: &World) -> String {
    let create = json!({"Name": "ws", "ProtocolType": "WEBSOCKET",
        "RouteSelectionExpression": "$request.body.action"});
    let made = world.ok("CreateApi", create).await;
    let id = made["ApiId"].as_str().unwrap().to_owned();
    let mock = json!({"ApiId": id, "IntegrationType": "MOCK"});
    let mock = world.ok("CreateIntegration", mock).await;
    let target = format!("integrations/{}", mock["IntegrationId"].as_str().unwrap());
    let route = json!({"ApiId": id, "RouteKey": "$default", "Target": target,
        "RouteResponseSelectionExpression": "$default"});
    let route = world.ok("CreateRoute", route).await;
    let response =
        json!({"ApiId": id, "RouteId": route["RouteId"], "RouteResponseKey": "$default"});
    world.ok("CreateRouteResponse", response).await;
    let stage = json!({"ApiId": id, "StageName": "s", "AutoDeploy": true});
    world.ok("CreateStage", stage).await;
    id
}

/// A client's connection, by way of hyper as in the gateway.
pub async fn dial(world: &World, api: &str) -> Client {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let front = apigatewayv2::endpoint(&world.service);
    let now = world.time.clock();
    let answer = service_fn(move |request: Request<Incoming>| {
        let (front, now) = (Arc::clone(&front), now.now());
        async move {
            let account = AccountId::DEFAULT;
            let principal = Principal::Root { account };
            let context = RequestContext::internal(principal, account, Region::us_east_1(), now);
            let (parts, _) = request.into_parts();
            let request = Request::from_parts(parts, proxy::answer::full(""));
            Ok::<_, std::convert::Infallible>(front.handle(context, request).await)
        }
    });
    tokio::spawn(async move {
        let server = hyper::server::conn::http1::Builder::new();
        let served = server.serve_connection(TokioIo::new(far), answer);
        served.with_upgrades().await.unwrap();
    });
    let uri = format!("ws://{api}.execute-api.us-east-1.localhost/s");
    tokio_tungstenite::client_async(uri, near).await.unwrap().0
}

pub async fn ask(client: &mut Client, text: &str) -> String {
    client.send(Message::text(text)).await.unwrap();
    let answer = client.next().await.unwrap().unwrap();
    answer.into_text().unwrap().to_string()
}

/// The code with which the connection is closed.
async fn closed(client: &mut Client) -> u16 {
    match client.next().await.unwrap().unwrap() {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("{other:?} instead of a close"),
    }
}

#[tokio::test]
async fn an_idle_connection_ends_after_ten_minutes() {
    let world = World::new().await;
    let api = api(&world).await;
    let mut client = dial(&world, &api).await;
    assert_eq!(ask(&mut client, "hello").await, "hello");
    world.time.advance(Duration::from_mins(9));
    // What comes meanwhile begins the time anew.
    assert_eq!(ask(&mut client, "again").await, "again");
    world.time.advance(Duration::from_mins(9));
    assert_eq!(ask(&mut client, "and again").await, "and again");
    world.time.advance(Duration::from_mins(10));
    assert_eq!(closed(&mut client).await, 1001);
}

#[tokio::test]
async fn a_clients_close_is_answered() {
    let world = World::new().await;
    let api = api(&world).await;
    let mut client = dial(&world, &api).await;
    assert_eq!(ask(&mut client, "hello").await, "hello");
    let close = CloseFrame {
        code: CloseCode::Normal,
        reason: "enough".into(),
    };
    client.send(Message::Close(Some(close))).await.unwrap();
    assert_eq!(closed(&mut client).await, 1000);
    assert!(client.next().await.is_none());
}

#[tokio::test]
async fn a_busy_connection_ends_after_two_hours() {
    let world = World::new().await;
    let api = api(&world).await;
    let mut client = dial(&world, &api).await;
    for _ in 0..23 {
        world.time.advance(Duration::from_mins(5));
        assert_eq!(ask(&mut client, "here").await, "here");
    }
    world.time.advance(Duration::from_mins(5));
    assert_eq!(closed(&mut client).await, 1001);
}

#[tokio::test]
async fn connections_end_with_their_api() {
    let world = World::new().await;
    let api = api(&world).await;
    let mut client = dial(&world, &api).await;
    assert_eq!(ask(&mut client, "hello").await, "hello");
    world.ok("DeleteApi", json!({ "ApiId": api })).await;
    assert_eq!(closed(&mut client).await, 1001);
}

/// Lets everything else go as far as it can.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_cannot_be_handled_is_not_read() {
    const FLOOD: usize = 200;
    let world = World::new().await;
    let api = api(&world).await;
    let input = json!({"ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION});
    let made = world.ok("CreateIntegration", input).await;
    let target = format!("integrations/{}", made["IntegrationId"].as_str().unwrap());
    let route = json!({"ApiId": api, "RouteKey": "slow", "Target": target});
    world.ok("CreateRoute", route).await;
    let client = dial(&world, &api).await;
    let (mut sink, mut stream) = client.split();
    let outside = Arc::clone(&world.outside);
    let held = outside.ends.lock().await;
    let flood = tokio::spawn(async move {
        let message = json!({"action": "slow", "pad": "x".repeat(4_096)}).to_string();
        for _ in 0..FLOOD {
            sink.send(Message::text(message.clone())).await.unwrap();
        }
        sink.send(Message::text("the last")).await.unwrap();
    });
    settle().await;
    assert_eq!(world.outside.calls.lock().len(), 32);
    assert!(!flood.is_finished(), "the client waits for room");
    drop(held);
    let answer = stream.next().await.unwrap().unwrap();
    assert_eq!(answer.into_text().unwrap().as_str(), "the last");
    flood.await.unwrap();
    assert_eq!(world.outside.calls.lock().len(), FLOOD);
}
