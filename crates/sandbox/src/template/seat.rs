//! The first process of a fork-to-be, with namespaces, network and control group, made ahead: that
//! is most of what a fork takes, and does not depend on what it is for.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use super::hold::Held;
use super::tracee::{Remote, Watch};
use crate::SandboxError;
use crate::cgroup::Cgroup;
use crate::host::Inner;
use crate::janitor::Remains;
use crate::network::PreparedNetwork;
use crate::process::Pidfd;
use crate::spec::Network;

/// Of the clone that becomes the sandbox's init; a child of the template's own, and ends with the same
/// signal.
const FLAGS: i32 = libc::CLONE_VM
    | libc::CLONE_PARENT
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// What a sandbox reaches, as far as that is made with its namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    Host,
    Own {
        listeners: Vec<u16>,
        /// Whether it is to have a way out.
        egress: bool,
    },
}

impl Reach {
    pub(super) fn of(network: &Network) -> Result<Self, SandboxError> {
        let (listeners, egress) = match network {
            Network::Host => return Ok(Self::Host),
            Network::Isolated { listeners } => (listeners, false),
            Network::Egress { listeners } => (listeners, true),
            // Made ahead, it belongs to the host.
            Network::Prepared(_) => return Err(SandboxError::NotOpen),
        };
        let listeners = listeners.clone();
        Ok(Self::Own { listeners, egress })
    }
}

/// A process that waits to become a sandbox's init. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Seat {
    host: Arc<Inner>,
    pub(super) reach: Reach,
    pub(super) first: Remote,
    pub(super) network: Option<PreparedNetwork>,
    /// Until it is the sandbox's, which has made its own, or taken this one.
    pub(super) cgroup: Option<Cgroup>,
    pidfd: Option<Pidfd>,
}

impl Seat {
    /// Makes one ahead, with a control group.
    pub(super) fn ahead(
        held: &Held,
        host: &Arc<Inner>,
        uid: u32,
        reach: Reach,
    ) -> Result<Self, SandboxError> {
        let cgroup = host.cgroups.create()?;
        let birthplace = match &cgroup {
            Some(cgroup) => cgroup.birthplace()?,
            None => None,
        };
        let folder = birthplace.as_ref().map(AsRawFd::as_raw_fd);
        let mut seat = Self::make(held, host, uid, reach, folder)?;
        seat.cgroup = cgroup;
        Ok(seat)
    }

    /// Makes one in this version 2 control group; a plan has the steps for version 1.
    pub(super) fn make(
        held: &Held,
        host: &Arc<Inner>,
        uid: u32,
        reach: Reach,
        cgroup: Option<RawFd>,
    ) -> Result<Self, SandboxError> {
        let failed = SandboxError::host;
        let mut flags = FLAGS as u64;
        if reach != Reach::Host {
            flags |= libc::CLONE_NEWNET as u64;
        }
        let template = held.remote.tracee;
        template
            .watch(Watch::Forked)
            .map_err(failed("fork a template"))?;
        let born = match cgroup {
            Some(group) => held.clone_into(group, uid, flags),
            None => held.remote.clone_with(flags),
        };
        template
            .watch(Watch::Held)
            .map_err(failed("fork a template"))?;
        let first = born.map_err(failed("clone a template into new namespaces"))?;
        let pid = first.tracee.0.cast_unsigned();
        let mut seat = Self {
            host: Arc::clone(host),
            reach,
            first,
            network: None,
            cgroup: None,
            pidfd: Some(Pidfd::open(pid).map_err(failed("open a pidfd"))?),
        };
        map_users(pid, uid).map_err(failed("map the user of a forked template"))?;
        // Two calls of three that a fork takes; whatever it is for, it needs none to be executed with.
        for capability in 0..=host.last_capability {
            let drop = [
                libc::PR_CAPBSET_DROP as u64,
                u64::from(capability),
                0,
                0,
                0,
                0,
            ];
            let dropped = seat.first.must(libc::SYS_prctl, drop);
            dropped.map_err(failed("bound the capabilities of a forked template"))?;
        }
        seat.network = seat.furnish(pid)?;
        Ok(seat)
    }

    fn furnish(&self, pid: u32) -> Result<Option<PreparedNetwork>, SandboxError> {
        let Reach::Own { listeners, egress } = &self.reach else {
            return Ok(None);
        };
        let namespace = File::open(format!("/proc/{pid}/ns/net"));
        let namespace = namespace.map_err(SandboxError::host("open a network namespace"))?;
        let namespace = namespace.into();
        Ok(Some(if *egress {
            self.host.egress.get()?.furnish(&namespace, listeners)?
        } else {
            PreparedNetwork::furnish(&namespace, listeners)?
        }))
    }

    pub(super) fn pidfd(&self) -> &Pidfd {
        self.pidfd.as_ref().expect("taken only when it is taken")
    }

    /// It is a sandbox's init now, and ends with that.
    pub(super) fn take(mut self) -> Option<(Pidfd, Option<PreparedNetwork>)> {
        let network = self.network.take();
        Some((self.pidfd.take()?, network))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(init) = self.pidfd.take() else {
            return;
        };
        // With its pid namespace; collected by the template's own init.
        if let Err(error) = init.signal(libc::SIGKILL) {
            tracing::warn!(%error, "end a fork of a template");
        }
        self.host.janitor.bury(Remains {
            init,
            cgroup: self.cgroup.take(),
            tmp: None,
            way_out: None,
            uid: None,
            network: None,
        });
    }
}

/// One user, of the same number inside and outside: the template's.
fn map_users(pid: u32, uid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
    fs::write(format!("/proc/{pid}/uid_map"), format!("{uid} {uid} 1\n"))?;
    fs::write(format!("/proc/{pid}/gid_map"), format!("{uid} {uid} 1\n"))
}
