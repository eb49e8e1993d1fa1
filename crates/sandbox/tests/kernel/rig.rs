//! Starts sandboxes for the tests and reads what they print.

use std::fs::File;
use std::io::{PipeReader, Read, pipe};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sandbox::{Bind, Exit, Host, HostConfig, Sandbox, Spec, Stream};
use tempfile::TempDir;

const PYTHON: &str = "/usr/bin/python3";
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A host of its own for one test.
pub struct Rig {
    pub host: Host,
    pub config: HostConfig,
    _state: TempDir,
}

/// A finished program.
#[derive(Debug)]
pub struct Outcome {
    pub output: String,
    pub exit: Exit,
}

impl Rig {
    pub fn new() -> Self {
        Self::with_groups(true)
    }

    /// A host that makes no use of control groups.
    pub fn without_groups() -> Self {
        Self::with_groups(false)
    }

    fn with_groups(groups: bool) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = tempfile::tempdir().unwrap();
        let instance = format!("test-{}-{number}", std::process::id());
        let mut config = HostConfig::new(state.path().join("sandboxes"), instance);
        config.cgroups = groups;
        Self {
            host: Host::open(&config).unwrap(),
            config,
            _state: state,
        }
    }

    /// Whether the host reports this feature.
    pub fn has(&self, feature: &str) -> bool {
        let report = self.host.capabilities_report();
        report
            .iter()
            .find(|finding| finding.feature == feature)
            .unwrap()
            .available
    }

    /// Starts a spec with its output in a pipe.
    pub fn start(&self, mut spec: Spec) -> (Sandbox, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        spec.stdio.stdout = Stream::Fd(OwnedFd::from(writer.try_clone().unwrap()));
        spec.stdio.stderr = Stream::Fd(OwnedFd::from(writer));
        (self.host.spawn(spec).unwrap(), reader)
    }

    /// Runs a spec to its end.
    pub fn run(&self, spec: Spec) -> Outcome {
        let (sandbox, mut reader) = self.start(spec);
        let mut output = String::new();
        reader.read_to_string(&mut output).unwrap();
        let exit = sandbox
            .wait_timeout(PATIENCE)
            .unwrap()
            .expect("ended, as its output did");
        Outcome { output, exit }
    }

    /// Runs a shell script and returns what it printed.
    pub fn shell(&self, script: &str) -> String {
        self.run(shell(script)).output
    }
}

/// A spec for `/bin/sh -c`.
pub fn shell(script: &str) -> Spec {
    let mut spec = Spec::new("/bin/sh");
    spec.args = vec!["-c".into(), script.into()];
    spec.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    // Tests measure the sandbox, not the share of a CPU.
    spec.limits.cpu_millis = 1000;
    spec
}

/// A program of Python's with this much memory; `None` if there is no Python.
pub fn python(code: &str, memory_bytes: u64) -> Option<Spec> {
    if !Path::new(PYTHON).exists() {
        skip("no /usr/bin/python3");
        return None;
    }
    let mut spec = shell("");
    spec.program = PYTHON.into();
    spec.args = ["-S", "-I", "-c", code].map(Into::into).to_vec();
    spec.limits.memory_bytes = memory_bytes;
    Some(spec)
}

/// A spec that runs one of `probe`'s functions inside: this test executable runs itself.
pub fn probe(name: &str, argument: &str) -> Spec {
    let mut spec = shell("");
    spec.program = PathBuf::from("/var/task/probe");
    let flags = [
        "--exact",
        "probe::inside",
        "--nocapture",
        "--test-threads=1",
    ];
    spec.args = flags.map(Into::into).to_vec();
    spec.env.push(("PROBE".into(), name.into()));
    spec.env.push(("PROBE_ARGUMENT".into(), argument.into()));
    let here = std::env::current_exe().unwrap();
    // A folder, so that the mount point's parent is not writable for a file's sake.
    spec.root.binds.push(Bind::new(here, "/var/task/probe"));
    spec
}

/// The lines that a probe printed, without those of the test harness around it.
pub fn probed(output: &str) -> Vec<&str> {
    let lines = output.lines().filter_map(|line| line.split_once("probe: "));
    lines.map(|(_, line)| line).collect()
}

pub fn is_root() -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// Says that a test has nothing to test here.
pub fn skip(reason: &str) {
    println!("skipped: {reason}");
}

/// Whether a pipe's other end is closed within the time.
pub fn ends_within(mut reader: PipeReader, patience: Duration) -> bool {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = done.send(reader.read_to_end(&mut rest).is_ok());
    });
    ended.recv_timeout(patience).unwrap_or(false)
}

pub fn open_fds_pipe() -> (File, OwnedFd) {
    let (reader, writer) = pipe().unwrap();
    (File::from(OwnedFd::from(reader)), OwnedFd::from(writer))
}
