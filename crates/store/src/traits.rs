//! The contract that every backend keeps, and that the conformance suite checks.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Batch, Entry, Scan, StoreError, Watch};

/// Reads, of the latest state ([`Store`]) or of one moment's ([`Snapshot`]).
#[async_trait]
pub trait Reader: Send + Sync {
    /// The value of `key`, if it exists.
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The entries of a range, in key order. Each call sees one consistent state; two calls on a
    /// [`Store`] may see different ones.
    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError>;
}

/// One consistent view, unmoved by later commits.
///
/// A backend keeps what a snapshot can still see: drop it within seconds, never keep one.
pub trait Snapshot: Reader {}

/// An ordered key-value store.
///
/// Keys order bytewise. A commit is visible to every read that starts after it returned, and to
/// none before it is applied in full. Commits are ordered: preconditions are judged against all
/// earlier ones, and if one survives a crash, so do all before it.
///
/// A read that runs while a commit is on its way may see it before `commit` returns, but never a
/// [`Sync`](crate::Durability::Sync) batch that is not yet durable.
#[async_trait]
pub trait Store: Reader + 'static {
    /// A consistent view of the present state.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Applies a batch, all or nothing, and returns as its [`Durability`](crate::Durability) says.
    ///
    /// Commits of many callers share one sync. Dropping the future does not take the batch back:
    /// it may or may not be applied, in full.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a precondition does not hold, [`StoreError::Full`] when the
    /// disk is, [`StoreError::TooLarge`]: nothing was applied. After [`StoreError::Io`] the
    /// outcome is not known.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// Commits what puts have made of a batch, if none of them has failed.
    ///
    /// # Errors
    /// Theirs, and those of [`commit`](Self::commit).
    async fn commit_made(&self, made: Result<Batch, StoreError>) -> Result<(), StoreError> {
        self.commit(made?).await
    }

    /// Wakes after commits that touch a key beginning with `prefix`.
    fn watch(&self, prefix: &[u8]) -> Watch;
}

#[async_trait]
impl<R: Reader + ?Sized> Reader for Arc<R> {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        (**self).get(key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        (**self).scan(scan).await
    }
}

#[async_trait]
impl<R: Reader + ?Sized> Reader for Box<R> {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        (**self).get(key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        (**self).scan(scan).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        (**self).snapshot().await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        (**self).commit(batch).await
    }

    fn watch(&self, prefix: &[u8]) -> Watch {
        (**self).watch(prefix)
    }
}
