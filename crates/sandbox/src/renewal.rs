//! Networks of sandboxes that have ended, for the next ones: those through which nothing went.
//!
//! A network takes more of the processor to make and to end than anything else of a sandbox but its
//! program, and most functions that compute never use theirs. It is as new when nothing of the
//! sandbox is in it any more, which a count of all its sockets says, also of those that were handed
//! on to other environments or are the server's, and when the kernel's counters and tables of it are
//! what they were when it was made: each packet, each attempt at one, and each address that somebody
//! listened to shows in them. What is in doubt is not used again.

use std::collections::{HashMap, VecDeque};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::network::{PreparedNetwork, Visits, listeners};
use crate::stock::{Kind, Taken};

/// The server closes its own sockets in there about when the sandbox ends.
const NEXT_TRY: Duration = Duration::from_millis(10);
const TRIES: u32 = 5;
/// Networks that wait for a further try; more are let go.
const MOST_WAITING: usize = 16;

/// Of `/proc/net`: the sockets of a network.
const SOCKETS: &CStr = c"sockstat";
/// Of `/proc/net`: what a process without privilege can leave in a network, beside sockets. Connections
/// that are tracked and neighbours are not asked for, which would look through those of all networks:
/// there is none without a packet, and IP counts a packet before it is tracked or has a neighbour.
/// Nor are groups that somebody joined: they are their sockets', and end with them.
const TRACES: [&CStr; 5] = [c"dev", c"snmp", c"netstat", c"snmp6", c"ip6_flowlabel"];

/// The stock that a network goes back to.
#[derive(Debug)]
pub(crate) struct Home {
    kind: Kind,
    stock: Sender<Taken>,
}

impl Home {
    pub(crate) fn new(kind: Kind, stock: Sender<Taken>) -> Self {
        Self { kind, stock }
    }
}

/// The network of a sandbox.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) namespace: OwnedFd,
    pub(crate) resolv_conf: Option<PathBuf>,
    pub(crate) home: Home,
}

impl Lent {
    /// Gives it back, once no process of the sandbox lives.
    pub(crate) fn give_back(self) {
        let back = Returned {
            namespace: self.namespace,
            resolv_conf: self.resolv_conf,
            kind: self.home.kind,
            due: Instant::now(),
            tries: 0,
        };
        // Without its thread, the stock is no more.
        let _ = self.home.stock.send(Taken::Back(back));
    }
}

/// A network that nobody lives in.
#[derive(Debug)]
pub(crate) struct Returned {
    namespace: OwnedFd,
    resolv_conf: Option<PathBuf>,
    pub(crate) kind: Kind,
    due: Instant,
    tries: u32,
}

/// What is found in a network.
enum Found {
    /// Nothing, and these listen now.
    Nothing(Vec<std::net::TcpListener>),
    Sockets,
    Traces,
}

/// Makes networks as new.
#[derive(Debug, Default)]
pub(crate) struct Renewal {
    /// What the kernel says of new ones.
    fresh: HashMap<Kind, Vec<u8>>,
    waiting: VecDeque<Returned>,
    visits: Visits,
}

impl Renewal {
    /// Learns from a network that was just made what they are like.
    pub(crate) fn note(&mut self, kind: &Kind, network: &PreparedNetwork) {
        if self.fresh.contains_key(kind) {
            return;
        }
        let look = || State::open().and_then(|state| state.traces());
        match self.visits.within(&network.namespace, look) {
            Ok(traces) => {
                self.fresh.insert(kind.clone(), traces);
            }
            Err(error) => tracing::debug!(%error, "look at a new network"),
        }
    }

    /// How long until the next try.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let first = self.waiting.front()?;
        Some(first.due.saturating_duration_since(Instant::now()))
    }

    /// The next network whose try has failed before and is due.
    pub(crate) fn next_due(&mut self) -> Option<Returned> {
        let is_due = self.waiting.front()?.due <= Instant::now();
        is_due.then(|| self.waiting.pop_front()).flatten()
    }

    /// A network as new, or none.
    pub(crate) fn renew(&mut self, mut returned: Returned) -> Option<PreparedNetwork> {
        let fresh = self.fresh.get(&returned.kind)?;
        let ports = &returned.kind.0;
        let look = || look(ports, fresh);
        let found = self.visits.within(&returned.namespace, look);
        match found {
            Ok(Found::Nothing(listeners)) => Some(PreparedNetwork {
                namespace: returned.namespace,
                listeners,
                resolv_conf: returned.resolv_conf,
                home: None,
            }),
            Ok(Found::Sockets) => {
                returned.tries += 1;
                if returned.tries < TRIES && self.waiting.len() < MOST_WAITING {
                    returned.due = Instant::now() + NEXT_TRY;
                    self.waiting.push_back(returned);
                }
                None
            }
            Ok(Found::Traces) => None,
            Err(error) => {
                tracing::debug!(%error, "look at a network that was used");
                None
            }
        }
    }
}

/// In the calling thread's network namespace. Sockets first: without any, nothing can leave traces
/// any more.
fn look(ports: &[u16], fresh: &[u8]) -> io::Result<Found> {
    let state = State::open()?;
    if !has_no_sockets(&state.read(SOCKETS)?) {
        return Ok(Found::Sockets);
    }
    if state.traces()? != fresh {
        return Ok(Found::Traces);
    }
    listeners(ports).map(Found::Nothing)
}

/// Whether nobody has a socket of this network, of whatever kind and wherever it is.
fn has_no_sockets(sockstat: &[u8]) -> bool {
    sockstat.split(|&byte| byte == b'\n').next() == Some(b"sockets: used 0")
}

/// What the kernel says of the calling thread's network: `/proc/net`.
struct State(File);

impl State {
    fn open() -> io::Result<Self> {
        File::open("/proc/thread-self/net").map(Self)
    }

    /// What a process can have left, one after the other.
    fn traces(&self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        for name in TRACES {
            match self.read(name) {
                Ok(text) => all.extend(text),
                // Of a kernel without that protocol.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn read(&self, name: &CStr) -> io::Result<Vec<u8>> {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: a live descriptor and a string that ends.
        let fd = unsafe { libc::openat(self.0.as_raw_fd(), name.as_ptr(), flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a fresh descriptor that nobody else owns.
        let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let mut text = Vec::with_capacity(4096);
        file.read_to_end(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::has_no_sockets;

    #[test]
    fn any_socket_is_one_too_many() {
        assert!(has_no_sockets(b"sockets: used 0\nTCP: inuse 0 orphan 3\n"));
        assert!(!has_no_sockets(b"sockets: used 1\nTCP: inuse 0\n"));
        assert!(!has_no_sockets(b"sockets: used 01\n"));
        assert!(!has_no_sockets(b""));
    }
}
