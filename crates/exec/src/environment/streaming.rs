//! A response that comes in pieces, on its way to whoever asked.

use bytes::{Bytes, BytesMut};

use super::link::{Answer, too_large};
use crate::invocation::{InvokeEvent, ResponseSink};

/// Where the pieces of one response go: on at once to a caller that takes them, else together.
///
/// Pieces above the limit are thrown away, and so are those for a caller that has left, as on
/// Lambda: the function runs on.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html>
#[derive(Debug)]
pub(crate) struct Pieces {
    sink: Option<ResponseSink>,
    gathered: BytesMut,
    limit: usize,
    size: usize,
}

impl Pieces {
    /// `limit`: of a response that is gathered, in bytes.
    pub(crate) fn of(event: &InvokeEvent, limit: usize) -> Self {
        let sink = event.sink.clone();
        Self {
            limit: sink.as_ref().map_or(limit, |sink| sink.limit),
            sink,
            gathered: BytesMut::new(),
            size: 0,
        }
    }

    /// Resolves when the caller has room for more.
    pub(crate) async fn take(&mut self, piece: Bytes) {
        self.size = self.size.saturating_add(piece.len());
        if self.size > self.limit || piece.is_empty() {
            return;
        }
        match &self.sink {
            Some(sink) => sink.send(piece).await,
            None => self.gathered.extend_from_slice(&piece),
        }
    }

    /// Counts a piece that was not kept.
    pub(crate) fn skip(&mut self, size: usize) {
        self.size = self.size.saturating_add(size);
    }

    /// The answer when the last piece has come. What was sent on is no part of it.
    pub(crate) fn end(self) -> Answer {
        if self.size > self.limit {
            return too_large(self.size, self.limit);
        }
        Answer::Response(self.gathered.freeze())
    }
}
