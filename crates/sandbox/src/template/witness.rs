//! What the kernel says of a forked program before it runs a line: it is to be what an executed
//! one is.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;

use super::birth::PROGRAM;

/// What a forked program is to be.
pub(super) struct Expected<'a> {
    pub(super) program: u32,
    /// Pid 1 of its sandbox.
    pub(super) init: u32,
    pub(super) template: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The numbers of its open files, and no other.
    pub(super) descriptors: &'a [RawFd],
    pub(super) has_network: bool,
}

/// Compares it with what it is.
pub(super) fn verify(expected: &Expected<'_>) -> io::Result<()> {
    let status = fs::read_to_string(format!("/proc/{}/status", expected.program))?;
    check_status(&status, expected)?;
    check_namespaces(expected)?;
    check_descriptors(expected)?;
    check_places(expected)?;
    let init = fs::read_to_string(format!("/proc/{}/status", expected.init))?;
    check_capabilities(&init)
}

fn check_status(status: &str, expected: &Expected<'_>) -> io::Result<()> {
    let four = |id: u32| format!("{id}\t{id}\t{id}\t{id}");
    check_capabilities(status)?;
    for (name, wanted) in [
        ("Uid", four(expected.uid)),
        ("Gid", four(expected.gid)),
        ("Groups", String::new()),
        ("NoNewPrivs", String::from("1")),
        ("Seccomp", String::from("2")),
        ("Threads", String::from("1")),
    ] {
        let found = field(status, name);
        if found != Some(&wanted) {
            return Err(differs(name, found.unwrap_or_default()));
        }
    }
    match field(status, "NSpid").and_then(|pids| pids.split_whitespace().last()) {
        Some(pid) if pid == PROGRAM.to_string() => Ok(()),
        found => Err(differs("NSpid", found.unwrap_or_default())),
    }
}

fn check_capabilities(status: &str) -> io::Result<()> {
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let found = field(status, name).unwrap_or_default();
        if u64::from_str_radix(found, 16) != Ok(0) {
            return Err(differs(name, found));
        }
    }
    Ok(())
}

fn check_namespaces(expected: &Expected<'_>) -> io::Result<()> {
    for kind in ["user", "mnt", "pid", "ipc", "uts", "net"] {
        let of = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/{kind}"));
        let own = of(expected.program)?;
        if own != of(expected.init)? {
            return Err(differs(kind, &own.to_string_lossy()));
        }
        let is_alone = kind != "net" || expected.has_network;
        let others = [of(expected.template)?, of(std::process::id())?];
        if is_alone && others.contains(&own) {
            return Err(differs(kind, &own.to_string_lossy()));
        }
    }
    Ok(())
}

fn check_descriptors(expected: &Expected<'_>) -> io::Result<()> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{}/fd", expected.program))? {
        let name = entry?.file_name();
        let number: Option<RawFd> = name.to_str().and_then(|name| name.parse().ok());
        found.extend(number);
    }
    if found == expected.descriptors.iter().copied().collect() {
        Ok(())
    } else {
        Err(differs("open files", &format!("{found:?}")))
    }
}

/// Where it stands, it can reach nothing that its own root does not lead to.
fn check_places(expected: &Expected<'_>) -> io::Result<()> {
    let found = fs::read_link(format!("/proc/{}/cwd", expected.program))?;
    if found != Path::new("/") {
        return Err(differs("working directory", &found.to_string_lossy()));
    }
    Ok(())
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines();
    lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

fn differs(what: &str, found: &str) -> io::Error {
    io::Error::other(format!("a forked program differs: {what} is {found:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Name:\tpython3\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nGroups:\t \nNSpid:\t90\t4\t3\n\
        Threads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n\
        Seccomp_filters:\t1\n";

    fn check(status: &str) -> io::Result<()> {
        let expected = Expected {
            program: 90,
            init: 89,
            template: 3,
            uid: 7,
            gid: 8,
            descriptors: &[],
            has_network: true,
        };
        check_status(status, &expected)
    }

    #[test]
    fn whatever_differs_is_noticed() {
        check(GOOD).unwrap();
        for (good, bad) in [
            ("Uid:\t7\t7\t7\t7", "Uid:\t7\t0\t7\t7"),
            ("Gid:\t8\t8\t8\t8", "Gid:\t8\t8\t8\t9"),
            ("Groups:\t ", "Groups:\t0 "),
            ("CapBnd:\t0000000000000000", "CapBnd:\t0000000000000001"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("Seccomp:\t2", "Seccomp:\t0"),
            ("Threads:\t1", "Threads:\t2"),
            ("NSpid:\t90\t4\t3", "NSpid:\t90\t4"),
            ("CapEff:\t0000000000000000\n", ""),
        ] {
            let status = GOOD.replace(good, bad);
            assert!(status != GOOD && check(&status).is_err(), "{bad}");
        }
    }
}
