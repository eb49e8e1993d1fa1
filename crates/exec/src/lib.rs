//! Runs functions: environment lifecycle, Runtime API, code images, dispatcher.

mod awaited;
mod bootstraps;
mod config;
mod dispatch;
mod environment;
mod error;
mod exec;
mod frames;
mod function;
mod images;
mod info;
mod invocation;
mod logs;
mod ports;
mod readiness;
mod runtime_api;
mod runtimes;

pub use config::{ExecConfig, Outbound};
pub use error::{ExecError, ImageError, InvokeError, ThrottleReason};
pub use exec::Exec;
pub use function::{Code, FunctionKey, FunctionSpec};
pub use images::{CodeImage, ImageId, Images, MAX_ENTRIES, MAX_UNZIPPED_BYTES};
pub use info::{EnvironmentInfo, EnvironmentState};
pub use invocation::{
    FunctionError, InvokeEvent, InvokeOutcome, LOG_TAIL_BYTES, MAX_PAYLOAD_BYTES, Phases, StartTier,
};
pub use ports::{
    CredentialsError, EnvironmentIdentity, ExecPorts, FunctionCredentials, GatewaySockets,
    RoleCredentials, UsageRecord, UsageSink,
};
pub use runtimes::{
    Family, Interpreter, InterpreterSearch, Runtime, RuntimeInfo, Version, runtimes,
};
