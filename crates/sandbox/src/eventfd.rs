//! Event descriptors and waiting for many of them.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const AT_ONCE: usize = 64;

/// A counter that becomes readable when it is rung.
pub(crate) fn create() -> io::Result<OwnedFd> {
    // SAFETY: takes only numbers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

pub(crate) fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: takes only numbers.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

pub(crate) fn ring(event: &OwnedFd) {
    let one = 1_u64;
    // SAFETY: eight bytes of a live local. It fails only when the counter is full: rung enough.
    unsafe { libc::write(event.as_raw_fd(), (&raw const one).cast(), 8) };
}

/// Empties a counter.
pub(crate) fn silence(event: &OwnedFd) {
    let mut count = 0_u64;
    // SAFETY: eight bytes of a live local. It fails only when there is nothing to empty.
    unsafe { libc::read(event.as_raw_fd(), (&raw mut count).cast(), 8) };
}

/// Reports `key` whenever one of these events is there.
pub(crate) fn add(epoll: &OwnedFd, fd: RawFd, events: u32, key: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: key };
    // SAFETY: live descriptors and a live local.
    let added =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) };
    if added == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Blocks until something is there or the time is over (-1: never), and returns the keys.
pub(crate) fn wait(epoll: &OwnedFd, milliseconds: i32) -> io::Result<Vec<u64>> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; AT_ONCE];
    loop {
        // SAFETY: room for as many events as stated.
        let count = unsafe {
            libc::epoll_wait(
                epoll.as_raw_fd(),
                events.as_mut_ptr(),
                AT_ONCE as i32,
                milliseconds,
            )
        };
        if let Ok(count) = usize::try_from(count) {
            return Ok(events[..count].iter().map(|event| event.u64).collect());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
