//! What an environment's sandbox looks like: program, root view, user, limits.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sandbox::{Bind, Identity, Limits, Spec};

use super::start::StartError;
use super::variables::TASK_ROOT;
use crate::bootstraps;
use crate::error::InvokeError;
use crate::function::{Code, FunctionSpec};
use crate::runtimes::{Family, Resolved};

/// CPU of the init phase: Lambda does not hold it back by the function's memory.
const INIT_CPU_MILLIS: u32 = 2_000;
/// Processes and threads, and open files, of one environment.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PIDS: u32 = 1_024;
const OPEN_FILES: u32 = 1_024;

/// The sandbox of a function, but for its connections and variables.
pub(super) fn blueprint(
    function: &FunctionSpec,
    resolved: &Resolved,
    bootstraps: &Path,
    cpu_millis: u32,
) -> Result<Spec, StartError> {
    let (code, identity) = match &function.code {
        Code::Image(image) => (image.path(), Identity::Pooled),
        Code::HotReload(folder) => (folder.as_path(), hot_reload_identity(folder)),
    };
    let unavailable = || InvokeError::CodeUnavailable(format!("{} does not exist", code.display()));
    let code = code.canonicalize().map_err(|_| unavailable())?;
    let (program, args) = command(function, resolved, &code)?;
    let mut spec = Spec::new(program);
    spec.args = args;
    spec.cwd = PathBuf::from(TASK_ROOT);
    spec.identity = identity;
    spec.root
        .binds
        .push(Bind::new(bootstraps, bootstraps::GUEST));
    spec.root.binds.push(Bind::new(code, TASK_ROOT));
    if let Some(needs) = resolved
        .interpreter
        .as_ref()
        .and_then(|one| one.needs.as_ref())
    {
        spec.root.binds.push(Bind::new(needs, needs));
    }
    spec.limits = Limits {
        memory_bytes: u64::from(function.memory_mb) << 20,
        cpu_millis: cpu_millis.max(INIT_CPU_MILLIS),
        pids: PIDS,
        open_files: OPEN_FILES,
        tmp_bytes: u64::from(function.tmp_mb) << 20,
    };
    Ok(spec)
}

fn command(
    function: &FunctionSpec,
    resolved: &Resolved,
    code: &Path,
) -> Result<(PathBuf, Vec<OsString>), StartError> {
    let interpreter = resolved.interpreter.as_ref().map(|one| one.path.clone());
    let bootstrap = |path: &str| OsString::from(format!("{}/{path}", bootstraps::GUEST));
    match (function.runtime.family(), interpreter) {
        // Without `site`, whose `.pth` files can cost more than all the rest, and without the
        // host's packages, which Lambda would not have either.
        (Family::Python, Some(python)) => {
            let flags = ["-S", "-s", "-B"].map(OsString::from).into_iter();
            Ok((
                python,
                flags.chain([bootstrap("python/bootstrap.py")]).collect(),
            ))
        }
        (Family::Node, Some(node)) => {
            let heap = u64::from(function.memory_mb) * 9 / 10;
            let heap = format!("--max-old-space-size={heap}");
            Ok((node, vec![heap.into(), bootstrap("node/bootstrap.cjs")]))
        }
        _ => provided_program(code).map(|program| (program, Vec::new())),
    }
}

/// `bootstrap` of the package.
fn provided_program(code: &Path) -> Result<PathBuf, StartError> {
    if code.join("bootstrap").exists() {
        return Ok(Path::new(TASK_ROOT).join("bootstrap"));
    }
    let looked_in = "[/var/task/bootstrap /opt/bootstrap]";
    Err(StartError::Entrypoint(format!(
        "Couldn't find valid bootstrap(s): {looked_in}"
    )))
}

/// Code in the making is often readable by its author alone.
fn hot_reload_identity(folder: &Path) -> Identity {
    match folder.metadata() {
        Ok(metadata) if metadata.mode() & 0o005 != 0o005 && metadata.uid() != 0 => {
            Identity::Fixed {
                uid: metadata.uid(),
                gid: metadata.gid(),
            }
        }
        _ => Identity::Pooled,
    }
}
