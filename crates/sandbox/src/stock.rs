//! Network namespaces and control groups kept ready, so that a start only takes them.
//!
//! A thread makes the next ones in the background, for the port sets that have been asked for; an
//! idle server that never started a sandbox holds none. Networks that nothing went through come
//! back (`renewal`), and control groups that nothing is left in. Both take so much of the processor
//! to make that a burst of starts should not have to: a reserve of them is made when nothing
//! starts.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::SandboxError;
use crate::cgroup::{Cgroup, Cgroups};
use crate::egress::Egress;
use crate::later::Later;
use crate::network::PreparedNetwork;
use crate::renewal::{Home, Renewal, Returned};
use crate::worker::Worker;

/// How long more networks than are made ahead wait for a start.
const SURPLUS_KEPT: Duration = Duration::from_millis(500);

/// How long nothing was taken when the reserve is filled, and the pause after each of it: what
/// starts meanwhile should not notice.
const LULL: Duration = Duration::from_millis(250);
const BETWEEN: Duration = Duration::from_millis(2);
/// How long after the last start there is a reserve.
const RESERVE_KEPT: Duration = Duration::from_mins(10);

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
    /// Those that have rested longest first: what the kernel is slow to let go of is gone by then.
    cgroups: VecDeque<Cgroup>,
}

/// The ports of a network's listeners, and whether it has a way out.
pub(crate) type Kind = (Vec<u16>, bool);

/// What a start took, or would have liked to; and what comes back.
#[derive(Debug)]
pub(crate) enum Taken {
    Network(Kind),
    /// And those that were found to be of no use any more.
    Cgroup(Vec<Cgroup>),
    Back(Returned),
    CgroupBack(Cgroup),
}

impl Stock {
    /// Keeps up to `depth` of each kind ready, and for bursts `reserve` more.
    pub(crate) fn open(
        depth: usize,
        reserve: usize,
        cgroups: Cgroups,
        egress: Arc<Later<Egress>>,
    ) -> Result<Self, SandboxError> {
        let shelves = Arc::new(Mutex::new(Shelves::default()));
        let filler = Filler {
            shelves: Arc::clone(&shelves),
            depth,
            reserve,
            source: Source { cgroups, egress },
            renewal: Renewal::default(),
            used: Instant::now(),
            failed: false,
        };
        let taken = Worker::start("stock", move |taken| filler.work(&taken))?;
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
        let (mut ready, mut spent) = (None, Vec::new());
        while ready.is_none() {
            // Not kept locked for the look at it.
            let next = lock(&self.shelves).cgroups.pop_front();
            let Some(mut next) = next else { break };
            if next.begin() {
                next.home = self.taken.sender();
                ready = Some(next);
            } else {
                spent.push(next);
            }
        }
        let _ = self.taken.send(Taken::Cgroup(spent));
        ready
    }
}

/// What there is less of than is to be in reserve, and how much.
enum Lacking {
    Network(Kind, usize),
    Cgroup(usize),
}

/// Where new ones come from.
struct Source {
    cgroups: Cgroups,
    egress: Arc<Later<Egress>>,
}

/// The thread's own: what it fills, and when it does.
struct Filler {
    shelves: Arc<Mutex<Shelves>>,
    depth: usize,
    reserve: usize,
    source: Source,
    renewal: Renewal,
    /// When a start last took something.
    used: Instant,
    /// Making one failed, and is not tried again before the next start.
    failed: bool,
}

impl Filler {
    fn work(mut self, taken: &Receiver<Taken>) {
        loop {
            let request = match self.next_pause() {
                Some(pause) => taken.recv_timeout(pause),
                None => taken.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let filled = match request {
                Ok(Taken::Network(kind)) => {
                    self.used = Instant::now();
                    self.fill_networks(&kind, self.depth)
                }
                Ok(Taken::Cgroup(spent)) => {
                    drop(spent);
                    self.used = Instant::now();
                    self.fill_cgroups(self.depth)
                }
                Ok(Taken::Back(returned)) => {
                    self.take_back(returned);
                    Ok(())
                }
                Ok(Taken::CgroupBack(group)) => {
                    self.take_cgroup_back(group);
                    Ok(())
                }
                Err(RecvTimeoutError::Timeout) => self.tidy_up(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.failed = filled.is_err();
            if let Err(error) = filled {
                tracing::warn!(%error, "make a network or control group ahead");
            }
            while let Some(returned) = self.renewal.next_due() {
                self.take_back(returned);
            }
        }
    }

    /// How long until something is to be done that nobody asks for.
    fn next_pause(&self) -> Option<Duration> {
        let surplus = self
            .has_more_than(self.depth + self.reserve)
            .then_some(SURPLUS_KEPT);
        let lull = self.lacking().map(|_| self.until(LULL).max(BETWEEN));
        let kept = self
            .has_more_than(self.depth)
            .then(|| self.until(RESERVE_KEPT));
        let pauses = [self.renewal.pause(), surplus, lull, kept];
        pauses.into_iter().flatten().min()
    }

    fn until(&self, unused: Duration) -> Duration {
        unused.saturating_sub(self.used.elapsed())
    }

    /// In a lull: one more for the reserve, or what nobody wanted goes.
    fn tidy_up(&mut self) -> Result<(), SandboxError> {
        if self.renewal.pause().is_some() {
            return Ok(());
        }
        if self.used.elapsed() >= RESERVE_KEPT {
            self.shorten(self.depth);
        } else if let Some(lacking) = self.lacking() {
            if self.used.elapsed() >= LULL {
                return match lacking {
                    Lacking::Network(kind, there) => self.fill_networks(&kind, there + 1),
                    Lacking::Cgroup(there) => self.fill_cgroups(there + 1),
                };
            }
        } else {
            self.shorten(self.depth + self.reserve);
        }
        Ok(())
    }

    /// What there is less of than is to be in reserve, while it is in use.
    fn lacking(&self) -> Option<Lacking> {
        if self.failed || self.reserve == 0 || self.used.elapsed() >= RESERVE_KEPT {
            return None;
        }
        let wanted = self.depth + self.reserve;
        let shelves = lock(&self.shelves);
        // None has been taken, or none can be made.
        let cgroups = Some(shelves.cgroups.len()).filter(|there| (1..wanted).contains(there));
        let mut kinds = shelves.networks.iter();
        let network = kinds.find(|(_, shelf)| shelf.len() < wanted);
        let network = network.map(|(kind, shelf)| Lacking::Network(kind.clone(), shelf.len()));
        network.or(cgroups.map(Lacking::Cgroup))
    }

    /// Whether a shelf has more than so many.
    fn has_more_than(&self, most: usize) -> bool {
        let shelves = lock(&self.shelves);
        let mut networks = shelves.networks.values();
        shelves.cgroups.len() > most || networks.any(|shelf| shelf.len() > most)
    }

    fn count(&self, kind: &Kind) -> usize {
        lock(&self.shelves).networks.get(kind).map_or(0, Vec::len)
    }

    fn shorten(&self, most: usize) {
        let mut shelves = lock(&self.shelves);
        let mut networks = Vec::new();
        for shelf in shelves.networks.values_mut() {
            networks.extend(shelf.drain(most.min(shelf.len())..));
        }
        let kept = most.min(shelves.cgroups.len());
        let cgroups = shelves.cgroups.split_off(kept);
        // Starts do not wait for what it takes to let them go.
        drop(shelves);
        drop((networks, cgroups));
    }

    /// Puts a network on its shelf again if it is as new. Those that come back may be more than
    /// those made ahead: they cost nothing, and are wanted where sandboxes come and go.
    fn take_back(&mut self, returned: Returned) {
        let kind = returned.kind.clone();
        if self.count(&kind) < 2 * self.depth + self.reserve
            && let Some(network) = self.renewal.renew(returned)
        {
            self.put(kind, network);
        }
    }

    fn take_cgroup_back(&self, group: Cgroup) {
        let mut shelves = lock(&self.shelves);
        if shelves.cgroups.len() < 2 * self.depth + self.reserve {
            shelves.cgroups.push_back(group);
        }
    }

    fn put(&self, kind: Kind, network: PreparedNetwork) {
        let mut shelves = lock(&self.shelves);
        shelves.networks.entry(kind).or_default().push(network);
    }

    fn fill_networks(&mut self, kind: &Kind, wanted: usize) -> Result<(), SandboxError> {
        while self.count(kind) < wanted {
            let (ports, with_egress) = kind;
            let network = if *with_egress {
                self.source.egress.get()?.network(ports)?
            } else {
                Some(PreparedNetwork::make(ports)?)
            };
            let Some(network) = network else {
                return Ok(());
            };
            self.renewal.note(kind, &network);
            self.put(kind.clone(), network);
        }
        Ok(())
    }

    fn fill_cgroups(&self, wanted: usize) -> Result<(), SandboxError> {
        while lock(&self.shelves).cgroups.len() < wanted {
            let Some(cgroup) = self.source.cgroups.create()? else {
                return Ok(());
            };
            lock(&self.shelves).cgroups.push_back(cgroup);
        }
        Ok(())
    }
}

fn lock(shelves: &Mutex<Shelves>) -> MutexGuard<'_, Shelves> {
    shelves.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privilege;

    /// A lull is not waited for by time: what is made in it is looked for.
    fn eventually(stock: &Stock, kind: &Kind, count: usize) {
        let begun = Instant::now();
        let there = || lock(&stock.shelves).networks.get(kind).map_or(0, Vec::len);
        while there() != count {
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(20), "{} of {count}", there());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_reserve_is_made_once_there_was_a_start_and_in_a_lull() {
        if !privilege::is_root() {
            eprintln!("skipped: networks made ahead need root");
            return;
        }
        let egress = Later::start(|| Err(SandboxError::Ended)).unwrap();
        let stock = Stock::open(2, 3, Cgroups::none(), Arc::new(egress)).unwrap();
        let kind = (vec![9001], false);
        assert!(stock.network(&kind.0, kind.1).is_none());
        eventually(&stock, &kind, 5);
        let taken: Vec<_> = (0..5).map(|_| stock.network(&kind.0, kind.1)).collect();
        assert!(taken.iter().all(Option::is_some));
        eventually(&stock, &kind, 5);
        // No start has asked for the other kind.
        assert_eq!(lock(&stock.shelves).networks.len(), 1);
    }
}
