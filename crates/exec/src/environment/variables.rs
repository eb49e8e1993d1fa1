//! The environment variables that a function sees.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::collections::BTreeMap;
use std::path::Path;

use super::connections::Client;
use crate::bootstraps;
use crate::frames::LOG_FD;
use crate::function::{Code, Container, FunctionSpec};
use crate::logging::LogFormat;
use crate::ports::FunctionCredentials;
use crate::runtimes::{Family, Interpreter};

/// Where the function's code is.
pub(crate) const TASK_ROOT: &str = "/var/task";

/// Where its layers are.
pub(crate) const LAYERS_ROOT: &str = "/opt";
/// Unless the function has one of its own.
const TIME_ZONE: &str = ":UTC";
/// How what a snapshot is made of and what comes of it was initialised.
pub(crate) const SNAP_START: &str = "snap-start";

/// What is particular to one environment.
pub(crate) struct Particulars<'a> {
    pub(crate) interpreter: Option<&'a Interpreter>,
    pub(crate) credentials: &'a FunctionCredentials,
    pub(crate) log_stream: &'a str,
    /// `host:port` of the Runtime API.
    pub(crate) runtime_api: &'a str,
    /// `host:port` of the gateway's socket.
    pub(crate) gateway: Option<&'a str>,
    /// Why it was initialised: `on-demand`, `provisioned-concurrency`, `snap-start` or
    /// `lambda-managed-instances`.
    pub(crate) initialization: &'static str,
}

/// The function's own variables over our defaults, and Lambda's reserved ones over both.
pub(crate) fn variables(
    function: &FunctionSpec,
    particulars: &Particulars<'_>,
) -> BTreeMap<String, String> {
    let mut variables = defaults(function, particulars);
    variables.extend(function.environment.clone());
    variables.extend(reserved(function, particulars));
    variables
}

fn defaults(function: &FunctionSpec, particulars: &Particulars<'_>) -> BTreeMap<String, String> {
    let mut defaults = match &function.code {
        Code::Container(container) => of_image(container),
        _ => of_runtime(function, particulars),
    };
    if let Some(gateway) = particulars.gateway {
        let url = format!("http://{gateway}");
        defaults.entry("AWS_ENDPOINT_URL".to_owned()).or_insert(url);
    }
    defaults
}

/// What the image says, and where programs are if it does not.
fn of_image(container: &Container) -> BTreeMap<String, String> {
    let mut variables = container.environment.clone();
    let path = variables.entry("PATH".to_owned());
    path.or_insert_with(|| {
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()
    });
    let zone = variables.entry("TZ".to_owned());
    zone.or_insert_with(|| TIME_ZONE.to_owned());
    variables
}

fn of_runtime(function: &FunctionSpec, particulars: &Particulars<'_>) -> BTreeMap<String, String> {
    let family = function.runtime.family();
    let program = particulars.interpreter.map(|one| one.path.as_path());
    let mut defaults = generic_variables(program.unwrap_or(Path::new("/usr/bin")));
    let folders = module_folders(family, function.runtime.version());
    defaults.extend(folders.map(|(name, folders)| (name.to_owned(), folders)));
    defaults.insert(
        "AWS_XRAY_CONTEXT_MISSING".to_owned(),
        "LOG_ERROR".to_owned(),
    );
    defaults
}

/// Where modules are looked for. It depends on the runtime's version, so that a process that is
/// nobody's yet does not have it.
fn module_folders(
    family: Family,
    (major, minor): (u32, u32),
) -> impl Iterator<Item = (&'static str, String)> {
    let folders = match family {
        Family::Node => vec![(
            "NODE_PATH",
            format!(
                "/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:\
                 /var/runtime/node_modules"
            ),
        )],
        Family::Ruby => vec![
            (
                "GEM_PATH",
                format!(
                    "/var/task/vendor/bundle/ruby/{major}.{minor}.0:\
                     /opt/ruby/gems/{major}.{minor}.0"
                ),
            ),
            (
                "RUBYLIB",
                "/var/task:/var/runtime/lib:/opt/ruby/lib".to_owned(),
            ),
        ],
        _ => Vec::new(),
    };
    folders.into_iter()
}

/// What every function of an interpreter starts with, whatever it is.
pub(super) fn generic_variables(program: &Path) -> BTreeMap<String, String> {
    let mut path = "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned();
    if let Some(folder) = program.parent().filter(|one| !one.starts_with("/usr")) {
        path = format!("{}:{path}", folder.display());
    }
    let libraries = "/var/runtime/lib:/var/task:/var/task/lib:/opt/lib";
    BTreeMap::from([
        ("PATH".to_owned(), path),
        ("LD_LIBRARY_PATH".to_owned(), libraries.to_owned()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("TZ".to_owned(), TIME_ZONE.to_owned()),
    ])
}

fn reserved(
    function: &FunctionSpec,
    particulars: &Particulars<'_>,
) -> impl Iterator<Item = (String, String)> {
    let region = function.key.region.to_string();
    let credentials = particulars.credentials;
    let mut reserved = vec![
        ("_HANDLER", function.handler.clone()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_DEFAULT_REGION", region.clone()),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            function.memory_mb.to_string(),
        ),
        ("AWS_LAMBDA_FUNCTION_NAME", function.key.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", function.key.version.clone()),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            particulars.initialization.to_owned(),
        ),
        ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.clone()),
        (
            "AWS_LAMBDA_LOG_FORMAT",
            function.logging.format.as_str().to_owned(),
        ),
        (
            "AWS_LAMBDA_LOG_STREAM_NAME",
            particulars.log_stream.to_owned(),
        ),
        ("AWS_LAMBDA_RUNTIME_API", particulars.runtime_api.to_owned()),
        ("AWS_REGION", region),
        (
            "AWS_SECRET_ACCESS_KEY",
            credentials.secret_access_key.clone(),
        ),
        ("LAMBDA_RUNTIME_DIR", bootstraps::GUEST.to_owned()),
        ("LAMBDA_TASK_ROOT", TASK_ROOT.to_owned()),
    ];
    if Client::of(function) == Client::Managed {
        reserved.push(("_LAMBDA_TELEMETRY_LOG_FD", LOG_FD.to_string()));
    }
    if let Some(managed) = function.managed {
        let concurrency = managed.concurrency.to_string();
        reserved.push(("AWS_LAMBDA_MAX_CONCURRENCY", concurrency));
    }
    // An image's runtime is its own.
    if !matches!(function.code, Code::Container(_)) {
        let name = format!("AWS_Lambda_{}", function.runtime);
        reserved.push(("AWS_EXECUTION_ENV", name));
    }
    if function.logging.format == LogFormat::Json {
        let level = function.logging.application.as_str();
        reserved.push(("AWS_LAMBDA_LOG_LEVEL", level.to_owned()));
    }
    if let Some(token) = &credentials.session_token {
        reserved.push(("AWS_SESSION_TOKEN", token.clone()));
    }
    reserved
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
}

/// As many variables as a function has at least, with values as long, that mean nothing.
pub(super) fn rehearsal_variables() -> BTreeMap<String, String> {
    const NAMES: [(&str, usize); 18] = [
        ("_HANDLER", 20),
        ("AWS_ACCESS_KEY_ID", 20),
        ("AWS_DEFAULT_REGION", 12),
        ("AWS_ENDPOINT_URL", 24),
        ("AWS_EXECUTION_ENV", 24),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 4),
        ("AWS_LAMBDA_FUNCTION_NAME", 24),
        ("AWS_LAMBDA_FUNCTION_VERSION", 8),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", 12),
        ("AWS_LAMBDA_LOG_FORMAT", 4),
        ("AWS_LAMBDA_LOG_GROUP_NAME", 36),
        ("AWS_LAMBDA_LOG_STREAM_NAME", 56),
        ("AWS_LAMBDA_RUNTIME_API", 16),
        ("AWS_REGION", 12),
        ("AWS_SECRET_ACCESS_KEY", 40),
        ("AWS_SESSION_TOKEN", 400),
        ("LAMBDA_RUNTIME_DIR", 12),
        ("LAMBDA_TASK_ROOT", 12),
    ];
    let meaningless = |(name, length): (&str, usize)| (name.to_owned(), "x".repeat(length));
    NAMES.into_iter().map(meaningless).collect()
}
