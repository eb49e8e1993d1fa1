//! Endpoints on this machine, for subscribers on it and for functions.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::world::{World, text};

/// A server on this machine; the paths that it is asked for.
async fn server() -> (u16, UnboundedReceiver<String>) {
    let (asked, paths) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 4_096];
            let count = stream.read(&mut bytes).await.unwrap();
            let head = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let _ = asked.send(head.split(' ').nth(1).unwrap().to_owned());
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (port, paths)
}

#[tokio::test]
async fn functions_have_nothing_sent_to_this_machine() {
    let world = World::new().await;
    let (port, mut paths) = server().await;
    let topic = world.topic("t", &[]).await;
    let subscription = |path: &str| {
        [
            ("TopicArn", text(&topic)),
            ("Protocol", text("http")),
            ("Endpoint", text(&format!("http://localhost:{port}/{path}"))),
        ]
    };
    world
        .call_of_a_function("Subscribe", &subscription("function"))
        .await;
    // Both again and after a restart it is the function's.
    world.ok("Subscribe", &subscription("function")).await;
    let world = world.restart().await;
    world.ok("Subscribe", &subscription("function")).await;
    world.ok("Subscribe", &subscription("host")).await;
    assert_eq!(paths.recv().await.as_deref(), Some("/host"));
    let more = tokio::time::timeout(Duration::from_millis(200), paths.recv()).await;
    assert!(more.is_err(), "{more:?}");
}
