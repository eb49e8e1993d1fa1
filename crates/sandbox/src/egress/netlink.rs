//! Netlink: messages with attributes, sent to the kernel, and its answers.
//!
//! <https://docs.kernel.org/userspace-api/netlink/intro.html>

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// The kernel answers at once; this is for one that has stopped.
const PATIENCE_SECONDS: libc::time_t = 10;

/// More than the kernel puts into one datagram.
const BUFFER: usize = 64 << 10;

const HEADER: usize = 16;
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// A socket to one part of the kernel, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: AtomicU32,
}

/// One message under construction; its length and sequence number are filled in when it is sent.
#[derive(Debug, Clone)]
pub(super) struct Message(Vec<u8>);

/// A message of the kernel: its type, and what follows the header.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) kind: u16,
    pub(super) body: Vec<u8>,
}

impl Netlink {
    /// `protocol` is such as `NETLINK_ROUTE`.
    pub(super) fn open(protocol: libc::c_int) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: takes only numbers; the result is checked.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a fresh descriptor that nobody else owns.
        Self::of(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// A socket that somebody else has opened, in that one's network namespace.
    pub(super) fn of(socket: OwnedFd) -> io::Result<Self> {
        let patience = libc::timeval {
            tv_sec: PATIENCE_SECONDS,
            tv_usec: 0,
        };
        // SAFETY: the option is a whole timeval.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const patience).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            )
        };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            socket,
            sequence: AtomicU32::new(1),
        })
    }

    /// Has the kernel send what it tells these groups of listeners, a bit each.
    pub(super) fn join(&self, groups: u32) -> io::Result<()> {
        // By the name: a socket without one is passed over.
        // SAFETY: all zero is a valid name.
        let mut name: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        name.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        name.nl_groups = groups;
        // SAFETY: the name is a whole sockaddr_nl.
        let joined = unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                (&raw const name).cast(),
                size_of::<libc::sockaddr_nl>() as libc::socklen_t,
            )
        };
        if joined != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Takes what is there, unread; what was lost for want of room counts as taken.
    pub(super) fn drain(&self) {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        let mut byte = 0_u8;
        loop {
            // SAFETY: room for one byte, which is all that is asked for.
            let got = unsafe { libc::recv(self.as_raw_fd(), (&raw mut byte).cast(), 1, flags) };
            let error = io::Error::last_os_error();
            if got < 0 && error.raw_os_error() != Some(libc::ENOBUFS) {
                return;
            }
        }
    }

    /// Sends one request and waits until the kernel has carried it out.
    pub(super) fn request(&self, message: Message) -> io::Result<()> {
        self.batch(vec![message])
    }

    /// Sends messages in one datagram, as nf_tables wants its transactions, and waits for the
    /// acknowledgement of every one that asked for it.
    pub(super) fn batch(&self, messages: Vec<Message>) -> io::Result<()> {
        let mut awaited = Vec::new();
        let mut datagram = Vec::new();
        let (mut first, mut last) = (None, 0);
        for message in messages {
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            if message.wants_acknowledgement() {
                awaited.push(sequence);
            }
            (first, last) = (first.or(Some(sequence)), sequence);
            datagram.extend(message.finish(sequence));
        }
        let ours = first.unwrap_or(last)..=last;
        self.send(&datagram)?;
        while !awaited.is_empty() {
            for (sequence, answer) in self.receive()? {
                // What an earlier request, given up, left behind is not ours.
                if answer.kind != libc::NLMSG_ERROR as u16 || !ours.contains(&sequence) {
                    continue;
                }
                answer.acknowledged()?;
                awaited.retain(|one| *one != sequence);
            }
        }
        Ok(())
    }

    /// Sends a request that the kernel answers with any number of messages.
    pub(super) fn dump(&self, message: Message) -> io::Result<Vec<Answer>> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        self.send(&message.finish(sequence))?;
        let mut answers = Vec::new();
        loop {
            for (of, answer) in self.receive()? {
                match i32::from(answer.kind) {
                    _ if of != sequence => {}
                    libc::NLMSG_DONE => return Ok(answers),
                    libc::NLMSG_ERROR => {
                        answer.acknowledged()?;
                        return Ok(answers);
                    }
                    _ => answers.push(answer),
                }
            }
        }
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        // SAFETY: the buffer is live and of this length.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                datagram.as_ptr().cast(),
                datagram.len(),
                0,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// The messages of the next datagram, with their sequence numbers.
    fn receive(&self) -> io::Result<Vec<(u32, Answer)>> {
        let mut buffer = Vec::<u8>::with_capacity(BUFFER);
        // SAFETY: the buffer is live and has room for as much.
        let got = unsafe {
            libc::recv(
                self.socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                BUFFER,
                0,
            )
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: the kernel has written as many bytes.
        unsafe { buffer.set_len(got) };
        let mut rest = &buffer[..];
        let mut messages = Vec::new();
        while rest.len() >= HEADER {
            let length = word(rest, 0) as usize;
            if length < HEADER || length > rest.len() {
                break;
            }
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            let body = rest[HEADER..length].to_vec();
            messages.push((word(rest, 8), Answer { kind, body }));
            rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        }
        Ok(messages)
    }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Message {
    /// `header` is what the protocol puts in front of the attributes, such as `ifinfomsg`.
    pub(super) fn new(kind: u16, flags: i32, header: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        let flags = (flags | libc::NLM_F_REQUEST) as u16;
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(header);
        Self(bytes).padded()
    }

    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = (4 + value.len()) as u16;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.padded()
    }

    /// A number in the machine's own order, as rtnetlink has them.
    pub(super) fn with_u32(self, kind: u16, value: u32) -> Self {
        self.with(kind, &value.to_ne_bytes())
    }

    /// A number in network order, as netfilter has them.
    pub(super) fn with_be32(self, kind: u16, value: u32) -> Self {
        self.with(kind, &value.to_be_bytes())
    }

    pub(super) fn with_text(self, kind: u16, text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.with(kind, &value)
    }

    /// An attribute that holds what `fill` adds.
    pub(super) fn nest(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        let mut filled = fill(self);
        let length = (filled.0.len() - start) as u16;
        filled.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        filled.0[start + 2..start + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
        filled
    }

    /// Bytes that are no attribute, where a nest begins with a structure.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.padded()
    }

    fn padded(mut self) -> Self {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn wants_acknowledgement(&self) -> bool {
        i32::from(u16::from_ne_bytes([self.0[6], self.0[7]])) & libc::NLM_F_ACK != 0
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

impl Answer {
    /// The attributes after a protocol header of this size.
    pub(super) fn attributes(&self, header: usize) -> impl Iterator<Item = (u16, &[u8])> {
        attributes(self.body.get(header.next_multiple_of(4)..).unwrap_or(&[]))
    }

    /// The attribute of this kind.
    pub(super) fn attribute(&self, header: usize, kind: u16) -> Option<&[u8]> {
        self.attributes(header)
            .find_map(|(one, value)| (one == kind).then_some(value))
    }

    fn acknowledged(&self) -> io::Result<()> {
        match self.body.get(..4).map(|code| word(code, 0).cast_signed()) {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(-code)),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// The attributes in a row of bytes.
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]) & TYPE_MASK;
        let value = rest.get(4..length)?;
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        Some((kind, value))
    })
}

/// The text of an attribute, without the NUL that ends it.
pub(super) fn text(value: &[u8]) -> &str {
    let end = value.iter().position(|byte| *byte == 0);
    std::str::from_utf8(&value[..end.unwrap_or(value.len())]).unwrap_or_default()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let message = Message::new(7, libc::NLM_F_ACK, &[9; 5])
            .with_text(1, "eth0")
            .nest(2, |nest| nest.with_u32(3, 4).with(5, &[6]));
        assert!(message.wants_acknowledgement());
        let bytes = message.finish(8);
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(word(&bytes, 0) as usize, bytes.len());
        let answer = Answer {
            kind: 7,
            body: bytes[HEADER..].to_vec(),
        };
        assert_eq!(answer.attribute(5, 1).map(text), Some("eth0"));
        let nested: Vec<_> = attributes(answer.attribute(5, 2).unwrap()).collect();
        assert_eq!(nested, [(3, &4_u32.to_ne_bytes()[..]), (5, &[6][..])]);
    }

    #[test]
    fn cut_off_attributes_end_the_row() {
        assert_eq!(attributes(&[8, 0, 1, 0, 1]).count(), 0);
        assert_eq!(attributes(&[2, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[]).count(), 0);
    }
}
