//! What this machine lets a server do, found out once; and the start of a sandbox on top of it.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::SandboxError;
use crate::cgroup::{Cgroup, Cgroups};
use crate::control::{self, Control};
use crate::janitor::Janitor;
use crate::later::Later;
use crate::launch::{Launcher, Order};
use crate::memory_guard::{Guarded, MemoryGuard, Watch};
use crate::network::PreparedNetwork;
use crate::plan::{Call, Labels, Phase, Plan};
use crate::plan_format::{REPORT_FAILED, REPORT_LISTENERS, REPORT_STARTED};
use crate::privilege;
use crate::process::Pidfd;
use crate::sandbox::Sandbox;
use crate::skeleton::{self, Skeleton};
use crate::spec::{Bind, Identity, Limits, Network, Spec, Stdio, Stream};
use crate::steps::identity::User;
use crate::steps::payload::Inherited;
use crate::steps::root_view::View;
use crate::steps::seccomp::Filter;
use crate::steps::{identity, landlock, network, payload, root_view};
use crate::stock::Stock;
use crate::uids::{Lease, Uids};

/// No step of a start takes long; this is for a host that has stopped answering.
const PATIENCE: Duration = Duration::from_secs(20);

/// Room of one process above its function's memory where only an rlimit guards it: thread stacks
/// and caches count towards that limit before they are used.
const DATA_HEADROOM: u64 = 512 << 20;

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
}

impl HostConfig {
    /// Control groups where possible, and four of each kind ready.
    pub fn new(state_dir: impl Into<PathBuf>, instance: impl Into<String>) -> Self {
        Self {
            state_dir: state_dir.into(),
            instance: instance.into(),
            cgroups: true,
            ready: 4,
        }
    }
}

/// Starts sandboxes. Cheap to clone. Dropping the last clone, once the last sandbox is dropped,
/// waits some milliseconds until everything is torn down.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

pub(crate) struct Inner {
    skeleton: Later<Skeleton>,
    passwd_dir: PathBuf,
    passwd_written: Mutex<HashSet<u32>>,
    pub(crate) cgroups: Cgroups,
    filter: Filter,
    pub(crate) landlock: Option<u32>,
    /// Real root, not only of a user namespace of its own.
    pub(crate) is_root: bool,
    last_capability: u32,
    uids: Uids,
    stock: Stock,
    memory_guard: MemoryGuard,
    null: OwnedFd,
    pub(crate) janitor: Janitor,
    launcher: Launcher,
}

impl Host {
    /// Finds out what the machine offers, and starts preparing what every sandbox shares: the first
    /// start may have to wait for it. Blocks for a few milliseconds.
    pub fn open(config: &HostConfig) -> Result<Self, SandboxError> {
        let passwd_dir = config.state_dir.join("passwd");
        fs::create_dir_all(&passwd_dir).map_err(SandboxError::host("create the state folder"))?;
        let null = File::options().read(true).write(true).open("/dev/null");
        let cgroups = if config.cgroups {
            Cgroups::claim(&config.instance)
        } else {
            Cgroups::none()
        };
        let last_capability = last_capability();
        let root = config.state_dir.join("root");
        let skeleton = Later::start(move || Skeleton::build(&root))?;
        let stock = Stock::open(config.ready, cgroups.clone())?;
        let inner = Inner {
            skeleton,
            passwd_dir,
            passwd_written: Mutex::default(),
            cgroups,
            filter: Filter::compile(),
            landlock: landlock::abi(),
            is_root: privilege::is_root(),
            last_capability,
            uids: Uids::of(&config.instance),
            stock,
            memory_guard: MemoryGuard::start()?,
            null: null.map_err(SandboxError::host("open /dev/null"))?.into(),
            launcher: Launcher::start(last_capability)?,
            janitor: Janitor::start()?,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Starts a program in a new sandbox; returns once the program has been executed. Blocks for
    /// about a millisecond.
    pub fn spawn(&self, spec: Spec) -> Result<Sandbox, SandboxError> {
        spawn(&self.0, spec)
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

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

/// Everything one start holds until the answer.
struct Start<'a> {
    inner: &'a Inner,
    plan: Plan,
    namespaces: i32,
    /// Has a network of its own, and so no use for the host's name servers.
    isolated: bool,
    uid: Option<Lease>,
    listeners: Vec<std::net::TcpListener>,
}

fn spawn(host: &Arc<Inner>, mut spec: Spec) -> Result<Sandbox, SandboxError> {
    let inner = host.as_ref();
    let (control, init_end) =
        Control::pair(PATIENCE).map_err(SandboxError::host("open a control socket"))?;
    let cgroup = match spec.cgroup.take() {
        Some(cgroup) => Some(cgroup),
        None => match inner.stock.cgroup() {
            Some(cgroup) => Some(cgroup),
            None => inner.cgroups.create()?,
        },
    };
    if let Some(cgroup) = &cgroup {
        cgroup.limit(&spec.limits)?;
    }
    let mut start = Start {
        inner,
        plan: Plan::new(init_end.as_raw_fd()),
        namespaces: libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS,
        isolated: false,
        uid: None,
        listeners: Vec::new(),
    };
    if let Some(cgroup) = &cgroup {
        cgroup.join(&mut start.plan)?;
    }
    start.add_hostname(&spec)?;
    let held_network = start.add_network(&mut spec);
    start.add_identity_and_view(&spec)?;
    start.add_payload(&spec)?;
    payload::add_after(&mut start.plan);

    let Start {
        plan,
        namespaces,
        uid,
        mut listeners,
        ..
    } = start;
    let (plan, labels, keep) = plan.finish();
    let birthplace = match &cgroup {
        Some(cgroup) => cgroup.birthplace()?,
        None => None,
    };
    let clone = inner.launcher.launch(Order {
        plan,
        keep,
        namespaces: namespaces as u64,
        cgroup: birthplace.as_ref().map(AsRawFd::as_raw_fd),
    })?;
    let limits = spec.limits;
    drop((init_end, held_network, spec));

    let init = clone.pidfd;
    let exceeded = Arc::new(AtomicBool::new(false));
    // While init is busy; not a moment of the start is spent on it.
    let watch = guard(inner, &init, clone.pid, cgroup.as_ref(), limits, &exceeded);
    let program = match await_start(&control, &labels, &mut listeners) {
        Ok(program) => program,
        Err(error) => {
            let _ = init.signal(libc::SIGKILL);
            inner
                .janitor
                .bury(crate::janitor::Remains { init, cgroup, uid });
            return Err(error);
        }
    };
    Ok(Sandbox {
        host: Arc::clone(host),
        init: Some(init),
        pid: clone.pid,
        program,
        control,
        listeners,
        watch,
        exceeded,
        cgroup,
        uid,
        exit: Mutex::default(),
    })
}

/// Has the environment killed when its memory without `/tmp` exceeds its limit; where that cannot
/// be watched, the hard limit on both together remains.
fn guard(
    inner: &Inner,
    init: &Pidfd,
    pid: u32,
    cgroup: Option<&Cgroup>,
    limits: Limits,
    exceeded: &Arc<AtomicBool>,
) -> Option<Watch> {
    let group = cgroup?.memory_group()?;
    let watch = init
        .try_clone()
        .map_err(SandboxError::host("keep a pidfd"))
        .and_then(|init| {
            inner.memory_guard.watch(Guarded {
                group,
                init,
                pid,
                memory_bytes: limits.memory_bytes,
                tmp_bytes: limits.tmp_bytes,
                exceeded: Arc::clone(exceeded),
            })
        });
    watch
        .inspect_err(|error| tracing::warn!(%error, "guard the memory of an environment"))
        .ok()
}

/// Listens to init until the program runs, and returns the program's pidfd.
fn await_start(
    control: &Control,
    labels: &Labels,
    listeners: &mut Vec<std::net::TcpListener>,
) -> Result<Pidfd, SandboxError> {
    loop {
        let mut packet = control.receive()?.ok_or(SandboxError::Ended)?;
        match packet.report.kind {
            REPORT_FAILED => return Err(labels.failure(&packet.report)),
            REPORT_LISTENERS => *listeners = control::listeners(packet.descriptors),
            REPORT_STARTED => {
                let program = packet.descriptors.pop().ok_or(SandboxError::Ended)?;
                return Ok(Pidfd::new(program));
            }
            _ => return Err(SandboxError::Ended),
        }
    }
}

impl Start<'_> {
    fn add_hostname(&mut self, spec: &Spec) -> Result<(), SandboxError> {
        let name = self.plan.string("hostname", &spec.hostname)?;
        let length = spec.hostname.len() as u64;
        let call = Call::new(libc::SYS_sethostname).with(name).with(length);
        self.plan.push(Phase::Setup, "set the hostname", call);
        Ok(())
    }

    /// Returns the namespace to be entered, which has to stay open until then.
    fn add_network(&mut self, spec: &mut Spec) -> Option<OwnedFd> {
        let network = std::mem::replace(&mut spec.network, Network::Host);
        let prepared = match network {
            Network::Host => return None,
            Network::Prepared(prepared) => prepared,
            Network::Isolated { listeners } => {
                let ready = self
                    .inner
                    .is_root
                    .then(|| self.inner.stock.network(&listeners));
                if let Some(prepared) = ready.flatten() {
                    prepared
                } else {
                    self.namespaces |= libc::CLONE_NEWNET;
                    self.isolated = true;
                    network::add(&mut self.plan, &listeners);
                    return None;
                }
            }
        };
        let PreparedNetwork {
            namespace,
            listeners,
        } = prepared;
        self.isolated = true;
        self.listeners = listeners;
        let inside = self.plan.keep(namespace.as_raw_fd());
        let enter = Call::new(libc::SYS_setns)
            .with_int(inside)
            .with_int(libc::CLONE_NEWNET);
        self.plan
            .push(Phase::Setup, "enter the network namespace", enter);
        Some(namespace)
    }

    /// The root view, then the user: mounting takes privilege, and the user ends it.
    fn add_identity_and_view(&mut self, spec: &Spec) -> Result<(), SandboxError> {
        let mut extra = Vec::new();
        let user = if self.inner.is_root {
            let (uid, gid) = match spec.identity {
                Identity::Fixed { uid, gid } => (uid, gid),
                Identity::Pooled => {
                    let lease = self.inner.uids.take()?;
                    let uid = lease.uid;
                    self.uid = Some(lease);
                    (uid, uid)
                }
            };
            extra.push(self.inner.passwd(uid, gid)?);
            self.own_pipes(&spec.stdio, uid, gid);
            User::Real { uid, gid }
        } else {
            self.namespaces |= libc::CLONE_NEWUSER;
            User::Mapped
        };
        if !self.isolated && Path::new("/etc/resolv.conf").exists() {
            extra.push(Bind::new("/etc/resolv.conf", "/etc/resolv.conf"));
        }
        let view = View {
            skeleton: self.inner.skeleton.get()?,
            root: &spec.root,
            tmp_bytes: spec.limits.tmp_bytes,
            extra: &extra,
        };
        root_view::add(&mut self.plan, &view)?;
        identity::add(&mut self.plan, user, self.inner.last_capability);
        Ok(())
    }

    /// A pipe belongs to who made it, and only its owner can open `/dev/stdout` on it.
    fn own_pipes(&mut self, stdio: &Stdio, uid: u32, gid: u32) {
        for stream in [&stdio.stdin, &stdio.stdout, &stdio.stderr] {
            let Stream::Fd(fd) = stream else { continue };
            if is_pipe(fd.as_fd()) {
                let inside = self.plan.keep(fd.as_raw_fd());
                let call = Call::new(libc::SYS_fchown)
                    .with_int(inside)
                    .with(u64::from(uid))
                    .with(u64::from(gid));
                self.plan.push(Phase::Setup, "own a pipe", call);
            }
        }
    }

    fn add_payload(&mut self, spec: &Spec) -> Result<(), SandboxError> {
        let rlimits = self.rlimits(&spec.limits);
        payload::add_limits(&mut self.plan, &rlimits);
        let mut inherited: Vec<Inherited<'_>> = Vec::new();
        let streams = [&spec.stdio.stdin, &spec.stdio.stdout, &spec.stdio.stderr];
        for (target, stream) in streams.into_iter().enumerate() {
            let fd = match stream {
                Stream::Null => self.inner.null.as_fd(),
                Stream::Fd(fd) => fd.as_fd(),
            };
            inherited.push(Inherited {
                fd,
                target: target as RawFd,
            });
        }
        let further = spec
            .inherit
            .iter()
            .map(|(fd, target)| (fd.as_fd(), *target));
        inherited.extend(further.map(|(fd, target): (BorrowedFd<'_>, _)| Inherited { fd, target }));
        payload::add_descriptors(&mut self.plan, &inherited);
        if let Some(abi) = self.inner.landlock {
            landlock::add(&mut self.plan, abi)?;
        }
        self.inner.filter.add(&mut self.plan);
        payload::add_exec(&mut self.plan, spec)
    }

    /// Limits of each process; those of the environment only where no control group has them.
    fn rlimits(&self, limits: &Limits) -> Vec<(libc::__rlimit_resource_t, u64)> {
        let mut rlimits = vec![
            (libc::RLIMIT_CORE, 0),
            (libc::RLIMIT_NOFILE, u64::from(limits.open_files)),
        ];
        if !self.inner.cgroups.controls("pids") {
            rlimits.push((libc::RLIMIT_NPROC, u64::from(limits.pids) + 1));
        }
        if !self.inner.cgroups.controls("memory") {
            let data = limits.memory_bytes.saturating_add(DATA_HEADROOM);
            rlimits.push((libc::RLIMIT_DATA, data));
        }
        rlimits
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
    /// This uid's `/etc/passwd`, written when it is first used.
    fn passwd(&self, uid: u32, gid: u32) -> Result<Bind, SandboxError> {
        let path = self.passwd_dir.join(uid.to_string());
        let mut written = self
            .passwd_written
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !written.contains(&uid) {
            skeleton::file(&path, skeleton::passwd(uid, gid).as_bytes())
                .map_err(SandboxError::host("write a passwd file"))?;
            written.insert(uid);
        }
        Ok(Bind::new(path, "/etc/passwd"))
    }
}

fn last_capability() -> u32 {
    let text = fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap_or_default();
    // As of Linux 5.9; a lower real value makes the surplus drops fail, so only ever the file's.
    text.trim().parse().unwrap_or(40)
}

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: zeroed is a valid stat, and the descriptor is live.
    let (result, stat) = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd.as_raw_fd(), &raw mut stat), stat)
    };
    result == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO
}
