//! Mounts that are nowhere: each is a descriptor, and ends with it unless it is moved to a place.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
pub(crate) const CLOSE_ON_EXEC: u32 = 1;

/// Mounts a file system of this kind, with options that have a value or are one.
pub(crate) fn mount(
    kind: &CStr,
    options: &[(&CStr, Option<&CStr>)],
    attributes: u64,
) -> io::Result<OwnedFd> {
    // SAFETY: a valid C string; the result is checked.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOSE_ON_EXEC) })?;
    for (name, value) in options {
        set(&context, name, *value)?;
    }
    command(&context, FSCONFIG_CMD_CREATE)?;
    // SAFETY: takes a live descriptor and numbers.
    owned(unsafe {
        libc::syscall(
            libc::SYS_fsmount,
            context.as_raw_fd(),
            CLOSE_ON_EXEC,
            attributes,
        )
    })
}

/// Sets an option of a file system that is being made or changed.
pub(crate) fn set(context: &OwnedFd, name: &CStr, value: Option<&CStr>) -> io::Result<()> {
    let command = value.map_or(FSCONFIG_SET_FLAG, |_| FSCONFIG_SET_STRING);
    configure(context, command, Some(name), value)
}

/// Has it made or changed as was set.
pub(crate) fn command(context: &OwnedFd, command: u32) -> io::Result<()> {
    configure(context, command, None, None)
}

fn configure(
    context: &OwnedFd,
    command: u32,
    key: Option<&CStr>,
    value: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: a live descriptor, and C strings or null as the command wants them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            command,
            pointer(key),
            pointer(value),
            0,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The descriptor that a system call returned.
pub(crate) fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(result) {
        // SAFETY: fresh from the kernel, so that nobody else owns it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
