//! A request's body that must keep coming: a client that sends nothing for half a minute is gone.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use service::BoxError;
use tokio::time::Sleep;

/// Longest pause within a body.
const PAUSE: Duration = Duration::from_secs(30);

/// A body that fails if a frame takes longer than [`PAUSE`].
pub struct PromptBody<B> {
    body: B,
    /// Runs while a frame is waited for. Most bodies come with their head, and need none.
    pause: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("nothing of the body came for {} seconds", PAUSE.as_secs())]
struct Paused;

impl<B> PromptBody<B> {
    pub fn new(body: B) -> Self {
        Self { body, pause: None }
    }
}

impl<B> Body for PromptBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.pause = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let pause = this
            .pause
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
        ready!(pause.as_mut().poll(context));
        Poll::Ready(Some(Err(Paused.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_not_stand_still() {
        let (sender, receiver) = mpsc::unbounded::<Result<Frame<Bytes>, std::io::Error>>();
        let mut body = PromptBody::new(StreamBody::new(receiver));
        let send = async {
            for _ in 0..5 {
                tokio::time::sleep(PAUSE * 9 / 10).await;
                sender
                    .unbounded_send(Ok(Frame::data(Bytes::from_static(b"x"))))
                    .unwrap();
            }
        };
        let receive = async {
            for _ in 0..5 {
                assert!(body.frame().await.unwrap().is_ok());
            }
            body.frame().await.unwrap().unwrap_err()
        };
        let ((), error) = tokio::join!(send, receive);
        assert_eq!(error.to_string(), "nothing of the body came for 30 seconds");
        drop(sender);
    }
}
