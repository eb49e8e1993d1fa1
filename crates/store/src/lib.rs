//! Durable state: an ordered key-value store and a blob store, behind traits.
//!
//! [`Store`] keeps small records under ordered keys, with atomic batches, preconditions, snapshots
//! and watches. [`Blobs`] keeps content of any size under ids it chooses. [`Table`] is the typed
//! view of a `Store` that a service's `records.rs` is written in:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use store::{Batch, Key, MemoryStore, Store, Table};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct Message {
//!     body: String,
//! }
//! const MESSAGES: Table<Message> = Table::new("example.message", 1);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), store::StoreError> {
//! let store = MemoryStore::new();
//! let mut batch = Batch::new();
//! MESSAGES.put(&mut batch, ("orders", 7_u64), &Message { body: "hello".into() })?;
//! store.commit(batch).await?;
//!
//! let page = MESSAGES.scan(&store, "orders", None, 100).await?;
//! assert_eq!(page.rows[0].value.body, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! # What is absent
//! No record type of any service, no clock, no network, and no reads that wait for writers.

mod batch;
mod blobs;
mod embedded;
mod error;
mod key;
mod lock;
mod memory;
mod scan;
mod table;
mod traits;
mod watch;

pub use batch::{Batch, Durability, Expectation, MAX_KEY_BYTES, MAX_VALUE_BYTES, Op};
pub use blobs::{BlobId, BlobReader, BlobWriter, Blobs, FileBlobs, InvalidBlobId};
pub use embedded::EmbeddedStore;
pub use error::StoreError;
pub use key::{Key, KeyParts, KeyReader};
pub use memory::MemoryStore;
pub use scan::{Entry, Scan};
pub use table::{Page, Row, Table};
pub use traits::{Reader, Snapshot, Store};
pub use watch::Watch;
