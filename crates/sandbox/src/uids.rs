//! The pool of host uids: as root, every live environment has one of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::SandboxError;

/// First uid of the range; above what distributions, systemd and subordinate ids hand out.
const FIRST: u32 = 1_900_000_000;
/// Uids of one server; as many environments can live at once.
const POOL: u32 = 16_384;
/// Servers on one host that do not share a uid, as far as their names' hashes differ.
const POOLS: u32 = 4_096;

/// Uids that no live environment has, longest unused first.
#[derive(Debug)]
pub(crate) struct Uids {
    free: Arc<Mutex<VecDeque<u32>>>,
}

/// A uid, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) uid: u32,
    free: Arc<Mutex<VecDeque<u32>>>,
}

impl Uids {
    /// The range of the server with this name.
    pub(crate) fn of(instance: &str) -> Self {
        // FNV-1a: stable, so that a restarted server finds its own files.
        let hash = instance.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let first = FIRST + (hash % POOLS) * POOL;
        Self {
            free: Arc::new(Mutex::new((first..first + POOL).collect())),
        }
    }

    pub(crate) fn take(&self) -> Result<Lease, SandboxError> {
        let uid = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let uid = uid.ok_or(SandboxError::UidsExhausted { size: POOL })?;
        Ok(Lease {
            uid,
            free: Arc::clone(&self.free),
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(self.uid);
    }
}
