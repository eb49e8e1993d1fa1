//! How items change and are read: locks, staged batches, sequence numbers, and what goes on behind.

mod backfill;
mod bucket;
mod change;
mod copy;
mod erase;
mod expire;
mod export;
mod import;
mod jobs;
mod locks;
mod query;
mod rows;
mod sequence;
mod tables;
mod throttle;
mod upkeep;
mod write;

pub use bucket::import_log_group;
pub use change::{Change, Staging};
pub use erase::rand_id;
pub use expire::expire_forever;
pub use locks::{Holder, Locks};
pub use query::{Found, Query};
pub use sequence::Sequence;
pub use tables::{Table, Tables};
pub use throttle::Throttle;
pub use upkeep::{KEPT, TOKEN_LIVES, all, all_under, keep_up};
pub use write::{check_item, check_updated};
