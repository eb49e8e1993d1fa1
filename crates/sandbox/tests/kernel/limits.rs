//! A program that takes more than it was given is stopped, and only it.

use std::os::unix::process::ExitStatusExt;

use sandbox::Identity;

use crate::rig::{Rig, probe, probed, python, shell, skip};
use crate::tmp::FOR_EXTENTS;

/// As root, the second of them has its `/tmp` in memory, which takes the guard to be told apart.
const BOTH: [Identity; 2] = [
    Identity::Pooled,
    Identity::Fixed {
        uid: 23_456,
        gid: 23_456,
    },
];

#[test]
fn tmp_has_the_size_it_was_given() {
    let mut spec = shell(
        "head -c 20M /dev/zero > /tmp/big; wc -c < /tmp/big; rm /tmp/big; \
         head -c 3M /dev/zero > /tmp/small && echo fits",
    );
    spec.limits.tmp_bytes = 4 << 20;
    let output = Rig::new().run(spec).output;
    assert!(output.contains("No space left on device"), "{output}");
    let written: u64 = output.lines().nth(1).unwrap().parse().unwrap();
    assert!(
        ((4 << 20) - FOR_EXTENTS..=4 << 20).contains(&written),
        "{output}"
    );
    assert!(output.ends_with("fits\n"), "{output}");
}

#[test]
fn memory_beyond_the_limit_kills_and_is_counted() {
    let rig = Rig::new();
    if !rig.has("memory limit") {
        return skip("no memory control group here");
    }
    for identity in BOTH {
        let mut spec = probe("allocate", "2000");
        spec.identity = identity;
        spec.limits.memory_bytes = 64 << 20;
        let (sandbox, _reader) = rig.start(spec);
        let exit = sandbox.wait().unwrap();
        assert_eq!(exit.status.signal(), Some(libc::SIGKILL), "{exit:?}");
        let usage = sandbox.usage().unwrap();
        assert!(usage.oom_kills >= 1, "{usage:?}");
        assert!(usage.memory_peak_bytes > 50 << 20, "{usage:?}");
        // The guard is a thread like any other; what counts is that it does not get far.
        assert!(usage.memory_peak_bytes < 200 << 20, "{usage:?}");
    }
}

#[test]
fn the_kernel_stops_what_outruns_the_guard() {
    let rig = Rig::new();
    if !rig.has("memory limit") {
        return skip("no memory control group here");
    }
    let mut spec = probe("allocate", "256");
    spec.limits.memory_bytes = 64 << 20;
    spec.limits.tmp_bytes = 0;
    let (sandbox, _reader) = rig.start(spec);
    let exit = sandbox.wait().unwrap();
    assert_eq!(exit.status.signal(), Some(libc::SIGKILL), "{exit:?}");
    let usage = sandbox.usage().unwrap();
    assert!(
        usage.oom_kills >= 1 && usage.memory_peak_bytes <= 65 << 20,
        "{usage:?}"
    );
}

#[test]
fn tmp_does_not_count_as_memory() {
    for identity in BOTH {
        let mut spec = shell(
            "head -c 300M /dev/zero > /tmp/big && rm /tmp/big && \
         head -c 300M /dev/zero > /tmp/big && wc -c < /tmp/big",
        );
        spec.identity = identity;
        spec.limits.memory_bytes = 64 << 20;
        let outcome = Rig::new().run(spec);
        assert_eq!(outcome.output, "314572800\n", "{outcome:?}");
    }
}

#[test]
fn memory_is_limited_while_tmp_is_full() {
    let rig = Rig::new();
    if !rig.has("memory limit") {
        return skip("no memory control group here");
    }
    for identity in BOTH {
        let mut spec = probe("allocate", "2000");
        spec.program = "/bin/sh".into();
        spec.args = vec![
        "-c".into(),
        "head -c 200M /dev/zero > /tmp/big; echo full; exec /var/task/probe --exact probe::inside"
            .into(),
    ];
        spec.identity = identity;
        spec.limits.memory_bytes = 64 << 20;
        let (sandbox, reader) = rig.start(spec);
        let exit = sandbox.wait().unwrap();
        assert_eq!(exit.status.signal(), Some(libc::SIGKILL), "{exit:?}");
        assert!(
            std::io::read_to_string(reader)
                .unwrap()
                .starts_with("full\n")
        );
        assert!(sandbox.oom_kills().unwrap() >= 1);
    }
}

#[test]
fn memory_within_the_limit_is_there() {
    let mut spec = probe("allocate", "64");
    spec.limits.memory_bytes = 128 << 20;
    let rig = Rig::new();
    let (sandbox, reader) = rig.start(spec);
    let output = std::io::read_to_string(reader).unwrap();
    assert_eq!(probed(&output), ["allocated 64"], "{output}");
    let exit = sandbox.wait().unwrap();
    let peak = sandbox
        .memory_peak()
        .unwrap()
        .max(exit.peak_resident_bytes.unwrap());
    assert!((64 << 20..128 << 20).contains(&peak), "{peak}");
}

#[test]
fn a_fork_bomb_ends_at_the_process_limit() {
    let mut spec = probe("fork", "");
    spec.limits.pids = 40;
    let output = Rig::new().run(spec).output;
    let children: u32 = probed(&output)[0].parse().unwrap();
    // The probe's own threads count as well.
    assert!((20..40).contains(&children), "{children}");
}

#[test]
fn open_files_end_at_their_limit() {
    let mut spec = probe("open files", "");
    spec.limits.open_files = 64;
    let output = Rig::new().run(spec).output;
    let (files, errno) = probed(&output)[0].split_once(' ').unwrap();
    assert!(
        (40..64).contains(&files.parse::<u32>().unwrap()),
        "{output}"
    );
    assert_eq!(errno, format!("Some({})", libc::EMFILE));
}

#[test]
fn a_share_of_a_cpu_is_only_a_share() {
    let rig = Rig::new();
    if !rig.has("cpu limit") {
        return skip("no cpu control group here");
    }
    let mut spec = probe("spin", "1000");
    spec.limits.cpu_millis = 100;
    let (sandbox, reader) = rig.start(spec);
    let output = std::io::read_to_string(reader).unwrap();
    let used: u32 = probed(&output)[0].parse().unwrap();
    assert!(
        (20..300).contains(&used),
        "{used} ms of CPU in a second at a tenth"
    );
    sandbox.wait().unwrap();
}

#[test]
fn a_share_can_be_raised_while_running() {
    let rig = Rig::new();
    if !rig.has("cpu limit") {
        return skip("no cpu control group here");
    }
    let mut spec = probe("spin", "1000");
    spec.limits.cpu_millis = 50;
    let (sandbox, reader) = rig.start(spec);
    sandbox.set_cpu_millis(1000).unwrap();
    let output = std::io::read_to_string(reader).unwrap();
    let used: u32 = probed(&output)[0].parse().unwrap();
    assert!(used > 150, "{used} ms of CPU in a second after the raise");
}

#[test]
fn names_that_the_kernel_keeps_are_no_memory_of_the_functions() {
    let rig = Rig::new();
    if !rig.has("memory limit") {
        return skip("no memory control group here");
    }
    // The kernel remembers of each name that there is no such file, some 200 bytes, at the cost of who
    // asked first.
    let code = "
import os, time
name = '/usr/share/no-such-file-%d-%%d' % time.time_ns()
for number in range(700_000): os.path.exists(name % number)
print('done')
";
    for identity in BOTH {
        let Some(mut spec) = python(code, 64 << 20) else {
            return;
        };
        spec.identity = identity;
        let outcome = rig.run(spec);
        assert_eq!(outcome.output, "done\n", "{outcome:?}");
    }
}
