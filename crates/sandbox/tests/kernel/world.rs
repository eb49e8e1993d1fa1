//! A host and its outside, made for one test of the way out: the host is a network namespace of its
//! own, the outside another one behind it, so that the machine's own network is not touched.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use sandbox::{EgressConfig, Host, HostConfig};

use crate::rig::{is_root, skip};

/// Documentation addresses (RFC 5737), which no host has a route to.
pub const HOST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// Where the outside answers for a cloud's metadata service.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// A host with an outside, both made for one test. Lives on the thread that made it.
pub struct World {
    pub outside: Namespace,
    state: tempfile::TempDir,
}

/// A network namespace, by the file that stands for it.
pub struct Namespace(fs::File);

impl Namespace {
    /// Moves this thread into a new one.
    fn enter_new() -> Self {
        // SAFETY: takes only flags, and changes only this thread.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
        let here = Self(fs::File::open("/proc/thread-self/ns/net").unwrap());
        ip("link set lo up");
        here
    }

    /// Runs something in it, on another thread.
    pub fn within<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        let fd = self.0.as_raw_fd();
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                // SAFETY: a live descriptor; changes only this thread.
                assert_eq!(unsafe { libc::setns(fd, libc::CLONE_NEWNET) }, 0);
                what()
            });
            inside.join().unwrap()
        })
    }
}

/// Runs a test in a world of its own; not at all where the host cannot have one.
pub fn in_a_world(test: impl FnOnce(&World) + Send + 'static) {
    if !is_root() {
        return skip("network address translation needs root");
    }
    if !Path::new("/usr/sbin/ip").exists() && !Path::new("/sbin/ip").exists() {
        return skip("iproute2, which makes the test's outside, is not installed");
    }
    let ran = thread::spawn(move || {
        let outside = thread::spawn(Namespace::enter_new).join().unwrap();
        Namespace::enter_new();
        let fd = outside.0.as_raw_fd();
        let here = std::process::id();
        ip("link add up0 type veth peer name up1");
        ip(&format!("link set up1 netns /proc/{here}/fd/{fd}"));
        ip(&format!("address add {HOST}/24 dev up0"));
        ip("link set up0 up");
        ip(&format!("route add default via {OUTSIDE}"));
        outside.within(|| {
            ip(&format!("address add {OUTSIDE}/24 dev up1"));
            ip(&format!("address add {METADATA}/32 dev lo"));
            ip("link set up1 up");
        });
        let state = tempfile::tempdir().unwrap();
        fs::write(
            state.path().join("hosts-resolv.conf"),
            "nameserver 127.0.0.53\n",
        )
        .unwrap();
        test(&World { outside, state });
    });
    if let Err(panic) = ran.join() {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    fn config(&self, instance: &str) -> HostConfig {
        let folder = self.state.path().join(instance);
        // The rest of the name keeps control groups of tests apart.
        let instance = format!("egress-{}-{instance}-{}", std::process::id(), self.unique());
        let mut config = HostConfig::new(folder, instance);
        config.egress = Some(EgressConfig {
            resolv_conf: self.state.path().join("hosts-resolv.conf"),
        });
        config
    }

    /// A host whose way out works; `None`, said, where this kernel has none.
    pub fn host(&self, instance: &str) -> Option<Host> {
        let host = Host::open(&self.config(instance)).unwrap();
        let missing = host.egress_missing().unwrap().map(str::to_owned);
        match missing {
            None => Some(host),
            Some(why) => {
                skip(&why);
                None
            }
        }
    }

    fn unique(&self) -> String {
        let name = self.state.path().file_name().unwrap().to_string_lossy();
        name.trim_start_matches('.').to_owned()
    }

    /// Serves TCP in the outside; says who called first.
    pub fn serve_outside(&self, address: Ipv4Addr) -> (u16, std::sync::mpsc::Receiver<SocketAddr>) {
        let listener = self
            .outside
            .within(|| TcpListener::bind((address, 0)).unwrap());
        let port = listener.local_addr().unwrap().port();
        let (said, heard) = channel();
        thread::spawn(move || {
            while let Ok((_, from)) = listener.accept() {
                if said.send(from).is_err() {
                    return;
                }
            }
        });
        (port, heard)
    }
}

pub fn ip(arguments: &str) {
    let ran = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "ip {arguments}: {said}");
}
