//! What `kagero ps` shows.

use std::time::Duration;

use crate::function::FunctionKey;
use crate::invocation::StartTier;

/// One live environment.
#[derive(Clone, Debug)]
pub struct EnvironmentInfo {
    pub function: FunctionKey,
    pub state: EnvironmentState,
    /// Pid 1 of the environment, as the host sees it.
    pub pid: Option<u32>,
    /// Memory in use now, where the kernel tells.
    pub memory_bytes: Option<u64>,
    pub age: Duration,
    pub start: StartTier,
    /// Invocations it has begun.
    pub requests: u64,
    pub log_stream: String,
}

/// Where an environment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnvironmentState {
    Init,
    Idle,
    Busy,
    Frozen,
}

impl EnvironmentState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Frozen => "frozen",
        }
    }
}
