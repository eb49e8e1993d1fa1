//! Network namespaces and control groups kept ready, so that a start only takes them.
//!
//! A thread makes the next ones in the background, for the port sets that have been asked for; an
//! idle server that never started a sandbox holds none.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::SandboxError;
use crate::cgroup::{Cgroup, Cgroups};
use crate::egress::Egress;
use crate::later::Later;
use crate::network::PreparedNetwork;
use crate::worker::Worker;

/// Handle to the shelves and to the thread that fills them.
#[derive(Debug)]
pub(crate) struct Stock {
    shelves: Arc<Mutex<Shelves>>,
    taken: Worker<Taken>,
    depth: usize,
}

#[derive(Debug, Default)]
struct Shelves {
    networks: HashMap<Kind, Vec<PreparedNetwork>>,
    cgroups: Vec<Cgroup>,
}

/// The ports of a network's listeners, and whether it has a way out.
type Kind = (Vec<u16>, bool);

/// What a start took, or would have liked to.
#[derive(Debug)]
enum Taken {
    Network(Kind),
    Cgroup,
}

impl Stock {
    /// Keeps up to `depth` of each kind ready.
    pub(crate) fn open(
        depth: usize,
        cgroups: Cgroups,
        egress: Arc<Later<Egress>>,
    ) -> Result<Self, SandboxError> {
        let shelves = Arc::new(Mutex::new(Shelves::default()));
        let filled = Arc::clone(&shelves);
        let taken = Worker::start("stock", move |taken| {
            let source = Source { cgroups, egress };
            fill(&taken, &filled, depth, &source);
        })?;
        Ok(Self {
            shelves,
            taken,
            depth,
        })
    }

    pub(crate) fn network(&self, ports: &[u16], egress: bool) -> Option<PreparedNetwork> {
        if self.depth == 0 {
            return None;
        }
        let kind = (ports.to_owned(), egress);
        let ready = lock(&self.shelves)
            .networks
            .get_mut(&kind)
            .and_then(Vec::pop);
        // Fails only when the thread died; then every start makes its own.
        let _ = self.taken.send(Taken::Network(kind));
        ready
    }

    pub(crate) fn cgroup(&self) -> Option<Cgroup> {
        if self.depth == 0 {
            return None;
        }
        let ready = lock(&self.shelves).cgroups.pop();
        let _ = self.taken.send(Taken::Cgroup);
        ready
    }
}

/// Where new ones come from.
struct Source {
    cgroups: Cgroups,
    egress: Arc<Later<Egress>>,
}

fn fill(taken: &Receiver<Taken>, shelves: &Mutex<Shelves>, depth: usize, source: &Source) {
    for request in taken {
        let filled = match request {
            Taken::Network(kind) => fill_networks(&kind, shelves, depth, &source.egress),
            Taken::Cgroup => fill_cgroups(shelves, depth, &source.cgroups),
        };
        if let Err(error) = filled {
            tracing::warn!(%error, "make a network or control group ahead");
        }
    }
}

fn fill_networks(
    kind: &Kind,
    shelves: &Mutex<Shelves>,
    depth: usize,
    egress: &Later<Egress>,
) -> Result<(), SandboxError> {
    while lock(shelves).networks.get(kind).map_or(0, Vec::len) < depth {
        let (ports, with_egress) = kind;
        let network = if *with_egress {
            egress.get()?.network(ports)?
        } else {
            Some(PreparedNetwork::make(ports)?)
        };
        let Some(network) = network else {
            return Ok(());
        };
        lock(shelves)
            .networks
            .entry(kind.clone())
            .or_default()
            .push(network);
    }
    Ok(())
}

fn fill_cgroups(
    shelves: &Mutex<Shelves>,
    depth: usize,
    cgroups: &Cgroups,
) -> Result<(), SandboxError> {
    while lock(shelves).cgroups.len() < depth {
        let Some(cgroup) = cgroups.create()? else {
            return Ok(());
        };
        lock(shelves).cgroups.push(cgroup);
    }
    Ok(())
}

fn lock(shelves: &Mutex<Shelves>) -> MutexGuard<'_, Shelves> {
    shelves.lock().unwrap_or_else(PoisonError::into_inner)
}
