//! Our own runtime clients, embedded here and written once where environments can see them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use crate::error::InvokeError;
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
    "python/managed.py",
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
    "python/_kagero/managed.py",
    "python/_kagero/output.py",
    "python/_kagero/rehearsal.py",
    "python/_kagero/snapshot.py",
    "python/_kagero/zygote.py",
    "python/rehearsal/_kagero_rehearsal.py",
    "python/rehearsal/_kagero_rehearsed.py",
    "node/bootstrap.cjs",
    "node/managed.cjs",
    "node/lib/api.cjs",
    "node/lib/context.cjs",
    "node/lib/errors.cjs",
    "node/lib/frames.cjs",
    "node/lib/handler.cjs",
    "node/lib/invoke-store.cjs",
    "node/lib/managed.cjs",
    "node/lib/model.cjs",
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

/// The files on their way to a folder, beside the rest of the server's start: making some fifty
/// files is a good part of it.
#[derive(Debug)]
pub(crate) struct Bootstraps {
    written: OnceLock<Result<(), String>>,
    writing: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

impl Bootstraps {
    /// Begins to write every file anew, on a thread.
    pub(crate) fn write(folder: PathBuf) -> io::Result<Arc<Self>> {
        let writing = thread::Builder::new()
            .name(String::from("bootstraps"))
            .spawn(move || write(&folder))?;
        Ok(Arc::new(Self {
            written: OnceLock::new(),
            writing: Mutex::new(Some(writing)),
        }))
    }

    /// Resolves once all are written. Whoever starts anything waits for it.
    pub(crate) async fn written(self: &Arc<Self>) -> Result<(), InvokeError> {
        if let Some(Ok(())) = self.written.get() {
            return Ok(());
        }
        let bootstraps = Arc::clone(self);
        let waited = tokio::task::spawn_blocking(move || bootstraps.join()).await;
        let written = waited.unwrap_or_else(|error| Err(error.to_string()));
        written.map_err(|cause| InvokeError::Internal {
            action: "write the runtime bootstraps",
            cause,
        })
    }

    fn join(&self) -> Result<(), String> {
        let written = self.written.get_or_init(|| {
            let writing = self.writing.lock().take();
            match writing.map(JoinHandle::join) {
                Some(Ok(written)) => written.map_err(|error| error.to_string()),
                Some(Err(_)) | None => Err(String::from("the thread that writes them ended")),
            }
        });
        written.clone()
    }
}

impl Drop for Bootstraps {
    fn drop(&mut self) {
        // Nobody wants them any more, but nothing must be written to a folder that is being removed.
        let _ = self.join();
    }
}

/// Writes every file anew.
fn write(folder: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_finds_every_file() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("runtime");
        fs::create_dir(&runtime).unwrap();
        fs::write(runtime.join("of an earlier run"), "").unwrap();
        let bootstraps = Bootstraps::write(runtime.clone()).unwrap();
        bootstraps.written().await.unwrap();
        bootstraps.written().await.unwrap();
        for (name, content) in FILES.iter().chain([&FORK_MODULE, &HOOKS]) {
            assert_eq!(fs::read(runtime.join(name)).unwrap(), *content, "{name}");
        }
        assert!(!runtime.join("of an earlier run").exists());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_told_to_each_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let bootstraps = Bootstraps::write(file.join("runtime")).unwrap();
        for _ in 0..2 {
            let error = bootstraps.written().await.unwrap_err();
            assert!(error.to_string().contains("write the runtime bootstraps"));
        }
    }

    #[test]
    fn nothing_is_written_once_they_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("runtime");
        drop(Bootstraps::write(runtime.clone()).unwrap());
        assert!(runtime.join(HOOKS.0).exists(), "the thread was waited for");
    }
}
