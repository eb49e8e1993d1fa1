//! Every live environment, for `kagero ps` and for the end of the server.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use sandbox::Sandbox;

use crate::function::FunctionKey;
use crate::info::{EnvironmentInfo, EnvironmentState};
use crate::invocation::StartTier;

/// The environments of one server.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: Mutex<HashMap<u64, Arc<Entry>>>,
    next: AtomicU64,
}

/// An environment's place in the registry, which it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    number: u64,
    entry: Arc<Entry>,
}

#[derive(Debug)]
struct Entry {
    function: FunctionKey,
    start: StartTier,
    provisioned: bool,
    log_stream: String,
    since: Instant,
    sandbox: Weak<Sandbox>,
    state: AtomicU8,
    requests: AtomicU64,
}

const STATES: [EnvironmentState; 5] = [
    EnvironmentState::Init,
    EnvironmentState::Idle,
    EnvironmentState::Busy,
    EnvironmentState::Frozen,
    EnvironmentState::Template,
];

impl Registry {
    pub(crate) fn register(
        self: &Arc<Self>,
        function: FunctionKey,
        start: StartTier,
        provisioned: bool,
        log_stream: String,
        sandbox: &Arc<Sandbox>,
    ) -> Registration {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            function,
            start,
            provisioned,
            log_stream,
            since: Instant::now(),
            sandbox: Arc::downgrade(sandbox),
            state: AtomicU8::new(0),
            requests: AtomicU64::new(0),
        });
        self.entries.lock().insert(number, Arc::clone(&entry));
        Registration {
            registry: Arc::clone(self),
            number,
            entry,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Reads the memory of each from the kernel.
    pub(crate) fn list(&self) -> Vec<EnvironmentInfo> {
        let mut entries: Vec<_> = self
            .entries
            .lock()
            .iter()
            .map(|(number, entry)| (*number, Arc::clone(entry)))
            .collect();
        entries.sort_by_key(|(number, _)| *number);
        entries.iter().map(|(_, entry)| entry.describe()).collect()
    }

    /// Kills every environment; what waits for one sees it end.
    pub(crate) fn kill_all(&self) {
        let sandboxes: Vec<_> = self
            .entries
            .lock()
            .values()
            .filter_map(|entry| entry.sandbox.upgrade())
            .collect();
        for sandbox in sandboxes {
            if let Err(error) = sandbox.kill() {
                tracing::warn!(%error, "kill an environment at shutdown");
            }
        }
    }
}

impl Registration {
    pub(crate) fn is_now(&self, state: EnvironmentState) {
        let number = STATES
            .iter()
            .position(|known| *known == state)
            .unwrap_or_default();
        self.entry.state.store(number as u8, Ordering::Relaxed);
    }

    pub(crate) fn count_request(&self) {
        self.entry.requests.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.entries.lock().remove(&self.number);
    }
}

impl Entry {
    fn describe(&self) -> EnvironmentInfo {
        let sandbox = self.sandbox.upgrade();
        let usage = sandbox.as_ref().and_then(|sandbox| sandbox.usage().ok());
        EnvironmentInfo {
            function: self.function.clone(),
            state: STATES[usize::from(self.state.load(Ordering::Relaxed))],
            pid: sandbox.as_ref().map(|sandbox| sandbox.pid()),
            memory_bytes: usage.map(|usage| usage.memory_bytes),
            age: self.since.elapsed(),
            start: self.start,
            provisioned: self.provisioned,
            requests: self.requests.load(Ordering::Relaxed),
            log_stream: self.log_stream.clone(),
        }
    }
}
