//! What the test executable does when a test runs it again, inside a sandbox or as a server.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use sandbox::{EgressConfig, Host, HostConfig, Network};

use crate::rig::shell;

/// A name that only a test's resolver knows.
pub const NAME: &str = "outside.test.invalid";

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
        "connect to" => said(TcpStream::connect(&argument)),
        "connect by the device to" => connect_by_the_device(argument.parse().unwrap()),
        "connect until refused" => connect_until_refused(&argument),
        "send to" => send_to(&argument),
        "leave" => crate::renewal::leave(&argument),
        "resolve" => resolve(&argument),
        "resolv.conf" => print_resolv_conf(),
        "serve" => serve(argument.parse().unwrap()),
        "talk" => talk(argument.parse().unwrap()),
        "allocate" => allocate(argument.parse().unwrap()),
        "fork" => fork_until_refused(),
        "open files" => open_until_refused(),
        "spin" => spin(Duration::from_millis(argument.parse().unwrap())),
        "go on" => crate::stopped::go_on(&argument),
        "abort" => std::process::abort(),
        "server" => server(&argument),
        "server with a way out" => server_with_a_way_out(&argument),
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
    said(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
}

fn said(connected: std::io::Result<TcpStream>) {
    match connected {
        Ok(_) => println!("probe: connected"),
        Err(error) => println!("probe: {:?}", error.kind()),
    }
}

/// Past whatever the routes say: what names its device is taken to be on its link.
fn connect_by_the_device(address: SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    bind_to_device(&socket);
    socket.connect(address).unwrap();
    let sent = socket.send(b"probe").map(|_| ());
    println!("probe: sent {:?}", sent.map_err(|error| error.kind()));
    // SAFETY: takes only numbers.
    let stream = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: a fresh descriptor that nobody else owns.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(stream) });
    bind_to_device(&stream);
    let SocketAddr::V4(address) = address else {
        panic!("not IPv4")
    };
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*address.ip()).to_be(),
        },
        sin_zero: [0; 8],
    };
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the name is a whole sockaddr_in.
    let result = unsafe { libc::connect(stream.as_raw_fd(), (&raw const name).cast(), length) };
    let error = std::io::Error::last_os_error();
    said(if result == 0 { Ok(stream) } else { Err(error) });
}

fn bind_to_device(socket: &impl AsRawFd) {
    let name = b"eth0";
    // SAFETY: the option is as long as the name.
    let bound = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            name.as_ptr().cast(),
            name.len() as libc::socklen_t,
        )
    };
    assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
}

/// Until it is told that it may not.
fn connect_until_refused(address: &str) {
    println!("probe: trying");
    let address = address.parse().unwrap();
    loop {
        // The kernel notices only at its second try, after a second.
        let connected = TcpStream::connect_timeout(&address, Duration::from_secs(5));
        match connected.map_err(|error| error.kind()) {
            Err(ErrorKind::HostUnreachable) => return println!("probe: HostUnreachable"),
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn send_to(address: &str) {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_broadcast(true).unwrap();
    // Nothing is said of a datagram that was refused; what counts is that nobody hears it.
    let _ = socket.send_to(b"probe", address);
    println!("probe: sent");
}

/// The IPv4 addresses of a name.
fn resolve(name: &str) {
    let Ok(addresses) = (name, 0).to_socket_addrs() else {
        return println!("probe: no address");
    };
    for address in addresses {
        println!("probe: {}", address.ip());
    }
}

fn print_resolv_conf() {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    for line in text.lines() {
        println!("probe: {line}");
    }
}

/// Says the address that it goes out by, and listens there for good.
fn serve(port: u16) {
    let _listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
    let out = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    // Sends nothing: it only chooses the way.
    out.connect("198.51.100.2:9").unwrap();
    println!("probe: {}", out.local_addr().unwrap().ip());
    std::thread::sleep(Duration::MAX);
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

/// Says how much CPU it got, without what its own start took.
fn spin(wall: Duration) {
    let before = cpu_millis();
    let begun = Instant::now();
    while begun.elapsed() < wall {
        std::hint::spin_loop();
    }
    println!("probe: {}", cpu_millis() - before);
}

fn cpu_millis() -> i64 {
    // SAFETY: zeroed is a valid rusage, the kernel fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let millis = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    millis(usage.ru_utime) + millis(usage.ru_stime)
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

/// A server with one sandbox that is led out; it waits to be killed.
fn server_with_a_way_out(folder: &str) {
    let mut config = HostConfig::new(folder, format!("killed-{}", std::process::id()));
    config.egress = Some(EgressConfig::default());
    let host = Host::open(&config).unwrap();
    let mut spec = shell("exec sleep 1000");
    spec.network = Network::Egress {
        listeners: Vec::new(),
    };
    let _sandbox = host.spawn(spec).unwrap();
    println!("probe: running");
    loop {
        std::thread::park();
    }
}
