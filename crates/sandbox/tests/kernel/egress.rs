//! The way out: what an environment reaches beyond itself, and that nothing of it stays.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use sandbox::{Host, Network, Sandbox};

use crate::probe::NAME;
use crate::rig::{Outcome, PATIENCE, probe, probed, shell, skip};
use crate::world::{HOST, METADATA, OUTSIDE, in_a_world, ip};

fn links() -> BTreeSet<String> {
    let names = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let names = names
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

fn forwarding(device: &str) -> String {
    let path = format!("/proc/sys/net/ipv4/conf/{device}/forwarding");
    fs::read_to_string(path).unwrap().trim().to_owned()
}

pub fn run(host: &Host, name: &str, argument: &str) -> Vec<String> {
    let mut spec = probe(name, argument);
    spec.network = Network::Egress {
        listeners: Vec::new(),
    };
    let output = outcome(host, spec).output;
    probed(&output)
        .iter()
        .map(|&line| line.to_owned())
        .collect()
}

pub fn outcome(host: &Host, mut spec: sandbox::Spec) -> Outcome {
    let (mut reader, writer) = std::io::pipe().unwrap();
    spec.stdio.stderr = sandbox::Stream::Fd(writer.try_clone().unwrap().into());
    spec.stdio.stdout = sandbox::Stream::Fd(writer.into());
    let sandbox = host.spawn(spec).unwrap();
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    let exit = sandbox.wait_timeout(PATIENCE).unwrap().unwrap();
    Outcome { output, exit }
}

pub fn connect(host: &Host, address: Ipv4Addr, port: u16) -> Vec<String> {
    run(host, "connect to", &format!("{address}:{port}"))
}

#[test]
fn the_outside_is_reached_under_the_hosts_address() {
    in_a_world(|world| {
        let (port, heard) = world.serve_outside(OUTSIDE);
        let Some(host) = world.host("a") else { return };
        assert_eq!(connect(&host, OUTSIDE, port), ["connected"]);
        let from = heard.recv_timeout(PATIENCE).unwrap();
        assert_eq!(from.ip(), HOST);
    });
}

#[test]
fn the_hosts_services_are_out_of_reach_at_every_address() {
    in_a_world(|world| {
        let everywhere = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = everywhere.local_addr().unwrap().port();
        let Some(host) = world.host("a") else { return };
        assert_eq!(
            connect(&host, Ipv4Addr::LOCALHOST, port),
            ["ConnectionRefused"]
        );
        assert_eq!(connect(&host, HOST, port), ["HostUnreachable"]);
        let resolv_conf = run(&host, "resolv.conf", "");
        let gateway = resolv_conf[0].strip_prefix("nameserver ").unwrap();
        let gateway = gateway.parse().unwrap();
        assert_eq!(connect(&host, gateway, port), ["HostUnreachable"]);
    });
}

#[test]
fn the_metadata_service_is_out_of_reach() {
    in_a_world(|world| {
        let (port, _heard) = world.serve_outside(METADATA);
        let Some(host) = world.host("a") else { return };
        assert_eq!(connect(&host, METADATA, port), ["HostUnreachable"]);
    });
}

#[test]
fn environments_do_not_reach_each_other() {
    in_a_world(|world| {
        let (Some(one), Some(other)) = (world.host("a"), world.host("b")) else {
            return;
        };
        for (of, from) in [(&one, &one), (&one, &other)] {
            let mut spec = probe("serve", "7000");
            spec.network = Network::Egress {
                listeners: Vec::new(),
            };
            let (reader, writer) = std::io::pipe().unwrap();
            spec.stdio.stdout = sandbox::Stream::Fd(writer.into());
            let _serving = of.spawn(spec).unwrap();
            let address = first_probed(reader);
            let said = connect(from, address.parse().unwrap(), 7000);
            assert_eq!(said, ["HostUnreachable"], "{address}");
        }
    });
}

/// The first line that a probe prints while it runs on.
fn first_probed(reader: std::io::PipeReader) -> String {
    use std::io::BufRead;
    let lines = std::io::BufReader::new(reader).lines();
    let mut lines = lines.map_while(Result::ok);
    lines
        .find_map(|line| line.split_once("probe: ").map(|(_, said)| said.to_owned()))
        .unwrap()
}

#[test]
fn what_comes_from_outside_does_not_come_in() {
    in_a_world(|world| {
        let Some(host) = world.host("a") else { return };
        let mut spec = probe("serve", "7000");
        spec.network = Network::Egress {
            listeners: Vec::new(),
        };
        let (reader, writer) = std::io::pipe().unwrap();
        spec.stdio.stdout = sandbox::Stream::Fd(writer.into());
        let _serving = host.spawn(spec).unwrap();
        let address: Ipv4Addr = first_probed(reader).parse().unwrap();
        let reached = world.outside.within(move || {
            ip(&format!("route add {address} via {HOST}"));
            let patience = std::time::Duration::from_secs(1);
            std::net::TcpStream::connect_timeout(&(address, 7000).into(), patience).is_ok()
        });
        assert!(!reached);
    });
}

#[test]
fn names_resolve_by_the_hosts_resolver_on_its_loopback() {
    in_a_world(|world| {
        serve_names();
        let Some(host) = world.host("a") else { return };
        assert_eq!(run(&host, "resolve", NAME), [OUTSIDE.to_string()]);
    });
}

#[test]
fn without_a_resolver_a_name_fails_at_once() {
    in_a_world(|world| {
        let Some(host) = world.host("a") else { return };
        // Nobody listens at 127.0.0.53.
        assert_eq!(run(&host, "resolve", NAME), ["no address"]);
    });
}

/// A resolver of the host, where systemd has its own.
pub fn serve_names() {
    let resolver = UdpSocket::bind("127.0.0.53:53").unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = resolver.recv_from(&mut buffer) {
            let answer = address_record(&buffer[..length]);
            resolver.send_to(&answer, from).unwrap();
        }
    });
}

/// The answer to a question for an IPv4 address; to others, that there is no such record.
fn address_record(question: &[u8]) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap();
    let is_for_ipv4 = question[end + 1..end + 3] == [0, 1];
    let mut answer = question[..end + 5].to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[6..12].copy_from_slice(&[0, u8::from(is_for_ipv4), 0, 0, 0, 0]);
    if is_for_ipv4 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(OUTSIDE.octets());
    }
    answer
}

#[test]
fn nothing_is_left_of_two_hundred_environments() {
    in_a_world(|world| {
        let before = links();
        assert_eq!(forwarding("up0"), "0");
        let Some(host) = world.host("a") else { return };
        let (port, _heard) = world.serve_outside(OUTSIDE);
        for _ in 0..10 {
            let running: Vec<Sandbox> = (0..20)
                .map(|_| {
                    let mut spec = shell("exec sleep 60");
                    spec.network = Network::Egress {
                        listeners: vec![9001],
                    };
                    host.spawn(spec).unwrap()
                })
                .collect();
            let own = links().difference(&before).count();
            assert!(own >= running.len(), "{own} links");
        }
        assert_eq!(connect(&host, OUTSIDE, port), ["connected"]);
        assert_eq!(forwarding("up0"), "1");
        drop(host);
        assert_eq!(links(), before);
        assert_eq!(forwarding("up0"), "0");
        assert_eq!(tables(), "");
    });
}

#[test]
fn forwarding_stays_until_the_last_server_ends() {
    in_a_world(|world| {
        let (Some(first), Some(second)) = (world.host("a"), world.host("b")) else {
            return;
        };
        drop(first);
        assert_eq!(forwarding("up0"), "1");
        let (port, _heard) = world.serve_outside(OUTSIDE);
        assert_eq!(connect(&second, OUTSIDE, port), ["connected"]);
        drop(second);
        assert_eq!(forwarding("up0"), "0");
    });
}

#[test]
fn a_host_that_forwards_already_goes_on() {
    in_a_world(|world| {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let Some(host) = world.host("a") else { return };
        drop(host);
        assert_eq!(forwarding("up0"), "1");
    });
}

#[test]
fn a_host_that_answers_for_no_other_devices_address_is_passed_through() {
    in_a_world(|world| {
        // Kubernetes' proxy and load balancers set these.
        for setting in ["arp_ignore", "rp_filter"] {
            fs::write(format!("/proc/sys/net/ipv4/conf/all/{setting}"), "1").unwrap();
        }
        serve_names();
        let Some(host) = world.host("a") else { return };
        let (port, _heard) = world.serve_outside(OUTSIDE);
        assert_eq!(connect(&host, OUTSIDE, port), ["connected"]);
        assert_eq!(run(&host, "resolve", NAME), [OUTSIDE.to_string()]);
    });
}

#[test]
fn a_firewall_that_drops_lets_environments_pass() {
    in_a_world(|world| {
        if nft("list tables").is_none() {
            return skip("nft, which makes the test's firewall, is not installed");
        }
        nft("add table ip filter").unwrap();
        for (chain, hook) in [("FORWARD", "forward"), ("INPUT", "input")] {
            let policy = format!("{{ type filter hook {hook} priority 0; policy drop; }}");
            nft(&format!("add chain ip filter {chain} {policy}")).unwrap();
        }
        nft("add rule ip filter INPUT iifname lo accept").unwrap();
        serve_names();
        let before = nft("list table ip filter").unwrap();
        let Some(host) = world.host("a") else { return };
        let (port, _heard) = world.serve_outside(OUTSIDE);
        assert_eq!(connect(&host, OUTSIDE, port), ["connected"]);
        assert_eq!(run(&host, "resolve", NAME), [OUTSIDE.to_string()]);
        assert_ne!(nft("list table ip filter").unwrap(), before);
        drop(host);
        assert_eq!(nft("list table ip filter").unwrap(), before);
    });
}

/// The tables of this namespace, where `nft` is there to list them.
fn tables() -> String {
    nft("list tables").unwrap_or_default()
}

/// What `nft` prints; `None` where there is none.
fn nft(arguments: &str) -> Option<String> {
    let nft = ["/usr/sbin/nft", "/sbin/nft"].map(PathBuf::from);
    let nft = nft.into_iter().find(|path| path.exists())?;
    let ran = Command::new(nft).args(arguments.split(' ')).output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "nft {arguments}: {said}");
    Some(String::from_utf8(ran.stdout).unwrap())
}
