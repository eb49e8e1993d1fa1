//! The Lambda Runtime API, version 2018-06-01, for one environment: what official runtime clients
//! and custom runtimes speak, over HTTP on a socket inside the environment. On the same socket are
//! the Extensions API and the Telemetry API, beside any runtime.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

mod exchange;
mod head;
mod http;
mod many;
mod one;
mod quick;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use base::{RequestId, Timestamp};

use crate::environment::{Answer, Readiness};
use crate::extensions::ExtensionHost;
use crate::invocation::InvokeEvent;
use exchange::Exchange;
use one::One;
use tokio::sync::Notify;

pub(crate) use http::{Answer as HttpAnswer, accepted, failure, json as json_answer};
pub(crate) use many::{Answered, Reservation};

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
        let workers = exchange.as_ref().and_then(|it| it.several());
        let workers = workers.map_or(0, |many| many.concurrency());
        let served = Arc::new(http::Served {
            exchange,
            host,
            workers,
        });
        Ok(Self(tokio::spawn(http::serve(listener, served))))
    }
}

impl RuntimeApi {
    /// Of a runtime that takes so many events at once.
    pub(crate) fn many(concurrency: u32) -> Self {
        Self {
            exchange: Arc::new(Exchange::many(concurrency)),
        }
    }

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
        match self.exchange.one() {
            Some(one) => {
                one.offer(event.clone(), deadline);
                one.answer().await
            }
            None => std::future::pending().await,
        }
    }

    /// Whether the runtime waits for its next event already.
    pub(crate) fn is_settled(&self) -> bool {
        self.exchange.one().is_none_or(One::is_settled)
    }

    /// Resolves when the runtime asks for its next event.
    pub(crate) async fn settled(&self) {
        if let Some(one) = self.exchange.one() {
            one.settled().await;
        }
    }

    /// Has each worker that becomes free told there, of a runtime that has several.
    pub(crate) fn tell(&self, free: Arc<Notify>) {
        if let Some(many) = self.exchange.several() {
            many.tell(free);
        }
    }

    /// How many events a runtime that has several could take now.
    pub(crate) fn room(&self) -> usize {
        self.exchange.several().map_or(0, |many| many.room())
    }

    /// How many events such a runtime has.
    pub(crate) fn in_use(&self) -> usize {
        self.exchange.several().map_or(0, |many| many.in_use())
    }

    /// Sets a worker aside for an event, if one is free.
    pub(crate) fn reserve(&self) -> Option<Reservation> {
        self.exchange.several()?.reserve()
    }

    /// An invocation took too long; its worker goes on.
    pub(crate) fn give_up(&self, id: RequestId) {
        if let Some(many) = self.exchange.several() {
            many.give_up(id);
        }
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
