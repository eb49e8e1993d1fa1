//! Network namespaces and control groups kept ready, so that a start only takes them.
//!
//! A thread makes the next ones in the background, for the port sets that have been asked for; an
//! idle server that never started a sandbox holds none.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::SandboxError;
use crate::cgroup::{Cgroup, Cgroups};
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
    networks: HashMap<Vec<u16>, Vec<PreparedNetwork>>,
    cgroups: Vec<Cgroup>,
}

/// What a start took, or would have liked to.
#[derive(Debug)]
enum Taken {
    Network(Vec<u16>),
    Cgroup,
}

impl Stock {
    /// Keeps up to `depth` of each kind ready.
    pub(crate) fn open(depth: usize, cgroups: Cgroups) -> Result<Self, SandboxError> {
        let shelves = Arc::new(Mutex::new(Shelves::default()));
        let filled = Arc::clone(&shelves);
        let taken = Worker::start("stock", move |taken| fill(&taken, &filled, depth, &cgroups))?;
        Ok(Self {
            shelves,
            taken,
            depth,
        })
    }

    pub(crate) fn network(&self, ports: &[u16]) -> Option<PreparedNetwork> {
        if self.depth == 0 {
            return None;
        }
        let ready = lock(&self.shelves)
            .networks
            .get_mut(ports)
            .and_then(Vec::pop);
        // Fails only when the thread died; then every start makes its own.
        let _ = self.taken.send(Taken::Network(ports.to_owned()));
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

fn fill(taken: &Receiver<Taken>, shelves: &Mutex<Shelves>, depth: usize, cgroups: &Cgroups) {
    for request in taken {
        let filled = match request {
            Taken::Network(ports) => fill_networks(&ports, shelves, depth),
            Taken::Cgroup => fill_cgroups(shelves, depth, cgroups),
        };
        if let Err(error) = filled {
            tracing::warn!(%error, "make a network or control group ahead");
        }
    }
}

fn fill_networks(
    ports: &[u16],
    shelves: &Mutex<Shelves>,
    depth: usize,
) -> Result<(), SandboxError> {
    while lock(shelves).networks.get(ports).map_or(0, Vec::len) < depth {
        let network = PreparedNetwork::make(ports)?;
        lock(shelves)
            .networks
            .entry(ports.to_owned())
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
