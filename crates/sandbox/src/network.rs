//! Network namespaces made ahead: loopback up, listeners bound, ready to be entered.
//!
//! Creating one takes about a third of a millisecond, entering a ready one a tenth of that.
//! Needs root: without it a namespace belongs to the sandbox's own user namespace.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::thread;

use crate::SandboxError;
use crate::egress::Links;
use crate::renewal::Home;
use crate::steps::network::loopback_up_request;
use crate::sysctl;

/// A network namespace with only the loopback interface, and listeners inside it.
#[derive(Debug)]
pub struct PreparedNetwork {
    pub(crate) namespace: OwnedFd,
    pub(crate) listeners: Vec<TcpListener>,
    /// What an environment in it finds as `/etc/resolv.conf`, where it has name servers.
    pub(crate) resolv_conf: Option<PathBuf>,
    /// Where it goes when its sandbox has ended, if it may be another's then.
    pub(crate) home: Option<Home>,
}

impl PreparedNetwork {
    /// Makes one on a thread of its own, since the calling thread would move into it.
    pub(crate) fn make(ports: &[u16]) -> Result<Self, SandboxError> {
        Self::on_a_thread(|| {
            unshare()?;
            listen(ports)
        })
    }

    /// Makes one of a namespace that is there already, and empty.
    pub(crate) fn furnish(namespace: &OwnedFd, ports: &[u16]) -> Result<Self, SandboxError> {
        Self::on_a_thread(|| {
            enter(namespace)?;
            listen(ports)
        })
    }

    /// The same, and a socket for the links inside.
    pub(crate) fn furnish_with_links(
        namespace: &OwnedFd,
        ports: &[u16],
    ) -> Result<(Self, Links), SandboxError> {
        Self::on_a_thread(|| {
            enter(namespace)?;
            listen_with_links(ports)
        })
    }

    /// The same, and a socket for the links inside.
    pub(crate) fn make_with_links(ports: &[u16]) -> Result<(Self, Links), SandboxError> {
        Self::on_a_thread(|| {
            unshare()?;
            listen_with_links(ports)
        })
    }

    fn on_a_thread<T: Send>(
        make: impl FnOnce() -> io::Result<T> + Send,
    ) -> Result<T, SandboxError> {
        let made = thread::scope(|scope| {
            thread::Builder::new()
                .name(String::from("network"))
                .spawn_scoped(scope, make)
                .map(|thread| thread.join().expect("it returns its errors"))
        });
        made.and_then(|made| made)
            .map_err(SandboxError::host("prepare a network namespace"))
    }
}

/// A thread's visits to other network namespaces than its own.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    /// Where the thread returns to; opened on the first visit.
    own: Option<OwnedFd>,
}

impl Visits {
    /// Runs this in a network namespace, on the calling thread, which is always the same.
    ///
    /// # Panics
    /// When the thread cannot return to its own: whatever it did next would be done elsewhere.
    pub(crate) fn within<T>(
        &mut self,
        namespace: &OwnedFd,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let own = match self.own.take() {
            Some(own) => own,
            None => current()?,
        };
        let own = self.own.insert(own);
        enter(namespace)?;
        let outcome = work();
        enter(own).expect("a thread can return to the network namespace it came from");
        outcome
    }
}

fn current() -> io::Result<OwnedFd> {
    File::open("/proc/thread-self/ns/net").map(OwnedFd::from)
}

/// Moves the calling thread into a new network namespace, for good.
fn unshare() -> io::Result<()> {
    // SAFETY: takes only flags, and changes only this thread.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Moves the calling thread into this network namespace, until it moves on.
fn enter(namespace: &OwnedFd) -> io::Result<()> {
    // SAFETY: a live descriptor and a flag; changes only this thread.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn listen_with_links(ports: &[u16]) -> io::Result<(PreparedNetwork, Links)> {
    let network = listen(ports)?;
    // For links to come; the loopback keeps its ::1.
    match sysctl::write("net/ipv6/conf/default/disable_ipv6", "1") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        outcome => outcome?,
    }
    Ok((network, Links::open()?))
}

/// In the calling thread's network namespace.
fn listen(ports: &[u16]) -> io::Result<PreparedNetwork> {
    bring_loopback_up()?;
    let listeners = listeners(ports)?;
    Ok(PreparedNetwork {
        namespace: current()?,
        listeners,
        resolv_conf: None,
        home: None,
    })
}

/// In the calling thread's network namespace.
pub(crate) fn listeners(ports: &[u16]) -> io::Result<Vec<TcpListener>> {
    let listen = |&port| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    ports.iter().map(listen).collect()
}

fn bring_loopback_up() -> io::Result<()> {
    // SAFETY: takes only numbers; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let request = loopback_up_request();
    // SAFETY: the request is a whole ifreq of 40 bytes.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, request.as_ptr()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
