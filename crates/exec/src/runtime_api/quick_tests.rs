//! A runtime's connection from the outside: what is served here, what hyper serves, and how one
//! passes to the other.

use std::time::Duration;

use base::{RequestId, Timestamp};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::exchange::Exchange;
use super::super::http::{VERSION, connection, not_found, runtime};
use super::*;
use crate::environment::Answer as Answered;
use crate::invocation::InvokeEvent;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n";

struct World {
    exchange: Arc<Exchange>,
    listener: TcpListener,
}

impl World {
    async fn new() -> Self {
        Self {
            exchange: Arc::default(),
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    async fn connect(&self) -> TcpStream {
        let address = self.listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        client.set_nodelay(true).unwrap();
        let (stream, _) = self.listener.accept().await.unwrap();
        let exchange = Arc::clone(&self.exchange);
        tokio::spawn(async move {
            let answer = |request: http::Request<Incoming>| {
                let exchange = Arc::clone(&exchange);
                async move {
                    let (head, body) = request.into_parts();
                    match head.uri.path().strip_prefix(VERSION) {
                        Some(path) => runtime(&head, path, body, &exchange).await,
                        None => not_found(),
                    }
                }
            };
            // Clients leave in all ways here.
            let _ = connection(stream, Some(&exchange), answer).await;
        });
        client
    }

    /// Offers an event; its id.
    fn offer(&self, payload: impl Into<Bytes>) -> String {
        let request_id = RequestId::random();
        let event = InvokeEvent {
            request_id,
            payload: payload.into(),
            invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
            trace: Some("Root=1".to_owned()),
            client_context: Some("{\n}".to_owned()),
            cognito_identity: None,
            tenant: None,
            tail: false,
            asynchronous: false,
            sink: None,
        };
        let one = self.exchange.one().unwrap();
        one.offer(event, Timestamp::from_millis(7));
        request_id.to_string()
    }

    async fn answered(&self) -> String {
        match self.exchange.one().unwrap().answer().await {
            Answered::Response(body) => String::from_utf8(body.to_vec()).unwrap(),
            Answered::Error { document, .. } => String::from_utf8(document.to_vec()).unwrap(),
        }
    }
}

fn post(id: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /2018-06-01/runtime/invocation/{id}/{kind} HTTP/1.1\r\nHost: h\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn chunked(id: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: h\r\n\
         Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
    )
}

async fn send(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap();
}

/// One answer: its head in small letters, and its body.
async fn receive(client: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split_once("content-length: ").unwrap().1;
    let length = length.split_once("\r\n").unwrap().0.parse().unwrap();
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

async fn status(client: &mut TcpStream) -> u16 {
    receive(client).await.0[9..12].parse().unwrap()
}

#[tokio::test]
async fn an_event_goes_out_and_its_answer_comes_in_however_it_is_cut() {
    let world = World::new().await;
    let mut client = world.connect().await;
    let id = world.offer("{\"n\":1}");
    for byte in NEXT.bytes() {
        client.write_all(&[byte]).await.unwrap();
    }
    let (head, body) = receive(&mut client).await;
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    for field in [
        format!("lambda-runtime-aws-request-id: {id}\r\n"),
        "lambda-runtime-deadline-ms: 7\r\n".to_owned(),
        "lambda-runtime-trace-id: root=1\r\n".to_owned(),
        "content-type: application/json\r\n".to_owned(),
        "date: ".to_owned(),
    ] {
        assert!(head.contains(&field), "{field} in {head}");
    }
    assert!(!head.contains("client-context"), "{head}");
    assert_eq!(body, "{\"n\":1}");
    for byte in post(&id, "response", "\"done\"").bytes() {
        client.write_all(&[byte]).await.unwrap();
    }
    let (head, body) = receive(&mut client).await;
    assert!(head.starts_with("http/1.1 202 "), "{head}");
    assert_eq!(body, "{\"status\":\"OK\"}");
    assert_eq!(world.answered().await, "\"done\"");
}

#[tokio::test]
async fn several_calls_may_come_at_once_and_events_may_be_large() {
    let world = World::new().await;
    let mut client = world.connect().await;
    let id = world.offer("1");
    send(&mut client, NEXT).await;
    receive(&mut client).await;
    let large = "x".repeat(6 << 20);
    send(&mut client, &(post(&id, "error", "{}") + NEXT)).await;
    assert_eq!(status(&mut client).await, 202);
    assert_eq!(world.answered().await, "{}");
    world.exchange.one().unwrap().settled().await;
    world.offer(large.clone());
    assert!(receive(&mut client).await.1 == large);
}

#[tokio::test]
async fn answers_that_are_not_owed_are_refused() {
    let world = World::new().await;
    let mut client = world.connect().await;
    let id = world.offer("1");
    let other = RequestId::random().to_string();
    send(&mut client, &post(&id, "response", "early")).await;
    assert_eq!(status(&mut client).await, 400);
    send(&mut client, NEXT).await;
    receive(&mut client).await;
    for (id, expected) in [(&other, 400), (&id, 202), (&id, 403), (&other, 400)] {
        send(&mut client, &post(id, "response", "1")).await;
        assert_eq!(status(&mut client).await, expected);
    }
    assert_eq!(world.answered().await, "1");
}

#[tokio::test]
async fn what_is_odd_is_hypers_from_its_first_byte_on() {
    let world = World::new().await;
    let mut client = world.connect().await;
    let id = world.offer("1");
    send(&mut client, NEXT).await;
    receive(&mut client).await;
    // In one piece, so that the second call is received with the first.
    send(
        &mut client,
        &(post(&RequestId::random().to_string(), "response", "1") + &chunked(&id, "odd")),
    )
    .await;
    assert_eq!(status(&mut client).await, 400);
    assert_eq!(status(&mut client).await, 202);
    assert_eq!(world.answered().await, "odd");
    send(&mut client, "GET /elsewhere HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(status(&mut client).await, 404);
    let id = world.offer("2");
    send(&mut client, NEXT).await;
    assert_eq!(receive(&mut client).await.1, "2");
    send(&mut client, &post(&id, "response", "plain again")).await;
    assert_eq!(status(&mut client).await, 202);
    assert_eq!(world.answered().await, "plain again");
}

#[tokio::test]
async fn a_response_above_a_lower_limit_is_refused() {
    let world = World::new().await;
    world.exchange.set_limit(10);
    let mut client = world.connect().await;
    let id = world.offer("1");
    send(&mut client, NEXT).await;
    receive(&mut client).await;
    send(&mut client, &post(&id, "response", "eleven byte")).await;
    assert_eq!(status(&mut client).await, 413);
    assert!(world.answered().await.contains("ResponseSizeTooLarge"));
}

#[tokio::test]
async fn a_body_that_ends_early_answers_nothing() {
    let world = World::new().await;
    let id = world.offer("1");
    let mut client = world.connect().await;
    send(&mut client, NEXT).await;
    receive(&mut client).await;
    let whole = post(&id, "response", "whole");
    send(&mut client, &whole[..whole.len() - 1]).await;
    client.shutdown().await.unwrap();
    assert_eq!(status(&mut client).await, 400);
    // The event is still owed, on another connection.
    let mut client = world.connect().await;
    send(&mut client, NEXT).await;
    assert_eq!(receive(&mut client).await.1, "1");
    send(&mut client, &whole).await;
    assert_eq!(status(&mut client).await, 202);
    assert_eq!(world.answered().await, "whole");
}

#[tokio::test]
async fn a_runtime_that_gave_up_waiting_takes_no_event_along() {
    let world = World::new().await;
    let mut first = world.connect().await;
    send(&mut first, NEXT).await;
    world.exchange.one().unwrap().settled().await;
    // Closed in both directions, and seen to be by the server.
    first.shutdown().await.unwrap();
    assert_eq!(first.read(&mut [0]).await.unwrap(), 0);
    world.offer("for whoever asks");
    let mut second = world.connect().await;
    send(&mut second, NEXT).await;
    assert_eq!(receive(&mut second).await.1, "for whoever asks");
}

#[tokio::test]
async fn a_head_that_never_ends_is_hypers() {
    let world = World::new().await;
    let mut client = world.connect().await;
    let long = format!(
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(head::MOST_HEAD)
    );
    world.offer("1");
    send(&mut client, &long).await;
    let received = tokio::time::timeout(Duration::from_secs(30), receive(&mut client));
    assert_eq!(received.await.expect("an answer").1, "1");
}
