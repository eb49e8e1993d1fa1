//! Our own runtime clients, embedded here and written once where environments can see them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::runtimes::Interpreter;

/// Where environments see the folder.
pub(crate) const GUEST: &str = "/var/runtime";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../runtimes/", $name)))),*]
    };
}

const FILES: &[(&str, &[u8])] = files![
    "extensions/launch.sh",
    "python/bootstrap.py",
    "python/_kagero/__init__.py",
    "python/_kagero/compiled.py",
    "python/_kagero/context.py",
    "python/_kagero/encode.py",
    "python/_kagero/errors.py",
    "python/_kagero/frames.py",
    "python/_kagero/handler.py",
    "python/_kagero/jsonlogs.py",
    "python/_kagero/jsontext.py",
    "python/_kagero/logs.py",
    "python/_kagero/loop.py",
    "python/_kagero/output.py",
    "python/_kagero/rehearsal.py",
    "python/_kagero/snapshot.py",
    "python/_kagero/zygote.py",
    "python/rehearsal/_kagero_rehearsal.py",
    "node/bootstrap.cjs",
    "node/lib/context.cjs",
    "node/lib/errors.cjs",
    "node/lib/frames.cjs",
    "node/lib/handler.cjs",
    "node/lib/modules-hooks.mjs",
    "node/lib/modules.cjs",
    "node/lib/output.cjs",
    "node/lib/streaming.cjs",
    "node/rehearsal/index.js",
    "node/rehearsal/module.mjs",
    "ruby/bootstrap.rb",
    "ruby/lib/context.rb",
    "ruby/lib/errors.rb",
    "ruby/lib/frames.rb",
    "ruby/lib/handler.rb",
    "ruby/lib/logger.rb",
    "ruby/lib/output.rb",
];

/// What a Python zygote forks with.
const FORK_MODULE: (&str, &[u8]) = ("python/_kagero_fork.so", sandbox::FORK_MODULE);

/// What functions import for their hooks: on their module search path, where our own modules are not.
const HOOKS: (&str, &[u8]) = (
    "snapshot_restore_py.py",
    include_bytes!("../../../runtimes/python/snapshot_restore_py.py"),
);

/// Writes every file anew.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    make_folder(folder)?;
    for place in crate::packs::PLACES {
        make_folder(&folder.join(place))?;
    }
    for (name, content) in FILES.iter().chain([&FORK_MODULE, &HOOKS]) {
        let path = folder.join(name);
        let parent = path.parent().expect("every name has a folder");
        if !parent.exists() {
            make_folder(parent)?;
        }
        fs::write(&path, content)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// Compiles the Python files to the bytecode of this interpreter, which environments could not
/// write themselves: without it, each cold start would compile them. Each file appears whole.
/// Blocks for some milliseconds.
pub(crate) fn compile(folder: &Path, python: &Interpreter) -> io::Result<()> {
    const COMPILE: &str = "import glob, py_compile
mode = getattr(py_compile, 'PycInvalidationMode', None)
options = {'invalidation_mode': mode.UNCHECKED_HASH} if mode else {}
for name in glob.glob('*/*.py'):
    py_compile.compile(name, doraise=True, **options)";
    let folder = folder.join("python");
    let status = Command::new(&python.path)
        .args(["-S", "-s", "-E", "-c", COMPILE])
        .current_dir(&folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        open_to_all(&folder)
    } else {
        Err(io::Error::other(format!(
            "the compiler ended with {status}"
        )))
    }
}

/// Lets environments, whose users are others, read what a strict umask has closed.
fn open_to_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o755))?;
            open_to_all(&entry.path())?;
        } else {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o644))?;
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}
