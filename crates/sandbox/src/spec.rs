//! What the caller asks for: one program, what it may see, and what it may use.

use std::ffi::OsString;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use crate::cgroup::Cgroup;
use crate::network::PreparedNetwork;

/// One environment: a program and everything the kernel lets it see and use.
#[derive(Debug)]
pub struct Spec {
    /// The executable, as a path inside the sandbox.
    pub program: PathBuf,
    /// The arguments after `argv[0]`, which is `program`.
    pub args: Vec<OsString>,
    /// The whole environment; nothing of the server's own is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory inside the sandbox.
    pub cwd: PathBuf,
    /// At most 64 bytes.
    pub hostname: String,
    pub root: RootView,
    pub identity: Identity,
    pub limits: Limits,
    pub network: Network,
    pub stdio: Stdio,
    /// Further open files and the numbers under which the program finds them (3 or above).
    /// Every other descriptor is closed.
    pub inherit: Vec<(OwnedFd, RawFd)>,
    /// A control group prepared ahead with [`crate::Host::prepare_cgroup`]; `None` takes one from
    /// the host's own pool.
    pub cgroup: Option<Cgroup>,
    /// Leaves the sandbox open: its program is nobody's yet, and [`crate::Sandbox::complete`] makes
    /// it somebody's, with binds out of this host folder. Until then pid 1 stays privileged, and
    /// the program, which is to be trusted as long, could read this folder.
    pub stash: Option<PathBuf>,
    /// The program may become a template, [`crate::Template::hold`]. It has no Landlock domain: its
    /// forks, which have one each, could not leave it.
    pub template: bool,
}

/// What makes an open sandbox somebody's.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// Their host paths lie in the stash; their guest folders exist, such as `/var/task`.
    pub binds: Vec<Bind>,
    pub limits: Limits,
}

/// A sandbox forked from a zygote: it runs the zygote's program and sees its root view.
#[derive(Debug, Default)]
pub struct ForkSpec {
    /// At most 64 bytes.
    pub hostname: String,
    pub limits: Limits,
    /// What makes it somebody's at once, as in [`Completion`]; without, it is open, as with
    /// [`Spec::stash`]. What a template forks is somebody's already.
    pub binds: Option<Vec<Bind>>,
    pub network: Network,
    pub stdio: Stdio,
    /// As in [`Spec`].
    pub inherit: Vec<(OwnedFd, RawFd)>,
}

impl Spec {
    /// A spec with the defaults of a 128 MB function: no binds, an isolated network, output
    /// discarded.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            hostname: String::from("localhost"),
            root: RootView::default(),
            identity: Identity::default(),
            limits: Limits::default(),
            network: Network::default(),
            stdio: Stdio::default(),
            inherit: Vec::new(),
            cgroup: None,
            stash: None,
            template: false,
        }
    }
}

/// The file system the program sees: the host's `/usr` and library folders, a synthetic `/etc`,
/// `/dev` and `/proc`, a writable `/tmp`, and these binds. Everything but `/tmp` and `/dev/shm`
/// is read-only.
#[derive(Debug, Clone, Default)]
pub struct RootView {
    /// A tree of a host folder that is all the program sees instead, read-only as well. It has the
    /// places at which devices, `/dev/shm`, `/proc`, `/tmp`, `/etc/passwd` and `/etc/resolv.conf`
    /// are mounted, and none of them, nor a folder above one, is a link.
    pub image: Option<PathBuf>,
    /// Mounted in this order, so that a later one may stand inside an earlier one.
    pub binds: Vec<Bind>,
}

/// A host folder or file that appears, live and read-only, inside the sandbox (nosuid, nodev).
#[derive(Debug, Clone)]
pub struct Bind {
    /// Must exist when the sandbox is created. Changes made here later are seen inside.
    pub host: PathBuf,
    /// Absolute; created where it is missing, unless it lies inside another bind.
    pub guest: PathBuf,
}

impl Bind {
    pub fn new(host: impl Into<PathBuf>, guest: impl Into<PathBuf>) -> Self {
        Self {
            host: host.into(),
            guest: guest.into(),
        }
    }
}

/// Whose processes these are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Identity {
    /// As root, a uid of the pool that no other live environment has. Otherwise the server's own
    /// user, seen inside as [`GUEST_UID`].
    #[default]
    Pooled,
    /// As root, exactly this user, for code that only its owner can read. Otherwise as `Pooled`.
    Fixed { uid: u32, gid: u32 },
}

/// The uid an unprivileged server's environments see themselves as: the one Lambda uses.
pub const GUEST_UID: u32 = 993;
/// The gid that goes with [`GUEST_UID`].
pub const GUEST_GID: u32 = 990;

/// What the environment may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all its processes together, `/tmp` excluded; `u64::MAX` for no limit.
    pub memory_bytes: u64,
    /// Thousandths of one CPU. Lambda gives 1,000 per 1,769 MB of memory.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
    pub cpu_millis: u32,
    /// Processes and threads. Lambda: 1,024.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
    pub pids: u32,
    /// Open files of one process. Lambda: 1,024.
    pub open_files: u32,
    /// Size of `/tmp`, which on disk is never more than 10,240 MB. Lambda: 512 MB to 10,240 MB.
    pub tmp_bytes: u64,
}

impl Limits {
    /// What the kernel enforces on memory and a `/tmp` in memory together, as it cannot tell them
    /// apart. A `/tmp` on disk has no part in it.
    pub(crate) fn hard_memory_bytes(&self) -> u64 {
        self.memory_bytes.saturating_add(self.tmp_bytes)
    }

    /// Memory of one process where no control group counts that of all: thread stacks and caches
    /// count towards this limit before they are used.
    pub(crate) fn process_memory_bytes(&self) -> u64 {
        self.memory_bytes.saturating_add(512 << 20)
    }
}

impl Default for Limits {
    /// A Lambda function as created without settings: 128 MB, 512 MB of `/tmp`.
    fn default() -> Self {
        Self {
            memory_bytes: 128 << 20,
            cpu_millis: 72,
            pids: 1024,
            open_files: 1024,
            tmp_bytes: 512 << 20,
        }
    }
}

/// What the environment can reach.
#[derive(Debug)]
pub enum Network {
    /// A network namespace of its own with only the loopback interface. For each of these ports a
    /// socket listens on 127.0.0.1 inside, and the server holds it; 0 lets the kernel choose.
    Isolated { listeners: Vec<u16> },
    /// The same with a way out to the host's outside, where [`crate::HostConfig::egress`] is set
    /// and the host can give it: see [`crate::Host::egress_missing`].
    Egress { listeners: Vec<u16> },
    /// An isolated one, made ahead with [`crate::Host::prepare_network`].
    Prepared(PreparedNetwork),
    /// The host's own network: no isolation at all.
    Host,
}

impl Default for Network {
    fn default() -> Self {
        Self::Isolated {
            listeners: Vec::new(),
        }
    }
}

/// The program's first three descriptors.
#[derive(Debug, Default)]
pub struct Stdio {
    pub stdin: Stream,
    pub stdout: Stream,
    pub stderr: Stream,
}

/// Where one of the program's standard streams leads.
#[derive(Debug, Default)]
pub enum Stream {
    /// `/dev/null`.
    #[default]
    Null,
    /// This open file, usually one end of a pipe.
    Fd(OwnedFd),
}
