//! Networks of sandboxes that have ended, for the next ones: those through which nothing went.
//!
//! A network takes more of the processor to make and to end than anything else of a sandbox but its
//! program, and most functions that compute never use theirs. It is as new when nothing of the
//! sandbox is in it any more, which a count of all its sockets says, also of those that were handed
//! on to other environments or are the server's, and when the kernel's counters and tables of it are
//! what they were when it was made: each packet, each attempt at one, and each address that somebody
//! listened to shows in them. What is in doubt is not used again.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::SandboxError;
use crate::network::{PreparedNetwork, listeners};
use crate::stock::{Kind, Taken};

/// The server closes its own sockets in there about when the sandbox ends.
const NEXT_TRY: Duration = Duration::from_millis(10);
const TRIES: u32 = 5;
/// Networks that wait for a further try; more are let go.
const MOST_WAITING: usize = 16;

/// Below `/proc/net`: what a process without privilege can leave in a network, beside sockets.
const TRACES: [&str; 9] = [
    "dev",
    "snmp",
    "netstat",
    "snmp6",
    "arp",
    "igmp",
    "igmp6",
    "ip6_flowlabel",
    "nf_conntrack",
];

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
}

impl Renewal {
    /// Learns from a network that was just made what they are like.
    pub(crate) fn note(&mut self, kind: &Kind, network: &PreparedNetwork) {
        if self.fresh.contains_key(kind) {
            return;
        }
        match PreparedNetwork::within(&network.namespace, traces) {
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
        let found = PreparedNetwork::within(&returned.namespace, || look(ports, fresh));
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
                let error: SandboxError = error;
                tracing::debug!(%error, "look at a network that was used");
                None
            }
        }
    }
}

/// In the calling thread's network namespace. Sockets first: without any, nothing can leave traces
/// any more.
fn look(ports: &[u16], fresh: &[u8]) -> io::Result<Found> {
    if !has_no_sockets(&fs::read_to_string("/proc/thread-self/net/sockstat")?) {
        return Ok(Found::Sockets);
    }
    if traces()? != fresh {
        return Ok(Found::Traces);
    }
    listeners(ports).map(Found::Nothing)
}

/// Whether nobody has a socket of this network, of whatever kind and wherever it is.
fn has_no_sockets(sockstat: &str) -> bool {
    sockstat.lines().next() == Some("sockets: used 0")
}

/// What the kernel says of the calling thread's network.
fn traces() -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    for name in TRACES {
        match fs::read(format!("/proc/thread-self/net/{name}")) {
            Ok(text) => all.extend(text),
            // Of a kernel without that protocol.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::has_no_sockets;

    #[test]
    fn any_socket_is_one_too_many() {
        assert!(has_no_sockets("sockets: used 0\nTCP: inuse 0 orphan 3\n"));
        assert!(!has_no_sockets("sockets: used 1\nTCP: inuse 0\n"));
        assert!(!has_no_sockets("sockets: used 01\n"));
        assert!(!has_no_sockets(""));
    }
}
