//! One process of a sandbox, held by a pidfd, so that its number is never mistaken.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A process that cannot be confused with a later one of the same number.
#[derive(Debug)]
pub(crate) struct Pidfd(OwnedFd);

impl Pidfd {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Our own child, not yet collected.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        // SAFETY: takes only numbers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a fresh descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as RawFd) }))
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Sends a signal; `Ok` also when the process is gone.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a live descriptor and a null siginfo, which the kernel allows.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal,
                none,
                0,
            )
        };
        match io::Error::last_os_error() {
            _ if sent == 0 => Ok(()),
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            error => Err(error),
        }
    }

    /// Collects our child if it has ended, and says whether it has.
    pub(crate) fn try_reap(&self) -> io::Result<bool> {
        // SAFETY: zeroed is a valid siginfo_t, the kernel fills it in.
        let (result, pid) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let id = self.0.as_raw_fd() as libc::id_t;
            let flags = libc::WEXITED | libc::WNOHANG;
            let result = libc::waitid(libc::P_PIDFD, id, &raw mut info, flags);
            (result, info.si_pid())
        };
        match io::Error::last_os_error() {
            _ if result == 0 => Ok(pid != 0),
            // Collected before, or another's child: a template's fork is.
            error if error.raw_os_error() == Some(libc::ECHILD) => self.has_ended(),
            error => Err(error),
        }
    }

    /// Whether it runs no more, collected or not.
    pub(crate) fn has_ended(&self) -> io::Result<bool> {
        poll(self.0.as_fd(), 0)
    }

    /// The number of the process; `None` once it has been collected.
    pub(crate) fn pid(&self) -> Option<u32> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd())).ok()?;
        let line = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
        line.trim().parse().ok().filter(|&pid| pid > 0)
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Blocks until the descriptor is readable or the time is over; a pidfd is when its process ended.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, patience: Option<Duration>) -> io::Result<()> {
    let milliseconds = patience.map_or(-1, |time| i32::try_from(time.as_millis()).unwrap_or(-1));
    poll(fd, milliseconds).map(|_| ())
}

/// Whether the descriptor is readable by then, as far as no signal interrupts the wait.
fn poll(fd: BorrowedFd<'_>, milliseconds: i32) -> io::Result<bool> {
    let mut watched = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd of a live descriptor.
    let polled = unsafe { libc::poll(&raw mut watched, 1, milliseconds) };
    match io::Error::last_os_error() {
        _ if polled >= 0 => Ok(polled > 0),
        error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        error => Err(error),
    }
}

/// Resident memory of a process in bytes: now, and at its peak. Zeroes when it is gone.
pub(crate) fn resident(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name| bytes_of(&status, name).unwrap_or(0);
    (field("VmRSS:"), field("VmHWM:"))
}

/// Resident memory of a process that is in no file, in bytes. Zero when it is gone.
pub(crate) fn anonymous(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    bytes_of(&status, "RssAnon:").unwrap_or(0)
}

/// What one of the kernel's files of lines like `VmRSS:   12 kB` says of this.
pub(crate) fn bytes_of(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}
