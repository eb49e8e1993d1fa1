//! Descriptors of any kind, watched by the runtime's reactor.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor for something to read. Needs a tokio runtime.
#[expect(
    deprecated,
    reason = "its successor is unsafe for types that may change their descriptor; OwnedFd cannot"
)]
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}
