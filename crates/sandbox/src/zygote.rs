//! Zygotes: programs that have loaded what many sandboxes need, and fork instead of loading again.
//!
//! A zygote lives in the root view that its sandboxes have, without a network, and runs nothing of
//! any tenant. It keeps the privilege to make namespaces and to change its user, so it takes orders
//! from nobody but the server, and what it forks sheds all privilege before it runs a line of its
//! own. It is no ancestor of its sandboxes: they are the server's children, and survive it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::SandboxError;
use crate::cgroup::Cgroup;
use crate::clone_format::CLONE_INTO_CGROUP;
use crate::control::Control;
use crate::host::{Host, Inner};
use crate::janitor::Remains;
use crate::launch::{Clone, Order, unreadable_init_file};
use crate::opening::Opening;
use crate::plan::{Phase, Plan, as_bytes};
use crate::plan_format::{
    ForkOrder, MOST_ORDERED, REPORT_FAILED, REPORT_FORKED, REPORT_SERVING, ZYGOTE_INIT,
    ZYGOTE_SOCKET,
};
use crate::process::{self, Pidfd};
use crate::rights;
use crate::sandbox::Sandbox;
use crate::spec::{Bind, ForkSpec, Identity, Network, Spec, Stdio};
use crate::start::{PATIENCE, RESOLV_CONF, Start, inherited};
use crate::steps::root_view::{STASH, View};
use crate::steps::{identity, payload, root_view};

/// The extension module that a Python zygote serves with, `_kagero_fork`, as a shared object.
pub const FORK_MODULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/forker.so"));

/// Of a new sandbox whose parent is the server, and whose pidfd the zygote hands over.
const FLAGS: u64 = (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u64;

/// More of them would have no more processors, and each has its tables of pages.
const MOST_TWINS: usize = 7;

/// A program that forks sandboxes. Dropping it ends it, and none of them.
#[derive(Debug)]
pub struct Zygote {
    host: Arc<Inner>,
    /// Its own process, then its twins.
    processes: Mutex<Vec<Pidfd>>,
    pid: u32,
    stash: PathBuf,
    /// Its own and those of its twins, while nobody has an order carried out there: each takes one at
    /// a time.
    free: Mutex<Vec<Control>>,
    /// One has come back.
    freed: Condvar,
}

impl Host {
    /// Starts a zygote, whose program is to call `_kagero_fork.serve()`: of the spec counts what
    /// it runs and sees, and the kind of network that its sandboxes will have. Returns once it has been executed; it is ready with [`Zygote::serves`].
    /// `None` where it cannot be: without root.
    pub fn zygote(&self, spec: &Spec) -> Result<Option<Zygote>, SandboxError> {
        let host = self.arc();
        let Some(stash) = spec.stash.clone().filter(|_| host.is_root) else {
            return Ok(None);
        };
        let (control, init_end) =
            Control::pair(PATIENCE).map_err(SandboxError::host("open a control socket"))?;
        let (socket, program_end) =
            Control::pair(PATIENCE).map_err(SandboxError::host("open a zygote's socket"))?;
        let init = OwnedFd::from(unreadable_init_file()?);
        let mut plan = Plan::new(init_end.as_raw_fd());
        plan.becomes_payload();
        let mut extra = vec![Bind::new(&stash, STASH)];
        // It has no network, and its sandboxes have the name servers of theirs.
        let resolv_conf = match &spec.network {
            Network::Egress { .. } => host.egress.get()?.resolv_conf().map(Path::to_owned),
            Network::Host => Some(PathBuf::from(RESOLV_CONF)).filter(|path| path.exists()),
            Network::Isolated { .. } | Network::Prepared(_) => None,
        };
        extra.extend(resolv_conf.map(|path| Bind::new(path, RESOLV_CONF)));
        let view = View {
            skeleton: host.skeleton.get()?,
            root: &spec.root,
            tmp: None,
            extra: &extra,
            passwd: None,
        };
        root_view::add(&mut plan, &view)?;
        identity::die_with_server(&mut plan);
        payload::add_limits(&mut plan, &[(libc::RLIMIT_CORE, 0)]);
        let further = [(program_end, ZYGOTE_SOCKET), (init, ZYGOTE_INIT)];
        let stdio = Stdio::default();
        payload::add_descriptors(&mut plan, &inherited(host, &stdio, &further));
        payload::add_exec(&mut plan, spec)?;
        let (plan, labels, keep) = plan.finish();
        let namespaces =
            libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET;
        let clone = host.launcher.launch(Order {
            plan,
            keep,
            namespaces: namespaces as u64,
            cgroup: None,
        })?;
        drop((init_end, further));
        let zygote = Zygote {
            host: Arc::clone(host),
            processes: Mutex::new(vec![clone.pidfd]),
            pid: clone.pid,
            stash,
            free: Mutex::new(vec![socket]),
            freed: Condvar::new(),
        };
        // Executing closes its end; anything before that is a failure.
        match control.receive()? {
            None => Ok(Some(zygote)),
            Some(packet) if packet.report.kind == REPORT_FAILED => {
                Err(labels.failure(&packet.report))
            }
            Some(_) => Err(SandboxError::Ended),
        }
    }
}

impl Zygote {
    /// The zygote's process, as the host sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended, by whatever hand, or a twin of it; in doubt it has.
    pub fn has_ended(&self) -> bool {
        let processes = lock(&self.processes);
        processes.iter().any(|one| one.has_ended().unwrap_or(true))
    }

    /// Memory of its own, in bytes: what is in no file.
    pub fn memory_bytes(&self) -> u64 {
        process::anonymous(self.pid)
    }

    /// Blocks until it takes orders, as many at once as there are processors.
    pub fn serves(&self) -> Result<(), SandboxError> {
        let socket = self.socket();
        match socket.receive()? {
            Some(packet) if packet.report.kind == REPORT_SERVING => {}
            _ => return Err(SandboxError::Ended),
        }
        let processors = thread::available_parallelism().map_or(1, usize::from);
        for _ in 1..processors.min(1 + MOST_TWINS) {
            if let Err(error) = self.add_twin(&socket) {
                tracing::warn!(%error, pid = self.pid, "a zygote goes on without a twin");
                break;
            }
        }
        self.give_back(socket);
        Ok(())
    }

    fn add_twin(&self, socket: &Control) -> Result<(), SandboxError> {
        let (own, program_end) =
            Control::pair(PATIENCE).map_err(SandboxError::host("open a zygote's socket"))?;
        let order = ForkOrder {
            flags: FLAGS,
            ..ForkOrder::default()
        };
        let twin = tell(socket, &order, &[], &[program_end.as_raw_fd()])?;
        lock(&self.processes).push(twin.pidfd);
        self.give_back(own);
        Ok(())
    }

    /// A socket for one order, waited for.
    fn socket(&self) -> Control {
        let mut free = lock(&self.free);
        loop {
            // The one that was used last: the rest of its memory is in the processor's caches.
            if let Some(socket) = free.pop() {
                return socket;
            }
            free = self
                .freed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, socket: Control) {
        lock(&self.free).push(socket);
        self.freed.notify_one();
    }

    /// Forks a sandbox: what [`Host::spawn`] makes with a stash, but for the program, which goes on where
    /// the zygote is; and where the spec says what it becomes, completed. Blocks for a millisecond or
    /// two.
    pub fn fork(&self, mut spec: ForkSpec) -> Result<Sandbox, SandboxError> {
        let host = &self.host;
        // A burst beyond what is ready does not wait for disks: memory serves as well.
        let disk = host.tmp_disks.take_ready(spec.limits.tmp_bytes);
        let limit = match &spec.binds {
            Some(_) => Cgroup::limit,
            None => Cgroup::limit_for_now,
        };
        let mut start = Start::new(host, None, spec.limits, disk, limit)?;
        start.add_hostname(&spec.hostname)?;
        start.add_network(std::mem::take(&mut spec.network))?;
        let user = start.take_user(Identity::Pooled, &spec.stdio)?;
        let passwd = user.passwd();
        root_view::add_forked(&mut start.plan, start.tmp, passwd.as_deref())?;
        let last_capability = host.last_capability;
        if let Some(binds) = &spec.binds {
            root_view::add_completion(&mut start.plan, &self.stash, binds, None)?;
            identity::add(&mut start.plan, Phase::Setup, user, last_capability);
            identity::guard_init(&mut start.plan);
        } else {
            identity::die_with_server(&mut start.plan);
            start.opening = Some(Opening::new(&self.stash, user));
            identity::add(&mut start.plan, Phase::Payload, user, last_capability);
        }
        let inherited = inherited(host, &spec.stdio, &spec.inherit);
        identity::make_payload_dumpable(&mut start.plan);
        start.add_limits_and_descriptors(&inherited);
        start.confine()?;
        // Last: what the steps before opened would otherwise stay open, as nothing is executed.
        payload::close_others(&mut start.plan, &inherited);
        start.launch(|order| self.order(&order))
    }

    /// Has the zygote carry out an order.
    fn order(&self, order: &Order) -> Result<Clone, SandboxError> {
        if order.plan.len() > MOST_ORDERED {
            return Err(SandboxError::Host {
                action: "order a zygote to fork",
                source: std::io::Error::from(std::io::ErrorKind::InvalidInput),
            });
        }
        let into_cgroup = order.cgroup.map_or(0, |_| CLONE_INTO_CGROUP);
        let fork = ForkOrder {
            flags: FLAGS | order.namespaces | into_cgroup,
            exit_signal: 0,
            length: order.plan.len() as u64,
        };
        let kept = order.keep.iter().copied().chain(order.cgroup);
        let descriptors: Vec<RawFd> = kept.collect();
        // What is left of it would go on, and is not to.
        if self.has_ended() {
            return Err(SandboxError::Ended);
        }
        let socket = self.socket();
        let clone = tell(&socket, &fork, &order.plan, &descriptors);
        self.give_back(socket);
        clone
    }
}

/// Has a zygote or a twin carry out an order.
fn tell(
    socket: &Control,
    order: &ForkOrder,
    plan: &[u8],
    descriptors: &[RawFd],
) -> Result<Clone, SandboxError> {
    let packet = [as_bytes(order), plan].concat();
    rights::send(socket.as_fd(), &packet, descriptors, 0)
        .map_err(SandboxError::host("order a zygote to fork"))?;
    let mut packet = socket.receive()?.ok_or(SandboxError::Ended)?;
    if packet.report.kind != REPORT_FORKED {
        return Err(SandboxError::Ended);
    }
    let pidfd = packet.descriptors.pop().ok_or_else(|| SandboxError::Host {
        action: "fork a zygote",
        source: std::io::Error::from_raw_os_error(packet.report.errno as i32),
    })?;
    Ok(Clone {
        pidfd: Pidfd::new(pidfd),
        pid: packet.report.value as u32,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Zygote {
    fn drop(&mut self) {
        for init in std::mem::take(&mut *lock(&self.processes)) {
            if let Err(error) = init.signal(libc::SIGKILL) {
                tracing::warn!(%error, pid = self.pid, "end a zygote");
            }
            self.host.janitor.bury(Remains {
                init,
                cgroup: None,
                tmp: None,
                way_out: None,
                uid: None,
                network: None,
            });
        }
    }
}
