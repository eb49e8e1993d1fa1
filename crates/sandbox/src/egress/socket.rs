//! Sockets at an address that no device has yet.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const BACKLOG: libc::c_int = 64;

/// A non-blocking UDP socket.
pub(super) fn bind_udp(address: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    bind(libc::SOCK_DGRAM, address, port).map(UdpSocket::from)
}

/// A non-blocking TCP socket that listens.
pub(super) fn listen_tcp(address: Ipv4Addr, port: u16) -> io::Result<TcpListener> {
    let socket = bind(libc::SOCK_STREAM, address, port)?;
    // SAFETY: takes only numbers; the descriptor is live.
    checked(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(TcpListener::from(socket))
}

fn bind(kind: libc::c_int, address: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes only numbers; the result is checked.
    let fd = checked(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: a fresh descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let one: libc::c_int = 1;
    // SAFETY: the option is a whole int.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            libc::IP_FREEBIND,
            (&raw const one).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(address).to_be(),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: the name is a whole sockaddr_in.
    checked(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const name).cast(),
            size_of::<libc::sockaddr_in>() as libc::socklen_t,
        )
    })?;
    Ok(socket)
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
