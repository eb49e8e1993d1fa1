//! Work that must not stop half-way because the client hung up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Runs a future to its end: where it is awaited, or by itself if whoever awaits it goes away.
///
/// A commit that has begun may succeed; memory must then follow the disk.
pub struct ToTheEnd<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

pub fn to_the_end<F>(future: F) -> ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    ToTheEnd(Some(Box::pin(future)))
}

impl<F> Future for ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.0.as_mut().expect("not polled again once it is ready");
        let output = std::task::ready!(future.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(output)
    }
}

impl<F> Drop for ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(unfinished) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(unfinished);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_probe::poll_once;
    use tokio::sync::Notify;

    use super::*;

    mod futures_probe {
        use super::*;

        /// Polls once, as a server does before the client hangs up.
        pub async fn poll_once<F: Future + Unpin>(future: &mut F) {
            std::future::poll_fn(|context| {
                let _ = Pin::new(&mut *future).poll(context);
                Poll::Ready(())
            })
            .await;
        }
    }

    #[tokio::test]
    async fn goes_on_when_dropped_half_way() {
        let (proceed, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut work = to_the_end({
            let (proceed, done) = (Arc::clone(&proceed), Arc::clone(&done));
            async move {
                proceed.notified().await;
                done.notify_one();
            }
        });
        poll_once(&mut work).await;
        drop(work);
        proceed.notify_one();
        done.notified().await;
    }

    #[tokio::test]
    async fn answers_when_awaited() {
        assert_eq!(to_the_end(async { 7 }).await, 7);
    }
}
