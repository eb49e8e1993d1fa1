//! Everything that can go wrong in this crate.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::BlobId;

/// Why the store or the blob store could not do what it was asked.
///
/// Cloneable, because one failed sync is reported to every commit that shared it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A precondition of the batch did not hold; nothing of the batch was applied.
    #[error("precondition on key {:?} does not hold", key.escape_ascii().to_string())]
    Conflict {
        /// The first key whose precondition failed.
        key: Bytes,
    },
    /// The disk, or the quota, is full. Nothing was applied; the same call succeeds once there is
    /// space again.
    #[error("no space left on the data disk")]
    Full,
    /// The operating system refused something.
    #[error("{action}")]
    Io {
        /// What was being done, for the log.
        action: &'static str,
        /// The system's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// Stored bytes are not what this crate wrote.
    #[error("stored state is damaged: {what}")]
    Corrupt {
        /// What was found to be wrong, and where.
        what: String,
    },
    /// Another process has the data directory open.
    #[error("{} is in use by another process{}", dir.display(), holder(*pid))]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The process that holds it, when it could be told.
        pid: Option<u32>,
    },
    /// Something was written by a later version of the program than this one.
    #[error("{what} has version {found}, this program knows up to {known}")]
    Newer {
        /// The table's name, or the file's.
        what: &'static str,
        /// The version found.
        found: u8,
        /// The latest version this program can read.
        known: u8,
    },
    /// A key or a value is longer than the store takes.
    #[error("{what} has {length} bytes, the store takes up to {limit}")]
    TooLarge {
        /// "key" or "value".
        what: &'static str,
        /// Its length.
        length: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// A value could not be turned into a record: the type does not fit JSON.
    #[error("encode record of {table}: {reason}")]
    Encode {
        /// The table's name.
        table: &'static str,
        /// What serde said.
        reason: String,
    },
    /// No blob has this id.
    #[error("blob {id} does not exist")]
    BlobMissing {
        /// The id that was asked for.
        id: BlobId,
    },
    /// The store has been shut down.
    #[error("store is closed")]
    Closed,
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

impl StoreError {
    /// Whether the disk is full or does not work: what holds now may not hold later.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Full | Self::Io { .. })
    }

    /// Whether a precondition failed, so that the caller may read again and retry.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Sorts an operating-system error: a full disk is [`Full`](Self::Full), the rest is
    /// [`Io`](Self::Io) with `action` as its text.
    pub fn io(action: &'static str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full,
            _ => Self::Io {
                action,
                source: Arc::new(error),
            },
        }
    }

    /// Damaged state, described by `what`.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}
