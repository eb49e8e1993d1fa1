//! The right to have children in a control group of version 2, lent to who is not root.
//!
//! Whoever clones with `CLONE_INTO_CGROUP` must be allowed to write `cgroup.procs` of the child's group
//! and of the nearest group above both, which is the server's folder. Each right is of use with
//! the other alone, and to nobody without a way to the groups' files, which no sandbox has.

use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of the group, and of the folder that all groups of a server are in.
const DOORS: [&CStr; 2] = [c"cgroup.procs", c"../cgroup.procs"];
const NOBODY_ELSE: libc::uid_t = 0;

/// One right at a time: the folder's is everybody's.
static TURN: Mutex<()> = Mutex::new(());

/// A user may have children in a group until this is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The group's folder, open for as long as this lasts.
    group: RawFd,
    _turn: MutexGuard<'static, ()>,
}

impl Admission {
    pub(crate) fn to(group: RawFd, uid: u32) -> io::Result<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let admission = Self { group, _turn: turn };
        for door in DOORS {
            own(group, door, uid)?;
        }
        Ok(admission)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        for door in DOORS {
            if let Err(error) = own(self.group, door, NOBODY_ELSE) {
                tracing::warn!(%error, "take back the right to be born in a control group");
            }
        }
    }
}

fn own(group: RawFd, door: &CStr, uid: libc::uid_t) -> io::Result<()> {
    // SAFETY: a C string that outlives the call, which takes nothing else from memory.
    let owned = unsafe { libc::fchownat(group, door.as_ptr(), uid, libc::gid_t::MAX, 0) };
    if owned == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
