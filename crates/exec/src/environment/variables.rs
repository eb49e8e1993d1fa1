//! The environment variables that a function sees.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::collections::BTreeMap;

use crate::bootstraps;
use crate::function::FunctionSpec;
use crate::ports::FunctionCredentials;
use crate::runtimes::{Family, Interpreter};

/// Where the function's code is.
pub(crate) const TASK_ROOT: &str = "/var/task";

/// What is particular to one environment.
pub(crate) struct Particulars<'a> {
    pub(crate) interpreter: Option<&'a Interpreter>,
    pub(crate) credentials: &'a FunctionCredentials,
    pub(crate) log_stream: &'a str,
    /// `host:port` of the Runtime API.
    pub(crate) runtime_api: &'a str,
    /// `host:port` of the gateway's socket.
    pub(crate) gateway: Option<&'a str>,
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
    let mut path = "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned();
    let interpreters = particulars.interpreter.and_then(|one| one.path.parent());
    if let Some(folder) = interpreters.filter(|folder| !folder.starts_with("/usr")) {
        path = format!("{}:{path}", folder.display());
    }
    let mut defaults = BTreeMap::from([
        ("PATH".to_owned(), path),
        (
            "LD_LIBRARY_PATH".to_owned(),
            "/var/runtime/lib:/var/task:/var/task/lib:/opt/lib".to_owned(),
        ),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        (
            "AWS_XRAY_CONTEXT_MISSING".to_owned(),
            "LOG_ERROR".to_owned(),
        ),
    ]);
    if function.runtime.family() == Family::Node {
        let folders = "/opt/nodejs/node_modules:/var/runtime/node_modules".to_owned();
        defaults.insert("NODE_PATH".to_owned(), folders);
    }
    if let Some(gateway) = particulars.gateway {
        defaults.insert("AWS_ENDPOINT_URL".to_owned(), format!("http://{gateway}"));
    }
    defaults
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
            "AWS_EXECUTION_ENV",
            format!("AWS_Lambda_{}", function.runtime),
        ),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            function.memory_mb.to_string(),
        ),
        ("AWS_LAMBDA_FUNCTION_NAME", function.key.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", function.key.version.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.clone()),
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
        ("TZ", ":UTC".to_owned()),
    ];
    if let Some(token) = &credentials.session_token {
        reserved.push(("AWS_SESSION_TOKEN", token.clone()));
    }
    reserved
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
}
