//! The usage ledger: what each invocation consumed, written in batches off the invoke path.
//!
//! A record is durable within [`FLUSH_INTERVAL`] of its invocation's end, plus the store's own
//! delay for lazy commits; what a `kill -9` catches in between is not in the ledger.

mod ledger;
mod usage;

pub use ledger::{FLUSH_INTERVAL, Ledger};
pub use usage::{Phases, Usage};
