//! Decides which environment takes an event, and how many there are.
//!
//! docs/decisions/0007-dispatch.md says what is decided how, and why.

mod concurrency;
mod counts;
mod fleet;
mod folder_watch;
mod idle;
mod keeper;
mod memory;
mod pool;
mod pools;
mod provisioned;
mod rate;
mod reclaim;
mod retry;
mod start;
mod turns;
mod waiting;

#[cfg(test)]
mod concurrency_tests;

pub(crate) use concurrency::{Concurrency, Limits};
pub(crate) use fleet::Fleet;
pub(crate) use folder_watch::FolderWatch;
pub use memory::{HostMemory, MemoryProbe};
pub(crate) use pool::{Acquired, Host, Lost, Pool};
pub(crate) use pools::Pools;
pub(crate) use reclaim::Reclaimer;
pub(crate) use retry::{entrypoint_failure, run_again};
pub(crate) use turns::Turns;
pub(crate) use waiting::Commitment;
