//! Settings of the calling thread's network namespace.
//!
//! A procfs keeps what was looked up in it by parent and name, and `net/ipv6` of each namespace that is
//! alive has the same of both: with a thousand namespaces, whoever opens it for a new one is led past
//! a thousand others, which takes a third of a millisecond. So it is asked of a procfs that is mounted
//! for this alone, and is replaced before many have been looked up in it.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use crate::detached;

/// How many namespaces are looked up in one procfs.
const USES: u32 = 64;

static PROCFS: Mutex<Option<(OwnedFd, u32)>> = Mutex::new(None);

/// Writes to what is at `/proc/sys/` and this path.
pub(crate) fn write(path: &str, value: &str) -> io::Result<()> {
    let mut procfs = PROCFS.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = procfs.take().filter(|(_, uses)| *uses < USES);
    // Without the right to mount one, or on a kernel before 5.2, there is the host's.
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    let new = || detached::mount(c"proc", &[], attributes).ok();
    let kept = kept.or_else(|| new().map(|new| (new, 0)));
    let Some((mount, uses)) = kept else {
        return fs::write(format!("/proc/sys/{path}"), value);
    };
    let place = format!("/proc/thread-self/fd/{}/sys/{path}", mount.as_raw_fd());
    let written = fs::write(place, value);
    *procfs = Some((mount, uses + 1));
    written
}
