//! A network that nothing went through is the next sandbox's; any other is nobody's any more.

use std::collections::HashSet;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use sandbox::{Network, Spec};

use crate::egress;
use crate::rig::{Rig, is_root, probe, probed, skip};
use crate::world::{OUTSIDE, in_a_world};

/// Ends of sandboxes that are waited for; the first or second is enough, as a rule.
const MOST: usize = 300;

/// The probe: leaves something in its network, and says which network that is.
pub fn leave(what: &str) {
    let discard = 9;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    match what {
        "nothing" => {}
        "a packet" => {
            socket
                .send_to(b"x", (Ipv4Addr::LOCALHOST, discard))
                .unwrap();
        }
        "a packet of IPv6" => {
            let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
            socket
                .send_to(b"x", (Ipv6Addr::LOCALHOST, discard))
                .unwrap();
        }
        "a refused connection" => {
            TcpStream::connect((Ipv4Addr::LOCALHOST, discard)).unwrap_err();
        }
        "no way" => {
            TcpStream::connect(("192.0.2.1", discard)).unwrap_err();
        }
        "a label" => label_a_flow(),
        _ => panic!("no such thing as {what}"),
    }
    println!("probe: {}", cookie(&socket));
}

/// The kernel's number of a network, which no other has or will have.
fn cookie(socket: &UdpSocket) -> u64 {
    const SO_NETNS_COOKIE: i32 = 71;
    let (mut cookie, mut length) = (0_u64, 8);
    // SAFETY: the option is a u64, and there is room for it.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    cookie
}

/// A label of a flow stays for a while when its socket is gone, without any packet.
fn label_a_flow() {
    const IPV6_FLOWLABEL_MGR: i32 = 32;
    // struct in6_flowlabel_req: destination, label, action (get), share (any), flags (create),
    // expires, linger, padding.
    let mut request = [0_u8; 32];
    request[15] = 1;
    request[16..20].copy_from_slice(&0x1_2345_u32.to_be_bytes());
    request[21] = 255;
    request[22..24].copy_from_slice(&1_u16.to_ne_bytes());
    request[24..26].copy_from_slice(&10_u16.to_ne_bytes());
    request[26..28].copy_from_slice(&10_u16.to_ne_bytes());
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
    // SAFETY: the option takes such a request.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            IPV6_FLOWLABEL_MGR,
            request.as_ptr().cast(),
            32,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Runs sandboxes that leave nothing until networks have come back twice; returns all that they had.
fn until_renewed(mut run: impl FnMut() -> u64) -> HashSet<u64> {
    let mut seen = HashSet::new();
    let mut renewed = 0;
    for _ in 0..MOST {
        renewed += usize::from(!seen.insert(run()));
        if renewed == 2 {
            return seen;
        }
    }
    panic!("no network came back: {} different ones", seen.len());
}

fn isolated(what: &str, listeners: Vec<u16>) -> Spec {
    let mut spec = probe("leave", what);
    spec.network = Network::Isolated { listeners };
    spec
}

fn said(output: &str) -> u64 {
    let lines = probed(output);
    let [line] = lines[..] else {
        panic!("{output}");
    };
    line.parse().unwrap()
}

fn run(rig: &Rig, what: &str) -> u64 {
    said(&rig.run(isolated(what, Vec::new())).output)
}

#[test]
fn only_a_network_that_nothing_went_through_comes_back() {
    if !is_root() {
        return skip("networks made ahead need root");
    }
    let rig = Rig::new();
    until_renewed(|| run(&rig, "nothing"));
    let mut ways = vec!["a packet", "a refused connection", "no way"];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        ways.extend(["a packet of IPv6", "a label"]);
    }
    for way in ways {
        let used = run(&rig, way);
        // What comes back later has been looked at later.
        let seen = until_renewed(|| run(&rig, "nothing"));
        assert!(!seen.contains(&used), "{way}");
    }
}

#[test]
fn a_network_in_which_somebody_has_a_socket_does_not_come_back() {
    if !is_root() {
        return skip("networks made ahead need root");
    }
    let rig = Rig::new();
    let ports = vec![9001];
    let (mut sandbox, mut reader) = rig.start(isolated("nothing", ports.clone()));
    let held = sandbox.take_listeners();
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    drop(sandbox);
    let used = said(&output);
    let seen = until_renewed(|| said(&rig.run(isolated("nothing", ports.clone())).output));
    assert!(!seen.contains(&used));
    drop(held);
}

#[test]
fn the_same_holds_where_there_is_a_way_out() {
    in_a_world(|world| {
        let (port, _heard) = world.serve_outside(OUTSIDE);
        let Some(host) = world.host("a") else { return };
        let leave = |what: &str| egress::run(&host, "leave", what)[0].parse().unwrap();
        until_renewed(|| leave("nothing"));
        let used: u64 = leave("a packet");
        let seen = until_renewed(|| leave("nothing"));
        assert!(!seen.contains(&used));
        // It still leads out.
        assert_eq!(egress::connect(&host, OUTSIDE, port), ["connected"]);
    });
}
