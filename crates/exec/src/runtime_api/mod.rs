//! The Lambda Runtime API, version 2018-06-01, for one environment: what official runtime clients
//! and custom runtimes speak, over HTTP on a socket inside the environment. On the same socket are
//! the Extensions API and the Telemetry API, beside any runtime.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

mod exchange;
mod head;
mod http;
mod quick;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use base::Timestamp;

use crate::environment::{Answer, Readiness};
use crate::extensions::ExtensionHost;
use crate::invocation::InvokeEvent;
use exchange::Exchange;

pub(crate) use http::{Answer as HttpAnswer, accepted, failure, json as json_answer};

/// The server's side of one runtime that speaks the Runtime API.
#[derive(Debug, Default)]
pub(crate) struct RuntimeApi {
    exchange: Arc<Exchange>,
}

/// Serves one environment's socket. Dropping it closes every connection.
#[derive(Debug)]
pub(crate) struct ApiServer(tokio::task::JoinHandle<()>);

impl ApiServer {
    /// Serves on a socket that listens inside the environment, without the Runtime API where the
    /// runtime is one of ours. Needs a tokio runtime.
    pub(crate) fn open(
        listener: TcpListener,
        runtime: Option<&RuntimeApi>,
        host: Arc<ExtensionHost>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let exchange = runtime.map(|runtime| Arc::clone(&runtime.exchange));
        let served = Arc::new(http::Served { exchange, host });
        Ok(Self(tokio::spawn(http::serve(listener, served))))
    }
}

impl RuntimeApi {
    /// Sets the largest response, in bytes.
    pub(crate) fn limit_responses(&self, limit: usize) {
        self.exchange.set_limit(limit);
    }

    /// Resolves when the runtime asks for its first event, or reports that its init failed.
    pub(crate) async fn ready(&self) -> Readiness {
        self.exchange.ready().await
    }

    /// Gives the runtime an event; resolves with its answer.
    pub(crate) async fn invoke(&self, event: &InvokeEvent, deadline: Timestamp) -> Answer {
        self.exchange.offer(event.clone(), deadline);
        self.exchange.answer().await
    }

    /// Whether the runtime waits for its next event already.
    pub(crate) fn is_settled(&self) -> bool {
        self.exchange.is_settled()
    }

    /// Resolves when the runtime asks for its next event.
    pub(crate) async fn settled(&self) {
        self.exchange.settled().await;
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
