//! What a template forks is as isolated as what is executed, whatever the template does.

use std::collections::HashSet;
use std::fs;
use std::io::{PipeReader, Read, Write, pipe};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use sandbox::{ForkSpec, Limits, Network, Sandbox, SandboxError, Spec, Stream, Template};

use crate::rig::{PATIENCE, Rig, skip};

const PYTHON: &str = "/usr/bin/python3";

/// Does what it is told as a template's Init, then forks. Each fork does what it is told.
const PROGRAM: &str = "
import os, sys
exec(os.read(3, 65536).decode())
os.write(3, b'booted')
os.read(3, 4)
while os.fork(): pass
exec(os.read(3, 65536).decode())
sys.stdout.flush()
os._exit(0)
";

/// A process with its socket and its output.
struct Running {
    sandbox: Sandbox,
    socket: UnixStream,
    output: PipeReader,
}

impl Running {
    fn run(mut self, code: &str) -> String {
        self.socket.write_all(code.as_bytes()).unwrap();
        let mut output = String::new();
        self.output.read_to_string(&mut output).unwrap();
        let exit = self.sandbox.wait_timeout(PATIENCE).unwrap();
        assert!(exit.expect("its output ended").status.success(), "{output}");
        output
    }
}

fn limits() -> Limits {
    Limits {
        cpu_millis: 1000,
        ..Limits::default()
    }
}

fn python(program: &str) -> Spec {
    let mut spec = Spec::new(PYTHON);
    spec.args = ["-S", "-s", "-B", "-I", "-c", program]
        .map(Into::into)
        .to_vec();
    spec.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    spec.limits = limits();
    spec.network = Network::Isolated { listeners: vec![] };
    spec
}

/// Whether there is anything to test, and on what.
fn rig() -> Option<Rig> {
    if !Path::new(PYTHON).exists() {
        skip("no /usr/bin/python3");
        return None;
    }
    let rig = Rig::new();
    if let Some(why) = rig.host.templates_missing() {
        skip(why);
        return None;
    }
    Some(rig)
}

/// A template whose Init was this code.
fn template(rig: &Rig, init: &str) -> Result<Template, SandboxError> {
    let mut spec = python(PROGRAM);
    spec.template = true;
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    spec.inherit.push((theirs.into(), 3));
    let sandbox = Arc::new(rig.host.spawn(spec).unwrap());
    ours.write_all(format!("{init}\n").as_bytes()).unwrap();
    ours.read_exact(&mut [0; 6]).unwrap();
    Template::hold(sandbox, move || ours.write_all(b"fork"))
}

fn fork_with(template: &Template, network: Network) -> Result<Running, SandboxError> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (output, writer) = pipe().unwrap();
    let mut spec = ForkSpec {
        hostname: String::from("localhost"),
        limits: limits(),
        network,
        inherit: vec![(theirs.into(), 3)],
        ..ForkSpec::default()
    };
    spec.stdio.stdout = Stream::Fd(writer.try_clone().unwrap().into());
    spec.stdio.stderr = Stream::Fd(writer.into());
    let sandbox = template.fork(spec)?;
    Ok(Running {
        sandbox,
        socket: ours,
        output,
    })
}

fn fork(template: &Template) -> Running {
    fork_with(template, Network::default()).unwrap()
}

fn executed(rig: &Rig) -> Running {
    let mut spec = python("import os, sys; exec(os.read(3, 65536).decode())");
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (output, writer) = pipe().unwrap();
    spec.inherit.push((theirs.into(), 3));
    spec.stdio.stdout = Stream::Fd(writer.try_clone().unwrap().into());
    spec.stdio.stderr = Stream::Fd(writer.into());
    Running {
        sandbox: rig.host.spawn(spec).unwrap(),
        socket: ours,
        output,
    }
}

/// Everything about a process that the kernel tells it, but for what no two sandboxes share.
const CIRCUMSTANCES: &str = r"
import os, re, resource, socket, ctypes
def show(name, value): print(name, value)
def status(line):
    name = line.split(':')[0]
    return name in ('Uid', 'Gid', 'Groups', 'NStgid', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd',
        'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'SigBlk', 'SigIgn', 'SigCgt',
        'Threads', 'Umask', 'NSsid', 'NSpgid', 'Pid', 'PPid', 'CoreDumping', 'TracerPid')
own = str(os.getuid())
for line in open('/proc/self/status'):
    if status(line): show('status', line.strip().replace(own, 'UID'))
show('mounts', sorted({line.split()[4] for line in open('/proc/self/mountinfo')}))
show('fds', sorted(os.listdir('/proc/self/fd')))
show('pids', sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))
for name in ('CORE', 'NOFILE', 'NPROC', 'DATA', 'AS', 'STACK', 'RTPRIO', 'NICE'):
    show(name, resource.getrlimit(getattr(resource, 'RLIMIT_' + name)))
show('host', [socket.gethostname(), socket.if_nameindex(), os.getcwd()])
show('session', os.getsid(0) == os.getpid())
show('passwd', [line.replace(own, 'UID') for line in open('/etc/passwd')])
show('cgroup', re.sub('e[0-9]+', 'GROUP', open('/proc/self/cgroup').read()))
for path in ('/var/task/x', '/etc/x', '/usr/x', '/x', '/run/x', '/proc/x', '/dev/x'):
    try: open(path, 'w'); show('wrote', path)
    except OSError as error: show('refused', [path, error.errno])
show('tmp', os.listdir('/tmp')); open('/tmp/x', 'w').write('fine')
for path in ('/proc/1/environ', '/proc/1/maps', '/proc/1/fd', '/proc/1/root'):
    try: show('read', [path, os.listdir(path) if path.endswith('d') else open(path).read()])
    except OSError as error: show('refused', [path, error.errno])
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    result = getattr(libc, name)(*arguments); show(name, [result, ctypes.get_errno() if result else 0])
call('unshare', 0x10000000); call('unshare', 0x20000); call('setns', 0, 0)
call('umount2', b'/tmp', 2); call('mount', b'x', b'/tmp', b'tmpfs', 0, 0); call('ptrace', 16, 1, 0, 0)
call('chroot', b'/tmp'); call('sethostname', b'x', 1); call('kill', 1, 9)
show('setuid', libc.setuid(0)); show('maps', [line for line in open('/proc/self/maps') if line.startswith('2000')])
";

#[test]
fn a_fork_of_a_template_is_in_every_respect_as_an_executed_sandbox() {
    let Some(rig) = rig() else { return };
    let template = template(&rig, "").unwrap();
    let (executed, forked) = (
        executed(&rig).run(CIRCUMSTANCES),
        fork(&template).run(CIRCUMSTANCES),
    );
    // Its number is another than its template's, so that libraries notice that they were forked.
    let numbers = [("Pid:", 2), ("NStgid:", 2), ("NSpgid:", 2), ("NSsid:", 2)];
    let forked = numbers.iter().fold(forked, |text, (name, own)| {
        text.replace(&format!("{name}\t3\n"), &format!("{name}\t{own}\n"))
    });
    let forked = forked.replace("pids [1, 3]", "pids [1, 2]");
    assert_eq!(executed, forked);
    assert!(!forked.contains("wrote"), "{forked}");
}

#[test]
fn forks_go_on_with_what_the_init_made_and_share_nothing_of_it() {
    let Some(rig) = rig() else { return };
    let init = "
import os, threading, time, subprocess
made = {'by': 'init'}
open('/tmp/of-init', 'w').write('x')
left = open('/tmp/of-init', 'r+')
os.chdir('/tmp')
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
subprocess.Popen(['/bin/sleep', '1000'])
";
    let template = template(&rig, init).unwrap();
    let code = "
import threading, random
print(made, os.listdir('/tmp'), os.getcwd(), threading.active_count(), sorted(os.listdir('/proc/self/fd')))
made['by'] = 'fork'; open('/tmp/mine', 'w').write('x')
try: left.read()
except OSError as error: print(error.errno)
";
    for _ in 0..3 {
        let found = fork(&template).run(code);
        assert_eq!(
            found,
            "{'by': 'init'} [] / 1 ['0', '1', '2', '3', '4']\n9\n"
        );
    }
    assert_eq!(template.forks(), 0);
}

#[test]
fn no_namespace_is_shared_with_a_sibling_the_template_or_the_host() {
    let Some(rig) = rig() else { return };
    let template = template(&rig, "").unwrap();
    let (first, second) = (fork(&template), fork(&template));
    let program = |running: &Running| running.sandbox.program_pid().unwrap();
    for kind in ["mnt", "pid", "net", "ipc", "uts", "user"] {
        let of = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let all = [
            program(&first),
            program(&second),
            template.pid(),
            std::process::id(),
        ]
        .map(of);
        for (index, one) in all.iter().enumerate() {
            let alike = all.iter().filter(|other| *other == one).count();
            assert!(alike == 1 || kind == "user" && index > 1, "{kind}: {all:?}");
        }
    }
    // And each has only itself to see.
    assert_eq!(
        first.run("print([p for p in os.listdir('/proc') if p.isdigit()])"),
        "['1', '3']\n"
    );
}

#[test]
fn forks_outlive_what_holds_their_template_and_end_alone() {
    let Some(rig) = rig() else { return };
    let template = template(&rig, "").unwrap();
    let (first, second) = (fork(&template), fork(&template));
    drop(template);
    first.sandbox.kill().unwrap();
    first
        .sandbox
        .wait_timeout(PATIENCE)
        .unwrap()
        .expect("killed");
    assert_eq!(second.run("print('alive')"), "alive\n");
}

#[test]
fn a_fork_is_frozen_thawed_and_accounted_as_any_sandbox() {
    let Some(rig) = rig() else { return };
    let template = template(&rig, "").unwrap();
    let fork = fork(&template);
    fork.sandbox.freeze().unwrap();
    fork.sandbox.thaw().unwrap();
    assert!(fork.sandbox.memory_peak().unwrap() > 0);
    let sandbox = &fork.sandbox;
    assert_eq!(sandbox.try_wait().unwrap(), None);
    assert_eq!(fork.run("print(len(bytearray(20 << 20)))"), "20971520\n");
}

/// Where control groups of version 2 are mounted, with version 1 and without.
const VERSION_2: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

#[test]
fn forks_are_born_in_groups_of_their_own_which_they_have_no_right_to() {
    let Some(rig) = rig() else { return };
    let template = template(&rig, "").unwrap();
    // The first may have been made ahead, those of a burst are not.
    let forks: Vec<Running> = (0..4).map(|_| fork(&template)).collect();
    let folder = |pid: u32| {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let path = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        let place = VERSION_2.map(|mount| Path::new(mount).join(path.unwrap_or_default()));
        let is_ours = |place: &PathBuf| place.file_name().is_some_and(|name| name != "unified");
        place.into_iter().find(|one| is_ours(one) && one.is_dir())
    };
    let pids = forks.iter().map(|fork| fork.sandbox.program_pid().unwrap());
    let groups: Option<Vec<PathBuf>> = pids.chain([template.pid()]).map(folder).collect();
    let Some(groups) = groups.filter(|groups| groups[0].join("cgroup.procs").exists()) else {
        skip("no control groups of version 2");
        return;
    };
    let distinct: HashSet<&PathBuf> = groups.iter().collect();
    assert_eq!(distinct.len(), groups.len(), "{groups:?}");
    for group in &groups {
        for place in [group.as_path(), group.parent().unwrap()] {
            let door = place.join("cgroup.procs");
            let began = Instant::now();
            // Lent for a moment while the next fork is made ready.
            while fs::metadata(&door).unwrap().uid() != 0 {
                assert!(began.elapsed() < PATIENCE, "{door:?} stays lent");
                thread::yield_now();
            }
        }
    }
    for fork in forks {
        assert_eq!(fork.run("print('alive')"), "alive\n");
    }
}

#[test]
fn a_fork_has_listeners_that_the_server_holds() {
    let Some(rig) = rig() else { return };
    let template = template(&rig, "").unwrap();
    let network = Network::Isolated {
        listeners: vec![9001],
    };
    let mut fork = fork_with(&template, network).unwrap();
    let [listener] = &fork.sandbox.take_listeners()[..] else {
        panic!("one listener")
    };
    listener.set_nonblocking(false).unwrap();
    fork.socket
        .write_all(b"import socket; socket.create_connection(('127.0.0.1', 9001)).send(b'hi')")
        .unwrap();
    let mut said = String::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "hi");
}

#[test]
fn memory_that_forks_would_share_makes_no_template() {
    let Some(rig) = rig() else { return };
    let refused = template(&rig, "import mmap; shared = mmap.mmap(-1, 4096)");
    assert!(
        matches!(refused, Err(SandboxError::Host { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_program_that_does_not_fork_or_ends_makes_no_template() {
    let Some(rig) = rig() else { return };
    for hostile in [
        "os.fork = lambda: os._exit(1)",
        "os.fork = lambda: os.execv('/bin/true', ['true'])",
    ] {
        let refused = template(&rig, hostile);
        assert!(refused.is_err(), "{hostile}");
    }
}

#[test]
fn where_the_plan_is_to_lie_nothing_of_the_template_is_used() {
    let Some(rig) = rig() else { return };
    let squat = "
import ctypes
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
assert libc.mmap(0x200000000, 1 << 20, 3, 0x100022, -1, 0) == 0x200000000
";
    let template = template(&rig, squat).unwrap();
    assert!(fork_with(&template, Network::default()).is_err());
    assert!(!template.has_ended());
}
