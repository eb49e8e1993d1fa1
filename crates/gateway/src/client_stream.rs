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
    /// It has been looked out for what comes after that.
    has_looked: bool,
}

impl ClientStream {
    pub fn new(stream: TcpStream, gateway: Arc<Gateway>, number: u64) -> Self {
        Self {
            stream,
            gateway,
            number,
            lookout: Lookout::default(),
            answered: None,
            has_looked: false,
        }
    }

    fn answered(&mut self) {
        self.answered = Some(Instant::now());
        self.has_looked = false;
    }

    /// Waits a moment for the client to call again, and reads what it sends.
    fn look_out(&mut self, buffer: &mut ReadBuf<'_>) -> Option<io::Result<()>> {
        let answered = self.answered.filter(|_| !self.has_looked)?;
        self.has_looked = true;
        let (traffic, number) = (&self.gateway.traffic, self.number);
        let peek = |flags| rustix::net::recv(&self.stream, &mut [0], flags | RecvFlags::PEEK);
        let is_there = || !matches!(peek(RecvFlags::DONTWAIT), Err(Errno::AGAIN | Errno::INTR));
        let is_alone = || traffic.is_all_of(number);
        if !self.lookout.look_out(answered, is_alone, is_there) {
            return None;
        }
        let room = buffer.initialize_unfilled();
        match rustix::net::recv(&self.stream, room, RecvFlags::DONTWAIT) {
            Ok((_, read)) => {
                buffer.advance(read);
                Some(Ok(()))
            }
            // The reactor is to tell.
            Err(_) => None,
        }
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
        if polled.is_pending()
            && let Some(read) = this.look_out(buffer)
        {
            polled = Poll::Ready(read);
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
        self.answered();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answered();
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
