//! What is to run: one version of one function, complete with configuration and code.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Arn, Region};

use crate::images::CodeImage;
use crate::logging::Logging;
use crate::ports::RoleCredentials;
use crate::runtimes::Runtime;

/// Which function version an environment belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionKey {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
}

/// One version of a function as it is to run now. A spec with another `revision_id` replaces every
/// environment of the version.
#[derive(Clone)]
pub struct FunctionSpec {
    pub key: FunctionKey,
    /// The unqualified ARN of the function.
    pub arn: Arn,
    /// Changes with every change of code or configuration that an environment must not outlive.
    pub revision_id: String,
    pub runtime: Runtime,
    /// Such as `index.handler`.
    pub handler: String,
    pub code: Code,
    /// What is mounted at `/opt`: a layer, or several stacked. `None` if there is none.
    pub layers: Option<CodeImage>,
    /// The function's own variables; those Lambda reserves are set over them.
    pub environment: BTreeMap<String, String>,
    /// MB of 2^20 bytes. Lambda: 128 to 10,240. 1,769 MB is one vCPU.
    pub memory_mb: u32,
    /// Lambda: 1 to 900 seconds.
    pub timeout: Duration,
    /// Largest response that does not stream, in bytes. Lambda: [`crate::MAX_PAYLOAD_BYTES`], and what
    /// it allows on top of it.
    pub max_response: usize,
    /// Size of `/tmp` in MB. Lambda: 512 to 10,240.
    pub tmp_mb: u32,
    /// The execution role.
    pub role: Arn,
    pub credentials: Arc<dyn RoleCredentials>,
    /// Usually `/aws/lambda/<name>`.
    pub log_group: String,
    pub logging: Logging,
    /// Concurrency set aside for the function, over all its versions; zero turns it off. Not part
    /// of a revision: it is read from the spec of each call.
    pub reserved_concurrency: Option<u32>,
    /// Whether the version's environments start from a snapshot of one that has been initialized:
    /// a published version for which SnapStart is on.
    pub snap_start: bool,
    /// Of a version on a capacity provider. Its environments are made by [`crate::Exec::scale`].
    pub managed: Option<Managed>,
}

/// How the environments of a version on a capacity provider are: they take many invocations at once,
/// and are never frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Invocations at once in one environment.
    pub concurrency: u32,
    /// vCPUs of an environment, in thousandths.
    pub cpu_millis: u32,
}

/// What is mounted at `/var/task`, or the whole root.
#[derive(Clone, Debug)]
pub enum Code {
    Image(CodeImage),
    Container(Container),
    /// A folder of the host, seen live; environments are replaced at the first call after a change.
    HotReload(PathBuf),
}

/// A container image, and how it is run.
#[derive(Clone, Debug)]
pub struct Container {
    /// The tree that is the environment's root.
    pub image: CodeImage,
    /// The program, by its path or its name, and its arguments.
    pub command: Vec<String>,
    /// Where it is run; `/` if the image does not say.
    pub working_directory: Option<String>,
    /// The image's own variables, under the function's.
    pub environment: BTreeMap<String, String>,
}

impl FunctionSpec {
    /// vCPUs in thousandths: 1,000 per 1,769 MB.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
    pub fn cpu_millis(&self) -> u32 {
        if let Some(managed) = self.managed {
            return managed.cpu_millis;
        }
        (u64::from(self.memory_mb) * 1_000 / 1_769).max(1) as u32
    }
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            region,
            name,
            version,
        } = self;
        write!(f, "{account}/{region}/{name}:{version}")
    }
}

/// Not derived: variables may hold secrets that must not reach a log.
impl fmt::Debug for FunctionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionSpec")
            .field("key", &self.key)
            .field("revision_id", &self.revision_id)
            .field("runtime", &self.runtime)
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}
