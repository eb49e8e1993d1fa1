//! What can go wrong outside a function's own code.

use std::io;
use std::path::PathBuf;

use crate::images::ImageId;

/// Why execution cannot begin at all on this host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    #[error("write the runtime bootstraps to {}", path.display())]
    Bootstraps { path: PathBuf, source: io::Error },
    #[error("open the sandbox host")]
    Sandbox(#[source] sandbox::SandboxError),
    #[error("open code images")]
    Images(#[from] ImageError),
}

/// Why an invocation did not run. A function that ran and failed is an
/// [`crate::InvokeOutcome`] with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// 429 TooManyRequestsException.
    #[error("throttled: {}", reason.as_str())]
    Throttled { reason: ThrottleReason },
    /// No interpreter on this host can run the function. The message is for the function's owner.
    #[error("runtime {runtime} is unavailable: {message}")]
    RuntimeUnavailable { runtime: String, message: String },
    /// The code image is gone, or the hot-reload folder does not exist.
    #[error("code is unavailable: {0}")]
    CodeUnavailable(String),
    /// The execution role cannot be assumed.
    #[error("execution role cannot be assumed: {0}")]
    Role(String),
    /// The function's hooks after a restore failed; the message is for its caller.
    #[error("the restored function failed: {0}")]
    Restore(String),
    /// They took longer than ten seconds.
    #[error("the snapshot could not be restored within its time limit")]
    RestoreTimeout,
    /// No environment of a version on a capacity provider could be initialised; why.
    #[error("no environment could be initialised: {0}")]
    NotInitialised(String),
    /// The server is ending.
    #[error("shutting down")]
    ShuttingDown,
    /// The environment could not be made or was lost, through no fault of the function.
    #[error("{action}: {cause}")]
    Internal { action: &'static str, cause: String },
}

/// Why a version could not be prepared for SnapStart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// Its init or its hooks before the snapshot failed, such as
    /// `Runtime.ImportModuleError: No module named 'x'`.
    #[error("{0}")]
    Init(String),
    #[error(transparent)]
    Start(#[from] InvokeError),
}

/// `Reason` of TooManyRequestsException.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The account's concurrency is used up, or a function's environments would grow too fast.
    ConcurrentInvocationLimitExceeded,
    /// The same of a function with concurrency of its own.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// More invocations in a second than the concurrency allows.
    FunctionInvocationRateLimitExceeded,
    /// The same of a function with concurrency of its own.
    ReservedFunctionInvocationRateLimitExceeded,
}

impl ThrottleReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionInvocationRateLimitExceeded => {
                "ReservedFunctionInvocationRateLimitExceeded"
            }
        }
    }
}

/// Why a deployment package was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Not an archive, or a damaged one.
    #[error("not a readable archive: {0}")]
    Corrupt(String),
    /// An entry that would leave the package, or is no file, folder or inner symbolic link.
    #[error("entry {name:?} is not allowed: {reason}")]
    UnsafeEntry { name: String, reason: &'static str },
    /// Two entries of one name, such as `a` and `./a`.
    #[error("two zip entries have one name")]
    Duplicate,
    /// The files take more than `limit` bytes, whatever the archive declares.
    #[error("unpacked size must be smaller than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("archive has more than {limit} entries")]
    TooManyEntries { limit: usize },
    /// The archive holds no file.
    #[error("archive holds no file")]
    Empty,
    /// A layer whose bytes are not what its digest says.
    #[error("layer has the digest sha256:{found}, not sha256:{expected}")]
    Digest { expected: ImageId, found: ImageId },
    /// A layer that is not what its image's configuration says.
    #[error(
        "layer sha256:{layer} is sha256:{found} uncompressed, not the diff_id sha256:{expected}"
    )]
    DiffId {
        layer: ImageId,
        expected: ImageId,
        found: ImageId,
    },
    /// The host's own trouble: disk full, no permission.
    #[error("{action}")]
    Io {
        action: &'static str,
        source: io::Error,
    },
}

impl ImageError {
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}
