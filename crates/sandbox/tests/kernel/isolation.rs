//! A program sees and reaches nothing that it was not given.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use sandbox::{Bind, Identity};

use crate::rig::{Rig, is_root, open_fds_pipe, probe, probed, shell, skip};

fn status_field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim_start_matches(':')
        .trim()
}

#[test]
fn the_hosts_files_are_not_there() {
    let listing = Rig::new().shell("ls -A /; ls -A /root /home /work /boot /etc/shadow /sys 2>&1");
    let top: BTreeSet<&str> = listing
        .lines()
        .take_while(|line| !line.contains(' '))
        .collect();
    let known: BTreeSet<&str> = [
        "bin", "dev", "etc", "lib", "lib32", "lib64", "libexec", "libx32", "opt", "proc", "run",
        "sbin", "tmp", "usr", "var",
    ]
    .into();
    assert!(top.is_subset(&known), "{top:?}");
    assert_eq!(
        listing.matches("No such file or directory").count(),
        6,
        "{listing}"
    );
}

#[test]
fn a_program_has_neither_privilege_nor_a_way_to_it() {
    let status = Rig::new().shell("cat /proc/self/status");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status_field(&status, set), "0000000000000000", "{set}");
    }
    assert_eq!(status_field(&status, "NoNewPrivs"), "1");
    assert_eq!(status_field(&status, "Seccomp"), "2");
    assert_eq!(status_field(&status, "SigBlk"), "0000000000000000");
    assert_eq!(status_field(&status, "SigIgn"), "0000000000000000");
    let uids = status_field(&status, "Uid");
    assert!(uids.split_whitespace().all(|uid| uid != "0"), "{uids}");
    if is_root() {
        assert_eq!(status_field(&status, "Groups"), "");
    }
}

#[test]
fn dangerous_system_calls_are_refused() {
    let output = Rig::new().run(probe("denied calls", "")).output;
    let answers = probed(&output);
    assert_eq!(answers.len(), 24, "{output}");
    let allowed: Vec<_> = answers
        .iter()
        .filter(|one| !one.starts_with("refused"))
        .collect();
    assert!(allowed.is_empty(), "{allowed:?}");
}

#[test]
fn only_its_own_processes_exist() {
    let pids = Rig::new().shell("echo $$; for p in /proc/[0-9]*; do echo ${p#/proc/}; done");
    let pids: Vec<&str> = pids.lines().collect();
    assert_eq!(pids, ["2", "1", "2"], "the program is pid 2 under a pid 1");
}

#[test]
fn init_is_out_of_the_programs_reach() {
    let output = Rig::new().shell(
        "kill -9 1; cat /proc/1/environ /proc/1/mem 2>&1; ls /proc/1/fd /proc/1/root 2>&1; echo on",
    );
    assert_eq!(output.matches("Permission denied").count(), 4, "{output}");
    assert!(output.ends_with("on\n"), "{output}");
}

#[test]
fn only_tmp_and_shm_are_writable() {
    let output = Rig::new().shell(
        "for place in / /usr /etc /var/task /opt /dev /proc /run /var /tmp /dev/shm /var/tmp; do \
           if (: > $place/file) 2>/dev/null; then echo $place; fi; done; \
         (echo 1 > /proc/sys/kernel/core_pattern) 2>/dev/null && echo sysctl; \
         (echo x > /etc/passwd) 2>/dev/null && echo passwd; true",
    );
    assert_eq!(
        output.lines().collect::<Vec<_>>(),
        ["/tmp", "/dev/shm", "/var/tmp"]
    );
}

#[test]
fn devices_are_the_harmless_ones() {
    let output = Rig::new().shell(
        "ls /dev; echo x > /dev/null && head -c 2 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; \
         echo out > /dev/stdout",
    );
    let expected = [
        "fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero", "2",
        "4", "out",
    ];
    assert_eq!(output.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn binds_are_live_and_read_only() {
    let rig = Rig::new();
    let code = tempfile::tempdir().unwrap();
    fs::set_permissions(code.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(code.path().join("handler"), "one\n").unwrap();
    let mut spec = shell(
        "cat /var/task/handler; read go; cat /var/task/handler; \
         (echo x > /var/task/handler) 2>&1; (rm /var/task/handler) 2>&1; \
         grep ' /var/task ' /proc/self/mounts",
    );
    spec.root.binds.push(Bind::new(code.path(), "/var/task"));
    let (gate, opener) = std::io::pipe().unwrap();
    spec.stdio.stdin = sandbox::Stream::Fd(gate.into());
    let (_sandbox, mut reader) = rig.start(spec);
    let mut first = [0; 4];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"one\n");
    fs::write(code.path().join("handler"), "two\n").unwrap();
    std::io::Write::write_all(&mut &opener, b"go\n").unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("two\n"), "{rest}");
    assert_eq!(rest.matches("Read-only file system").count(), 2, "{rest}");
    let options = rest.lines().last().unwrap().split(' ').nth(3).unwrap();
    for option in ["ro", "nosuid", "nodev"] {
        assert!(options.split(',').any(|one| one == option), "{options}");
    }
}

#[test]
fn mounts_below_a_bind_are_read_only_too() {
    let rig = Rig::new();
    let submounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let below_dev = |line: &&str| line.split(' ').nth(1) == Some("/dev/shm");
    if !submounts.lines().any(|line| below_dev(&line)) {
        return skip("no mount at /dev/shm to look at from above");
    }
    let mut spec = shell("(: > /opt/host-dev/shm/kagero-test) 2>&1; true");
    spec.root.binds.push(Bind::new("/dev", "/opt/host-dev"));
    let output = rig.run(spec).output;
    assert!(output.contains("Read-only file system"), "{output}");
}

#[test]
fn only_listed_descriptors_are_open() {
    let rig = Rig::new();
    // Not closed on exec: it would leak into a careless child.
    let leak = fs::File::open("/etc/hostname").unwrap();
    // SAFETY: a live descriptor of ours.
    unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&leak), libc::F_SETFD, 0) };
    let (mut reader, writer) = open_fds_pipe();
    let mut spec = shell("echo 3 >&7; cd /proc/self/fd; echo *");
    spec.inherit.push((writer, 7));
    let output = rig.run(spec).output;
    // The shell holds the folder open only while it expands the star.
    assert!(
        ["0 1 2 7\n", "0 1 2 3 7\n"].contains(&output.as_str()),
        "{output}"
    );
    let mut sent = String::new();
    reader.read_to_string(&mut sent).unwrap();
    assert_eq!(sent, "3\n");
}

#[test]
fn crossed_descriptor_numbers_reach_their_targets() {
    let rig = Rig::new();
    let (mut first, a) = open_fds_pipe();
    let (mut second, b) = open_fds_pipe();
    let number = |fd: &std::os::fd::OwnedFd| std::os::fd::AsRawFd::as_raw_fd(fd);
    let (at_a, at_b) = (number(&a), number(&b));
    let mut spec = shell(&format!(
        "eval \"echo first >&{at_b}\"; eval \"echo second >&{at_a}\""
    ));
    // Above 9, a shell's redirection needs bash; the numbers of a test run stay below by luck only.
    if at_a > 9 || at_b > 9 {
        spec.program = "/bin/bash".into();
    }
    spec.inherit = vec![(a, at_b), (b, at_a)];
    let outcome = rig.run(spec);
    let mut texts = (String::new(), String::new());
    first.read_to_string(&mut texts.0).unwrap();
    second.read_to_string(&mut texts.1).unwrap();
    assert_eq!(texts, ("first\n".into(), "second\n".into()), "{outcome:?}");
}

#[test]
fn names_session_and_environment_are_its_own() {
    let rig = Rig::new();
    let mut spec = shell("hostname; umask; cut -d' ' -f6 /proc/self/stat; whoami; pwd; env");
    spec.hostname = String::from("function-7");
    spec.cwd = "/tmp".into();
    let output = rig.run(spec).output;
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(
        lines[..4],
        ["function-7", "0022", "2", "sbx_user"],
        "{output}"
    );
    assert_eq!(lines[4], "/tmp");
    let allowed = ["PATH=", "PWD=", "OLDPWD=", "_="];
    for variable in &lines[5..] {
        assert!(
            allowed.iter().any(|name| variable.starts_with(name)),
            "{variable}"
        );
    }
}

#[test]
fn as_root_live_environments_have_different_users() {
    if !is_root() {
        return skip("host uids of their own need root");
    }
    let rig = Rig::new();
    let uid = |output: &str| output.trim().parse::<u32>().unwrap();
    let first = uid(&rig.shell("id -u"));
    let second = uid(&rig.shell("id -u"));
    assert!(first >= 1_900_000_000 && second >= 1_900_000_000);
    assert_ne!(first, second);
    let mut spec = shell("id -u; id -g");
    spec.identity = Identity::Fixed {
        uid: 4321,
        gid: 1234,
    };
    assert_eq!(rig.run(spec).output, "4321\n1234\n");
}
