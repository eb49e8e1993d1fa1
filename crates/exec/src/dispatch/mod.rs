//! Decides which environment takes an event, and how many there are.

mod concurrency;
mod folder_watch;
mod keeper;
mod pool;
mod retry;

pub(crate) use concurrency::Concurrency;
pub(crate) use folder_watch::FolderWatch;
pub(crate) use pool::{Acquired, Pool};
pub(crate) use retry::{entrypoint_failure, run_again};
