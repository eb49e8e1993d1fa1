//! A control group that nothing is left in is the next sandbox's, which finds it as new.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use sandbox::{Sandbox, Spec, Usage};

use crate::rig::{Rig, shell, skip};

/// Sandboxes that are waited for until a group comes back; the tenth or so is enough, as a rule.
const MOST: usize = 300;

/// Says in which group it is, and ends when it is told to.
fn says_its_group(script: &str) -> Spec {
    shell(&format!(
        "grep -m1 -o 'e[0-9]*$' /proc/self/cgroup; {script} exec sleep 1000"
    ))
}

/// A rig whose groups come back, which those of version 2 do not.
fn rig() -> Option<Rig> {
    let rig = Rig::new();
    let is_there = rig.has("memory limit") && Path::new("/sys/fs/cgroup/memory").exists();
    if !is_there {
        skip("no memory control groups of version 1 here");
    }
    is_there.then_some(rig)
}

fn start(rig: &Rig, spec: Spec) -> (Sandbox, String) {
    let (sandbox, mut reader) = rig.start(spec);
    let (mut name, mut byte) = (Vec::new(), [0]);
    while reader.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        name.extend(byte);
    }
    (sandbox, String::from_utf8(name).unwrap())
}

/// Starts sandboxes until one has a group that somebody was in before, and returns what they had used
/// by then.
fn the_next_in_one_of(rig: &Rig, used: &HashSet<String>, spec: impl Fn() -> Spec) -> Usage {
    for _ in 0..MOST {
        let (sandbox, name) = start(rig, spec());
        if used.contains(&name) {
            return sandbox.usage().unwrap();
        }
    }
    panic!("none of {used:?} came back");
}

#[test]
fn the_next_in_a_group_has_used_nothing_yet() {
    let Some(rig) = rig() else { return };
    let mut used = HashSet::new();
    for _ in 0..20 {
        let hungry = says_its_group("head -c 60M /dev/zero | tail -c 50M | wc -c >&2;");
        let (sandbox, name) = start(&rig, hungry);
        // Frozen, as idle environments end.
        sandbox.freeze().unwrap();
        used.insert(name);
    }
    assert!(used.len() < 20, "no group was used twice: {used:?}");
    let usage = the_next_in_one_of(&rig, &used, || says_its_group(""));
    assert!(usage.memory_peak_bytes > 0, "{usage:?}");
    assert!(usage.memory_peak_bytes < 10 << 20, "{usage:?}");
    assert_eq!(usage.oom_kills, 0);
}

#[test]
fn its_limits_are_the_next_ones_own() {
    let Some(rig) = rig() else { return };
    let with = |mebibytes: u64, script: &str| {
        let mut spec = says_its_group(script);
        spec.limits.memory_bytes = mebibytes << 20;
        spec.limits.tmp_bytes = 1 << 20;
        spec
    };
    let mut used: Vec<String> = (0..20).map(|_| start(&rig, with(16, "")).1).collect();
    let used: HashSet<String> = used.drain(..).collect();
    // A shell that reads so much has it all in memory.
    let hungry = "a=$(head -c 40M /dev/zero | tr '\\0' x); echo ${#a};";
    for _ in 0..MOST {
        let (sandbox, name) = start(&rig, with(256, hungry));
        if used.contains(&name) {
            let peak = || sandbox.usage().unwrap().memory_peak_bytes;
            while peak() < 40 << 20 {
                assert_eq!(sandbox.oom_kills().unwrap(), 0);
                assert!(!sandbox.program_has_ended().unwrap());
                std::thread::yield_now();
            }
            return;
        }
    }
    panic!("none of {used:?} came back");
}

#[test]
fn a_group_in_which_memory_ran_out_does_not_come_back() {
    let Some(rig) = rig() else { return };
    let mut spec = says_its_group("a=$(head -c 200M /dev/zero | tr '\\0' x);");
    spec.limits.memory_bytes = 32 << 20;
    spec.limits.tmp_bytes = 1 << 20;
    let (sandbox, killed) = start(&rig, spec);
    while sandbox.oom_kills().unwrap() == 0 {
        std::thread::yield_now();
    }
    drop(sandbox);
    let mut seen = HashSet::new();
    let mut came_back = 0;
    while came_back < 20 {
        let (_sandbox, name) = start(&rig, says_its_group(""));
        assert_ne!(name, killed);
        came_back += usize::from(!seen.insert(name));
    }
}
