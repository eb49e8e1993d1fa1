//! A client's connection, which looks out for the next request of a client that calls again at
//! once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use base::Lookout;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::Gateway;

/// Bytes of a connection.
pub struct ClientStream {
    stream: TcpStream,
    gateway: Arc<Gateway>,
    /// Its number in the gateway's traffic.
    number: u64,
    /// How long this client takes to call again.
    lookout: Lookout,
    /// When something was last written that nothing has been read after.
    answered: Option<Instant>,
}

impl ClientStream {
    pub fn new(stream: TcpStream, gateway: Arc<Gateway>, number: u64) -> Self {
        Self {
            stream,
            gateway,
            number,
            lookout: Lookout::default(),
            answered: None,
        }
    }

    /// Waits a moment for the client to call again, and reads what it sends. Whether there was
    /// anything; if not, the reactor is to tell.
    fn look_out(&self, buffer: &mut ReadBuf<'_>) -> bool {
        let Some(answered) = self.answered else {
            return false;
        };
        let peek = || rustix::net::recv(&self.stream, &mut [0], RecvFlags::PEEK);
        let is_there = || !matches!(peek(), Err(Errno::AGAIN | Errno::INTR));
        let is_alone = || self.gateway.traffic.is_all_of(self.number);
        if !self.lookout.look_out(answered, is_alone, is_there) {
            return false;
        }
        let room = buffer.initialize_unfilled();
        let received = rustix::net::recv(&self.stream, room, RecvFlags::empty());
        if let Ok((_, read)) = received {
            buffer.advance(read);
        }
        received.is_ok()
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        if polled.is_pending() && this.look_out(buffer) {
            polled = Poll::Ready(Ok(()));
        }
        if polled.is_ready()
            && let Some(answered) = this.answered.take()
        {
            this.lookout.came_after(answered.elapsed());
        }
        polled
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answered = Some(Instant::now());
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answered = Some(Instant::now());
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
