//! A value that a background thread makes while its first user is not there yet.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use crate::SandboxError;

/// Made once; every user waits for it, and sees its failure.
#[derive(Debug)]
pub(crate) struct Later<T> {
    made: OnceLock<Result<T, SandboxError>>,
    making: Mutex<Option<JoinHandle<Result<T, SandboxError>>>>,
}

impl<T: Send + 'static> Later<T> {
    pub(crate) fn start(
        make: impl FnOnce() -> Result<T, SandboxError> + Send + 'static,
    ) -> Result<Self, SandboxError> {
        let making = thread::Builder::new()
            .name(String::from("preparation"))
            .spawn(make)
            .map_err(SandboxError::host("start a background thread"))?;
        Ok(Self {
            made: OnceLock::new(),
            making: Mutex::new(Some(making)),
        })
    }

    pub(crate) fn get(&self) -> Result<&T, SandboxError> {
        let made = self.made.get_or_init(|| {
            let making = self
                .making
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let joined = making.map(JoinHandle::join);
            joined
                .and_then(Result::ok)
                .unwrap_or(Err(SandboxError::Ended))
        });
        made.as_ref().map_err(SandboxError::again)
    }
}

impl<T> Drop for Later<T> {
    fn drop(&mut self) {
        let making = self
            .making
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Nobody wants it any more, but it must not write to a folder that is being removed.
        let _ = making.map(JoinHandle::join);
    }
}
