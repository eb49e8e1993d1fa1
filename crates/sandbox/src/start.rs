//! The start of one sandbox: from a spec to a plan, from a plan to a running program.

use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::SandboxError;
use crate::cgroup::Cgroup;
use crate::control::{self, Control};
use crate::host::Inner;
use crate::janitor::Remains;
use crate::launch::Order;
use crate::memory_guard::{Guarded, Watch};
use crate::network::PreparedNetwork;
use crate::plan::{Call, Labels, Phase, Plan};
use crate::plan_format::{REPORT_FAILED, REPORT_LISTENERS, REPORT_STARTED};
use crate::process::Pidfd;
use crate::sandbox::Sandbox;
use crate::spec::{Bind, Identity, Limits, Network, Spec, Stdio, Stream};
use crate::steps::identity::User;
use crate::steps::payload::Inherited;
use crate::steps::root_view::View;
use crate::steps::{identity, landlock, network, payload, root_view};
use crate::uids::Lease;

/// No step of a start takes long; this is for a host that has stopped answering.
const PATIENCE: Duration = Duration::from_secs(20);

/// Room of one process above its function's memory where only an rlimit guards it: thread stacks
/// and caches count towards that limit before they are used.
const DATA_HEADROOM: u64 = 512 << 20;

/// Everything one start holds until the answer.
struct Start<'a> {
    inner: &'a Inner,
    plan: Plan,
    namespaces: i32,
    /// Has a network of its own, and so no use for the host's name servers.
    isolated: bool,
    uid: Option<Lease>,
    listeners: Vec<TcpListener>,
}

/// Starts a program; returns once it has been executed, or with what failed.
pub(crate) fn spawn(host: &Arc<Inner>, mut spec: Spec) -> Result<Sandbox, SandboxError> {
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
            inner.janitor.bury(Remains { init, cgroup, uid });
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
    listeners: &mut Vec<TcpListener>,
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

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: zeroed is a valid stat, and the descriptor is live.
    let (result, stat) = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd.as_raw_fd(), &raw mut stat), stat)
    };
    result == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO
}
