//! The pool of host uids: as root, every live environment has one of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::SandboxError;

/// First uid of all pools; above what distributions, systemd and subordinate ids hand out.
pub(crate) const FIRST: u32 = 1_900_000_000;
/// Uids of one server; as many environments can live at once.
const POOL: u32 = 16_384;
/// Servers on one host that do not share a uid, as far as their names' hashes differ.
const POOLS: u32 = 4_096;
/// Last uid that any server's pool may hold.
pub(crate) const LAST: u32 = FIRST + POOL * POOLS - 1;

/// Uids that no live environment has.
#[derive(Debug)]
pub(crate) struct Uids {
    free: Arc<Mutex<Free>>,
}

#[derive(Debug)]
struct Free {
    /// Never used: these come first, so that a uid rests as long as possible.
    fresh: std::ops::Range<u32>,
    /// Used before, longest unused first.
    returned: VecDeque<u32>,
}

/// A uid, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) uid: u32,
    free: Arc<Mutex<Free>>,
}

impl Uids {
    /// The pool of the server with this name.
    pub(crate) fn of(instance: &str) -> Self {
        // FNV-1a: the same after a restart.
        let hash = instance.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let first = FIRST + (hash % POOLS) * POOL;
        let free = Free {
            fresh: first..first + POOL,
            returned: VecDeque::new(),
        };
        Self {
            free: Arc::new(Mutex::new(free)),
        }
    }

    pub(crate) fn take(&self) -> Result<Lease, SandboxError> {
        let mut free = lock(&self.free);
        let uid = free.fresh.next().or_else(|| free.returned.pop_front());
        let uid = uid.ok_or(SandboxError::UidsExhausted { size: POOL })?;
        Ok(Lease {
            uid,
            free: Arc::clone(&self.free),
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.free).returned.push_back(self.uid);
    }
}

fn lock(free: &Mutex<Free>) -> MutexGuard<'_, Free> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_used_again_only_when_all_others_are_taken() {
        let uids = Uids::of("one");
        let first = uids.take().unwrap();
        let reused = first.uid;
        drop(first);
        let mut leases: Vec<Lease> = (1..POOL).map(|_| uids.take().unwrap()).collect();
        assert!(
            leases
                .iter()
                .all(|lease| lease.uid != reused && lease.uid <= LAST)
        );
        leases.push(uids.take().unwrap());
        assert_eq!(leases.last().unwrap().uid, reused);
        assert!(matches!(
            uids.take(),
            Err(SandboxError::UidsExhausted { .. })
        ));
    }

    #[test]
    fn servers_of_different_names_have_different_uids() {
        assert_ne!(
            Uids::of("one").take().unwrap().uid,
            Uids::of("two").take().unwrap().uid
        );
    }
}
