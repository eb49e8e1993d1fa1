//! The protocol between an environment and our own bootstraps.
//!
//! It runs over a stream socket that the bootstrap inherits as descriptor [`CONTROL_FD`]. Each
//! frame is three little-endian `u32`: kind, length of the header, length of the payload; then the
//! header (a JSON object, possibly of length zero), then the payload (bytes, passed on as they
//! are). One exchange at a time: the server never sends before the last answer has come.
//!
//! | from | kind | header | payload |
//! |---|---|---|---|
//! | runtime | 1 booted | | |
//! | server | 2 specialise | `handler`, `task_root`, `environment` | |
//! | runtime | 3 ready | `code_us`, `init_us` | |
//! | runtime | 4 init error | `error_type` | error document |
//! | server | 5 invoke | `id`, `deadline_ms`, `arn`, and if present `trace`, `client_context`, `cognito_identity`, `tenant_id` | event |
//! | runtime | 6 response | | response |
//! | runtime | 7 error | `error_type`, `ends` if the runtime exits now | error document |
//! | server | 8 compile | `task_root` | |
//! | server | 10 rehearse | as of specialise | |
//! | runtime | 14 piece, before its response or error | | part of the response |
//! | runtime | 9 compiled, for each file; the last has no name | `name` | bytecode |
//! | server | 12 snapshot | | |
//! | server | 13 fork | | |
//! | server | 11 restore | `environment` | |
//!
//! *Snapshot* has a function run its hooks for that; it answers *ready* or *init error*, and forks when
//! it is told to. It is held in the midst of that. Each child is told to *restore*, with its own
//! variables, and answers in the same way after its hooks.
//!
//! *Booted* says that everything generic is loaded: a process that has sent it and nothing else is
//! nobody's yet, and may be parked until *specialise* makes it a function, or *compile* a compiler.
//! To *rehearse*, it does everything that being a function will take, undoes it, and says *booted* once
//! more. After *init error* the
//! runtime exits.
//!
//! What the function logs takes another way, a pipe inherited as descriptor [`LOG_FD`]; see
//! [`crate::logs::records`].

use std::io;
use std::os::fd::OwnedFd;

use bytes::{Buf, Bytes};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::readiness::{watch, watch_for};

/// Where the bootstrap finds the socket.
pub(crate) const CONTROL_FD: i32 = 3;
/// Where the bootstrap finds the pipe for log records.
pub(crate) const LOG_FD: i32 = 4;

const PREFIX: usize = 12;
/// A header holds the function's variables (4 KB at most) or short texts.
const MAX_HEADER: usize = 1 << 20;
/// Payloads up to this size are sent with their header in one write.
const COPY_BELOW: usize = 32 << 10;
/// Least room for one read.
const ROOM: usize = 4 << 10;

/// What a frame means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    Booted = 1,
    Specialise = 2,
    Ready = 3,
    InitError = 4,
    Invoke = 5,
    Response = 6,
    Error = 7,
    Compile = 8,
    Compiled = 9,
    Rehearse = 10,
    Restore = 11,
    Snapshot = 12,
    Fork = 13,
    Piece = 14,
}

impl Kind {
    fn read(number: u32) -> Option<Self> {
        [
            Self::Booted,
            Self::Specialise,
            Self::Ready,
            Self::InitError,
            Self::Invoke,
            Self::Response,
            Self::Error,
            Self::Compile,
            Self::Compiled,
            Self::Rehearse,
            Self::Restore,
            Self::Snapshot,
            Self::Fork,
            Self::Piece,
        ]
        .into_iter()
        .find(|kind| *kind as u32 == number)
    }
}

/// A frame from the runtime.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    header: Bytes,
    pub(crate) payload: Payload,
}

/// What came after a frame's header.
#[derive(Debug)]
pub(crate) enum Payload {
    Whole(Bytes),
    /// Longer than allowed: read and thrown away.
    TooLarge(usize),
}

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The runtime has ended, or closed the socket.
    #[error("the runtime closed its socket")]
    Closed,
    #[error("the runtime sent what is no frame")]
    Garbage,
    #[error("the socket to the runtime failed")]
    Io(#[from] io::Error),
}

impl Frame {
    /// The header's fields; their defaults if there is no header.
    pub(crate) fn header<T: DeserializeOwned + Default>(&self) -> Result<T, FrameError> {
        if self.header.is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(&self.header).map_err(|_| FrameError::Garbage)
    }
}

/// The server's end.
///
/// It is watched for reading only. A stream socket of the reactor's own would be watched for
/// writing as well, and the kernel would wake the server each time the runtime takes an event.
#[derive(Debug)]
pub(crate) struct FrameSocket {
    socket: AsyncFd<OwnedFd>,
    received: Vec<u8>,
    /// Reused from frame to frame.
    sending: Vec<u8>,
}

impl FrameSocket {
    /// A socket, and the end that the runtime inherits.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let socket = Self {
            socket: watch(ours.into())?,
            received: Vec::new(),
            sending: Vec::new(),
        };
        Ok((socket, theirs.into()))
    }

    /// Whether the runtime has closed its end, or sent what nobody asked for: it is there to be
    /// received, or came in one read with the last answer.
    pub(crate) fn is_disturbed(&self) -> bool {
        !self.received.is_empty() || self.has_arrived()
    }

    /// Whether there is something to receive, or will be nothing any more. Asks the kernel, where
    /// the reactor would know only of what it has been told.
    pub(crate) fn has_arrived(&self) -> bool {
        !matches!(peek(self.socket.get_ref()), Err(Errno::AGAIN | Errno::INTR))
    }

    /// Something that sends a frame without contents, once, from any thread.
    pub(crate) fn sender(
        &self,
        kind: Kind,
    ) -> io::Result<impl FnOnce() -> io::Result<()> + Send + use<>> {
        let socket = self.socket.get_ref().try_clone()?;
        Ok(move || {
            let mut frame = [0; PREFIX];
            frame[..4].copy_from_slice(&(kind as u32).to_le_bytes());
            let sent = rustix::net::send(&socket, &frame, SendFlags::NOSIGNAL)?;
            if sent == PREFIX {
                Ok(())
            } else {
                Err(io::ErrorKind::WriteZero.into())
            }
        })
    }

    pub(crate) async fn send(
        &mut self,
        kind: Kind,
        header: &impl Serialize,
        payload: &Bytes,
    ) -> Result<(), FrameError> {
        self.sending.clear();
        self.sending.resize(PREFIX, 0);
        serde_json::to_writer(&mut self.sending, header).map_err(io::Error::from)?;
        let header_length = self.sending.len() - PREFIX;
        let lengths = [kind as usize, header_length, payload.len()];
        for (field, number) in self.sending.chunks_exact_mut(4).zip(lengths) {
            let number = u32::try_from(number).map_err(|_| FrameError::Garbage)?;
            field.copy_from_slice(&number.to_le_bytes());
        }
        if payload.len() <= COPY_BELOW {
            self.sending.extend_from_slice(payload);
            self.write(&self.sending).await.map_err(closed)
        } else {
            self.write(&self.sending).await.map_err(closed)?;
            self.write(payload).await.map_err(closed)
        }
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        // Made when the socket's buffer is full: the reactor takes a descriptor only once.
        let mut writable = None;
        while !bytes.is_empty() {
            match rustix::net::send(self.socket.get_ref(), bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let full = match &writable {
                        Some(full) => full,
                        None => writable.insert(watch_for(
                            self.socket.get_ref().try_clone()?,
                            Interest::WRITABLE,
                        )?),
                    };
                    full.writable().await?.clear_ready();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next frame; of a payload above `limit` only the size is kept.
    pub(crate) async fn receive(&mut self, limit: usize) -> Result<Frame, FrameError> {
        self.fill(PREFIX).await?;
        let mut prefix = &self.received[..PREFIX];
        let (kind, header_length) = (prefix.get_u32_le(), prefix.get_u32_le() as usize);
        let length = prefix.get_u32_le() as usize;
        let kind = Kind::read(kind).ok_or(FrameError::Garbage)?;
        if header_length > MAX_HEADER {
            return Err(FrameError::Garbage);
        }
        let payload_at = PREFIX + header_length;
        if length > limit {
            self.fill(payload_at).await?;
            let header = self.take(payload_at).split_off(PREFIX);
            self.skip(length).await?;
            let payload = Payload::TooLarge(length);
            return Ok(Frame {
                kind,
                header,
                payload,
            });
        }
        self.fill(payload_at + length).await?;
        let mut header = self.take(payload_at + length);
        let payload = Payload::Whole(header.split_off(payload_at));
        header.advance(PREFIX);
        Ok(Frame {
            kind,
            header,
            payload,
        })
    }

    /// What was received first. Without a copy if that is all, as when a runtime keeps to its turn.
    fn take(&mut self, length: usize) -> Bytes {
        if length == self.received.len() {
            return std::mem::take(&mut self.received).into();
        }
        let taken = Bytes::copy_from_slice(&self.received[..length]);
        self.received.drain(..length);
        taken
    }

    /// Receives until so much is there.
    async fn fill(&mut self, length: usize) -> Result<(), FrameError> {
        if let Some(missing) = length.checked_sub(self.received.len()) {
            // Room for a small frame behind a prefix spares a second read.
            self.received.reserve(missing.max(ROOM));
        }
        while self.received.len() < length {
            if self.read().await.map_err(closed)? == 0 {
                return Err(FrameError::Closed);
            }
        }
        Ok(())
    }

    /// Receives what is there, as far as there is room. Asks the kernel first: the reactor may not
    /// have heard yet of what [`Self::has_arrived`] saw.
    async fn read(&mut self) -> io::Result<usize> {
        loop {
            let buffer = rustix::buffer::spare_capacity(&mut self.received);
            match rustix::net::recv(self.socket.get_ref(), buffer, RecvFlags::empty()) {
                Ok((_, read)) => return Ok(read),
                Err(Errno::INTR) => {}
                // What is cleared may be news since then, which the next turn receives.
                Err(Errno::AGAIN) => self.socket.readable().await?.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn skip(&mut self, length: usize) -> Result<(), FrameError> {
        let mut left = length;
        loop {
            let here = left.min(self.received.len());
            self.received.drain(..here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.fill(left.min(64 << 10)).await?;
        }
    }
}

fn peek(socket: &OwnedFd) -> rustix::io::Result<()> {
    rustix::net::recv(socket, &mut [0], RecvFlags::PEEK).map(drop)
}

/// A runtime that died with the frame half-written resets the socket rather than ending it.
fn closed(error: io::Error) -> FrameError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => FrameError::Closed,
        _ => FrameError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn runtime_end(fd: OwnedFd) -> std::os::unix::net::UnixStream {
        fd.into()
    }

    fn raw(kind: u32, header: &[u8], payload: &[u8]) -> Vec<u8> {
        let lengths = [kind, header.len() as u32, payload.len() as u32];
        let prefix = lengths.iter().flat_map(|number| number.to_le_bytes());
        prefix
            .chain(header.iter().copied())
            .chain(payload.iter().copied())
            .collect()
    }

    #[tokio::test]
    async fn frames_go_both_ways_whatever_their_size() {
        for size in [0, 1, COPY_BELOW, COPY_BELOW + 1, 3 << 20] {
            let (mut socket, fd) = FrameSocket::pair().unwrap();
            let event = Bytes::from(vec![7; size]);
            let echo = std::thread::spawn(move || {
                let mut end = runtime_end(fd);
                let mut frame = vec![0; PREFIX + r#"{"id":1}"#.len() + size];
                end.read_exact(&mut frame).unwrap();
                end.write_all(&raw(6, br#"{"id":2}"#, &frame[PREFIX + 8..]))
                    .unwrap();
            });
            let header = serde_json::json!({ "id": 1 });
            socket.send(Kind::Invoke, &header, &event).await.unwrap();
            let frame = socket.receive(size).await.unwrap();
            echo.join().unwrap();
            assert_eq!(frame.kind, Kind::Response);
            assert_eq!(frame.header::<serde_json::Value>().unwrap()["id"], 2);
            assert!(matches!(frame.payload, Payload::Whole(payload) if payload == event));
        }
    }

    #[tokio::test]
    async fn a_payload_above_the_limit_is_skipped_and_the_next_frame_is_whole() {
        let (mut socket, fd) = FrameSocket::pair().unwrap();
        let writer = std::thread::spawn(move || {
            let mut end = runtime_end(fd);
            end.write_all(&raw(6, b"", &vec![1; 1 << 20])).unwrap();
            end.write_all(&raw(3, b"", b"x")).unwrap();
        });
        let frame = socket.receive(1000).await.unwrap();
        assert!(matches!(frame.payload, Payload::TooLarge(size) if size == 1 << 20));
        let frame = socket.receive(1000).await.unwrap();
        writer.join().unwrap();
        assert!(matches!(frame.payload, Payload::Whole(payload) if payload == "x"));
        assert!(matches!(socket.receive(1).await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn what_came_with_an_answer_disturbs_whether_it_has_been_read_or_not() {
        let (mut socket, fd) = FrameSocket::pair().unwrap();
        let mut end = runtime_end(fd);
        end.write_all(&raw(6, b"", b"one")).unwrap();
        socket.receive(10).await.unwrap();
        assert!(!socket.is_disturbed());
        let both = [raw(6, b"", b"two"), raw(6, b"", b"stale")].concat();
        end.write_all(&both).unwrap();
        socket.receive(10).await.unwrap();
        assert!(socket.is_disturbed());
        socket.receive(10).await.unwrap();
        assert!(!socket.is_disturbed());
        end.write_all(b"x").unwrap();
        assert!(socket.is_disturbed());
    }

    #[tokio::test]
    async fn garbage_is_refused() {
        for bad in [raw(99, b"", b""), raw(6, &vec![b' '; MAX_HEADER + 1], b"")] {
            let (mut socket, fd) = FrameSocket::pair().unwrap();
            runtime_end(fd)
                .write_all(&bad[..bad.len().min(100)])
                .unwrap();
            assert!(matches!(socket.receive(1).await, Err(FrameError::Garbage)));
        }
    }
}
