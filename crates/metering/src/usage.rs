//! One invocation's consumption.

use base::{AccountId, Region, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

/// What one invocation consumed, and where its time went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// When the invocation ended.
    pub at: Timestamp,
    pub account: AccountId,
    pub region: Region,
    pub function: String,
    pub version: String,
    pub request_id: RequestId,
    /// Configured memory, in MB (2^20 bytes).
    pub memory_mb: u32,
    /// Highest use of memory by the environment so far, in MB, where the kernel tells.
    pub max_memory_mb: Option<u32>,
    /// Whether an environment was started for this invocation.
    pub cold: bool,
    pub phases: Phases,
    /// Whole milliseconds of init and handler, rounded up.
    pub billed_ms: u64,
    /// Whether the function answered without an error.
    pub succeeded: bool,
}

/// Where the time of an invocation went, in microseconds. All but `handler` are zero on a warm one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Namespaces, mounts, limits: from the decision to start until the program runs.
    pub environment_us: u64,
    /// The interpreter and the runtime client, until ready to load the function.
    pub runtime_us: u64,
    /// Finding and reading the function's code.
    pub code_us: u64,
    /// The function's own initialisation: the module's top level.
    pub init_us: u64,
    /// The handler.
    pub handler_us: u64,
}
