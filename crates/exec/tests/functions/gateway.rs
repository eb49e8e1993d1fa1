//! The gateway's socket inside an environment.

use std::any::Any;
use std::net::TcpListener;
use std::sync::Arc;

use exec::{EnvironmentIdentity, GatewaySockets};
use parking_lot::Mutex;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{World, json as document};

/// Answers every connection with the caller's role.
#[derive(Default)]
struct Sockets {
    callers: Mutex<Vec<EnvironmentIdentity>>,
    closed: Arc<Mutex<usize>>,
}

struct Open {
    server: tokio::task::JoinHandle<()>,
    closed: Arc<Mutex<usize>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.server.abort();
        *self.closed.lock() += 1;
    }
}

impl GatewaySockets for Sockets {
    fn open(
        &self,
        listener: TcpListener,
        caller: EnvironmentIdentity,
    ) -> Box<dyn Any + Send + Sync> {
        let role = caller.role.to_string();
        self.callers.lock().push(caller);
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await.unwrap();
                let length = role.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{role}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Box::new(Open {
            server,
            closed: Arc::clone(&self.closed),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_url_reaches_the_gateway_as_the_functions_role() {
    let code = "
import os, urllib.request
def handler(event, context):
    url = os.environ['AWS_ENDPOINT_URL']
    return [url, urllib.request.urlopen(url).read().decode()]
";
    let sockets = Arc::new(Sockets::default());
    let world = World::with_gateway(Arc::clone(&sockets) as Arc<dyn GatewaySockets>);
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(outcome) = world.run(&function, &json!({})).await else {
        return;
    };
    assert_eq!(
        document(&outcome),
        json!(["http://127.0.0.1:4566", function.role.to_string()])
    );
    {
        let callers = sockets.callers.lock();
        assert_eq!(callers.len(), 1);
        assert_eq!(callers[0].function, function.arn);
        assert_eq!(callers[0].account, function.key.account);
    }
    assert_eq!(*sockets.closed.lock(), 0);
    world.exec.retire(&function.key);
    assert_eq!(
        *sockets.closed.lock(),
        1,
        "the socket goes with its environment"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_can_be_reached() {
    let code = "
import socket
def handler(event, context):
    try:
        socket.create_connection(('192.0.2.1', 80), 2)
        return 'connected'
    except OSError as error:
        return error.errno
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(outcome) = world.run(&function, &json!({})).await else {
        return;
    };
    // ENETUNREACH: there is no route out of the environment.
    assert_eq!(document(&outcome), 101);
}
