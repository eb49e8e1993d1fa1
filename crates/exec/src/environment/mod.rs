//! One environment, from its start to its end. What it can do next is in its type:
//!
//! ```text
//! Booting ──booted──▶ Parked ──specialise──▶ Idle ⇄ Busy
//!                                             ⇅
//!                                           Frozen
//! ```
//!
//! [`Parked`] is nobody's yet: today every environment is specialised at once; a pool of parked
//! ones, or a template's fork, would come in there. An environment that is dropped, in whatever
//! state, is killed and leaves nothing behind.

mod blueprint;
mod connections;
mod exit;
mod init;
mod invoke;
mod link;
mod registry;
mod rest;
mod start;
mod variables;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Clock, Timestamp};
use sandbox::Sandbox;

use crate::function::FunctionSpec;
use crate::invocation::{Phases, StartTier};
use crate::logs::LogTap;

pub(crate) use exit::error_document;
pub(crate) use init::{Cause, FailedInit};
pub(crate) use invoke::{Next, Ran, timed_out};
pub(crate) use link::{Answer, MAX_RESPONSE_BYTES, Readiness, too_large};
pub(crate) use registry::Registry;
pub(crate) use start::{Launcher, StartError, Starting};

use exit::ExitWatch;
use link::Link;
use registry::Registration;

/// An environment in a state.
pub(crate) struct Environment<S> {
    core: Box<Core>,
    state: S,
}

/// The program runs; nothing is heard of it yet.
#[derive(Debug)]
pub(crate) struct Booting {
    since: Instant,
}

/// Everything generic is loaded; no function yet.
#[derive(Debug)]
pub(crate) struct Parked;

/// A function that waits for an event.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) since: Timestamp,
}

/// A function none of whose processes runs.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) idle_since: Timestamp,
}

/// A function that has an event, or is not done with its last one.
#[derive(Debug)]
pub(crate) struct Busy;

/// What lasts from the start to the end.
struct Core {
    function: Arc<FunctionSpec>,
    clock: Clock,
    registration: Registration,
    link: Link,
    log: LogTap,
    exit: ExitWatch,
    /// In front of the sandbox, since it may serve a socket inside.
    _gateway: Option<Box<dyn Any + Send + Sync>>,
    sandbox: Arc<Sandbox>,
    variables: BTreeMap<String, String>,
    /// When the role's credentials end.
    credentials_until: Option<Timestamp>,
    /// CPU of the invoke phase, to be set when the init is done.
    cpu_millis: u32,
    memory: MemoryPeak,
    tier: StartTier,
    /// Where the time of the start went; taken by the first invocation.
    first: Option<Phases>,
    /// How long the init took, as the first invocation's REPORT shows it.
    init: Option<Duration>,
    /// Whether its init runs within an invocation, after a first one that failed.
    suppressed: bool,
}

/// The highest use of memory, read from the kernel no more often than it can matter.
#[derive(Debug, Default)]
struct MemoryPeak {
    mb: Option<u32>,
    read: Option<Instant>,
}

/// Invocations closer together share one reading.
const MEMORY_READ_EVERY: Duration = Duration::from_millis(100);
/// An invocation this long is worth a reading of its own.
const MEMORY_READ_AFTER: Duration = Duration::from_millis(5);

impl<S> Environment<S> {
    /// Moves on to another state.
    fn into_state<T>(self, state: T) -> Environment<T> {
        Environment {
            core: self.core,
            state,
        }
    }
}

impl Core {
    /// Highest use of memory so far, in MB.
    fn max_memory_mb(&mut self, ran: Duration) -> Option<u32> {
        let due = self
            .memory
            .read
            .is_none_or(|read| read.elapsed() >= MEMORY_READ_EVERY);
        if due || ran >= MEMORY_READ_AFTER {
            self.memory.read = Some(Instant::now());
            let peak = self.sandbox.memory_peak().ok().filter(|peak| *peak > 0);
            self.memory.mb = peak.map(|bytes| {
                let mb = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
                // The sandbox's own init counts as well; Lambda never reports more than the limit.
                mb.min(self.function.memory_mb)
            });
        }
        self.memory.mb
    }
}
