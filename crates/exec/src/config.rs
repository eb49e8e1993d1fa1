//! What the server decides about execution.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::runtimes::InterpreterSearch;

/// Settings of [`crate::Exec`].
#[derive(Clone, Debug)]
pub struct ExecConfig {
    /// A folder of this server's own for the runtimes' bootstraps, written anew at start.
    pub runtime_dir: PathBuf,
    pub sandbox: sandbox::HostConfig,
    pub interpreters: InterpreterSearch,
    /// Refuse to run a function on another version of its interpreter than the one it names.
    pub strict_runtimes: bool,
    /// An environment that has been idle this long is ended. Default 10 minutes.
    pub idle_timeout: Duration,
    /// An environment that has been idle this long is frozen. Default 250 ms: Lambda freezes at once,
    /// but each freeze and thaw waits for a lock that every control group of the host shares, which
    /// under load costs a function that is called several times a second milliseconds a call.
    pub freeze_after: Duration,
    /// Limit of the init phase, after which it is run again within the first invocation. 10 s.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
    pub init_timeout: Duration,
    /// Invocations under way at once in one account and region. 1,000.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>
    pub account_concurrency: u32,
    /// Environments being started at once on this host. Default: twice the CPUs.
    pub parallel_starts: usize,
    /// What a function gets at least, in thousandths of a CPU, however little memory it has. 0 is
    /// as in Lambda, where 128 MB mean 7 % of a CPU. Default 1,000: what is fair between tenants of
    /// a cloud only makes a developer wait.
    pub least_cpu_millis: u32,
    pub outbound: Outbound,
    /// How long [`crate::Exec::shutdown`] lets invocations finish. Default 2 s.
    pub shutdown_grace: Duration,
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
    /// The defaults, with all that execution writes under this folder, which nobody else may use.
    /// The folder also names the server among others on the host.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let state_dir = state_dir.into();
        let absolute = std::path::absolute(&state_dir).unwrap_or_else(|_| state_dir.clone());
        let digest = Sha256::digest(absolute.as_os_str().as_encoded_bytes());
        let instance = hex::encode(&digest[..8]);
        Self {
            runtime_dir: state_dir.join("runtime"),
            sandbox: sandbox::HostConfig::new(state_dir.join("sandbox"), instance),
            interpreters: InterpreterSearch::default(),
            strict_runtimes: false,
            idle_timeout: Duration::from_mins(10),
            freeze_after: Duration::from_millis(250),
            init_timeout: Duration::from_secs(10),
            account_concurrency: 1_000,
            parallel_starts: cpus * 2,
            least_cpu_millis: 1_000,
            outbound: Outbound::default(),
            shutdown_grace: Duration::from_secs(2),
            gateway_port: 4566,
        }
    }
}
