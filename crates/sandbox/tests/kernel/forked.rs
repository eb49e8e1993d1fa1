//! What a zygote forks is as isolated as what is executed: the same program finds the same in both.

use std::fs;
use std::io::{Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use sandbox::{
    Bind, Completion, FORK_MODULE, ForkSpec, Limits, Network, Sandbox, SandboxError, Spec, Stdio,
    Stream, Zygote,
};
use tempfile::TempDir;

use crate::rig::{PATIENCE, Rig, skip};

const PYTHON: &str = "/usr/bin/python3";

/// Waits for a line on descriptor 3, as a runtime waits to be told its function, then runs the
/// code that came with it.
const PROGRAM: &str = "
import os, sys
if sys.argv[1] == 'zygote':
    sys.path.insert(0, '/var/runtime'); import _kagero_fork
    _kagero_fork.serve()
os.write(3, b'booted')
exec(os.read(3, 65536).decode())
sys.stdout.flush()
os._exit(0)
";

/// A rig with a zygote's module, and a stash that holds one function's code.
struct Nursery {
    rig: Rig,
    folder: TempDir,
}

/// A sandbox whose program waits to be told what to do.
struct Waiting {
    sandbox: Sandbox,
    socket: UnixStream,
    output: std::io::PipeReader,
}

impl Nursery {
    fn new() -> Option<Self> {
        if !Path::new(PYTHON).exists() {
            skip("no /usr/bin/python3");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), all).unwrap();
        for name in ["runtime", "stash/mine", "stash/theirs"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
        write("runtime/_kagero_fork.so", FORK_MODULE);
        write("runtime/program.py", PROGRAM.as_bytes());
        write("stash/mine/code.py", b"mine");
        write("stash/theirs/code.py", b"theirs");
        let rig = Rig::new();
        Some(Self { rig, folder })
    }

    fn stash(&self) -> std::path::PathBuf {
        self.folder.path().join("stash")
    }

    fn spec(&self, how: &str) -> Spec {
        let mut spec = Spec::new(PYTHON);
        spec.args = ["-S", "-s", "-B", "-I", "/var/runtime/program.py", how]
            .map(Into::into)
            .to_vec();
        let runtime = self.folder.path().join("runtime");
        spec.root.binds.push(Bind::new(runtime, "/var/runtime"));
        spec.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        spec.stash = Some(self.stash());
        spec
    }

    fn zygote(&self) -> Option<Zygote> {
        let zygote = self.rig.host.zygote(&self.spec("zygote")).unwrap();
        if let Some(zygote) = &zygote {
            zygote.serves().unwrap();
        }
        zygote
    }

    fn limits() -> Limits {
        Limits {
            cpu_millis: 1000,
            ..Limits::default()
        }
    }

    fn completion(&self) -> Completion {
        let code = self.stash().join("mine");
        Completion {
            binds: vec![Bind::new(code, "/var/task")],
            limits: Self::limits(),
        }
    }

    fn executed(&self) -> Waiting {
        let mut spec = self.spec("executed");
        let (socket, output) = connect(&mut spec.stdio, &mut spec.inherit);
        let sandbox = self.rig.host.spawn(spec).unwrap();
        Waiting::new(sandbox, socket, output)
    }

    fn forked(zygote: &Zygote) -> Waiting {
        Self::fork(zygote, ForkSpec::default())
    }

    /// Forked as somebody's, instead of completed.
    fn forked_complete(&self, zygote: &Zygote) -> Waiting {
        let Completion { binds, limits } = self.completion();
        let spec = ForkSpec {
            limits,
            binds: Some(binds),
            ..ForkSpec::default()
        };
        Self::fork(zygote, spec)
    }

    fn fork(zygote: &Zygote, spec: ForkSpec) -> Waiting {
        let mut spec = ForkSpec {
            hostname: String::from("localhost"),
            network: Network::Isolated { listeners: vec![] },
            ..spec
        };
        let (socket, output) = connect(&mut spec.stdio, &mut spec.inherit);
        Waiting::new(zygote.fork(spec).unwrap(), socket, output)
    }
}

fn connect(
    stdio: &mut Stdio,
    inherit: &mut Vec<(OwnedFd, i32)>,
) -> (UnixStream, std::io::PipeReader) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let (reader, writer) = pipe().unwrap();
    stdio.stdout = Stream::Fd(writer.try_clone().unwrap().into());
    stdio.stderr = Stream::Fd(writer.into());
    inherit.push((theirs.into(), 3));
    (ours, reader)
}

impl Waiting {
    fn new(sandbox: Sandbox, mut socket: UnixStream, output: std::io::PipeReader) -> Self {
        let mut booted = [0; 6];
        socket.read_exact(&mut booted).unwrap();
        Self {
            sandbox,
            socket,
            output,
        }
    }

    /// Runs this code, and returns what it printed.
    fn run(mut self, code: &str) -> String {
        self.socket.write_all(code.as_bytes()).unwrap();
        let mut output = String::new();
        self.output.read_to_string(&mut output).unwrap();
        let exit = self.sandbox.wait_timeout(PATIENCE).unwrap();
        assert!(exit.expect("its output ended").status.success(), "{output}");
        output
    }
}

/// Everything about a process that the kernel tells it, but for what no two sandboxes share.
const CIRCUMSTANCES: &str = r"
import os, re, resource, socket
def show(name, value): print(name, value)
def status(line):
    name = line.split(':')[0]
    return name in ('Uid', 'Gid', 'Groups', 'NStgid', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd',
        'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'SigBlk', 'SigIgn', 'SigCgt',
        'Threads', 'Umask', 'NSsid', 'NSpgid', 'Pid', 'PPid', 'CoreDumping')
own = str(os.getuid())
for line in open('/proc/self/status'):
    if status(line): show('status', line.strip().replace(own, 'UID'))
for line in open('/proc/self/mountinfo'):
    fields = line.split()
    root = re.sub('[0-9]{9,}', 'UID', fields[3])
    show('mount', [root if fields[4] == '/etc/passwd' else '', fields[4:6], fields[-3:]])
show('fds', sorted(os.listdir('/proc/self/fd')))
show('pids', sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))
for name in ('CORE', 'NOFILE', 'NPROC', 'DATA', 'AS', 'STACK', 'RTPRIO', 'NICE'):
    show(name, resource.getrlimit(getattr(resource, 'RLIMIT_' + name)))
show('host', [socket.gethostname(), socket.if_nameindex(), os.getcwd()])
show('session', os.getsid(0) == os.getpid())
show('run', [os.listdir('/run/stash'), os.path.exists('/run/passwd') and os.listdir('/run/passwd')])
show('task', [os.listdir('/var/task'), open('/var/task/code.py').read()])
show('passwd', [line.replace(own, 'UID') for line in open('/etc/passwd')])
show('cgroup', re.sub('e[0-9]+', 'GROUP', open('/proc/self/cgroup').read()))
tmp = os.statvfs('/tmp'); show('tmp', [tmp.f_blocks * tmp.f_frsize, tmp.f_files])
for path in ('/var/task/x', '/etc/x', '/usr/x', '/x', '/run/x', '/proc/x'):
    try: open(path, 'w'); show('wrote', path)
    except OSError as error: show('refused', [path, error.errno])
open('/tmp/x', 'w').write('fine')
for path in ('/proc/1/environ', '/proc/1/maps', '/proc/1/fd', '/proc/1/root'):
    try: show('read', [path, os.listdir(path) if path.endswith('d') else open(path).read()])
    except OSError as error: show('refused', [path, error.errno])
show('maps', [line for line in open('/proc/self/maps') if '2000' in line[:4] and 'memfd' in line])
";

#[test]
fn a_forked_sandbox_is_in_every_respect_as_an_executed_one() {
    let Some(nursery) = Nursery::new() else {
        return;
    };
    let Some(zygote) = nursery.zygote() else {
        return skip("no zygote without root");
    };
    let executed = nursery.executed();
    let forked = Nursery::forked(&zygote);
    for waiting in [&executed, &forked] {
        waiting.sandbox.complete(&nursery.completion()).unwrap();
    }
    let at_once = nursery.forked_complete(&zygote);
    let again = at_once.sandbox.complete(&nursery.completion());
    assert!(matches!(again, Err(SandboxError::NotOpen)), "{again:?}");
    let [executed, forked, at_once] =
        [executed, forked, at_once].map(|waiting| waiting.run(CIRCUMSTANCES));
    // Mounts in whatever order they were made; `/tmp`, of which each has its own kind and device, is
    // `tmp.rs`'s to test.
    let sorted = |text: &str| {
        let of_tmp = |line: &str| line.starts_with("tmp ") || line.contains("['/tmp', ");
        let lines = text.lines().filter(|line| !of_tmp(line));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&executed), sorted(&forked));
    assert_eq!(sorted(&executed), sorted(&at_once));
    assert!(
        executed.contains("task [['code.py'], 'mine']"),
        "{executed}"
    );
    assert!(!executed.contains("wrote"), "{executed}");
}

#[test]
fn no_namespace_is_shared_with_a_sibling_the_zygote_or_the_host() {
    let Some(nursery) = Nursery::new() else {
        return;
    };
    let Some(zygote) = nursery.zygote() else {
        return skip("no zygote without root");
    };
    let (first, second) = (Nursery::forked(&zygote), Nursery::forked(&zygote));
    let own = std::process::id();
    let program = |waiting: &Waiting| waiting.sandbox.program_pid().unwrap();
    for kind in ["mnt", "pid", "net", "ipc", "uts"] {
        let of = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let all = [program(&first), program(&second), own].map(of);
        assert!(all[0] != all[1] && all[0] != all[2], "{kind}: {all:?}");
        assert!(kind == "pid" || of(zygote.pid()) != all[0], "{kind}");
    }
    let user = |waiting: &Waiting| {
        let status = fs::read_to_string(format!("/proc/{}/status", program(waiting))).unwrap();
        status
            .lines()
            .find(|line| line.starts_with("Uid"))
            .unwrap()
            .to_owned()
    };
    assert_ne!(user(&first), user(&second));
}

#[test]
fn sandboxes_survive_their_zygote_and_it_forks_no_more() {
    let Some(nursery) = Nursery::new() else {
        return;
    };
    let Some(zygote) = nursery.zygote() else {
        return skip("no zygote without root");
    };
    let waiting = Nursery::forked(&zygote);
    // SAFETY: takes only numbers; the process is ours and not yet collected.
    unsafe { libc::kill(zygote.pid() as i32, libc::SIGKILL) };
    assert!(zygote.fork(ForkSpec::default()).is_err());
    drop(zygote);
    waiting.sandbox.complete(&nursery.completion()).unwrap();
    assert_eq!(
        waiting.run("print(open('/var/task/code.py').read())"),
        "mine\n"
    );
}

#[test]
fn a_sandbox_becomes_only_what_is_in_its_stash_and_only_once() {
    let Some(nursery) = Nursery::new() else {
        return;
    };
    for outside in ["/etc", "../runtime"] {
        let waiting = nursery.executed();
        let completion = Completion {
            binds: vec![Bind::new(nursery.stash().join(outside), "/var/task")],
            limits: Nursery::limits(),
        };
        let refused = waiting.sandbox.complete(&completion);
        assert!(
            matches!(refused, Err(SandboxError::OutsideStash { .. })),
            "{refused:?}"
        );
        let Some(zygote) = nursery.zygote() else {
            continue;
        };
        let spec = ForkSpec {
            binds: Some(completion.binds),
            ..ForkSpec::default()
        };
        let refused = zygote.fork(spec);
        assert!(
            matches!(refused, Err(SandboxError::OutsideStash { .. })),
            "{refused:?}"
        );
    }
    let waiting = nursery.executed();
    waiting.sandbox.complete(&nursery.completion()).unwrap();
    let again = waiting.sandbox.complete(&nursery.completion());
    assert!(matches!(again, Err(SandboxError::NotOpen)), "{again:?}");
    assert_eq!(
        waiting.run("print(os.listdir('/var/task'))"),
        "['code.py']\n"
    );
}
