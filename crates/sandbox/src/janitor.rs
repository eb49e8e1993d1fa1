//! Tearing down, off everybody's path: collects killed sandboxes and gives back what they held.

use std::os::fd::AsFd;
use std::time::Duration;

use crate::SandboxError;
use crate::cgroup::Cgroup;
use crate::egress::WayOut;
use crate::process::{Pidfd, wait_readable};
use crate::renewal::Lent;
use crate::tmp_disk::TmpDisk;
use crate::uids::Lease;
use crate::worker::Worker;

/// The kernel kills a pid namespace in milliseconds; this long is a sign of a stuck device.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is left of a sandbox that has been killed.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) init: Pidfd,
    pub(crate) cgroup: Option<Cgroup>,
    /// Taken apart when no process can use it any more.
    pub(crate) tmp: Option<TmpDisk>,
    pub(crate) way_out: Option<WayOut>,
    /// Free again only when no process of the sandbox is left.
    pub(crate) uid: Option<Lease>,
    /// Another's, perhaps, when no process of the sandbox is left.
    pub(crate) network: Option<Lent>,
}

/// Handle to the thread; dropping it waits until everything is torn down.
#[derive(Debug)]
pub(crate) struct Janitor(Worker<Remains>);

impl Janitor {
    pub(crate) fn start() -> Result<Self, SandboxError> {
        Worker::start("janitor", |remains| remains.into_iter().for_each(bury)).map(Self)
    }

    /// Hands over a killed sandbox; returns at once.
    pub(crate) fn bury(&self, remains: Remains) {
        if let Err(remains) = self.0.send(remains) {
            bury(remains);
        }
    }
}

fn bury(remains: Remains) {
    let Remains {
        init,
        cgroup,
        tmp,
        way_out,
        uid,
        network,
    } = remains;
    let waited = wait_readable(init.as_fd(), Some(PATIENCE)).and_then(|()| init.try_reap());
    drop((tmp, way_out));
    match waited {
        Ok(true) => {
            drop(uid);
            if let Some(network) = network {
                network.give_back();
            }
        }
        outcome => {
            tracing::warn!(?outcome, uid = ?uid, "a killed sandbox does not end; its uid is lost");
            std::mem::forget(uid);
        }
    }
    if let Some(cgroup) = cgroup
        && let Err(error) = cgroup.give_back()
    {
        tracing::warn!(%error, "remove a control group");
    }
}
