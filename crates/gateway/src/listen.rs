//! Connections: accept, speak HTTP/1.1 or HTTP/2 cleartext, end gracefully.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::Gateway;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in progress may run on once shutdown has begun.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no file descriptors left, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub peer: Option<SocketAddr>,
    /// In permissive mode, what calls on this connection are made as when they carry no credentials
    /// we issued: the function's role, on sockets inside an environment.
    pub identity: Option<service::Principal>,
    pub region: Option<base::Region>,
}

impl Gateway {
    /// Serves until `stop` turns true, then lets requests in progress finish for a bounded time.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        identity: Option<(service::Principal, base::Region)>,
        mut stop: watch::Receiver<bool>,
    ) {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stopping| *stopping) => break,
            };
            let (stream, peer) = match accepted {
                Ok(connection) => connection,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            };
            let (identity, region) = identity.clone().unzip();
            let connection = Arc::new(Connection {
                peer: Some(peer),
                identity,
                region,
            });
            self.spawn_connection(stream, connection, &graceful);
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = tokio::time::sleep(DRAIN) => {
                tracing::warn!("requests still running after {DRAIN:?} were cut off");
            }
        }
    }

    fn spawn_connection(
        self: &Arc<Self>,
        stream: TcpStream,
        connection: Arc<Connection>,
        graceful: &GracefulShutdown,
    ) {
        // Small answers must not wait for the client's acknowledgements.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set TCP_NODELAY");
        }
        let gateway = Arc::clone(self);
        let answer = service_fn(move |request: Request<Incoming>| {
            let gateway = Arc::clone(&gateway);
            let connection = Arc::clone(&connection);
            async move { Ok::<_, std::convert::Infallible>(gateway.answer(request, &connection).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(1_000);
        let served = graceful.watch(
            builder
                .serve_connection(TokioIo::new(stream), answer)
                .into_owned(),
        );
        tokio::spawn(async move {
            // Clients hang up and send garbage; neither is news.
            if let Err(error) = pin!(served).await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}

async fn pause_after(error: &io::Error) {
    let of_the_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !of_the_client {
        tracing::warn!(%error, "accept a connection; trying again");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
