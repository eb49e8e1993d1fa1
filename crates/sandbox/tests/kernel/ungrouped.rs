//! Memory where no control group counts it: the guard looks at an environment's processes.

use std::os::unix::process::ExitStatusExt;

use sandbox::Sandbox;

use crate::rig::{PATIENCE, Rig, probe, probed, python};

const MIB: u64 = 1 << 20;

fn assert_killed(sandbox: &Sandbox, most: u64) {
    let exit = sandbox.wait_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(exit.status.signal(), Some(libc::SIGKILL), "{exit:?}");
    let usage = sandbox.usage().unwrap();
    assert_eq!(usage.oom_kills, 1, "{usage:?}");
    assert!(
        (64 * MIB..most).contains(&usage.memory_peak_bytes),
        "{usage:?}"
    );
}

#[test]
fn beyond_the_limit_kills_and_is_counted() {
    let rig = Rig::without_groups();
    // It stays at that, so that it is found there.
    let code = "import time; hoard = b'x' * (100 << 20); time.sleep(100)";
    let Some(spec) = python(code, 64 * MIB) else {
        return;
    };
    let (sandbox, _reader) = rig.start(spec);
    assert_killed(&sandbox, 160 * MIB);
}

#[test]
fn that_of_all_processes_counts_however_it_is_hidden() {
    let rig = Rig::without_groups();
    let code = "
import ctypes, os, time
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        # Nobody else may look into it from now on.
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
        hoard = b'x' * (30 << 20)
        time.sleep(100)
time.sleep(100)
";
    let Some(spec) = python(code, 64 * MIB) else {
        return;
    };
    let (sandbox, _reader) = rig.start(spec);
    assert_killed(&sandbox, 200 * MIB);
}

#[test]
fn what_forks_share_counts_once() {
    let rig = Rig::without_groups();
    let code = "
import os, time
hoard = b'x' * (40 << 20)
for _ in range(4):
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
for _ in range(4): os.wait()
print('done')
";
    let Some(spec) = python(code, 64 * MIB) else {
        return;
    };
    assert_eq!(rig.run(spec).output, "done\n");
}

/// A child has its parent's memory, or shares all of it, until it executes the program.
#[test]
fn what_programs_are_started_from_counts_once() {
    let rig = Rig::without_groups();
    let code = "
import subprocess
hoard = b'x' * (40 << 20)
subprocess._USE_VFORK = subprocess._USE_POSIX_SPAWN = VFORK
for _ in range(400): subprocess.run(['/bin/true'])
print('done')
";
    for vfork in ["True", "False"] {
        let Some(spec) = python(&code.replace("VFORK", vfork), 64 * MIB) else {
            return;
        };
        let outcome = rig.run(spec);
        assert_eq!(outcome.output, "done\n", "{vfork}: {:?}", outcome.exit);
    }
}

/// Of a hundred children six take 60 MB each, beside 100 MB that all of them share.
#[test]
fn what_forks_take_is_noticed_though_they_share_much() {
    let rig = Rig::without_groups();
    let code = "
import os, time
hoard, own = bytearray(b'x') * (100 << 20), []
for number in range(100):
    if os.fork() == 0:
        time.sleep(2)
        for at in range(0, 60 << 20 if number < 6 else 0, 1 << 20):
            TAKE
            os.write(1, b'.')
            time.sleep(0.04)
        time.sleep(2)
        os._exit(0)
for _ in range(100): os.wait()
";
    let new = "own.append(b'y' * (1 << 20))";
    let copied = "hoard[at:at + (1 << 20)] = b'y' * (1 << 20)";
    for take in [new, copied] {
        let Some(spec) = python(&code.replace("TAKE", take), 200 * MIB) else {
            return;
        };
        let outcome = rig.run(spec);
        assert_eq!(outcome.exit.status.signal(), Some(libc::SIGKILL), "{take}");
        let megabytes = outcome.output.len();
        assert!((80..260).contains(&megabytes), "{megabytes} MB, {take}");
    }
}

#[test]
fn a_full_tmp_is_none() {
    let rig = Rig::without_groups();
    let code = "
import mmap, os, time
with open('/tmp/big', 'wb') as big: big.write(bytes(200 << 20))
with open('/tmp/big', 'r+b') as big: seen = mmap.mmap(big.fileno(), 0)
print(sum(seen[at] for at in range(0, len(seen), 4096)), flush=True)
time.sleep(0.2)
print('done')
";
    let Some(spec) = python(code, 64 * MIB) else {
        return;
    };
    assert_eq!(rig.run(spec).output, "0\ndone\n");
}

#[test]
fn the_peak_is_known_when_the_program_has_ended() {
    let rig = Rig::without_groups();
    let mut spec = probe("allocate", "50");
    spec.limits.memory_bytes = 128 * MIB;
    let (sandbox, reader) = rig.start(spec);
    let output = std::io::read_to_string(reader).unwrap();
    assert_eq!(probed(&output), ["allocated 50"], "{output}");
    sandbox.wait_timeout(PATIENCE).unwrap().unwrap();
    let usage = sandbox.usage().unwrap();
    assert_eq!(usage.oom_kills, 0);
    let peak = usage.memory_peak_bytes;
    assert!((50 * MIB..128 * MIB).contains(&peak), "{usage:?}");
}

#[test]
fn a_frozen_one_is_let_be_and_looked_at_again_when_it_goes_on() {
    let rig = Rig::without_groups();
    let code = "
import sys, time
print('ready', flush=True)
sys.stdin.readline()
hoard = b'x' * (100 << 20)
time.sleep(100)
";
    let Some(mut spec) = python(code, 64 * MIB) else {
        return;
    };
    let (theirs, mut input) = std::io::pipe().unwrap();
    spec.stdio.stdin = sandbox::Stream::Fd(theirs.into());
    let (sandbox, reader) = rig.start(spec);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    sandbox.freeze().unwrap();
    std::io::Write::write_all(&mut input, b"go\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(sandbox.try_wait().unwrap().is_none());
    sandbox.thaw().unwrap();
    assert_killed(&sandbox, 160 * MIB);
}
