//! The start of one sandbox: from a spec to a plan, from a plan to a running program.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::SandboxError;
use crate::cgroup::Cgroup;
use crate::control::Control;
use crate::egress::{self, Gate};
use crate::host::Inner;
use crate::network::PreparedNetwork;
use crate::opening::Opening;
use crate::plan::{Call, Phase, Plan};
use crate::renewal::Lent;
use crate::sandbox::Sandbox;
use crate::spec::{Bind, Identity, Limits, Network, Spec, Stdio, Stream};
use crate::steps::identity::User;
use crate::steps::payload::Inherited;
use crate::steps::root_view::{STASH, Tmp, View};
use crate::steps::{identity, landlock, network, payload, root_view};
use crate::template::Kept;
use crate::tmp_disk::{More, TmpDisk};
use crate::uids::Lease;

/// No step of a start takes long; this is for a host that has stopped answering.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where name servers are named, on the host and inside.
pub(crate) const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Everything one start holds until the answer.
pub(crate) struct Start<'a> {
    pub(crate) host: &'a Arc<Inner>,
    pub(crate) plan: Plan,
    pub(crate) namespaces: i32,
    /// Has a network of its own, and so no use for the host's name servers.
    isolated: bool,
    /// Where it waits for its way out, if that is made from without.
    pub(crate) gate: Option<Gate>,
    /// Which name servers it has instead.
    resolv_conf: Option<PathBuf>,
    pub(crate) uid: Option<Lease>,
    pub(crate) listeners: Vec<TcpListener>,
    /// What goes back to the stock when the sandbox has ended.
    pub(crate) lent: Option<Lent>,
    pub(crate) control: Control,
    pub(crate) cgroup: Option<Cgroup>,
    pub(crate) limits: Limits,
    pub(crate) disk: Option<TmpDisk>,
    pub(crate) tmp: Tmp,
    /// Open until the clone has them.
    pub(crate) held: Vec<OwnedFd>,
    pub(crate) opening: Option<Opening>,
    /// What it is forked from, and lives no longer than.
    pub(crate) parent: Option<Arc<Kept>>,
}

/// Starts a program; returns once it has been executed, or with what failed.
pub(crate) fn spawn(host: &Arc<Inner>, mut spec: Spec) -> Result<Sandbox, SandboxError> {
    let own_uid = host.is_root && spec.identity == Identity::Pooled;
    // What is still to become somebody's was begun ahead, and nobody waits for it.
    let more = match spec.stash {
        Some(_) => More::InALull,
        None => More::AtOnce,
    };
    let disk = own_uid.then(|| host.tmp_disks.take(spec.limits.tmp_bytes, more));
    let (cgroup, disk) = (spec.cgroup.take(), disk.flatten());
    let mut start = Start::new(host, cgroup, spec.limits, disk, Cgroup::limit)?;
    start.add_hostname(&spec.hostname)?;
    start.add_network(std::mem::take(&mut spec.network))?;
    start.add_identity_and_view(&spec)?;
    if let Some(gate) = &start.gate {
        gate.add(&mut start.plan);
    }
    start.add_payload(&spec)?;
    payload::add_after(&mut start.plan);
    start.launch(|order| host.launcher.launch(order))
}

impl<'a> Start<'a> {
    pub(crate) fn new(
        host: &'a Arc<Inner>,
        cgroup: Option<Cgroup>,
        limits: Limits,
        disk: Option<(TmpDisk, OwnedFd)>,
        limit: impl FnOnce(&Cgroup, &Limits) -> Result<(), SandboxError>,
    ) -> Result<Self, SandboxError> {
        let (control, init_end) =
            Control::pair(PATIENCE).map_err(SandboxError::host("open a control socket"))?;
        let cgroup = match cgroup.or_else(|| host.stock.cgroup()) {
            Some(cgroup) => Some(cgroup),
            None => host.cgroups.create()?,
        };
        let mut plan = Plan::new(init_end.as_raw_fd());
        let mut held = vec![init_end];
        let (disk, mount) = disk.unzip();
        let tmp = match mount {
            Some(mount) => {
                let inside = plan.keep(mount.as_raw_fd());
                held.push(mount);
                Tmp::Disk(inside)
            }
            None => Tmp::Memory(limits.tmp_bytes),
        };
        let limits = charged(limits, disk.as_ref());
        if let Some(cgroup) = &cgroup {
            limit(cgroup, &limits)?;
            held.extend(cgroup.join(&mut plan)?.into_iter().map(File::into));
        }
        Ok(Self {
            host,
            plan,
            namespaces: libc::CLONE_NEWNS
                | libc::CLONE_NEWPID
                | libc::CLONE_NEWIPC
                | libc::CLONE_NEWUTS,
            isolated: false,
            gate: None,
            resolv_conf: None,
            uid: None,
            listeners: Vec::new(),
            lent: None,
            control,
            cgroup,
            limits,
            disk,
            tmp,
            held,
            opening: None,
            parent: None,
        })
    }

    pub(crate) fn add_hostname(&mut self, hostname: &str) -> Result<(), SandboxError> {
        let name = self.plan.string("hostname", hostname)?;
        let length = hostname.len() as u64;
        let call = Call::new(libc::SYS_sethostname).with(name).with(length);
        self.plan.push(Phase::Setup, "set the hostname", call);
        Ok(())
    }

    pub(crate) fn add_network(&mut self, network: Network) -> Result<(), SandboxError> {
        let prepared = match egress::provide(self.host, network)? {
            Network::Host => return Ok(()),
            Network::Prepared(prepared) => prepared,
            Network::Egress { listeners } => return self.add_pasta(&listeners),
            Network::Isolated { listeners } => {
                let ready = self
                    .host
                    .is_root
                    .then(|| self.host.stock.network(&listeners, false));
                if let Some(prepared) = ready.flatten() {
                    prepared
                } else {
                    self.namespaces |= libc::CLONE_NEWNET;
                    self.isolated = true;
                    network::add(&mut self.plan, &listeners, &[]);
                    return Ok(());
                }
            }
        };
        let PreparedNetwork {
            namespace,
            listeners,
            resolv_conf,
            home,
        } = prepared;
        if let Some(home) = home {
            let namespace = namespace.try_clone();
            self.lent = Some(Lent {
                namespace: namespace.map_err(SandboxError::host("keep a network namespace"))?,
                resolv_conf: resolv_conf.clone(),
                home,
            });
        }
        self.resolv_conf = resolv_conf;
        self.isolated = true;
        self.listeners = listeners;
        let inside = self.plan.keep(namespace.as_raw_fd());
        let enter = Call::new(libc::SYS_setns)
            .with_int(inside)
            .with_int(libc::CLONE_NEWNET);
        self.plan
            .push(Phase::Setup, "enter the network namespace", enter);
        self.held.push(namespace);
        Ok(())
    }

    /// A network that is led out by `pasta`, as soon as it exists.
    fn add_pasta(&mut self, listeners: &[u16]) -> Result<(), SandboxError> {
        self.namespaces |= libc::CLONE_NEWNET;
        self.isolated = true;
        self.resolv_conf = self.host.egress.get()?.resolv_conf().map(Path::to_owned);
        network::add(&mut self.plan, listeners, &network::WAY_OUT);
        let (reader, writer) = Gate::pipe()?;
        let inside = self.plan.keep(reader.as_raw_fd());
        self.held.push(reader.into());
        self.gate = Some(Gate::of(inside, writer));
        Ok(())
    }

    /// Who the program becomes; as root a uid of its own, which also owns its output.
    pub(crate) fn take_user(
        &mut self,
        identity: Identity,
        stdio: &Stdio,
    ) -> Result<User, SandboxError> {
        if !self.host.is_root {
            self.namespaces |= libc::CLONE_NEWUSER;
            return Ok(User::Mapped);
        }
        let (uid, gid) = match identity {
            Identity::Fixed { uid, gid } => (uid, gid),
            Identity::Pooled => {
                let lease = self.host.uids.take()?;
                let uid = lease.uid;
                self.uid = Some(lease);
                (uid, uid)
            }
        };
        self.own_pipes(stdio, uid, gid);
        Ok(User::Real { uid, gid })
    }

    /// The root view, then the user: mounting takes privilege, and the user ends it. In an open
    /// sandbox it ends the program's alone.
    fn add_identity_and_view(&mut self, spec: &Spec) -> Result<(), SandboxError> {
        let user = self.take_user(spec.identity, &spec.stdio)?;
        let mut extra = Vec::new();
        let hosts = Path::new(RESOLV_CONF);
        if !self.isolated && hosts.exists() {
            self.resolv_conf = Some(hosts.to_owned());
        }
        let resolv_conf = self.resolv_conf.take();
        extra.extend(resolv_conf.map(|path| Bind::new(path, RESOLV_CONF)));
        if let Some(stash) = &spec.stash {
            extra.push(Bind::new(stash, STASH));
        }
        let passwd = user.passwd();
        let view = View {
            skeleton: self.host.skeleton.get()?,
            root: &spec.root,
            tmp: Some(self.tmp),
            extra: &extra,
            passwd: passwd.as_deref(),
        };
        root_view::add(&mut self.plan, &view)?;
        let last_capability = self.host.last_capability;
        if let Some(stash) = &spec.stash {
            identity::die_with_server(&mut self.plan);
            self.opening = Some(Opening::new(stash, user));
            identity::add(&mut self.plan, Phase::Payload, user, last_capability);
        } else {
            identity::add(&mut self.plan, Phase::Setup, user, last_capability);
            identity::guard_init(&mut self.plan);
        }
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
        let inherited = inherited(self.host, &spec.stdio, &spec.inherit);
        self.add_limits_and_descriptors(&inherited);
        if spec.template {
            self.host.filter.add(&mut self.plan);
        } else {
            self.confine()?;
        }
        payload::add_exec(&mut self.plan, spec)
    }

    pub(crate) fn add_limits_and_descriptors(&mut self, inherited: &[Inherited<'_>]) {
        let rlimits = self.rlimits(&self.limits);
        payload::add_limits(&mut self.plan, &rlimits);
        payload::add_descriptors(&mut self.plan, inherited);
    }

    /// Landlock and the system call filter, the last steps of a payload that is executed.
    pub(crate) fn confine(&mut self) -> Result<(), SandboxError> {
        if let Some(abi) = self.host.landlock {
            landlock::add(&mut self.plan, abi)?;
        }
        self.host.filter.add(&mut self.plan);
        Ok(())
    }

    /// Limits of each process; those of the environment only where no control group has them.
    fn rlimits(&self, limits: &Limits) -> Vec<(libc::__rlimit_resource_t, u64)> {
        let mut rlimits = vec![
            (libc::RLIMIT_CORE, 0),
            (libc::RLIMIT_NOFILE, u64::from(limits.open_files)),
            // Whatever the server may do: no real-time and no better priority than its neighbours'.
            (libc::RLIMIT_RTPRIO, 0),
            (libc::RLIMIT_NICE, 0),
        ];
        if !self.host.cgroups.controls("pids") {
            rlimits.push((libc::RLIMIT_NPROC, u64::from(limits.pids) + 1));
        }
        if !self.host.cgroups.controls("memory") {
            rlimits.push((libc::RLIMIT_DATA, limits.process_memory_bytes()));
        }
        if !self.host.is_root {
            // Nobody else may have more than the server may.
            for (resource, most) in &mut rlimits {
                *most = hard_limit(*resource).min(*most);
            }
        }
        rlimits
    }
}

/// The most that this process may give itself.
fn hard_limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: a live local of the size that is written; where the call fails, there is no limit.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    limit.rlim_max
}

/// What the control group holds an environment to: what it writes to a disk is not its memory.
pub(crate) fn charged(limits: Limits, disk: Option<&TmpDisk>) -> Limits {
    match disk {
        Some(_) => Limits {
            tmp_bytes: 0,
            ..limits
        },
        None => limits,
    }
}

/// The program's standard streams and its further descriptors.
pub(crate) fn inherited<'a>(
    host: &'a Inner,
    stdio: &'a Stdio,
    further: &'a [(OwnedFd, RawFd)],
) -> Vec<Inherited<'a>> {
    let streams = [&stdio.stdin, &stdio.stdout, &stdio.stderr];
    let standard = streams.into_iter().enumerate().map(|(target, stream)| {
        let fd = match stream {
            Stream::Null => host.null.as_fd(),
            Stream::Fd(fd) => fd.as_fd(),
        };
        Inherited {
            fd,
            target: target as RawFd,
        }
    });
    let further = further
        .iter()
        .map(|(fd, target): &(OwnedFd, RawFd)| Inherited {
            fd: fd.as_fd(),
            target: *target,
        });
    standard.chain(further).collect()
}

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: zeroed is a valid stat, and the descriptor is live.
    let (result, stat) = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd.as_raw_fd(), &raw mut stat), stat)
    };
    result == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO
}
