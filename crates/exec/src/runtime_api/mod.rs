//! The Lambda Runtime API, version 2018-06-01, for one environment: what official runtime clients
//! and custom runtimes speak, over HTTP on a socket inside the environment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
//!
//! Absent: streamed responses (a streaming client's response is gathered and answered as a whole)
//! and the Extensions, Logs and Telemetry APIs.

mod exchange;
mod http;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use base::Timestamp;

use crate::environment::{Answer, Readiness};
use crate::invocation::InvokeEvent;
use exchange::Exchange;

/// The server's side of one environment's Runtime API. Dropping it closes every connection.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    exchange: Arc<Exchange>,
    server: tokio::task::JoinHandle<()>,
}

impl RuntimeApi {
    /// Serves on a socket that listens inside the environment. Needs a tokio runtime.
    pub(crate) fn serve(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let exchange = Arc::new(Exchange::default());
        let server = tokio::spawn(http::serve(listener, Arc::clone(&exchange)));
        Ok(Self { exchange, server })
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

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}
