//! Passing descriptors over a socket of packets.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The kernel's limit for one packet.
pub(crate) const MOST_DESCRIPTORS: usize = 253;

/// A connected pair of packet sockets, closed on exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the array has room for both descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: two fresh descriptors that nobody else owns.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Sends a packet with these descriptors, which stay open here; `flags` as of `sendmsg`.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    packet: &[u8],
    descriptors: &[RawFd],
    flags: i32,
) -> io::Result<()> {
    if descriptors.len() > MOST_DESCRIPTORS {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut part = libc::iovec {
        iov_base: packet.as_ptr().cast_mut().cast(),
        iov_len: packet.len(),
    };
    let mut rights = [0_u64; 2 + MOST_DESCRIPTORS.div_ceil(2)];
    let message = message(&mut part, &mut rights);
    // SAFETY: `rights` has room for the header and all descriptors, and lives until the end; the
    // packet is only read.
    let sent = unsafe {
        let mut message = message;
        message.msg_controllen = 0;
        if descriptors.is_empty() {
            message.msg_control = std::ptr::null_mut();
        } else {
            let size = size_of_val(descriptors) as u32;
            message.msg_controllen = libc::CMSG_SPACE(size) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as _;
            let first: *mut RawFd = libc::CMSG_DATA(header).cast();
            first.copy_from_nonoverlapping(descriptors.as_ptr(), descriptors.len());
        }
        let flags = libc::MSG_NOSIGNAL | flags;
        libc::sendmsg(socket.as_raw_fd(), &raw const message, flags)
    };
    if sent == packet.len() as isize {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Waits for such a packet and takes its descriptors.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut byte = 0_u8;
    let mut part = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let mut rights = [0_u64; 2 + MOST_DESCRIPTORS.div_ceil(2)];
    let mut message = message(&mut part, &mut rights);
    // SAFETY: the message points to live locals of the stated sizes.
    let received =
        unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let error = io::Error::last_os_error();
    if received == 1 {
        Ok(descriptors(&message))
    } else {
        Err(error)
    }
}

fn message(part: &mut libc::iovec, rights: &mut [u64]) -> libc::msghdr {
    // SAFETY: all zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = rights.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(rights) as _;
    message
}

/// Takes ownership of every descriptor that came with the message.
pub(crate) fn descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut owned = Vec::new();
    // SAFETY: the kernel wrote well-formed control messages within `msg_controllen`; descriptors
    // in SCM_RIGHTS are fresh and ours.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let length = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let first: *const RawFd = libc::CMSG_DATA(header).cast();
                for index in 0..length / size_of::<RawFd>() {
                    let fd = first.add(index).read_unaligned();
                    owned.push(OwnedFd::from_raw_fd(fd));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    owned
}
