//! What `kagero ps` shows.

use std::path::PathBuf;
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
    /// Whether it is kept ready as provisioned concurrency.
    pub provisioned: bool,
    /// Invocations it has begun.
    pub requests: u64,
    pub log_stream: String,
}

/// One process that waits to become some function's environment, or that forks such processes.
#[derive(Clone, Debug)]
pub struct SpareInfo {
    /// The interpreter.
    pub program: PathBuf,
    pub is_zygote: bool,
    /// As the host sees it.
    pub pid: u32,
    /// When it was made; of a zygote, what is in no file.
    pub memory_bytes: u64,
    pub age: Duration,
}

/// Where an environment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnvironmentState {
    Init,
    Idle,
    Busy,
    Frozen,
    /// Kept after its init, for others to be forked from.
    Template,
}

impl EnvironmentState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Frozen => "frozen",
            Self::Template => "template",
        }
    }
}

/// How far the environments that a function version is to have ready are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionedStatus {
    /// How many are to be kept ready.
    pub requested: u32,
    /// How many of them have been initialised, and live.
    pub allocated: u32,
    /// How many of those have no invocation now.
    pub available: u32,
    /// Why the last start failed, such as `Runtime.ImportModuleError: No module named 'x'`; `None`
    /// once one has succeeded.
    pub failure: Option<String>,
}

/// How far a version on a capacity provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaledStatus {
    /// How many environments are kept initialised.
    pub least: u32,
    /// How many there are at most.
    pub most: u32,
    /// How many have been initialised, and live.
    pub environments: u32,
}
