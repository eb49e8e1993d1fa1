//! What the server decides about execution.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use sha2::{Digest, Sha256};

use crate::dispatch::{HostMemory, MemoryProbe};
use crate::nursery::Parking;
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
    /// Environments that a function may gain within 10 s, over all its versions; 0 for any number.
    /// 1,000. <https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html>
    pub scaling_rate: u32,
    /// Synchronous invocations of a function that may begin within a second, for each unit of its
    /// concurrency; 0 for any number. 10.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
    pub invocation_rate: u32,
    /// Where the host's memory is read.
    pub memory: MemoryProbe,
    /// Idle environments end, the oldest first, when less of the memory than this is available.
    /// Default 10 %.
    pub memory_reserve_percent: u8,
    /// The least of that reserve, in bytes. Default 256 MB.
    pub memory_reserve_least: u64,
    /// Idle environments of all functions together, without provisioned ones, beyond which the
    /// oldest end; looked at once a second. Default: any number.
    pub idle_environments: Option<usize>,
    /// Environments being started at once on this host. Default: twice the CPUs.
    pub parallel_starts: usize,
    /// What a function gets at least, in thousandths of a CPU, however little memory it has. 0 is
    /// as in Lambda, where 128 MB mean 7 % of a CPU. Default 1,000: what is fair between tenants of
    /// a cloud only makes a developer wait.
    pub least_cpu_millis: u32,
    pub outbound: Outbound,
    /// Which versions are kept as templates after their init. Default: those that ask for it.
    pub templates: Templates,
    /// What is kept ready before anybody asks.
    pub parking: Parking,
    /// How long [`crate::Exec::shutdown`] lets invocations finish. Default 2 s.
    pub shutdown_grace: Duration,
    /// Port of the gateway inside environments.
    pub gateway_port: u16,
}

/// What functions can reach beyond their own environment, from the least to the most. A function
/// gets less with a variable `KAGERO_EGRESS` of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outbound {
    /// Only the gateway.
    #[default]
    None,
    /// The outside, under the host's address, but not the host; where this host cannot do that,
    /// only the gateway.
    Nat,
    /// The host's network, without isolation.
    Host,
}

/// Which versions start from a template, where the host and the runtime can: SnapStart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Templates {
    Never,
    /// Those with [`crate::FunctionSpec::snap_start`].
    #[default]
    Asked,
    /// All of them, `$LATEST` too; the first start of each is an ordinary one.
    Always,
}

impl ExecConfig {
    /// Whether the host has less memory left than is to stay free.
    pub(crate) fn is_memory_short(&self) -> bool {
        let Some(HostMemory { total, available }) = self.memory.read() else {
            return false;
        };
        let percent = u64::from(self.memory_reserve_percent);
        let reserve = (total / 100 * percent).max(self.memory_reserve_least);
        available < reserve
    }

    /// The defaults, with all that execution writes under this folder, which nobody else may use.
    /// The folder also names the server among others on the host.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let state_dir = state_dir.into();
        let absolute = std::path::absolute(&state_dir).unwrap_or_else(|_| state_dir.clone());
        let digest = Sha256::digest(absolute.as_os_str().as_encoded_bytes());
        let instance = hex::encode(&digest[..8]);
        let memory = MemoryProbe::default();
        let mut sandbox = sandbox::HostConfig::new(state_dir.join("sandbox"), instance);
        sandbox.reserve = networks_in_reserve(&memory);
        Self {
            runtime_dir: state_dir.join("runtime"),
            sandbox,
            interpreters: InterpreterSearch::default(),
            strict_runtimes: false,
            idle_timeout: Duration::from_mins(10),
            freeze_after: Duration::from_millis(250),
            init_timeout: Duration::from_secs(10),
            account_concurrency: 1_000,
            scaling_rate: 1_000,
            invocation_rate: 10,
            memory,
            memory_reserve_percent: 10,
            memory_reserve_least: 256 << 20,
            idle_environments: None,
            parallel_starts: cpus * 2,
            least_cpu_millis: 1_000,
            outbound: Outbound::default(),
            templates: Templates::default(),
            parking: Parking::default(),
            shutdown_grace: Duration::from_secs(2),
            gateway_port: 4566,
        }
    }
}

/// As many networks as three thousandths of the host's memory have room for, and as hold no more than an
/// eighth of the files that the server may have open.
fn networks_in_reserve(memory: &MemoryProbe) -> usize {
    const NETWORK_BYTES: u64 = 300 << 10;
    const NETWORK_FILES: u64 = 3;
    const MOST: u64 = 256;
    let total = memory.read().map_or(0, |memory| memory.total);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = (total / 1_000 * 3 / NETWORK_BYTES).min(files / 8 / NETWORK_FILES);
    room.min(MOST) as usize
}
