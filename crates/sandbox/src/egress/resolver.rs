//! Name service for environments: passes their questions on to the host's resolvers.
//!
//! Those are often out of an environment's reach, such as `systemd-resolved` at 127.0.0.53 or a
//! cloud's at a link-local address, and they change when a machine changes networks. So every
//! environment asks at one address, and this relay asks whom the host would ask at that moment.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::resolv_conf::Servers;
use super::socket;
use crate::eventfd;

/// After this long the next server is asked as well.
const NEXT_SERVER_AFTER: Duration = Duration::from_millis(1500);
/// After this long whoever asked has asked again.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// Questions on their way at once: of all environments, and of one.
const MOST_QUESTIONS: usize = 512;
const MOST_OF_ONE: usize = 64;
/// Connections for long answers: of all environments, and of one.
const MOST_CONNECTIONS: usize = 64;
const CONNECTIONS_OF_ONE: usize = 8;
/// Nothing of a message in this time ends a connection.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(10);
const LARGEST_DATAGRAM: usize = 65_535;
/// Header of a DNS message.
const SHORTEST: usize = 12;

/// The relay; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Resolver {
    port: u16,
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// A question under way.
struct Question {
    from: SocketAddr,
    message: Vec<u8>,
    /// Connected to the server, under a port of its own that a forger would have to guess.
    socket: UdpSocket,
    /// How many servers have been asked before this one.
    asked: usize,
    begun: Instant,
    sent: Instant,
    /// Nobody listens at that server.
    refused: bool,
}

impl Resolver {
    /// Listens at this address, which need not be any device's yet.
    pub(super) fn start(address: Ipv4Addr, servers: Servers) -> io::Result<Self> {
        let (udp, tcp) = sockets(address)?;
        let port = udp.local_addr()?.port();
        let stop = Arc::new(eventfd::create()?);
        let relay = Relay {
            udp,
            tcp,
            servers: Arc::new(servers),
            questions: Vec::new(),
            connections: Arc::default(),
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(String::from("resolver"))
            .spawn(move || relay.serve(&stopped))?;
        Ok(Self {
            port,
            stop,
            thread: Some(thread),
        })
    }

    /// The port of both protocols.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        eventfd::ring(&self.stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the resolver's thread panicked");
        }
    }
}

/// One port for both protocols.
fn sockets(address: Ipv4Addr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts = 0;
    loop {
        let udp = socket::bind_udp(address, 0)?;
        match socket::listen_tcp(address, udp.local_addr()?.port()) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempts < 16 => attempts += 1,
            Err(error) => return Err(error),
        }
    }
}

struct Relay {
    udp: UdpSocket,
    tcp: TcpListener,
    servers: Arc<Servers>,
    questions: Vec<Question>,
    connections: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Relay {
    fn serve(mut self, stop: &OwnedFd) {
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            let mut watched = vec![stop.as_raw_fd(), self.udp.as_raw_fd(), self.tcp.as_raw_fd()];
            watched.extend(self.questions.iter().map(|one| one.socket.as_raw_fd()));
            let ready = match poll(&watched, self.next_due()) {
                Ok(ready) => ready,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "wait for questions of environments");
                    return;
                }
            };
            if ready[0] {
                return;
            }
            self.answer(&ready[3..], &mut buffer);
            self.ask_further();
            if ready[1] {
                self.take_questions(&mut buffer);
            }
            if ready[2] {
                self.take_connections();
            }
        }
    }

    /// Time until some question needs another server, or is given up.
    fn next_due(&self) -> Option<Duration> {
        let due = |one: &Question| {
            let again = if one.refused {
                Duration::ZERO
            } else {
                NEXT_SERVER_AFTER.saturating_sub(one.sent.elapsed())
            };
            again.min(GIVE_UP_AFTER.saturating_sub(one.begun.elapsed()))
        };
        self.questions.iter().map(due).min()
    }

    /// Brings answers to who asked.
    fn answer(&mut self, ready: &[bool], buffer: &mut [u8]) {
        let mut ready = ready.iter();
        let udp = &self.udp;
        self.questions.retain_mut(|one| {
            if !ready.next().copied().unwrap_or(false) {
                return true;
            }
            match one.socket.recv(buffer) {
                Ok(length) if length >= SHORTEST && buffer[..2] == one.message[..2] => {
                    // Lost like any datagram, should it not go through.
                    let _ = udp.send_to(&buffer[..length], one.from);
                    false
                }
                // Nobody's answer: the right one may still come.
                Ok(_) => true,
                // Nobody listens there: on to the next server at once.
                Err(_) => {
                    one.refused = true;
                    true
                }
            }
        });
    }

    /// Asks the next server about what is unanswered, and gives up what is old.
    fn ask_further(&mut self) {
        if self.next_due().is_none_or(|due| !due.is_zero()) {
            return;
        }
        let servers = self.servers.now();
        let udp = &self.udp;
        self.questions.retain_mut(|one| {
            if one.begun.elapsed() >= GIVE_UP_AFTER {
                return false;
            }
            if !one.refused && one.sent.elapsed() < NEXT_SERVER_AFTER {
                return true;
            }
            one.asked += 1;
            // Once round is enough where nobody listens; else the datagram may have been lost.
            if one.refused && one.asked >= servers.len() {
                let _ = udp.send_to(&failure(&one.message), one.from);
                return false;
            }
            one.refused = false;
            one.sent = Instant::now();
            let Some(server) = servers.get(one.asked % servers.len()) else {
                return false;
            };
            match ask(*server, &one.message) {
                Ok(socket) => one.socket = socket,
                Err(error) => tracing::debug!(%error, %server, "ask a name server"),
            }
            true
        });
    }

    fn take_questions(&mut self, buffer: &mut [u8]) {
        while let Ok((length, from)) = self.udp.recv_from(buffer) {
            let message = &buffer[..length];
            let of_one = self
                .questions
                .iter()
                .filter(|one| one.from.ip() == from.ip())
                .count();
            let too_many = self.questions.len() >= MOST_QUESTIONS || of_one >= MOST_OF_ONE;
            if length < SHORTEST || too_many {
                continue;
            }
            let servers = self.servers.now();
            let asked = servers.iter().enumerate().find_map(|(index, server)| {
                let socket = ask(*server, message);
                socket.ok().map(|socket| (index, socket))
            });
            let Some((asked, socket)) = asked else {
                continue;
            };
            let now = Instant::now();
            self.questions.push(Question {
                from,
                message: message.to_vec(),
                socket,
                asked,
                begun: now,
                sent: now,
                refused: false,
            });
        }
    }

    fn take_connections(&self) {
        while let Ok((stream, from)) = self.tcp.accept() {
            let Some(place) = Place::take(&self.connections, from.ip()) else {
                continue;
            };
            let servers = Arc::clone(&self.servers);
            let spawned = thread::Builder::new()
                .name(String::from("resolver tcp"))
                .spawn(move || {
                    let _place = place;
                    if let Err(error) = converse(stream, &servers.now()) {
                        tracing::debug!(%error, "pass on a question over TCP");
                    }
                });
            if let Err(error) = spawned {
                tracing::warn!(%error, "serve a connection to the resolver");
            }
        }
    }
}

/// A connection's place among those that may be open.
struct Place {
    of: IpAddr,
    connections: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Place {
    fn take(connections: &Arc<Mutex<HashMap<IpAddr, usize>>>, of: IpAddr) -> Option<Self> {
        let mut open = connections.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= MOST_CONNECTIONS {
            return None;
        }
        let of_one = open.entry(of).or_default();
        if *of_one >= CONNECTIONS_OF_ONE {
            return None;
        }
        *of_one += 1;
        let connections = Arc::clone(connections);
        Some(Self { of, connections })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.of);
            }
        }
    }
}

/// The answer that no server could be asked: the question as a response with SERVFAIL.
fn failure(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] = answer[3] & 0x70 | 0x82;
    answer
}

/// Sends a question from a socket of its own.
fn ask(server: SocketAddr, message: &[u8]) -> io::Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(server)?;
    socket.send(message)?;
    Ok(socket)
}

/// Passes on one question after another, each with its length in front.
fn converse(mut client: TcpStream, servers: &[SocketAddr]) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(CONNECTION_PATIENCE))?;
    client.set_write_timeout(Some(CONNECTION_PATIENCE))?;
    let mut server = None;
    loop {
        let question = match read_message(&mut client) {
            // The end of the conversation.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            question => question?,
        };
        let server = match &mut server {
            Some(server) => server,
            none => none.insert(connect(servers)?),
        };
        server.write_all(&question)?;
        client.write_all(&read_message(server)?)?;
    }
}

fn connect(servers: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(ErrorKind::NotFound);
    for server in servers {
        match TcpStream::connect_timeout(server, NEXT_SERVER_AFTER * 2) {
            Ok(stream) => {
                stream.set_read_timeout(Some(CONNECTION_PATIENCE))?;
                stream.set_write_timeout(Some(CONNECTION_PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A message, its length of two bytes in front included.
fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; 2 + usize::from(u16::from_be_bytes(length))];
    message[..2].copy_from_slice(&length);
    stream.read_exact(&mut message[2..])?;
    Ok(message)
}

/// Which of these are readable or broken, once any is or the time is over.
fn poll(watched: &[RawFd], patience: Option<Duration>) -> io::Result<Vec<bool>> {
    let watch = |&fd: &RawFd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut watched: Vec<_> = watched.iter().map(watch).collect();
    // Rounded up, or the wait for what is almost due would be a busy one.
    let patience = patience.map_or(-1, |time| time.as_millis() as i32 + 1);
    // SAFETY: the pollfds are live, and as many as said.
    let ready = unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as u64, patience) };
    if ready < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(watched.iter().map(|one| one.revents != 0).collect())
}

#[cfg(test)]
#[path = "resolver_tests.rs"]
mod tests;
