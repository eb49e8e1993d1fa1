//! Listeners stand inside a sandbox and are served from outside; nothing else is reachable.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;

use sandbox::Network;

use crate::rig::{Rig, is_root, probe, probed, shell, skip};

#[test]
fn the_hosts_listeners_are_out_of_reach() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rig = Rig::new();
    let output = rig.run(probe("connect", &port)).output;
    assert_eq!(probed(&output), ["ConnectionRefused"]);
    let mut spec = probe("connect", &port);
    spec.network = Network::Host;
    assert_eq!(probed(&rig.run(spec).output), ["connected"]);
}

#[test]
fn the_only_interface_is_loopback() {
    let output = Rig::new().shell("tail -n +3 /proc/net/dev | cut -d: -f1");
    assert_eq!(output.trim(), "lo");
}

#[test]
fn a_listener_inside_is_served_outside() {
    let rig = Rig::new();
    let ports = vec![9001, 4566];
    serve(
        &rig,
        Network::Isolated {
            listeners: ports.clone(),
        },
    );
    // The same ports again, while others may still be held: each namespace has its own.
    serve(&rig, Network::Isolated { listeners: ports });
}

#[test]
fn a_network_can_be_made_ahead() {
    let rig = Rig::new();
    let prepared = rig.host.prepare_network(&[9001, 4566]).unwrap();
    assert_eq!(prepared.is_some(), is_root());
    match prepared {
        Some(prepared) => serve(&rig, Network::Prepared(prepared)),
        None => skip("networks made ahead need root"),
    }
}

fn serve(rig: &Rig, network: Network) {
    let mut spec = probe("talk", "4566");
    spec.network = network;
    let (mut sandbox, reader) = rig.start(spec);
    let listeners = sandbox.take_listeners();
    assert_eq!(listeners.len(), 2);
    let ports: Vec<u16> = listeners
        .iter()
        .map(|one| one.local_addr().unwrap().port())
        .collect();
    assert_eq!(ports, [9001, 4566]);
    wait_readable(&listeners[1]);
    let (mut stream, _) = listeners[1].accept().unwrap();
    stream.set_nonblocking(false).unwrap();
    let mut asked = [0; 4];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"ping");
    stream.write_all(b"pong").unwrap();
    let output = std::io::read_to_string(reader).unwrap();
    assert_eq!(probed(&output), ["pong"]);
    assert!(sandbox.wait().unwrap().status.success());
}

fn wait_readable(listener: &TcpListener) {
    let fd = std::os::fd::AsRawFd::as_raw_fd(&listener.as_fd());
    let mut watched = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd of a live descriptor.
    assert_eq!(unsafe { libc::poll(&raw mut watched, 1, 20_000) }, 1);
}

#[test]
fn names_of_this_host_resolve() {
    let output = Rig::new().run(shell("getent hosts localhost")).output;
    assert!(output.contains("localhost"), "{output}");
}
