//! Writes that are applied together or not at all.

use std::ops::Bound;

use bytes::Bytes;

use crate::StoreError;
use crate::scan::prefix_end;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 16 << 10;
/// The longest value, in bytes. What may be longer belongs into [`Blobs`](crate::Blobs).
pub const MAX_VALUE_BYTES: usize = 16 << 20;

/// When a commit returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once the batch would survive power loss.
    #[default]
    Sync,
    /// Once the batch can be read. It becomes durable with the next [`Sync`](Self::Sync) commit of
    /// anyone, or shortly after by itself; a crash before that loses it whole. A later batch is
    /// never durable before an earlier one.
    Lazy,
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a key, whether or not it exists.
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes a key, if it exists.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Removes every key of a range. Costs as much as deleting them one by one.
    DeleteRange {
        /// Lowest key of the range.
        start: Bound<Bytes>,
        /// Highest key of the range.
        end: Bound<Bytes>,
    },
}

/// What must be true of a key for the batch to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The key.
    pub key: Bytes,
    /// The value it must have; `None` when it must not exist.
    pub value: Option<Bytes>,
}

/// Changes, and the preconditions under which they are applied.
///
/// The preconditions are all checked first, against the state left by the batches committed before
/// this one; the changes are then applied in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(crate) ops: Vec<Op>,
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) durability: Durability,
}

impl Batch {
    /// No change, no precondition, [`Durability::Sync`]. Committed as it is, it makes every batch
    /// before it durable.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> &mut Self {
        self.ops.push(Op::Put {
            key: key.into(),
            value: value.into(),
        });
        self
    }

    /// Removes `key`, if it exists.
    pub fn delete(&mut self, key: impl Into<Bytes>) -> &mut Self {
        self.ops.push(Op::Delete { key: key.into() });
        self
    }

    /// Removes the keys from `start`, inclusive, to `end`, exclusive.
    pub fn delete_range(&mut self, start: impl Into<Bytes>, end: impl Into<Bytes>) -> &mut Self {
        let (start, end) = (Bound::Included(start.into()), Bound::Excluded(end.into()));
        self.ops.push(Op::DeleteRange { start, end });
        self
    }

    /// Removes every key that begins with `prefix`: everything, when it is empty.
    pub fn delete_prefix(&mut self, prefix: impl Into<Bytes>) -> &mut Self {
        let prefix = prefix.into();
        let end = prefix_end(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        self.ops.push(Op::DeleteRange {
            start: Bound::Included(prefix),
            end,
        });
        self
    }

    /// Applies the batch only if `key` has exactly this value, or does not exist when `None`.
    pub fn expect(&mut self, key: impl Into<Bytes>, value: Option<Bytes>) -> &mut Self {
        self.expectations.push(Expectation {
            key: key.into(),
            value,
        });
        self
    }

    /// Applies the batch only if `key` does not exist.
    pub fn expect_absent(&mut self, key: impl Into<Bytes>) -> &mut Self {
        self.expect(key, None)
    }

    /// Chooses when the commit returns.
    pub fn durability(&mut self, durability: Durability) -> &mut Self {
        self.durability = durability;
        self
    }

    /// The changes, in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The preconditions.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// Whether the batch changes nothing; it may still have preconditions.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Every backend refuses what another could not take.
    pub(crate) fn check_sizes(&self) -> Result<(), StoreError> {
        let check = |what, length: usize, limit| {
            if length > limit {
                return Err(StoreError::TooLarge {
                    what,
                    length,
                    limit,
                });
            }
            Ok(())
        };
        for op in &self.ops {
            if let Op::Put { key, value } = op {
                check("key", key.len(), MAX_KEY_BYTES)?;
                check("value", value.len(), MAX_VALUE_BYTES)?;
            }
        }
        Ok(())
    }

    /// Bytes of the keys and values that it sets.
    pub(crate) fn size(&self) -> usize {
        let size = |op: &Op| match op {
            Op::Put { key, value } => key.len() + value.len(),
            Op::Delete { key } => key.len(),
            Op::DeleteRange { .. } => 0,
        };
        self.ops.iter().map(size).sum()
    }
}
