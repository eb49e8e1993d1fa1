//! What the server decides about execution.

use std::path::PathBuf;
use std::time::Duration;

use crate::runtimes::InterpreterSearch;

/// Settings of [`crate::Exec`].
#[derive(Clone, Debug)]
pub struct ExecConfig {
    /// Where the bootstraps are written at start; made if missing.
    pub runtime_dir: PathBuf,
    pub interpreters: InterpreterSearch,
    /// Refuse to run a function on another version of its interpreter than the one it names.
    pub strict_runtimes: bool,
    /// An environment that has been idle this long is ended. Default 10 minutes.
    pub idle_timeout: Duration,
    /// An environment that has been idle this long is frozen. Default 5 ms.
    pub freeze_after: Duration,
    /// Limit of the init phase, after which it is run again within the first invocation. 10 s.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
    pub init_timeout: Duration,
    /// Invocations under way at once in one account and region. 1,000.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>
    pub account_concurrency: u32,
    /// Environments being started at once on this host. Default: twice the CPUs.
    pub parallel_starts: usize,
    pub outbound: Outbound,
    /// Port of the gateway inside environments.
    pub gateway_port: u16,
}

/// What functions can reach beyond their own environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outbound {
    /// Only the gateway.
    #[default]
    None,
    /// The host's network, without isolation.
    Host,
}

impl ExecConfig {
    /// The defaults, with the bootstraps under this folder.
    pub fn new(runtime_dir: impl Into<PathBuf>) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            runtime_dir: runtime_dir.into(),
            interpreters: InterpreterSearch::default(),
            strict_runtimes: false,
            idle_timeout: Duration::from_mins(10),
            freeze_after: Duration::from_millis(5),
            init_timeout: Duration::from_secs(10),
            account_concurrency: 1_000,
            parallel_starts: cpus * 2,
            outbound: Outbound::default(),
            gateway_port: 4566,
        }
    }
}
