//! What an environment's sandbox looks like: program, root view, user, limits.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sandbox::{Bind, Completion, Identity, Limits, Network, Spec};

use super::container;
use super::java;
use super::node;
use super::start::StartError;
use super::variables::{LAYERS_ROOT, TASK_ROOT, generic_variables};
use crate::bootstraps;
use crate::config::Outbound;
use crate::error::InvokeError;
use crate::extensions;
use crate::function::{Code, FunctionSpec};
use crate::images::CodeImage;
use crate::nursery::Recipe;
use crate::packs;
use crate::runtimes::{Family, Resolved};

pub(super) const HOSTNAME: &str = "localhost";

/// Names the program that starts the runtime in its place.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper>
pub(crate) const EXEC_WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// CPU of the init phase: Lambda does not hold it back by the function's memory.
const INIT_CPU_MILLIS: u32 = 2_000;
/// Processes and threads, and open files, of one environment.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PIDS: u32 = 1_024;
const OPEN_FILES: u32 = 1_024;
/// The largest `/tmp` of Lambda.
const MOST_TMP_BYTES: u64 = 10_240 << 20;

/// The programs in the extensions' folder of the function's layers, by name.
pub(crate) fn extensions(function: &FunctionSpec) -> Vec<String> {
    let Some(layers) = &function.layers else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(layers.path().join(extensions::FOLDER)) else {
        return Vec::new();
    };
    let files = entries.flatten().filter(|entry| {
        let metadata = std::fs::metadata(entry.path());
        metadata.is_ok_and(|metadata| !metadata.is_dir())
    });
    let mut names: Vec<_> = files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

/// Why an extension cannot be executed, if that can be seen from here.
pub(super) fn cannot_launch(function: &FunctionSpec, extension: &str) -> Option<&'static str> {
    let path = function.layers.as_ref()?.path();
    let path = path.join(extensions::FOLDER).join(extension);
    let mode = std::fs::metadata(path).ok()?.mode();
    // Its name goes to the launcher on a line.
    (mode & 0o111 == 0 || extension.contains(char::is_control)).then_some("permission denied")
}

/// The command of a launcher, which starts extensions before it.
fn launched((program, args): (PathBuf, Vec<OsString>)) -> (PathBuf, Vec<OsString>) {
    let launcher = format!("{}/extensions/launch.sh", bootstraps::GUEST);
    let args = [launcher.into(), program.into_os_string()]
        .into_iter()
        .chain(args);
    (PathBuf::from("/bin/sh"), args.collect())
}

/// The sandbox of one function, but for its connections and variables.
pub(super) fn dedicated(
    function: &FunctionSpec,
    has_launcher: bool,
    layers: Option<&CodeImage>,
    resolved: &Resolved,
    bootstraps: &Path,
    variables: &BTreeMap<String, String>,
    cpu_millis: u32,
) -> Result<Spec, StartError> {
    let (code, identity) = match &function.code {
        Code::Image(image) => (image.path(), Identity::Pooled),
        Code::HotReload(folder) => (folder.as_path(), hot_reload_identity(folder)),
        Code::Container(container) => {
            let mut spec = container::spec(container, variables)?;
            spec.limits = limits(function, cpu_millis);
            return Ok(spec);
        }
    };
    let code = code.canonicalize().map_err(|_| unavailable(code))?;
    let layers = layers.map(CodeImage::path);
    let mut command = match command(function, resolved) {
        Some(command) => wrapped(function, command),
        None => (provided_program(&code, layers)?, Vec::new()),
    };
    if has_launcher {
        command = launched(command);
    }
    let (program, args) = command;
    let needs = resolved.interpreter.as_ref();
    let needs = needs.and_then(|one| one.needs.as_deref());
    let mut spec = with_runtime(program, args, needs, bootstraps);
    let family = function.runtime.family();
    let pack = resolved.pack.as_deref();
    spec.root.binds.extend(packs::bind(family, pack));
    spec.cwd = PathBuf::from(TASK_ROOT);
    spec.identity = identity;
    spec.root.binds.push(Bind::new(code, TASK_ROOT));
    if let Some(layers) = layers {
        // First: the interpreter may have its place inside.
        spec.root.binds.insert(0, Bind::new(layers, LAYERS_ROOT));
    }
    spec.limits = limits(function, cpu_millis);
    Ok(spec)
}

/// The sandbox of whatever function will be in it.
pub(crate) fn generic(recipe: &Recipe, bootstraps: &Path) -> Spec {
    let args = recipe.args.clone();
    let needs = recipe.needs.as_deref();
    let mut spec = with_runtime(recipe.program.clone(), args, needs, bootstraps);
    let pack = recipe.pack.as_deref();
    spec.root.binds.extend(packs::bind(recipe.family, pack));
    let variables = generic_variables(&recipe.program);
    spec.env = variables
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    spec.stash = Some(recipe.stash.clone());
    spec.limits = unlimited();
    spec
}

/// The process that forks generic ones.
pub(crate) fn zygote(recipe: &Recipe, bootstraps: &Path) -> Spec {
    let mut spec = generic(recipe, bootstraps);
    spec.args.push("zygote".into());
    // Symbols that only forks use would be looked for in each of them, and each has a page to be copied.
    spec.env.push(("LD_BIND_NOW".into(), "1".into()));
    let listeners = Vec::new();
    spec.network = match recipe.outbound {
        Outbound::None => Network::Isolated { listeners },
        Outbound::Nat => Network::Egress { listeners },
        Outbound::Host => Network::Host,
    };
    spec
}

/// What makes a generic environment this function's.
pub(super) fn completion(
    function: &FunctionSpec,
    interpreter: Option<&str>,
    cpu_millis: u32,
) -> Result<Completion, StartError> {
    let Code::Image(image) = &function.code else {
        let only = "only code images are in the stash".to_owned();
        return Err(InvokeError::CodeUnavailable(only).into());
    };
    let layers = function.layers.as_ref().map(|layers| (layers, LAYERS));
    let mut binds = Vec::new();
    for (image, place) in std::iter::once((image, TASK)).chain(layers) {
        if !image.path().is_dir() {
            return Err(unavailable(image.path()).into());
        }
        binds.push(Bind::new(image.path(), place.root));
        let compiled =
            interpreter.and_then(|interpreter| image.compiled(&place.bytecode_of(interpreter)));
        binds.extend(compiled.map(|folder| Bind::new(folder, place.bytecode)));
    }
    Ok(Completion {
        binds,
        limits: limits(function, cpu_millis),
    })
}

/// Where an image is mounted, and where its bytecode is, as runtimes/python/_kagero/compiled.py
/// knows both.
#[derive(Clone, Copy)]
pub(super) struct ImagePlace {
    pub(super) root: &'static str,
    bytecode: &'static str,
    /// Bytecode names the place that its source had.
    suffix: &'static str,
}

pub(super) const TASK: ImagePlace = ImagePlace {
    root: TASK_ROOT,
    bytecode: "/var/cache/task",
    suffix: "",
};

pub(super) const LAYERS: ImagePlace = ImagePlace {
    root: LAYERS_ROOT,
    bytecode: "/var/cache/opt",
    suffix: "-layers",
};

impl ImagePlace {
    /// Whose bytecode it is: a folder's name.
    pub(super) fn bytecode_of(self, interpreter: &str) -> String {
        format!("{interpreter}{}", self.suffix)
    }
}

/// How the function's runtime is run; `None` if the package brings its own program.
pub(crate) fn command(
    function: &FunctionSpec,
    resolved: &Resolved,
) -> Option<(PathBuf, Vec<OsString>)> {
    let interpreter = resolved.interpreter.as_ref()?;
    let program = interpreter.path.clone();
    let bootstrap = |path: &str| OsString::from(format!("{}/{path}", bootstraps::GUEST));
    let args = match function.runtime.family() {
        // Without `site`, whose `.pth` files can cost more than all the rest, and without the
        // host's packages, which Lambda would not have either.
        Family::Python => {
            let flags = ["-S", "-s", "-B"].map(OsString::from).into_iter();
            let program = match function.managed {
                Some(_) => "python/managed.py",
                None => "python/bootstrap.py",
            };
            flags.chain([bootstrap(program)]).collect()
        }
        Family::Node => {
            let mut args = node::arguments(function, interpreter.version);
            args.push(bootstrap(match function.managed {
                Some(_) => "node/managed.cjs",
                None => "node/bootstrap.cjs",
            }));
            args
        }
        Family::Ruby => vec![bootstrap("ruby/bootstrap.rb")],
        Family::Java => java::arguments(function, interpreter.version),
        _ => return None,
    };
    Some((program, args))
}

/// The command as the function's wrapper is told it, if the function has one.
fn wrapped(
    function: &FunctionSpec,
    (program, args): (PathBuf, Vec<OsString>),
) -> (PathBuf, Vec<OsString>) {
    let wrapper = function.environment.get(EXEC_WRAPPER);
    match wrapper.filter(|wrapper| !wrapper.is_empty()) {
        Some(wrapper) => {
            let command = std::iter::once(program.into_os_string());
            (PathBuf::from(wrapper), command.chain(args).collect())
        }
        None => (program, args),
    }
}

fn with_runtime(
    program: PathBuf,
    args: Vec<OsString>,
    needs: Option<&Path>,
    bootstraps: &Path,
) -> Spec {
    let mut spec = Spec::new(program);
    spec.args = args;
    spec.hostname = String::from(HOSTNAME);
    let runtime = Bind::new(bootstraps, bootstraps::GUEST);
    let needs = needs.map(|needs| Bind::new(needs, needs));
    spec.root.binds = std::iter::once(runtime).chain(needs).collect();
    spec
}

pub(super) fn limits(function: &FunctionSpec, cpu_millis: u32) -> Limits {
    // Each worker of several is a process or a thread, and has a connection.
    let workers = function.managed.map_or(0, |managed| managed.concurrency);
    Limits {
        memory_bytes: u64::from(function.memory_mb) << 20,
        cpu_millis: cpu_millis.max(INIT_CPU_MILLIS),
        pids: PIDS + workers,
        open_files: OPEN_FILES + workers,
        tmp_bytes: u64::from(function.tmp_mb) << 20,
    }
}

/// The limits of an environment that is nobody's.
pub(super) fn unlimited() -> Limits {
    Limits {
        memory_bytes: u64::MAX,
        cpu_millis: INIT_CPU_MILLIS,
        pids: PIDS,
        open_files: OPEN_FILES,
        tmp_bytes: MOST_TMP_BYTES,
    }
}

/// `bootstrap` of the package, or else of a layer.
fn provided_program(code: &Path, layers: Option<&Path>) -> Result<PathBuf, StartError> {
    for (folder, root) in [(Some(code), TASK_ROOT), (layers, LAYERS_ROOT)] {
        if folder.is_some_and(|folder| folder.join("bootstrap").exists()) {
            return Ok(Path::new(root).join("bootstrap"));
        }
    }
    let looked_in = "[/var/task/bootstrap /opt/bootstrap]";
    Err(StartError::entrypoint(format!(
        "Couldn't find valid bootstrap(s): {looked_in}"
    )))
}

fn unavailable(code: &Path) -> InvokeError {
    InvokeError::CodeUnavailable(format!("{} does not exist", code.display()))
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
