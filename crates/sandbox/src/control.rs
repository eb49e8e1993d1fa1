//! The server's end of the socket to a sandbox's init.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::SandboxError;
use crate::plan::as_bytes;
use crate::plan_format::{Command, Report};
use crate::rights::{self, MOST_DESCRIPTORS};

/// A packet of init, and the descriptors that came with it.
pub(crate) struct Packet {
    pub(crate) report: Report,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// The socket; closing it ends the sandbox.
#[derive(Debug)]
pub(crate) struct Control(OwnedFd);

impl Control {
    /// A connected pair: the server's end and init's.
    pub(crate) fn pair(patience: Duration) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = rights::pair()?;
        let control = Self(ours);
        control.set_patience(patience)?;
        Ok((control, theirs))
    }

    /// How long [`Self::receive`] waits.
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        let time = libc::timeval {
            tv_sec: patience.as_secs() as libc::time_t,
            tv_usec: libc::suseconds_t::from(patience.subsec_micros() as i32),
        };
        // SAFETY: the option takes a timeval, and its size is passed.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const time).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// The next packet, waited for; `None` once init is gone.
    pub(crate) fn receive(&self) -> Result<Option<Packet>, SandboxError> {
        self.receive_with(0)
    }

    /// The next packet if one is there.
    pub(crate) fn poll(&self) -> Result<Option<Packet>, SandboxError> {
        self.receive_with(libc::MSG_DONTWAIT)
    }

    /// Sends init one command, and the plan that it is to carry out, if it needs one.
    pub(crate) fn command(&self, kind: u32, plan: Option<(BorrowedFd<'_>, u32)>) -> io::Result<()> {
        let length = plan.map_or(0, |(_, length)| length);
        let command = Command { kind, length };
        let descriptors: Vec<_> = plan.iter().map(|(fd, _)| fd.as_raw_fd()).collect();
        // Without waiting: an init that has not taken its last command is stuck.
        let flags = libc::MSG_DONTWAIT;
        rights::send(self.0.as_fd(), as_bytes(&command), &descriptors, flags)
    }

    fn receive_with(&self, flags: i32) -> Result<Option<Packet>, SandboxError> {
        let mut report = Report::default();
        let mut part = libc::iovec {
            iov_base: (&raw mut report).cast(),
            iov_len: size_of::<Report>(),
        };
        let mut rights = [0_u64; 2 + MOST_DESCRIPTORS.div_ceil(2)];
        // SAFETY: all zero is a valid msghdr.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = rights.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&rights) as _;
        let flags = flags | libc::MSG_CMSG_CLOEXEC;
        let received = loop {
            // SAFETY: the message points to live locals of the stated sizes.
            let received = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, flags) };
            let interrupted = || io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
            if received >= 0 || !interrupted() {
                break received;
            }
        };
        let descriptors = rights::descriptors(&message);
        match received {
            0 => Ok(None),
            length if length == size_of::<Report>() as isize => Ok(Some(Packet {
                report,
                descriptors,
            })),
            length if length > 0 => Err(SandboxError::Unresponsive {
                what: "garbled report",
            }),
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ECONNRESET) => Ok(None),
                error if error.kind() == io::ErrorKind::WouldBlock => {
                    Err(SandboxError::Unresponsive {
                        what: "no report in time",
                    })
                }
                error => Err(SandboxError::Host {
                    action: "hear from the sandbox",
                    source: error,
                }),
            },
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Listening sockets as the standard library's type; they are non-blocking.
pub(crate) fn listeners(descriptors: Vec<OwnedFd>) -> Vec<TcpListener> {
    descriptors.into_iter().map(TcpListener::from).collect()
}
