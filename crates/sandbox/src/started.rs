//! From a finished plan to a running sandbox: the clone, its guard, and the wait for its program.

use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};

use crate::SandboxError;
use crate::cgroup::{Cgroup, MemoryGroup};
use crate::control::{self, Control};
use crate::egress::{Gate, WayOut};
use crate::host::Inner;
use crate::janitor::Remains;
use crate::launch::{Clone, Order};
use crate::memory_guard::{Activity, Guarded, Seen, Watch};
use crate::plan::Labels;
use crate::plan_format::{REPORT_FAILED, REPORT_LISTENERS, REPORT_STARTED};
use crate::process::Pidfd;
use crate::sandbox::Sandbox;
use crate::spec::Limits;
use crate::start::Start;
use crate::steps::network::WAY_OUT;

impl Start<'_> {
    /// Has the plan carried out in a clone, and waits until the program runs.
    pub(crate) fn launch(
        self,
        clone: impl FnOnce(Order) -> Result<Clone, SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        self.launch_as(clone, await_start)
    }

    /// The same, with a way of its own to know that the program runs.
    pub(crate) fn launch_as(
        self,
        clone: impl FnOnce(Order) -> Result<Clone, SandboxError>,
        program: impl FnOnce(&Control, &Labels, &mut Network<'_>) -> Result<Pidfd, SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        let Start {
            host,
            plan,
            namespaces,
            uid,
            listeners,
            lent,
            control,
            cgroup,
            limits,
            disk,
            held,
            opening,
            gate,
            parent,
            ..
        } = self;
        let (plan, labels, keep) = plan.finish();
        let birthplace = match &cgroup {
            Some(cgroup) => cgroup.birthplace()?,
            None => None,
        };
        let clone = clone(Order {
            plan,
            keep,
            namespaces: namespaces as u64,
            cgroup: birthplace.as_ref().map(AsRawFd::as_raw_fd),
        })?;
        drop(held);

        let init = clone.pidfd;
        let seen = Arc::new(Seen::default());
        // While init is busy; not a moment of the start is spent on it.
        let group = cgroup.as_ref().and_then(Cgroup::memory_group);
        // What lies on disk is not charged, and the kernel's own limit says it all.
        let freezes = cgroup.as_ref().is_some_and(Cgroup::can_freeze);
        let watch = if group.is_some() && disk.is_some() && freezes {
            None
        } else {
            guard(host, &init, clone.pid, group, limits, &seen)
        };
        if let (Some(watch), true) = (&watch, opening.is_some()) {
            watch.sees(Activity::Resting);
        }
        let mut network = Network {
            host,
            pid: clone.pid,
            gate,
            listeners,
            way_out: None,
        };
        let program = program(&control, &labels, &mut network);
        let Network {
            listeners, way_out, ..
        } = network;
        let program = match program {
            Ok(program) => program,
            Err(error) => {
                let _ = init.signal(libc::SIGKILL);
                host.janitor.bury(Remains {
                    init,
                    cgroup,
                    tmp: disk,
                    way_out,
                    uid,
                    network: None,
                });
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
            seen,
            cgroup,
            tmp: disk,
            way_out,
            uid,
            lent,
            exit: Mutex::default(),
            speaking: Mutex::default(),
            opening: Mutex::new(opening),
            _parent: parent,
        })
    }
}

/// Has the environment killed when its memory without `/tmp` exceeds its limit; where that cannot
/// be watched, the kernel's hard limit remains: on both together, or on each process.
fn guard(
    inner: &Inner,
    init: &Pidfd,
    pid: u32,
    group: Option<MemoryGroup>,
    limits: Limits,
    seen: &Arc<Seen>,
) -> Option<Watch> {
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
                seen: Arc::clone(seen),
            })
        });
    watch
        .inspect_err(|error| tracing::warn!(%error, "guard the memory of an environment"))
        .ok()
}

/// The network of a sandbox that is being started.
pub(crate) struct Network<'a> {
    host: &'a Inner,
    pid: u32,
    /// Where init waits until the way out is there.
    gate: Option<Gate>,
    pub(crate) listeners: Vec<TcpListener>,
    way_out: Option<WayOut>,
}

impl Network<'_> {
    /// Takes the sockets that init has opened: listeners, and where it has a gate the last two
    /// are for its way out.
    fn take(&mut self, mut descriptors: Vec<OwnedFd>) -> Result<(), SandboxError> {
        if let Some(gate) = self.gate.take() {
            let first = descriptors.len().saturating_sub(WAY_OUT.len());
            let sockets = descriptors.split_off(first);
            let sockets = sockets.try_into().map_err(|_| SandboxError::Ended)?;
            let pasta = self.host.egress.get()?.pasta();
            self.way_out = pasta.and_then(|pasta| pasta.lead_out(self.pid, sockets, &gate));
        }
        self.listeners = control::listeners(descriptors);
        Ok(())
    }
}

/// Listens to init until the program runs, and returns the program's pidfd.
fn await_start(
    control: &Control,
    labels: &Labels,
    network: &mut Network<'_>,
) -> Result<Pidfd, SandboxError> {
    loop {
        let mut packet = control.receive()?.ok_or(SandboxError::Ended)?;
        match packet.report.kind {
            REPORT_FAILED => return Err(labels.failure(&packet.report)),
            REPORT_LISTENERS => network.take(packet.descriptors)?,
            REPORT_STARTED => {
                let program = packet.descriptors.pop().ok_or(SandboxError::Ended)?;
                return Ok(Pidfd::new(program));
            }
            _ => return Err(SandboxError::Ended),
        }
    }
}
