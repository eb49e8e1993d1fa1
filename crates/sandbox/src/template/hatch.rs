//! How open files get into a tracee: over a socket that it makes for its tracer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::tracee::Remote;
use crate::process::Pidfd;
use crate::rights;

/// Of a tracee's memory, for what its calls take from there.
pub(super) const SCRATCH: u64 = 8192;

/// One end of a socket whose other end a tracee has, and the memory that it takes files with.
#[derive(Debug)]
pub(super) struct Hatch {
    socket: OwnedFd,
    /// The tracee's end, by its number there.
    theirs: RawFd,
    /// Address of [`SCRATCH`] bytes that nobody else uses.
    pub(super) scratch: u64,
}

impl Hatch {
    pub(super) fn open(remote: &Remote, pidfd: &Pidfd, scratch: u64) -> io::Result<Self> {
        let kind = (libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC) as u64;
        let pair = [libc::AF_UNIX as u64, kind, 0, scratch, 0, 0];
        remote.must(libc::SYS_socketpair, pair)?;
        let mut ends = [0; 8];
        remote.tracee.read(scratch, &mut ends)?;
        let [ours, theirs] = two(ends);
        let socket = take_descriptor(pidfd, ours)?;
        close(remote, ours)?;
        Ok(Self {
            socket,
            theirs,
            scratch,
        })
    }

    /// Copies these into the tracee, or a process that has a copy of its files and shares its memory;
    /// returns their numbers there.
    pub(super) fn pass(&self, remote: &Remote, files: &[RawFd]) -> io::Result<Vec<RawFd>> {
        rights::send(self.socket.as_fd(), b"d", files, 0)?;
        // struct msghdr, its one part, and the room for the descriptors behind them.
        let scratch = self.scratch;
        let (part, byte, control) = (scratch + 64, scratch + 96, scratch + 128);
        let room = 16 + 4 * files.len().next_multiple_of(2) as u64;
        let message = [0, 0, part, 1, control, room, 0, 0, byte, 1];
        let bytes: Vec<u8> = message
            .iter()
            .flat_map(|word: &u64| word.to_ne_bytes())
            .collect();
        remote.tracee.write(scratch, &bytes)?;
        let (theirs, cloexec) = (self.theirs as u64, libc::MSG_CMSG_CLOEXEC as u64);
        remote.must(libc::SYS_recvmsg, [theirs, scratch, cloexec, 0, 0, 0])?;
        let mut received = vec![0; 4 * files.len()];
        remote.tracee.read(control + 16, &mut received)?;
        let numbers = received.chunks_exact(4);
        Ok(numbers
            .map(|fd| RawFd::from_ne_bytes([fd[0], fd[1], fd[2], fd[3]]))
            .collect())
    }
}

pub(super) fn close(remote: &Remote, number: RawFd) -> io::Result<()> {
    let number = number as u64;
    remote
        .must(libc::SYS_close, [number, 0, 0, 0, 0, 0])
        .map(drop)
}

fn two(bytes: [u8; 8]) -> [RawFd; 2] {
    let whole = u64::from_ne_bytes(bytes);
    [whole as RawFd, (whole >> 32) as RawFd]
}

/// A copy of an open file of another process.
fn take_descriptor(pidfd: &Pidfd, number: RawFd) -> io::Result<OwnedFd> {
    let pidfd = pidfd.as_fd().as_raw_fd();
    // SAFETY: takes only numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd, number, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
