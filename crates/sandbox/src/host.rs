//! What this machine lets a server do, found out once, and what all its sandboxes share.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use crate::SandboxError;
use crate::cgroup::{Cgroup, Cgroups};
use crate::egress::{Egress, EgressConfig};
use crate::janitor::Janitor;
use crate::later::Later;
use crate::launch::Launcher;
use crate::memory_guard::MemoryGuard;
use crate::network::PreparedNetwork;
use crate::privilege;
use crate::sandbox::Sandbox;
use crate::skeleton::Skeleton;
use crate::spec::{Limits, Spec};
use crate::start;
use crate::steps::landlock;
use crate::steps::seccomp::Filter;
use crate::stock::Stock;
use crate::tmp_disk::TmpDisks;
use crate::uids::Uids;

/// How a server wants its sandboxes made.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// A folder of the server's own, for the root folder of its sandboxes; emptied and rebuilt.
    pub state_dir: PathBuf,
    /// Names this server among others on the host, the same after a restart: letters, digits and
    /// dashes. Whoever opens a host under a name owns it, and ends what an earlier owner left.
    pub instance: String,
    /// Use control groups where possible; off only in tests and on request.
    pub cgroups: bool,
    /// How many network namespaces (as root, for each set of ports in use) and control groups are
    /// kept ready for the next starts.
    pub ready: usize,
    /// How many more of each are made for bursts of starts, once there was one, when nothing starts;
    /// a network takes some 300 KB of the kernel's memory.
    pub reserve: usize,
    /// Prepare a way out for environments that ask for one.
    pub egress: Option<EgressConfig>,
}

impl HostConfig {
    /// Control groups where possible, four of each kind ready, and no reserve.
    pub fn new(state_dir: impl Into<PathBuf>, instance: impl Into<String>) -> Self {
        Self {
            state_dir: state_dir.into(),
            instance: instance.into(),
            cgroups: true,
            ready: 4,
            reserve: 0,
            egress: None,
        }
    }
}

/// Starts sandboxes. Cheap to clone. Dropping the last clone, once the last sandbox is dropped,
/// waits some milliseconds until everything is torn down.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) skeleton: Later<Skeleton>,
    pub(crate) cgroups: Cgroups,
    pub(crate) filter: Filter,
    pub(crate) landlock: Option<u32>,
    /// Real root, not only of a user namespace of its own.
    pub(crate) is_root: bool,
    pub(crate) last_capability: u32,
    pub(crate) uids: Uids,
    pub(crate) stock: Stock,
    pub(crate) tmp_disks: TmpDisks,
    pub(crate) memory_guard: MemoryGuard,
    pub(crate) null: OwnedFd,
    pub(crate) janitor: Janitor,
    pub(crate) launcher: Launcher,
    /// Behind what may hold an environment's network.
    pub(crate) egress: Arc<Later<Egress>>,
}

impl Host {
    /// Finds out what the machine offers, and starts preparing what every sandbox shares: the first
    /// start may have to wait for it. Blocks for a few milliseconds.
    pub fn open(config: &HostConfig) -> Result<Self, SandboxError> {
        fs::create_dir_all(&config.state_dir)
            .map_err(SandboxError::host("create the state folder"))?;
        let null = File::options().read(true).write(true).open("/dev/null");
        let cgroups = if config.cgroups {
            Cgroups::claim(&config.instance)
        } else {
            Cgroups::none()
        };
        let last_capability = last_capability();
        let root = config.state_dir.join("root");
        let skeleton = Later::start(move || Skeleton::build(&root))?;
        let is_root = privilege::is_root();
        let tmp_disks = TmpDisks::open(&config.state_dir, is_root, config.ready)?;
        let (instance, folder) = (config.instance.clone(), config.state_dir.clone());
        let wanted = config.egress.clone();
        let egress = Later::start(move || Ok(Egress::open(&instance, &folder, wanted.as_ref())))?;
        let egress = Arc::new(egress);
        let stock = Stock::open(
            config.ready,
            config.reserve,
            cgroups.clone(),
            Arc::clone(&egress),
        )?;
        let inner = Inner {
            skeleton,
            uids: Uids::of(&config.instance),
            cgroups,
            filter: Filter::compile(),
            landlock: landlock::abi(),
            is_root,
            last_capability,
            stock,
            tmp_disks,
            memory_guard: MemoryGuard::start()?,
            null: null.map_err(SandboxError::host("open /dev/null"))?.into(),
            launcher: Launcher::start(last_capability)?,
            janitor: Janitor::start()?,
            egress,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Starts a program in a new sandbox; returns once the program has been executed. Blocks for
    /// about a millisecond.
    pub fn spawn(&self, spec: Spec) -> Result<Sandbox, SandboxError> {
        start::spawn(&self.0, spec)
    }

    /// Makes a control group with these limits ahead of its sandbox; `None` where there are none.
    pub fn prepare_cgroup(&self, limits: &Limits) -> Result<Option<Cgroup>, SandboxError> {
        let cgroup = self.0.cgroups.create()?;
        if let Some(cgroup) = &cgroup {
            cgroup.limit(limits)?;
        }
        Ok(cgroup)
    }

    /// Makes an isolated network with listeners on these ports of 127.0.0.1 ahead of its sandbox;
    /// `None` without root, where it can only come into being with the sandbox.
    pub fn prepare_network(&self, ports: &[u16]) -> Result<Option<PreparedNetwork>, SandboxError> {
        self.0
            .is_root
            .then(|| PreparedNetwork::make(ports))
            .transpose()
    }

    /// Why environments that ask for a way out have none; `None` if they have. Blocks for some
    /// milliseconds after [`Self::open`].
    pub fn egress_missing(&self) -> Result<Option<&str>, SandboxError> {
        self.0.egress.get().map(Egress::missing)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(crate) fn arc(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Host");
        debug
            .field("is_root", &self.is_root)
            .field("landlock", &self.landlock);
        debug
            .field("cgroups", &self.cgroups)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Blocks until what `open` prepares in the background is there.
    pub(crate) fn wait_until_ready(&self) -> Result<(), SandboxError> {
        self.skeleton.get().map(|_| ())
    }
}

fn last_capability() -> u32 {
    let text = fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap_or_default();
    // As of Linux 5.9; a lower real value makes the surplus drops fail, so only ever the file's.
    text.trim().parse().unwrap_or(40)
}
