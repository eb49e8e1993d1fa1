//! How a sandbox ends, stops and goes on, and that nothing of it stays behind.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::Host;

use crate::rig::{PATIENCE, Rig, ends_within, probe, shell, skip};

#[test]
fn the_programs_own_status_is_reported() {
    let rig = Rig::new();
    assert!(rig.run(shell("exit 0")).exit.status.success());
    assert_eq!(rig.run(shell("exit 7")).exit.status.code(), Some(7));
    let by_itself = rig.run(shell("kill -TERM $$")).exit;
    assert_eq!(by_itself.status.signal(), Some(libc::SIGTERM));
    assert_eq!(
        rig.run(probe("abort", "")).exit.status.signal(),
        Some(libc::SIGABRT)
    );
}

#[test]
fn kill_reaches_a_daemon_in_a_session_of_its_own() {
    let rig = Rig::new();
    let script = "setsid sh -c 'sleep 1000 & sleep 1000 & wait' & echo up; sleep 1000";
    let (sandbox, mut reader) = rig.start(shell(script));
    let mut up = [0; 3];
    reader.read_exact(&mut up).unwrap();
    assert_eq!(sandbox.try_wait().unwrap(), None);
    sandbox.kill().unwrap();
    let exit = sandbox.wait_timeout(PATIENCE).unwrap().expect("dead");
    assert_eq!(exit.status.signal(), Some(libc::SIGKILL));
    assert!(
        ends_within(reader, PATIENCE),
        "somebody still holds the pipe"
    );
}

#[test]
fn a_daemon_dies_with_the_program() {
    let rig = Rig::new();
    let (sandbox, reader) = rig.start(shell("setsid sleep 1000 & exit 3"));
    assert_eq!(sandbox.wait().unwrap().status.code(), Some(3));
    assert!(
        ends_within(reader, PATIENCE),
        "somebody still holds the pipe"
    );
}

#[test]
fn dropping_kills() {
    let rig = Rig::new();
    let (sandbox, reader) = rig.start(shell("sleep 1000"));
    drop(sandbox);
    assert!(
        ends_within(reader, PATIENCE),
        "somebody still holds the pipe"
    );
}

#[test]
fn orphans_are_reaped() {
    // Ten at a time, and then a moment for init: on a busy machine it has to wait for a processor, and
    // until it has had one they count as well.
    let mut spec = shell(
        "i=0; while [ $i -lt 100 ]; do (true & true); i=$((i+1)); \
         [ $((i % 10)) = 0 ] && sleep 0.05; done; sleep 0.2; \
         grep -l '^State:.Z' /proc/[0-9]*/status | wc -l; ls -d /proc/[0-9]* | wc -l",
    );
    spec.limits.pids = 20;
    let output = Rig::new().run(spec).output;
    let number = |line: &str| line.parse().unwrap_or_else(|_| panic!("{output}"));
    let counts: Vec<u32> = output.lines().map(number).collect();
    assert_eq!(counts[0], 0, "{output}");
    assert!(counts[1] < 8, "{output}");
}

#[test]
fn a_signal_reaches_the_program() {
    let rig = Rig::new();
    let script = "trap 'echo term; exit 9' TERM; echo up; while :; do sleep 0.05; done";
    let (sandbox, mut reader) = rig.start(shell(script));
    let mut up = [0; 3];
    reader.read_exact(&mut up).unwrap();
    sandbox.signal(libc::SIGTERM).unwrap();
    assert_eq!(sandbox.wait().unwrap().status.code(), Some(9));
    assert_eq!(std::io::read_to_string(reader).unwrap(), "term\n");
    sandbox.signal(libc::SIGTERM).unwrap();
}

#[test]
fn frozen_is_without_any_progress() {
    frozen(&Rig::new());
}

#[test]
fn frozen_is_without_any_progress_where_there_are_no_control_groups() {
    let mut rig = Rig::new();
    let mut config = rig.config.clone();
    config.cgroups = false;
    config.instance.push_str("-bare");
    config.state_dir.push("bare");
    rig.host = Host::open(&config).unwrap();
    frozen(&rig);
}

fn frozen(rig: &Rig) {
    // A child in another session writes as well.
    let loops = "while :; do echo x; done";
    let (sandbox, reader) = rig.start(shell(&format!("setsid sh -c '{loops}' & {loops}")));
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    for _ in 0..3 {
        let begun = Instant::now();
        sandbox.freeze().unwrap();
        println!("freeze took {:?}", begun.elapsed());
        if !rig.has("freezer") {
            // By signals, a process ends its slice first.
            std::thread::sleep(Duration::from_millis(200));
        }
        drain(&mut reader);
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(drain(&mut reader), 0, "output while frozen");
        assert_eq!(sandbox.try_wait().unwrap(), None);
        let begun = Instant::now();
        sandbox.thaw().unwrap();
        println!("thaw took {:?}", begun.elapsed());
        line.clear();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "x\n");
    }
    sandbox.freeze().unwrap();
    sandbox.kill().unwrap();
    assert!(
        sandbox.wait_timeout(PATIENCE).unwrap().is_some(),
        "frozen outlives its kill"
    );
}

/// Empties a pipe without waiting and returns the number of bytes.
fn drain(reader: &mut BufReader<std::io::PipeReader>) -> usize {
    let buffered = reader.buffer().len();
    reader.consume(buffered);
    let fd = reader.get_ref().as_raw_fd();
    let mut drained = buffered;
    let mut buffer = vec![0_u8; 65536];
    // SAFETY: a live descriptor and a buffer of the stated size.
    unsafe {
        libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
        loop {
            let read = libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len());
            if read <= 0 {
                break;
            }
            drained += read as usize;
        }
        libc::fcntl(fd, libc::F_SETFL, 0);
    }
    drained
}

#[test]
fn sandboxes_die_with_a_killed_server() {
    orphaned("running");
}

#[test]
fn frozen_sandboxes_die_with_a_killed_server() {
    let rig = Rig::new();
    let version1 = rig
        .host
        .capabilities_report()
        .into_iter()
        .any(|finding| finding.feature == "freezer" && finding.detail.contains("/freezer/"));
    if version1 {
        return skip("a version 1 freezer holds its dead until the next start sweeps them");
    }
    orphaned("frozen");
}

/// Kills a server in mid-life; then opens a host under its name, which clears what it left.
fn orphaned(state: &str) {
    let rig = Rig::new();
    let mut config = rig.config.clone();
    config.instance.push_str("-killed");
    config.state_dir.push("killed");
    let argument = format!("{state} {} {}", config.instance, config.state_dir.display());
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "probe::inside", "--nocapture"])
        .envs([("PROBE", "server"), ("PROBE_ARGUMENT", argument.as_str())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("probe: running") {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "the server ended early"
        );
    }
    // SIGKILL, which no server can prepare for.
    server.kill().unwrap();
    server.wait().unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(output.read_to_end(&mut Vec::new()).is_ok()));
    assert!(
        ended.recv_timeout(PATIENCE).unwrap_or(false),
        "somebody still holds the pipe"
    );
    drop(Host::open(&config).unwrap());
}

#[test]
fn what_was_used_is_accounted() {
    let rig = Rig::new();
    let script = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo up; sleep 1000";
    let (sandbox, mut reader) = rig.start(shell(script));
    let mut up = [0; 3];
    reader.read_exact(&mut up).unwrap();
    let usage = sandbox.usage().unwrap();
    assert!(usage.memory_peak_bytes > 100 << 10, "{usage:?}");
    assert_eq!(usage.oom_kills, 0);
    let pid = sandbox.program_pid().expect("alive");
    assert!(Path::new(&format!("/proc/{pid}")).exists());
}

/// The server's own folder in a hierarchy, where there is one.
fn group_folder(rig: &Rig) -> Option<PathBuf> {
    let report = rig.host.capabilities_report();
    let places = report
        .iter()
        .filter_map(|finding| finding.detail.strip_prefix("control groups in "));
    places.map(PathBuf::from).next()
}

#[test]
fn control_groups_of_a_dead_server_are_swept() {
    let rig = Rig::new();
    let Some(folder) = group_folder(&rig) else {
        return skip("no control groups here");
    };
    let config = rig.config.clone();
    let leftover = folder.join("e77");
    std::fs::create_dir(&leftover).unwrap();
    let next = Host::open(&config).unwrap();
    assert!(!leftover.exists());
    drop((rig, next));
    assert!(!folder.exists(), "an idle server leaves its folder behind");
}

#[test]
fn control_groups_of_a_dead_server_are_swept_by_any_other() {
    let rig = Rig::new();
    let Some(folder) = group_folder(&rig) else {
        return skip("no control groups here");
    };
    let name = format!("{}-dead", rig.config.instance);
    let dead = folder.with_file_name(name);
    std::fs::create_dir_all(dead.join("e0")).unwrap();
    let living = folder.join("e77");
    std::fs::create_dir(&living).unwrap();
    let other = Rig::new();
    assert!(!dead.exists());
    assert!(living.exists(), "the groups of a living server are its own");
    drop(other);
    std::fs::remove_dir(&living).unwrap();
}

#[test]
fn many_at_once_all_end() {
    let rig = Rig::new();
    let outcomes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let rig = &rig;
                scope.spawn(move || {
                    let echoes = (0..6).map(|turn| rig.shell(&format!("echo {thread}-{turn}")));
                    echoes.collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    for (thread, echoes) in outcomes.iter().enumerate() {
        for (turn, echo) in echoes.iter().enumerate() {
            assert_eq!(*echo, format!("{thread}-{turn}\n"));
        }
    }
}

#[test]
fn the_report_names_every_feature_and_tries_one() {
    let report = Rig::new().host.capabilities_report();
    for finding in &report {
        println!(
            "{:<14} {:<5} {}",
            finding.feature, finding.available, finding.detail
        );
        assert!(!finding.detail.is_empty());
    }
    let trial = report.last().unwrap();
    assert_eq!(trial.feature, "sandbox");
    assert!(trial.available, "{}", trial.detail);
}

/// A server with some hundred connections opens its host at descriptor numbers that the sandbox's
/// own descriptors are given later.
#[test]
fn a_host_opened_among_many_descriptors_starts_sandboxes() {
    let crowd: Vec<_> = (0..280)
        .map(|_| std::fs::File::open("/dev/null").unwrap())
        .collect();
    let rigs: Vec<Rig> = (0..12).map(|_| Rig::new()).collect();
    for rig in &rigs {
        assert_eq!(rig.shell("echo here"), "here\n");
    }
    drop(crowd);
}
