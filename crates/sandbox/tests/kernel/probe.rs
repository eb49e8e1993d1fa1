//! What the test executable does when a test runs it again, inside a sandbox or as a server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use sandbox::{Host, HostConfig};

use crate::rig::shell;

/// The entry: without the variable, as in an ordinary test run, there is nothing to do.
#[test]
fn inside() {
    let Ok(name) = std::env::var("PROBE") else {
        return;
    };
    let argument = std::env::var("PROBE_ARGUMENT").unwrap();
    println!();
    match name.as_str() {
        "denied calls" => denied_calls(),
        "connect" => connect(argument.parse().unwrap()),
        "talk" => talk(argument.parse().unwrap()),
        "allocate" => allocate(argument.parse().unwrap()),
        "fork" => fork_until_refused(),
        "open files" => open_until_refused(),
        "spin" => spin(Duration::from_millis(argument.parse().unwrap())),
        "abort" => std::process::abort(),
        "server" => server(&argument),
        _ => panic!("no probe {name}"),
    }
}

fn denied_calls() {
    let calls: &[(&str, libc::c_long, [usize; 4])] = &[
        (
            "unshare user",
            libc::SYS_unshare,
            [libc::CLONE_NEWUSER as usize, 0, 0, 0],
        ),
        (
            "unshare net",
            libc::SYS_unshare,
            [libc::CLONE_NEWNET as usize, 0, 0, 0],
        ),
        ("mount", libc::SYS_mount, [0, 0, 0, 0]),
        ("umount", libc::SYS_umount2, [0, 0, 0, 0]),
        ("open_tree", libc::SYS_open_tree, [0, 0, 0, 0]),
        ("setns", libc::SYS_setns, [0, 0, 0, 0]),
        (
            "ptrace",
            libc::SYS_ptrace,
            [libc::PTRACE_TRACEME as usize, 0, 0, 0],
        ),
        ("process_vm_readv", libc::SYS_process_vm_readv, [1, 0, 0, 0]),
        ("bpf", libc::SYS_bpf, [0, 0, 0, 0]),
        ("perf_event_open", libc::SYS_perf_event_open, [0, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [0, 0, 0, 0]),
        ("add_key", libc::SYS_add_key, [0, 0, 0, 0]),
        ("init_module", libc::SYS_init_module, [0, 0, 0, 0]),
        ("kexec_load", libc::SYS_kexec_load, [0, 0, 0, 0]),
        ("reboot", libc::SYS_reboot, [0, 0, 0, 0]),
        ("swapon", libc::SYS_swapon, [0, 0, 0, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0, 0]),
        (
            "open_by_handle_at",
            libc::SYS_open_by_handle_at,
            [0, 0, 0, 0],
        ),
        ("personality", libc::SYS_personality, [0x0040_0000, 0, 0, 0]),
        (
            "raw socket",
            libc::SYS_socket,
            [libc::AF_INET as usize, libc::SOCK_RAW as usize, 1, 0],
        ),
    ];
    for (name, number, [a, b, c, d]) in calls {
        // SAFETY: the filter refuses each; were it not to, the arguments are invalid anyway.
        let result = unsafe { libc::syscall(*number, *a, *b, *c, *d) };
        let error = std::io::Error::last_os_error().raw_os_error();
        let refused = result == -1 && error == Some(libc::EPERM);
        println!(
            "probe: {} {name} {error:?}",
            if refused { "refused" } else { "ALLOWED" }
        );
    }
    for family in [libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG] {
        // SAFETY: takes only numbers.
        let result = unsafe { libc::socket(family, libc::SOCK_RAW, 0) };
        println!(
            "probe: {} family {family}",
            if result < 0 { "refused" } else { "ALLOWED" }
        );
    }
}

fn connect(port: u16) {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => println!("probe: connected"),
        Err(error) => println!("probe: {:?}", error.kind()),
    }
}

fn talk(port: u16) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    println!("probe: {}", String::from_utf8_lossy(&answer));
}

fn allocate(mebibytes: usize) {
    let mut held = Vec::new();
    for _ in 0..mebibytes {
        // Not zero, or the pages would stay untouched.
        held.push(vec![1_u8; 1 << 20]);
    }
    println!(
        "probe: allocated {}",
        held.iter().map(Vec::len).sum::<usize>() >> 20
    );
}

fn fork_until_refused() {
    let mut children = 0;
    while children < 100_000 {
        // SAFETY: the child only waits to be killed.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            loop {
                // SAFETY: no preconditions.
                unsafe { libc::pause() };
            }
        }
        if pid < 0 {
            break;
        }
        children += 1;
    }
    println!("probe: {children}");
}

fn open_until_refused() {
    let mut files = Vec::new();
    let error = loop {
        match std::fs::File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    println!("probe: {} {:?}", files.len(), error.raw_os_error());
}

fn spin(wall: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < wall {
        std::hint::spin_loop();
    }
    // SAFETY: zeroed is a valid rusage, the kernel fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let millis = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    println!("probe: {}", millis(usage.ru_utime) + millis(usage.ru_stime));
}

/// A server with one sandbox that shares our standard output; it waits to be killed.
fn server(argument: &str) {
    let mut words = argument.split(' ');
    let state = words.next().unwrap();
    let instance = words.next().unwrap();
    let host = Host::open(&HostConfig::new(words.next().unwrap(), instance)).unwrap();
    let mut spec = shell("sleep 1000 & exec sleep 1000");
    let output = std::io::stdout();
    let output = std::os::fd::AsFd::as_fd(&output)
        .try_clone_to_owned()
        .unwrap();
    spec.stdio.stdout = sandbox::Stream::Fd(output);
    let sandbox = host.spawn(spec).unwrap();
    if state == "frozen" {
        sandbox.freeze().unwrap();
    }
    println!("probe: running");
    loop {
        std::thread::park();
    }
}
