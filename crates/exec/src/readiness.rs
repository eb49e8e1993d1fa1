//! Descriptors of any kind, watched by the runtime's reactor.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor for something to read. Needs a tokio runtime.
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watch_for(descriptor, Interest::READABLE)
}

/// Watches a descriptor for one thing alone: what nobody waits for must not wake anybody.
#[expect(
    deprecated,
    reason = "its successor is unsafe for types that may change their descriptor; OwnedFd cannot"
)]
pub(crate) fn watch_for(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, interest)
}
