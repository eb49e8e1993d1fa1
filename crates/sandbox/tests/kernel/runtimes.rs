//! Programs of the languages people deploy run unhindered by the filter and the limits.

use std::path::Path;

use sandbox::Bind;

use crate::rig::{Rig, shell, skip};

/// Runs a program with a function's usual memory and returns what it printed.
fn run(program: &str, args: &[&str]) -> Option<String> {
    let real = Path::new(program).canonicalize().ok()?;
    if !real.starts_with("/usr") {
        return None;
    }
    let mut spec = shell("");
    spec.program = program.into();
    spec.args = args.iter().map(Into::into).collect();
    spec.cwd = "/tmp".into();
    spec.limits.memory_bytes = 512 << 20;
    let outcome = Rig::new().run(spec);
    assert!(outcome.exit.status.success(), "{outcome:?}");
    Some(outcome.output)
}

#[test]
fn python_with_threads_children_and_sockets() {
    let code = "
import hashlib, multiprocessing, os, pwd, socket, ssl, subprocess, tempfile, threading, time
with tempfile.NamedTemporaryFile() as file: file.write(b'x' * 100000)
threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]
assert subprocess.run(['sh', '-c', 'exit 3']).returncode == 3
reader, writer = multiprocessing.Pipe()
child = multiprocessing.Process(target=writer.send, args=(42,)); child.start(); child.join()
assert reader.recv() == 42
lock = multiprocessing.Lock(); lock.acquire(); lock.release()
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
assert socket.getaddrinfo('localhost', 80)
assert socket.if_nameindex() == [(1, 'lo')]
assert ssl.create_default_context().cert_store_stats() is not None
assert pwd.getpwuid(os.getuid()).pw_name == 'sbx_user'
open('/dev/stdout', 'w').write('all well')
";
    match run("/usr/bin/python3", &["-c", code]) {
        Some(output) => assert_eq!(output, "all well"),
        None => skip("no /usr/bin/python3"),
    }
}

#[test]
fn node_with_workers_children_and_sockets() {
    let code = "
const { Worker } = require('worker_threads'); const net = require('net'); const os = require('os');
require('child_process').execFileSync('/bin/true');
require('crypto').pbkdf2Sync('a', 'b', 1000, 32, 'sha256'); os.cpus(); os.networkInterfaces();
new Worker('require(\"worker_threads\").parentPort.postMessage(1)', { eval: true })
  .on('message', () => {
    const server = net.createServer((c) => c.end('hi')).listen(0, '127.0.0.1', () => {
      net.connect(server.address().port).on('data', (d) => { console.log(String(d)); server.close(); });
    });
  });
";
    match run("/usr/bin/node", &["-e", code]) {
        Some(output) => assert_eq!(output, "hi\n"),
        None => skip("no /usr/bin/node"),
    }
}

#[test]
fn java_starts() {
    match run("/usr/bin/java", &["-Xshare:auto", "-version"]) {
        Some(output) => assert!(output.contains("Runtime Environment"), "{output}"),
        None => skip("no /usr/bin/java"),
    }
}

#[test]
fn an_interpreter_outside_usr_runs_at_its_own_path() {
    let prefix = tempfile::tempdir().unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(prefix.path(), permissions).unwrap();
    std::os::unix::fs::symlink("/bin/sh", prefix.path().join("interpreter")).unwrap();
    let mut spec = shell("echo \"$0\"; ls /home");
    spec.program = "/home/dev/.pyenv/versions/3.99/interpreter".into();
    spec.root
        .binds
        .push(Bind::new(prefix.path(), "/home/dev/.pyenv/versions/3.99"));
    let output = Rig::new().run(spec).output;
    assert_eq!(output, "/home/dev/.pyenv/versions/3.99/interpreter\ndev\n");
}
