//! Connections from inside environments are bounded; those of callers are not.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use base::{AccountId, Region};
use service::Principal;
use support::{gateway, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Long enough for an answer that comes at all.
const SOON: Duration = Duration::from_secs(20);
/// How long an answer is awaited that must not come.
const AWHILE: Duration = Duration::from_millis(200);

fn function() -> (Principal, Region) {
    let principal = Principal::Root {
        account: AccountId::DEFAULT,
    };
    (principal, "us-east-1".parse().unwrap())
}

/// Sends a request and keeps the connection.
async fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /_kagero/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    stream
}

async fn is_answered(stream: &mut TcpStream, within: Duration) -> bool {
    let mut answer = [0; 12];
    match tokio::time::timeout(within, stream.read_exact(&mut answer)).await {
        Ok(read) => {
            read.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
            true
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_function_that_hoards_connections_waits_and_nobody_else_does() {
    let gateway = gateway(2);
    let (inside, _stop_inside) = serve(&gateway, Some(function())).await;
    let (outside, _stop_outside) = serve(&gateway, None).await;

    let mut first = ask(inside).await;
    let mut second = ask(inside).await;
    assert!(is_answered(&mut first, SOON).await);
    assert!(is_answered(&mut second, SOON).await);
    let mut third = ask(inside).await;
    assert!(!is_answered(&mut third, AWHILE).await);

    let mut callers = Vec::new();
    for _ in 0..8 {
        let mut caller = ask(outside).await;
        assert!(is_answered(&mut caller, SOON).await);
        callers.push(caller);
    }

    drop(first);
    assert!(is_answered(&mut third, SOON).await);
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused_to_callers_of_this_machine() {
    let gateway = gateway(1);
    let (outside, _stop) = serve(&gateway, None).await;
    let mut stream = TcpStream::connect(outside).await.unwrap();
    let request = b"GET /_kagero/health HTTP/1.1\r\nHost: page.example:80\r\n\
        Connection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(
        answer.contains("does not go by the name page.example"),
        "{answer}"
    );
}
