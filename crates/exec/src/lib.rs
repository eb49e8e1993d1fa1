//! Runs functions: environment lifecycle, Runtime API, code images, dispatcher.

mod awaited;
mod bootstraps;
mod changes;
mod config;
mod detached;
mod dispatch;
mod environment;
mod error;
mod exec;
mod extensions;
mod frames;
mod function;
mod images;
mod info;
mod invocation;
mod logging;
mod logs;
mod nursery;
pub mod packs;
mod ports;
mod readiness;
mod runtime_api;
mod runtimes;
mod telemetry;

pub use config::{ExecConfig, Outbound, Templates};
pub use dispatch::{HostMemory, MemoryProbe};
pub use error::{ExecError, ImageError, InvokeError, PrepareError, ThrottleReason};
pub use exec::Exec;
pub use function::{Code, Container, FunctionKey, FunctionSpec, Managed};
pub use images::{
    CodeImage, Compression, ImageId, Images, MAX_CONTAINER_BYTES, MAX_ENTRIES, MAX_UNZIPPED_BYTES,
    StackedLayer, Staging,
};
pub use info::{EnvironmentInfo, EnvironmentState, ProvisionedStatus, ScaledStatus, SpareInfo};
pub use invocation::{
    FunctionError, InvokeEvent, InvokeOutcome, LOG_TAIL_BYTES, MAX_PAYLOAD_BYTES,
    MAX_RESPONSE_BYTES, MAX_STREAMED_BYTES, Phases, ResponseSink, StartTier,
};
pub use logging::{LogFormat, LogLevel, Logging};
pub use nursery::Parking;
pub use ports::{
    CredentialsError, EnvironmentIdentity, ExecPorts, FunctionCredentials, GatewaySockets,
    RoleCredentials, UsageRecord, UsageSink,
};
pub use runtimes::{
    Family, Interpreter, InterpreterSearch, Runtime, RuntimeInfo, Version, runtimes,
};
