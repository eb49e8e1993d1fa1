//! One environment, from its start to its end. What it can do next is in its type:
//!
//! ```text
//! Booting ──specialise──▶ Idle ⇄ Busy
//!                          ⇅
//!                        Frozen
//! ```
//!
//! One of a version on a capacity provider leaves this for [`Shared`], and has several invocations at
//! once from then on.
//!
//! What comes before is a [`Body`], which is nobody's: executed or forked for this function, or
//! parked by the nursery until one needed it. An environment that is dropped, in whatever state, is
//! killed and leaves nothing behind.

mod blueprint;
mod body;
mod closing;
mod compile;
mod connections;
mod container;
mod egress;
mod exit;
mod farewell;
mod init;
mod invoke;
mod java;
mod link;
mod node;
mod owner;
mod registry;
mod rest;
mod share;
mod shared;
mod start;
mod streaming;
mod template;
mod variables;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Clock, Timestamp};
use sandbox::Sandbox;

use crate::extensions::{ExtensionHost, Launched, Reason};
use crate::function::FunctionSpec;
use crate::invocation::{Phases, StartTier};
use crate::logs::LogTap;
use crate::logs::report::Restore;
use crate::runtime_api::ApiServer;

pub(crate) use blueprint::{EXEC_WRAPPER, command, extensions, zygote};
pub(crate) use body::{Body, Maker, blocking};
pub(crate) use exit::{describe_status, error_document};
pub(crate) use init::{Cause, FailedInit};
pub(crate) use invoke::{Next, Ran, timed_out};
pub(crate) use link::{Answer, Readiness, too_large};
pub(crate) use registry::Registry;
pub(crate) use shared::{Placed, Shared};
pub(crate) use start::{Launcher, StartError, Starting, Unrunnable};
pub(crate) use streaming::Pieces;
pub(crate) use template::Shelf;
pub(crate) use variables::LAYERS_ROOT;

use closing::Unfinished;
use exit::ExitWatch;
use farewell::Keeper;
use link::Link;
use registry::Registration;
use share::CpuShare;

/// An environment in a state.
pub(crate) struct Environment<S> {
    core: Keeper,
    state: S,
}

/// The program runs, and sees the function's code; it is not the function yet.
#[derive(Debug)]
pub(crate) struct Booting {
    since: Instant,
    /// Everything generic is loaded.
    is_booted: bool,
    /// It is a fork of its function's template.
    is_restored: bool,
}

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
pub(crate) struct Core {
    function: Arc<FunctionSpec>,
    clock: Clock,
    registration: Registration,
    link: Link,
    log: Arc<LogTap>,
    exit: ExitWatch,
    /// Its extensions, and who they are told by.
    host: Arc<ExtensionHost>,
    launched: Option<Arc<Launched>>,
    _api: Option<ApiServer>,
    /// External extensions that are to be started before the runtime.
    to_launch: Vec<String>,
    /// An invocation that has been answered, and whose end is not logged yet.
    unfinished: Option<Box<Unfinished>>,
    /// Why it will end.
    reason: Reason,
    /// In front of the sandbox, since it may serve a socket inside.
    _gateway: Option<Box<dyn Any + Send + Sync>>,
    sandbox: Arc<Sandbox>,
    variables: BTreeMap<String, String>,
    /// When the role's credentials end.
    credentials_until: Option<Timestamp>,
    share: CpuShare,
    memory: MemoryPeak,
    tier: StartTier,
    /// Where the time of the start went; taken by the first invocation.
    first: Option<Phases>,
    /// How long the init took, as the first invocation's REPORT shows it.
    init: Option<Duration>,
    /// The same of one that was restored.
    restore: Option<Restore>,
    /// Whether its init runs within an invocation, after a first one that failed.
    suppressed: bool,
    /// How it came to be: `on-demand`, `provisioned-concurrency`, `snap-start` or
    /// `lambda-managed-instances`.
    initialization: &'static str,
    /// Whether it was made ahead of any invocation.
    provisioned: bool,
}

/// The highest use of memory, read from the kernel no more often than it can matter.
#[derive(Debug, Default)]
struct MemoryPeak {
    mb: Option<u32>,
    read: Option<Instant>,
    /// Bytes of the template's, charged to it, that this one has as well.
    shared: u64,
}

/// Invocations closer together share one reading.
const MEMORY_READ_EVERY: Duration = Duration::from_millis(100);
/// An invocation this long is worth a reading of its own.
const MEMORY_READ_AFTER: Duration = Duration::from_millis(5);

impl<S> Environment<S> {
    /// Whether it was made ahead, as provisioned concurrency.
    pub(crate) fn is_provisioned(&self) -> bool {
        self.core.provisioned
    }

    /// Moves on to another state.
    fn into_state<T>(self, state: T) -> Environment<T> {
        Environment {
            core: self.core,
            state,
        }
    }
}

impl Core {
    /// The phase in which its init runs.
    fn phase(&self) -> &'static str {
        if self.suppressed { "invoke" } else { "init" }
    }

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
                let bytes = bytes + self.memory.shared;
                let mb = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
                // The sandbox's own init counts as well; Lambda never reports more than the limit.
                mb.min(self.function.memory_mb)
            });
        }
        self.memory.mb
    }
}
