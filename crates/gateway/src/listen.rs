//! Connections: accept, speak HTTP/1.1 or HTTP/2, cleartext or over TLS, end gracefully.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::Gateway;
use crate::client_stream::ClientStream;
use crate::self_wake::SelfWaking;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long requests in progress may run on once shutdown has begun.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no file descriptors left, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Most connections of one environment, which may open 1,024 files: five SDK clients' pools.
const PLACES_OF_ONE: usize = 256;
/// Bytes of request bodies that one environment sends at once, in KiB: the largest request there is, and
/// some smaller ones. What is more waits in its own sockets, and for itself alone.
const ROOM_OF_ONE: u32 = 96 << 10;
/// Most connections of all environments, by the memory they take.
pub(crate) const MOST_PLACES: usize = 16_384;

/// Leave to serve a connection, given back when it ends.
type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub peer: Option<SocketAddr>,
    /// In permissive mode, what calls on this connection are made as when they carry no credentials
    /// we issued: the function's role, on sockets inside an environment.
    pub identity: Option<service::Principal>,
    pub region: Option<base::Region>,
    pub is_tls: bool,
    /// Of an environment, for all its connections together.
    room: Option<Arc<Semaphore>>,
}

impl Connection {
    /// Waits until there is room for a body of this length, as far as it is said, of which at most so many
    /// bytes are kept in memory.
    pub(crate) async fn room_for(
        &self,
        length: Option<u64>,
        most: usize,
    ) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(self.room.as_ref()?);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let bytes = length.unwrap_or(most).min(most);
        let wanted = u32::try_from(bytes.div_ceil(1024)).unwrap_or(ROOM_OF_ONE);
        room.acquire_many_owned(wanted.min(ROOM_OF_ONE)).await.ok()
    }
}

impl Connection {
    /// How far the server goes for what is asked on it: sockets inside environments are those that
    /// have an identity, whatever credentials a request carries.
    pub(crate) fn reach(&self) -> service::Reach {
        match self.identity {
            Some(_) => service::Reach::Function,
            None => service::Reach::Anywhere,
        }
    }
}

impl Gateway {
    /// Serves until `stop` turns true, then lets requests in progress finish for a bounded time.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        identity: Option<(service::Principal, base::Region)>,
        stop: watch::Receiver<bool>,
    ) {
        self.accept_all(listener, identity, None, stop).await;
    }

    /// The same over TLS, to clients of this machine's or another's.
    pub async fn serve_tls(
        self: Arc<Self>,
        listener: TcpListener,
        tls: TlsAcceptor,
        stop: watch::Receiver<bool>,
    ) {
        self.accept_all(listener, None, Some(tls), stop).await;
    }

    async fn accept_all(
        self: Arc<Self>,
        listener: TcpListener,
        identity: Option<(service::Principal, base::Region)>,
        tls: Option<TlsAcceptor>,
        mut stop: watch::Receiver<bool>,
    ) {
        let graceful = GracefulShutdown::new();
        let own_places = identity
            .is_some()
            .then(|| Arc::new(Semaphore::new(PLACES_OF_ONE)));
        let room = identity
            .is_some()
            .then(|| Arc::new(Semaphore::new(ROOM_OF_ONE as usize)));
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
            let place = match &own_places {
                Some(own) => tokio::select! {
                    place = self.place(own) => place,
                    _ = stop.wait_for(|stopping| *stopping) => break,
                },
                None => None,
            };
            let (identity, region) = identity.clone().unzip();
            let connection = Arc::new(Connection {
                peer: Some(peer),
                identity,
                region,
                is_tls: tls.is_some(),
                room: room.clone(),
            });
            self.spawn_connection(stream, connection, place, tls.clone(), &graceful);
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = tokio::time::sleep(DRAIN) => {
                tracing::warn!("requests still running after {DRAIN:?} were cut off");
            }
        }
    }

    /// Waits for a place for a connection of an environment, first among its own.
    async fn place(&self, own: &Arc<Semaphore>) -> Option<Place> {
        let own = Arc::clone(own).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some((own, of_all))
    }

    fn spawn_connection(
        self: &Arc<Self>,
        stream: TcpStream,
        connection: Arc<Connection>,
        place: Option<Place>,
        tls: Option<TlsAcceptor>,
        graceful: &GracefulShutdown,
    ) {
        // Small answers must not wait for the client's acknowledgements.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "set TCP_NODELAY");
        }
        let gateway = Arc::clone(self);
        let number = gateway.traffic.connection();
        let stream = ClientStream::new(stream, Arc::clone(self), number);
        let answer = service_fn(move |request: Request<Incoming>| {
            let gateway = Arc::clone(&gateway);
            let connection = Arc::clone(&connection);
            async move {
                let _in_progress = gateway.traffic.request_of(number);
                Ok::<_, std::convert::Infallible>(gateway.answer(request, &connection).await)
            }
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
        let watcher = graceful.watcher();
        let Some(tls) = tls else {
            let io = TokioIo::new(stream);
            let served = builder.serve_connection_with_upgrades(io, answer);
            let served = watcher.watch(served.into_owned());
            tokio::spawn(async move {
                // Clients hang up and send garbage; neither is news.
                if let Err(error) = SelfWaking::new(served).await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
            return;
        };
        tokio::spawn(async move {
            let stream = match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    return;
                }
                Err(_) => return,
            };
            let io = TokioIo::new(stream);
            let served = builder.serve_connection_with_upgrades(io, answer);
            let served = watcher.watch(served.into_owned());
            if let Err(error) = SelfWaking::new(served).await {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use base::AccountId;
    use service::{Principal, Reach};
    use tokio::sync::Semaphore;

    use super::{Connection, ROOM_OF_ONE};

    #[test]
    fn who_calls_inside_an_environment_is_a_function() {
        let outside = Connection {
            peer: None,
            identity: None,
            region: None,
            is_tls: false,
            room: None,
        };
        let account = AccountId::DEFAULT;
        let inside = Connection {
            identity: Some(Principal::Root { account }),
            ..outside.clone()
        };
        assert_eq!(outside.reach(), Reach::Anywhere);
        assert_eq!(inside.reach(), Reach::Function);
    }

    #[tokio::test]
    async fn bodies_of_one_environment_wait_for_each_other_and_for_nobody_elses() {
        let of = |room| Connection {
            peer: None,
            identity: None,
            region: None,
            is_tls: false,
            room,
        };
        let environment = || of(Some(Arc::new(Semaphore::new(ROOM_OF_ONE as usize))));
        let (one, other) = (environment(), environment());
        let large = 70 << 20;
        let first = one.room_for(Some(large), usize::MAX).await;
        assert!(first.is_some());
        let soon = Duration::from_millis(20);
        let second = one.room_for(Some(large), usize::MAX);
        assert!(tokio::time::timeout(soon, second).await.is_err());
        // What is kept of it in memory is what counts, and nothing of what has none.
        assert!(one.room_for(None, 8 << 20).await.is_some());
        assert!(one.room_for(Some(0), usize::MAX).await.is_some());
        assert!(other.room_for(Some(large), usize::MAX).await.is_some());
        assert!(of(None).room_for(None, usize::MAX).await.is_none());
        drop(first);
        assert!(one.room_for(Some(large), usize::MAX).await.is_some());
    }
}
