//! One processor for a tracer and whom it traces: each call is a wake of one and then of the other,
//! and waking somebody on a processor that sleeps takes many times as long as switching to him.

use std::io;

use libc::{cpu_set_t, pid_t};

/// Keeps the calling thread on the processor it is on, until it is dropped.
#[derive(Debug)]
pub(super) struct Shared {
    here: cpu_set_t,
    /// Where the thread could run before.
    before: cpu_set_t,
}

impl Shared {
    /// `None` where the kernel does not say, or does not do so: that costs time and nothing else.
    pub(super) fn by_this_thread() -> Option<Self> {
        let before = affinity(0).ok()?;
        // SAFETY: no preconditions.
        let number = usize::try_from(unsafe { libc::sched_getcpu() }).ok()?;
        // SAFETY: zeroed is an empty set, and the number is below its size, or nothing is set.
        let here = unsafe {
            let mut here: cpu_set_t = std::mem::zeroed();
            (number < libc::CPU_SETSIZE as usize).then(|| libc::CPU_SET(number, &mut here))?;
            here
        };
        set_affinity(0, &here).ok()?;
        Some(Self { here, before })
    }

    /// Brings a process here that stands still; what it forks will be here too. Returns where it may
    /// run otherwise.
    pub(super) fn bring(&self, pid: pid_t) -> io::Result<cpu_set_t> {
        let before = affinity(pid)?;
        set_affinity(pid, &self.here).map(|()| before)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = set_affinity(0, &self.before) {
            tracing::warn!(%error, "leave a processor again");
        }
    }
}

fn affinity(pid: pid_t) -> io::Result<cpu_set_t> {
    // SAFETY: zeroed is an empty set, and its size is passed.
    let (result, set) = unsafe {
        let mut set: cpu_set_t = std::mem::zeroed();
        let result = libc::sched_getaffinity(pid, size_of::<cpu_set_t>(), &raw mut set);
        (result, set)
    };
    if result == 0 {
        Ok(set)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Where a process may run from now on.
pub(super) fn set_affinity(pid: pid_t, set: &cpu_set_t) -> io::Result<()> {
    // SAFETY: a live set, and its size is passed.
    let result = unsafe { libc::sched_setaffinity(pid, size_of::<cpu_set_t>(), set) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
