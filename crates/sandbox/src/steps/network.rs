//! Steps that bring up the loopback interface and make the listening sockets inside a sandbox.
//!
//! Used where the network namespace comes into being with the sandbox; a prepared one has all
//! this behind it.

use crate::plan::{CONTROL, Call, Phase, Plan};
use crate::plan_format::{REPORT_LISTENERS, Report};

const BACKLOG: u64 = 1024;

/// Netlink protocols by which a way out is made from without: for links, and for rules.
pub(crate) const WAY_OUT: [libc::c_int; 2] = [libc::NETLINK_ROUTE, libc::NETLINK_NETFILTER];

/// `struct ifreq` for the flags of `lo`: 16 bytes of name, then the flags (IFF_UP, IFF_RUNNING).
pub(crate) fn loopback_up_request() -> [u8; 40] {
    let mut request = [0; 40];
    request[..2].copy_from_slice(b"lo");
    let flags = (libc::IFF_UP | libc::IFF_RUNNING) as u16;
    request[16..18].copy_from_slice(&flags.to_ne_bytes());
    request
}

/// `struct sockaddr_in` for 127.0.0.1 and this port.
fn loopback_address(port: u16) -> [u8; 16] {
    let mut address = [0; 16];
    address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    address
}

/// Adds the steps: `lo` up, one listener a port, then sockets of these netlink protocols, all of them
/// sent to the server.
pub(crate) fn add(plan: &mut Plan, ports: &[u16], netlink: &[libc::c_int]) {
    let setup = Phase::Setup;
    let socket = plan.slot();
    plan.push(
        setup,
        "open a socket for lo",
        tcp_socket().into_slot(socket),
    );
    let request = plan.bytes(&loopback_up_request());
    let up = Call::new(libc::SYS_ioctl)
        .with_slot(socket)
        .with(libc::SIOCSIFFLAGS)
        .with(request);
    plan.push(setup, "bring lo up", up);
    plan.push(
        setup,
        "close a socket",
        Call::new(libc::SYS_close).with_slot(socket),
    );
    let count = ports.len() + netlink.len();
    if count == 0 {
        return;
    }

    // SCM_RIGHTS wants the descriptors in a row behind its header, so they are stored there.
    let length = 16 + 4 * count;
    let mut rights = vec![length as u64, 1 | (1 << 32)];
    rights.resize(2 + count.div_ceil(2), 0);
    let rights_address = plan.words(&rights);
    for (index, &port) in ports.iter().enumerate() {
        let listener = rights_address + 16 + 4 * index as u64;
        plan.push(setup, "open a listener", tcp_socket().into_slot(listener));
        let one = plan.bytes(&1_i32.to_ne_bytes());
        let reuse = Call::new(libc::SYS_setsockopt)
            .with_slot(listener)
            .with_int(libc::SOL_SOCKET)
            .with_int(libc::SO_REUSEADDR)
            .with(one)
            .with(4);
        plan.push(setup, "configure a listener", reuse);
        let address = plan.bytes(&loopback_address(port));
        let bind = Call::new(libc::SYS_bind)
            .with_slot(listener)
            .with(address)
            .with(16);
        plan.push(setup, format!("bind 127.0.0.1:{port}"), bind);
        let listen = Call::new(libc::SYS_listen)
            .with_slot(listener)
            .with(BACKLOG);
        plan.push(setup, format!("listen on 127.0.0.1:{port}"), listen);
    }
    for (index, &protocol) in (ports.len()..).zip(netlink) {
        let socket = Call::new(libc::SYS_socket)
            .with_int(libc::AF_NETLINK)
            .with_int(libc::SOCK_RAW | libc::SOCK_CLOEXEC)
            .with_int(protocol)
            .into_slot(rights_address + 16 + 4 * index as u64);
        plan.push(setup, "open a netlink socket", socket);
    }
    hand_over(plan, rights_address, rights.len(), count);
}

/// Adds the steps of a socket that is made later, and sent to the server.
pub(crate) fn add_socket(plan: &mut Plan) {
    let rights = [16 + 4, 1 | (1 << 32), 0];
    let rights_address = plan.words(&rights);
    let socket = tcp_socket().into_slot(rights_address + 16);
    plan.push(Phase::Setup, "open a socket", socket);
    hand_over(plan, rights_address, rights.len(), 1);
}

/// Sends so many descriptors that were stored behind a header of this many words.
fn hand_over(plan: &mut Plan, rights_address: u64, words: usize, count: usize) {
    let setup = Phase::Setup;
    let report = Report {
        kind: REPORT_LISTENERS,
        ..Report::default()
    };
    let report = plan.record(&report);
    let part = plan.words(&[report, size_of::<Report>() as u64]);
    // struct msghdr: no name, one part, the rights.
    let message = plan.words(&[0, 0, part, 1, rights_address, (8 * words) as u64, 0]);
    let send = Call::new(libc::SYS_sendmsg)
        .with_int(CONTROL)
        .with(message)
        .with_int(libc::MSG_NOSIGNAL);
    plan.push(setup, "hand over the listeners", send);
    for index in 0..count {
        let listener = rights_address + 16 + 4 * index as u64;
        plan.push(
            setup,
            "close what was handed over",
            Call::new(libc::SYS_close).with_slot(listener),
        );
    }
}

fn tcp_socket() -> Call {
    Call::new(libc::SYS_socket)
        .with_int(libc::AF_INET)
        .with_int(libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
        .with(0)
}
