//! Environments that are stopped by signals, for there is no freezer: they stay so, or are ended.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::rig::{Rig, probe};

const PERIOD_NANOS: i64 = 50_000_000;

/// What ends by itself, should nobody end it.
const LONGEST: Duration = Duration::from_secs(15);

/// Inside: starts what a stopped environment may be, says so, and goes on.
pub fn go_on(how: &str) {
    // SAFETY: the child has one thread, as this program has, and does not return.
    if unsafe { libc::fork() } != 0 {
        std::thread::sleep(LONGEST);
        return;
    }
    match how {
        "as told" => as_told(),
        "asleep" => continue_every(PERIOD_NANOS),
        "in bits" => {
            continue_every(PERIOD_NANOS);
            println!("probe: ready");
            loop_for(|| {
                spin(Duration::from_millis(6));
                // SAFETY: takes only a number.
                unsafe { libc::raise(libc::SIGSTOP) };
            });
        }
        "without its first thread" => {
            continue_every(PERIOD_NANOS);
            std::thread::spawn(|| {
                println!("probe: ready");
                loop_for(|| std::thread::sleep(Duration::from_millis(1)));
                std::process::exit(0);
            });
            // SAFETY: ends this thread alone, of which nobody has anything.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
        "taking memory" => {
            continue_every(PERIOD_NANOS);
            println!("probe: ready");
            let mut hoard = Vec::new();
            while hoard.len() < 400 {
                hoard.push(vec![1_u8; 1 << 20]);
                println!("probe: {}", hoard.len());
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        _ => panic!("no way {how}"),
    }
    println!("probe: ready");
    loop_for(|| std::thread::sleep(Duration::from_millis(1)));
    std::process::exit(0);
}

fn loop_for(mut body: impl FnMut()) {
    let begun = Instant::now();
    while begun.elapsed() < LONGEST {
        body();
    }
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Threads that work and that sleep, a child that has its parent wait, and one that has ended.
fn as_told() {
    std::thread::spawn(|| loop_for(|| spin(Duration::from_millis(1))));
    std::thread::spawn(|| loop_for(|| std::thread::sleep(Duration::from_millis(1))));
    // SAFETY: the child only ends.
    if unsafe { libc::fork() } == 0 {
        std::process::exit(0);
    }
    std::thread::spawn(|| {
        let flags = libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: a fork but that this thread waits; the child has one thread, and only sleeps.
        if unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } == 0 {
            std::thread::sleep(LONGEST);
            std::process::exit(0);
        }
    });
    std::thread::sleep(Duration::from_millis(100));
}

/// Has the kernel send this process a SIGCONT that often.
fn continue_every(nanos: i64) {
    extern "C" fn ignore(_: i32) {}
    let handler = ignore as extern "C" fn(i32);
    // SAFETY: zeroed is a valid sigevent and itimerspec; the handler does nothing.
    unsafe {
        libc::signal(libc::SIGCONT, handler as libc::sighandler_t);
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGCONT;
        let mut timer: libc::timer_t = std::mem::zeroed();
        let made = libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
        assert_eq!(made, 0);
        let mut time: libc::itimerspec = std::mem::zeroed();
        (time.it_value.tv_nsec, time.it_interval.tv_nsec) = (nanos, nanos);
        libc::timer_settime(timer, 0, &raw const time, std::ptr::null_mut());
    }
}

/// Stops one, and returns whether it was ended, and what it said after that.
fn stopped(how: &str, patience: Duration) -> (bool, Vec<String>) {
    let rig = Rig::without_groups();
    let mut spec = probe("go on", how);
    spec.limits.memory_bytes = 64 << 20;
    let (sandbox, reader) = rig.start(spec);
    let lines = BufReader::new(reader).lines().map_while(Result::ok);
    let mut lines = lines.filter_map(|line| Some(line.split_once("probe: ")?.1.to_owned()));
    assert_eq!(lines.next().unwrap(), "ready");
    sandbox.freeze().unwrap();
    let exit = sandbox.wait_timeout(patience).unwrap();
    let signal = exit.map(|exit| exit.status.signal());
    assert!(
        [None, Some(Some(libc::SIGKILL))].contains(&signal),
        "{signal:?}"
    );
    drop(sandbox);
    (signal.is_some(), lines.collect())
}

#[test]
fn one_that_keeps_still_is_let_be() {
    assert!(!stopped("as told", Duration::from_secs(4)).0);
}

#[test]
fn one_that_has_itself_continued_is_ended() {
    for how in ["asleep", "without its first thread"] {
        assert!(stopped(how, Duration::from_secs(10)).0, "{how}");
    }
}

#[test]
fn one_that_runs_only_in_between_is_ended() {
    assert!(stopped("in bits", Duration::from_secs(12)).0);
}

#[test]
fn one_that_has_itself_continued_gets_no_memory() {
    let (ended, lines) = stopped("taking memory", Duration::from_secs(10));
    assert!(ended);
    let most = lines.last().map_or(0, |line| line.parse().unwrap());
    assert!((1..250).contains(&most), "{most} MB");
}
