//! Invocations that outlive whoever asked for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::dispatch::Commitment;
use crate::error::InvokeError;
use crate::invocation::InvokeOutcome;

type Invocation = Pin<Box<dyn Future<Output = Result<InvokeOutcome, InvokeError>> + Send>>;

/// Runs on in a task of its own when it is dropped before its end, if the event is to run by then.
pub(crate) struct Detached {
    invocation: Option<Invocation>,
    commitment: Arc<Commitment>,
}

impl Detached {
    pub(crate) fn new(invocation: Invocation, commitment: Arc<Commitment>) -> Self {
        Self {
            invocation: Some(invocation),
            commitment,
        }
    }
}

impl Future for Detached {
    type Output = Result<InvokeOutcome, InvokeError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(invocation) = self.invocation.as_mut() else {
            return Poll::Pending;
        };
        let polled = invocation.as_mut().poll(context);
        if polled.is_ready() {
            self.invocation = None;
        }
        polled
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        if let Some(invocation) = self.invocation.take()
            && !self.commitment.withdraw()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(invocation);
        }
    }
}
