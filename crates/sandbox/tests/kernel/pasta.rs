//! The way out without root: what an environment reaches by `pasta`, and that none is left behind.
//!
//! Each test runs itself again as root of a user namespace with a network of its own, in which it
//! can make a host and its outside, whoever runs it; to the server in there, that is no root.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Completion, Host, Network};

use crate::egress::{connect, outcome, run, serve_names};
use crate::probe::NAME;
use crate::rig::{PATIENCE, probe, probed, shell, skip};
use crate::world::{HOST, METADATA, OUTSIDE, World, in_a_world, ip};

const AGAIN: &str = "PASTA_TEST";

/// Runs this test in a world whose server has no root; not at all where there is no `pasta`.
fn without_root(name: &str, test: impl FnOnce(&World) + Send + 'static) {
    if std::env::var_os(AGAIN).is_some() {
        return in_a_world(test);
    }
    let pasta = Command::new("pasta").arg("--version").output();
    if pasta.is_err() {
        return skip("pasta, of the Debian package passt, is not installed");
    }
    let ran = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("pasta::{name}"), "--nocapture"])
        .env(AGAIN, name)
        .output();
    let Ok(ran) = ran else {
        return skip("unshare, which makes the test's host, is not installed");
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    let complained = String::from_utf8_lossy(&ran.stderr);
    if complained.contains("unshare failed") {
        return skip("this user cannot make user namespaces");
    }
    assert!(ran.status.success(), "{said}{complained}");
    for line in said.lines().filter_map(|line| line.split_once("skipped: ")) {
        skip(line.1);
    }
}

#[test]
fn the_outside_is_reached_under_the_hosts_address() {
    let name = "the_outside_is_reached_under_the_hosts_address";
    without_root(name, |world| {
        let (port, heard) = world.serve_outside(OUTSIDE);
        let Some(host) = world.host("a") else { return };
        assert_eq!(connect(&host, OUTSIDE, port), ["connected"]);
        let from = heard.recv_timeout(PATIENCE).unwrap();
        assert_eq!(from.ip(), HOST);
    });
}

#[test]
fn neither_the_host_nor_metadata_is_reached_at_any_address() {
    let name = "neither_the_host_nor_metadata_is_reached_at_any_address";
    without_root(name, |world| {
        ip("address add 203.0.113.7/32 dev lo");
        let everywhere = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        everywhere.set_nonblocking(true).unwrap();
        let port = everywhere.local_addr().unwrap().port();
        let datagrams = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        datagrams.set_nonblocking(true).unwrap();
        datagrams
            .join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 251), &HOST)
            .unwrap();
        let (metadata, heard) = world.serve_outside(METADATA);
        let Some(host) = world.host("a") else { return };
        let refused = ["HostUnreachable"];
        assert_eq!(
            connect(&host, Ipv4Addr::LOCALHOST, port),
            ["ConnectionRefused"]
        );
        let gateway = gateway(&host);
        for own in [HOST, Ipv4Addr::new(203, 0, 113, 7), gateway] {
            assert_eq!(connect(&host, own, port), refused, "{own}");
        }
        assert_eq!(connect(&host, METADATA, metadata), refused);
        // Nor by naming the device, which passes every route by.
        for (own, port) in [
            (HOST, port),
            (Ipv4Addr::LOCALHOST, port),
            (METADATA, metadata),
            (gateway, port),
        ] {
            let said = run(&host, "connect by the device to", &format!("{own}:{port}"));
            assert!(
                !said.contains(&String::from("connected")),
                "{own}: {said:?}"
            );
        }
        for group in ["224.0.0.251", "255.255.255.255", "198.51.100.255"] {
            run(&host, "send to", &format!("{group}:{port}"));
        }
        assert!(everywhere.accept().is_err());
        let mut datagram = [0; 16];
        assert!(datagrams.recv_from(&mut datagram).is_err());
        assert!(heard.try_recv().is_err());
    });
}

/// Where the default route of an environment leads.
fn gateway(host: &Host) -> Ipv4Addr {
    let mut spec = shell("cat /proc/net/route");
    spec.network = Network::Egress {
        listeners: Vec::new(),
    };
    let routes = outcome(host, spec).output;
    let fields = routes.lines().map(|line| line.split_whitespace());
    let gateway = fields.map(|mut fields| (fields.nth(1), fields.next()));
    let mut gateway = gateway.filter_map(|(to, by)| (to? == "00000000").then_some(by?));
    let gateway = u32::from_str_radix(gateway.next_back().unwrap(), 16).unwrap();
    Ipv4Addr::from(gateway.to_ne_bytes())
}

#[test]
fn an_address_that_the_host_takes_later_is_out_of_reach_too() {
    let name = "an_address_that_the_host_takes_later_is_out_of_reach_too";
    without_root(name, |world| {
        let later = Ipv4Addr::new(203, 0, 113, 9);
        let everywhere = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = everywhere.local_addr().unwrap().port();
        let Some(host) = world.host("a") else { return };
        let mut spec = probe("connect until refused", &format!("{later}:{port}"));
        spec.network = Network::Egress {
            listeners: Vec::new(),
        };
        let (reader, writer) = std::io::pipe().unwrap();
        spec.stdio.stdout = sandbox::Stream::Fd(writer.into());
        let _trying = host.spawn(spec).unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader));
        let mut says = |what: &str| lines.any(|line| probed(&line.unwrap()) == [what]);
        assert!(says("trying"));
        ip(&format!("address add {later}/32 dev lo"));
        assert!(says("HostUnreachable"));
    });
}

#[test]
fn names_resolve_by_the_hosts_resolver_on_its_loopback() {
    let name = "names_resolve_by_the_hosts_resolver_on_its_loopback";
    without_root(name, |world| {
        serve_names();
        let Some(host) = world.host("a") else { return };
        assert_eq!(run(&host, "resolve", NAME), [OUTSIDE.to_string()]);
    });
}

#[test]
fn an_open_environment_is_led_out_before_it_is_anybodys() {
    let name = "an_open_environment_is_led_out_before_it_is_anybodys";
    without_root(name, |world| {
        let Some(host) = world.host("a") else { return };
        let stash = tempfile::tempdir().unwrap();
        let mut spec = shell("cat /proc/net/dev; exec sleep 60");
        spec.stash = Some(stash.path().to_owned());
        spec.network = Network::Egress {
            listeners: vec![9001],
        };
        let (reader, writer) = std::io::pipe().unwrap();
        spec.stdio.stdout = sandbox::Stream::Fd(writer.into());
        let mut sandbox = host.spawn(spec).unwrap();
        assert_eq!(sandbox.take_listeners().len(), 1);
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader));
        assert!(lines.any(|line| line.unwrap().trim().starts_with("eth0:")));
        sandbox.complete(&Completion::default()).unwrap();
        assert_eq!(pastas(std::process::id()).len(), 1);
    });
}

#[test]
fn a_host_without_a_way_out_starts_environments_all_the_same() {
    let name = "a_host_without_a_way_out_starts_environments_all_the_same";
    without_root(name, |world| {
        let Some(host) = world.host("a") else { return };
        ip("link set up0 down");
        let said = connect(&host, OUTSIDE, 9);
        assert!(said[0].ends_with("Unreachable"), "{said:?}");
    });
}

#[test]
fn nothing_is_left_of_forty_environments() {
    let name = "nothing_is_left_of_forty_environments";
    without_root(name, |world| {
        let Some(host) = world.host("a") else { return };
        for _ in 0..4 {
            let spawn = |script: &str| {
                let mut spec = shell(script);
                spec.network = Network::Egress {
                    listeners: vec![9001],
                };
                host.spawn(spec).unwrap()
            };
            let running: Vec<_> = (0..8).map(|_| spawn("exec sleep 60")).collect();
            let ended: Vec<_> = (0..2).map(|_| spawn("exit 0")).collect();
            assert_eq!(pastas(std::process::id()).len(), 10);
            for sandbox in &ended {
                sandbox.wait_timeout(PATIENCE).unwrap().unwrap();
            }
            drop((running, ended));
            until("no pasta is left", || pastas(std::process::id()).is_empty());
        }
    });
}

#[test]
fn a_killed_server_takes_its_own_along() {
    let name = "a_killed_server_takes_its_own_along";
    without_root(name, |world| {
        if world.host("a").is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "probe::inside", "--nocapture"])
            .env("PROBE", "server with a way out")
            .env("PROBE_ARGUMENT", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = std::io::BufReader::new(server.stdout.take().unwrap());
        let mut said = std::io::BufRead::lines(said);
        assert!(said.any(|line| probed(&line.unwrap()) == ["running"]));
        let its = pastas(server.id());
        assert_eq!(its.len(), 1);
        server.kill().unwrap();
        server.wait().unwrap();
        until("it is gone", || its.iter().all(|pid| !is_pasta(*pid)));
    });
}

/// The processes of `pasta` that this one has started.
fn pastas(parent: u32) -> BTreeSet<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_pasta(*pid) && parent_of(*pid) == Some(parent))
        .collect()
}

fn is_pasta(pid: u32) -> bool {
    let name = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("comm"));
    name.is_ok_and(|name| name.starts_with("pas"))
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
