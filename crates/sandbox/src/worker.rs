//! A background thread that works off what it is sent, and is waited for when its handle is dropped.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use crate::SandboxError;

#[derive(Debug)]
pub(crate) struct Worker<T> {
    /// Gone only while being dropped.
    work: Option<Sender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    pub(crate) fn start(
        name: &'static str,
        serve: impl FnOnce(Receiver<T>) + Send + 'static,
    ) -> Result<Self, SandboxError> {
        let (work, received) = channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(received))
            .map_err(SandboxError::host("start a background thread"))?;
        Ok(Self {
            work: Some(work),
            thread: Some(thread),
        })
    }

    /// Hands over a piece of work; gives it back should the thread be gone.
    pub(crate) fn send(&self, work: T) -> Result<(), T> {
        match &self.work {
            Some(sender) => sender.send(work).map_err(|unsent| unsent.0),
            None => Err(work),
        }
    }

    /// For others to hand over work by; the handle's drop waits until they are gone.
    pub(crate) fn sender(&self) -> Option<Sender<T>> {
        self.work.clone()
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a background thread of the sandbox panicked");
        }
    }
}
