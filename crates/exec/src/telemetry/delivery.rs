//! Events on their way to one subscriber: gathered, and sent into the environment.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sandbox::Sandbox;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::subscription::{Api, Buffering, Destination, Subscription};
use super::{Category, Event};
use crate::changes::Changes;

/// Batches that may wait beside the one under way.
const BATCHES_WAITING: usize = 2;
/// How long a subscriber that does not listen yet is tried, and how often.
const PATIENCE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(50);
const FALLEN_BEHIND: &str =
    "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";

/// A subscriber, and what is on its way to it.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) extension: String,
    subscription: Subscription,
    events: mpsc::UnboundedSender<String>,
    waiting: Arc<Waiting>,
    task: tokio::task::JoinHandle<()>,
}

/// What has not been delivered.
#[derive(Debug, Default)]
struct Waiting {
    items: Changes<usize>,
    bytes: AtomicUsize,
    dropped_items: AtomicUsize,
    dropped_bytes: AtomicUsize,
    at_once: Notify,
}

impl Delivery {
    /// Needs a tokio runtime.
    pub(super) fn begin(
        extension: &str,
        subscription: Subscription,
        sandbox: Weak<Sandbox>,
    ) -> Self {
        let (events, received) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::default());
        let sender = Sender {
            sandbox,
            destination: subscription.destination.clone(),
            connection: None,
        };
        let buffering = subscription.buffering;
        let task = tokio::spawn(run(received, buffering, Arc::clone(&waiting), sender));
        Self {
            extension: extension.to_owned(),
            subscription,
            events,
            waiting,
            task,
        }
    }

    pub(super) fn api(&self) -> Api {
        self.subscription.api
    }

    /// Takes an event that the subscriber may want.
    pub(super) fn offer(&self, event: &Event) {
        let subscription = &self.subscription;
        let wanted = subscription.categories.contains(&event.category)
            && event.only.is_none_or(|api| api == subscription.api);
        if !wanted {
            return;
        }
        let Buffering { items, bytes, .. } = subscription.buffering;
        let size = event.text.len();
        let waiting = &self.waiting;
        let too_many = waiting.items.with(|waiting| *waiting) >= items * BATCHES_WAITING
            || waiting.bytes.load(Ordering::Relaxed) >= bytes * BATCHES_WAITING;
        if too_many {
            waiting.dropped_items.fetch_add(1, Ordering::Relaxed);
            waiting.dropped_bytes.fetch_add(size, Ordering::Relaxed);
            return;
        }
        waiting.bytes.fetch_add(size, Ordering::Relaxed);
        waiting.items.change(|items| *items += 1);
        // Its other end is the task's, which ends with this.
        let _ = self.events.send(event.text.clone());
    }

    /// Has what waits delivered at once; resolves when it is.
    pub(super) fn flush(&self) -> impl Future<Output = ()> + use<> {
        let waiting = Arc::clone(&self.waiting);
        waiting.at_once.notify_one();
        async move {
            waiting
                .items
                .until(|items| (*items == 0).then_some(()))
                .await;
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    mut events: mpsc::UnboundedReceiver<String>,
    buffering: Buffering,
    waiting: Arc<Waiting>,
    mut sender: Sender,
) {
    while let Some(first) = events.recv().await {
        let mut bytes = first.len();
        let mut batch = vec![first];
        let deadline = Instant::now() + buffering.timeout;
        let mut at_once = false;
        while batch.len() < buffering.items && bytes < buffering.bytes {
            let event = tokio::select! {
                biased;
                event = events.recv() => event,
                () = waiting.at_once.notified(), if !at_once => {
                    at_once = true;
                    continue;
                }
                () = std::future::ready(()), if at_once => None,
                () = tokio::time::sleep_until(deadline) => None,
            };
            let Some(event) = event else {
                break;
            };
            bytes += event.len();
            batch.push(event);
        }
        let (taken_items, taken_bytes) = (batch.len(), bytes);
        batch.extend(waiting.dropped());
        if let Err(error) = sender.send(&batch).await {
            tracing::debug!(%error, "deliver telemetry to an extension");
            waiting
                .dropped_items
                .fetch_add(taken_items, Ordering::Relaxed);
            waiting
                .dropped_bytes
                .fetch_add(taken_bytes, Ordering::Relaxed);
        }
        waiting.bytes.fetch_sub(taken_bytes, Ordering::Relaxed);
        waiting.items.change(|items| *items -= taken_items);
    }
}

impl Waiting {
    /// An event that says what was dropped since this was asked last.
    fn dropped(&self) -> Option<String> {
        let items = self.dropped_items.swap(0, Ordering::Relaxed);
        let bytes = self.dropped_bytes.swap(0, Ordering::Relaxed);
        (items > 0).then(|| {
            let time = base::Clock::system().now().iso8601_millis();
            format!(
                "{{\"time\":\"{time}\",\"type\":\"platform.logsDropped\",\"record\":\
                 {{\"droppedBytes\":{bytes},\"droppedRecords\":{items},\"reason\":\
                 \"{FALLEN_BEHIND}\"}}}}"
            )
        })
    }
}

/// The connection to a subscriber.
struct Sender {
    sandbox: Weak<Sandbox>,
    destination: Destination,
    connection: Option<Connection>,
}

enum Connection {
    Http(SendRequest<Full<Bytes>>),
    Tcp(TcpStream),
}

impl Sender {
    async fn send(&mut self, batch: &[String]) -> io::Result<()> {
        // One that was made for an earlier batch may have been closed since.
        if self.connection.is_some() && self.try_send(batch).await.is_ok() {
            return Ok(());
        }
        self.connection = Some(self.connect().await?);
        self.try_send(batch).await
    }

    async fn try_send(&mut self, batch: &[String]) -> io::Result<()> {
        let Some(connection) = &mut self.connection else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let sent = match (connection, &self.destination) {
            (Connection::Http(sender), Destination::Http { port, path }) => {
                post(sender, *port, path, batch).await
            }
            (Connection::Tcp(stream), _) => {
                let mut lines = batch.join("\n");
                lines.push('\n');
                stream.write_all(lines.as_bytes()).await
            }
            (Connection::Http(_), Destination::Tcp { .. }) => {
                Err(io::ErrorKind::InvalidInput.into())
            }
        };
        if sent.is_err() {
            self.connection = None;
        }
        sent
    }

    async fn connect(&self) -> io::Result<Connection> {
        let (Destination::Http { port, .. } | Destination::Tcp { port }) = self.destination;
        let began = Instant::now();
        let stream = loop {
            match self.connect_to(port).await {
                Ok(stream) => break stream,
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        };
        match self.destination {
            Destination::Tcp { .. } => Ok(Connection::Tcp(stream)),
            Destination::Http { .. } => {
                let made = http1::handshake(TokioIo::new(stream)).await;
                let (sender, connection) = made.map_err(io::Error::other)?;
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a telemetry subscriber's connection ended");
                    }
                });
                Ok(Connection::Http(sender))
            }
        }
    }

    /// A connection inside the environment, to its own loopback interface.
    async fn connect_to(&self, port: u16) -> io::Result<TcpStream> {
        let Some(sandbox) = self.sandbox.upgrade() else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let socket = tokio::task::spawn_blocking(move || sandbox.tcp_socket()).await;
        let socket = socket.map_err(io::Error::other)?;
        let socket = StdStream::from(socket.map_err(io::Error::other)?);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connecting = TcpSocket::from_std_stream(socket).connect(address);
        tokio::time::timeout(PATIENCE, connecting).await?
    }
}

async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    port: u16,
    path: &str,
    batch: &[String],
) -> io::Result<()> {
    sender.ready().await.map_err(io::Error::other)?;
    let body = format!("[{}]", batch.join(","));
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", format!("sandbox.localdomain:{port}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(io::Error::other)?;
    let status = answer.status();
    // So that the connection is free for the next.
    answer
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?;
    if status.is_client_error() || status.is_server_error() {
        return Err(io::Error::other(format!(
            "the subscriber answered {status}"
        )));
    }
    Ok(())
}

/// Which of the categories are named, for tests and logs.
impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
