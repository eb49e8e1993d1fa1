//! What can go wrong between a spec and a running payload.

use std::io;
use std::path::PathBuf;

/// Why a sandbox was not created, or does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A string of the spec holds a NUL byte, which no system call can carry.
    #[error("{what} contains a NUL byte")]
    Nul { what: &'static str },
    /// A guest path of a bind is relative, climbs out with `..`, or lies in `/dev`, `/proc` or
    /// `/tmp`, which are the sandbox's own.
    #[error("guest path {} is no place for a bind", path.display())]
    GuestPath { path: PathBuf },
    /// What an open sandbox is to become is not in its stash.
    #[error("{} is not in the stash", path.display())]
    OutsideStash { path: PathBuf },
    /// The sandbox is complete already, or was never open.
    #[error("sandbox is not open")]
    NotOpen,
    /// A mount's source is not there.
    #[error("bind {}", path.display())]
    Bind { path: PathBuf, source: io::Error },
    /// A step of the plan failed inside the new sandbox, which is gone again.
    #[error("{step} in the sandbox")]
    Step { step: String, source: io::Error },
    /// The sandbox ended before it said whether the program runs.
    #[error("sandbox ended before its program started")]
    Ended,
    /// The sandbox did not answer in time.
    #[error("sandbox did not answer: {what}")]
    Unresponsive { what: &'static str },
    /// The host refused something outside the sandbox.
    #[error("{action}")]
    Host {
        action: &'static str,
        source: io::Error,
    },
    /// A control group could not be prepared or changed.
    #[error("{action} control group {}", path.display())]
    Cgroup {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// No uid of the pool is free: every one belongs to a live environment.
    #[error("no free uid in the pool of {size}")]
    UidsExhausted { size: u32 },
}

impl SandboxError {
    /// The same failure, told to another caller.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Host { action, source } => {
                let source = io::Error::new(source.kind(), source.to_string());
                Self::Host { action, source }
            }
            other => {
                let source = io::Error::other(other.to_string());
                Self::Host {
                    action: "prepare sandboxes",
                    source,
                }
            }
        }
    }

    pub(crate) fn host(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Host { action, source }
    }
}
