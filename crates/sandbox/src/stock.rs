//! Network namespaces and control groups kept ready, so that a start only takes them.
//!
//! A thread makes the next ones in the background, for the port sets that have been asked for; an
//! idle server that never started a sandbox holds none. Networks that nothing went through come back
//! (`renewal`).

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::SandboxError;
use crate::cgroup::{Cgroup, Cgroups};
use crate::egress::Egress;
use crate::later::Later;
use crate::network::PreparedNetwork;
use crate::renewal::{Home, Renewal, Returned};
use crate::worker::Worker;

/// How long more networks than are made ahead wait for a start.
const SURPLUS_KEPT: Duration = Duration::from_millis(500);

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
pub(crate) type Kind = (Vec<u16>, bool);

/// What a start took, or would have liked to; and what comes back.
#[derive(Debug)]
pub(crate) enum Taken {
    Network(Kind),
    Cgroup,
    Back(Returned),
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
        let mut ready = lock(&self.shelves)
            .networks
            .get_mut(&kind)
            .and_then(Vec::pop);
        if let Some(ready) = &mut ready {
            ready.home = self.home(ports, egress);
        }
        // Fails only when the thread died; then every start makes its own.
        let _ = self.taken.send(Taken::Network(kind));
        ready
    }

    /// Where a network of this kind goes when its sandbox has ended.
    pub(crate) fn home(&self, ports: &[u16], egress: bool) -> Option<Home> {
        let stock = self.taken.sender().filter(|_| self.depth > 0)?;
        Some(Home::new((ports.to_owned(), egress), stock))
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
    let mut renewal = Renewal::default();
    loop {
        let surplus = has_surplus(shelves, depth).then_some(SURPLUS_KEPT);
        let request = match renewal.pause().or(surplus) {
            Some(pause) => taken.recv_timeout(pause),
            None => taken.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let filled = match request {
            Ok(Taken::Network(kind)) => {
                fill_networks(&kind, shelves, depth, &source.egress, &mut renewal)
            }
            Ok(Taken::Cgroup) => fill_cgroups(shelves, depth, &source.cgroups),
            Ok(Taken::Back(returned)) => {
                take_back(returned, shelves, depth, &mut renewal);
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => {
                if renewal.pause().is_none() {
                    drop_surplus(shelves, depth);
                }
                Ok(())
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Err(error) = filled {
            tracing::warn!(%error, "make a network or control group ahead");
        }
        while let Some(returned) = renewal.next_due() {
            take_back(returned, shelves, depth, &mut renewal);
        }
    }
}

/// Puts a network on its shelf again if it is as new. Those that come back may be twice as many as
/// those made ahead: they cost nothing, and are wanted where sandboxes come and go.
fn take_back(returned: Returned, shelves: &Mutex<Shelves>, depth: usize, renewal: &mut Renewal) {
    let kind = returned.kind.clone();
    let there = lock(shelves).networks.get(&kind).map_or(0, Vec::len);
    if there < 2 * depth
        && let Some(network) = renewal.renew(returned)
    {
        put(shelves, kind, network);
    }
}

fn has_surplus(shelves: &Mutex<Shelves>, depth: usize) -> bool {
    let shelves = lock(shelves);
    shelves.networks.values().any(|shelf| shelf.len() > depth)
}

/// What came back beyond what is made ahead, and nobody wanted.
fn drop_surplus(shelves: &Mutex<Shelves>, depth: usize) {
    let mut shelves = lock(shelves);
    for shelf in shelves.networks.values_mut() {
        shelf.truncate(depth);
    }
}

fn put(shelves: &Mutex<Shelves>, kind: Kind, network: PreparedNetwork) {
    let mut shelves = lock(shelves);
    shelves.networks.entry(kind).or_default().push(network);
}

fn fill_networks(
    kind: &Kind,
    shelves: &Mutex<Shelves>,
    depth: usize,
    egress: &Later<Egress>,
    renewal: &mut Renewal,
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
        renewal.note(kind, &network);
        put(shelves, kind.clone(), network);
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
