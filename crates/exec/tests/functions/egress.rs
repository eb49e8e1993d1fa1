//! What a function reaches beyond its gateway, by the server's setting and by its own.
//!
//! The test runs itself again in a network namespace that stands for the host, beside another one
//! that stands for the outside, so that the machine's own network is not touched.

use std::any::Any;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use exec::{EnvironmentIdentity, ExecConfig, GatewaySockets, Outbound, StartTier};
use serde_json::{Value, json};

use crate::support::{World, json as document};

/// Documentation addresses (RFC 5737), which no host has a route to.
const HOST: &str = "198.51.100.1";
const OUTSIDE: &str = "198.51.100.2";
const PORT: u16 = 7000;

const ROLE: &str = "EGRESS_TEST";

const CODE: &str = "
import os, socket, urllib.request
def reach(address, port):
    try:
        socket.create_connection((address, port), timeout=5).close()
        return 'connected'
    except OSError as error:
        return type(error).__name__
def handler(event, context):
    answers = [reach(address, port) for address, port in event]
    url = os.environ.get('AWS_ENDPOINT_URL')
    return answers + [urllib.request.urlopen(url).read().decode()]
";

/// Answers one connection at a time with the caller's role.
struct Gateway;

impl GatewaySockets for Gateway {
    fn open(
        &self,
        listener: TcpListener,
        caller: EnvironmentIdentity,
    ) -> Box<dyn Any + Send + Sync> {
        listener.set_nonblocking(false).unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut line = String::new();
                let mut request = BufReader::new(stream.try_clone().unwrap());
                while request.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let role = caller.role.to_string();
                let length = role.len();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all((head + &role).as_bytes()).unwrap();
            }
        });
        Box::new(())
    }
}

#[test]
fn functions_reach_what_the_server_and_they_themselves_allow() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: network address translation needs root");
    }
    let is_there = |tool: &str| {
        let asked = Command::new(tool).arg("--version").output();
        asked.is_ok_and(|ran| ran.status.success())
    };
    if !is_there("unshare") || Command::new("ip").arg("-V").output().is_err() {
        return eprintln!("skipped: unshare and ip, which make the test's host, are not installed");
    }
    pass(&mut again("host"));
}

/// As root of a user namespace of the test's own, which to the server is none.
#[test]
fn without_root_they_reach_the_same_by_pasta() {
    if Command::new("pasta").arg("--version").output().is_err() {
        return eprintln!("skipped: pasta, of the Debian package passt, is not installed");
    }
    let mapped = ["--user", "--map-root-user"];
    let may = Command::new("unshare").args(mapped).arg("true").output();
    if !may.is_ok_and(|ran| ran.status.success()) || Command::new("ip").arg("-V").output().is_err()
    {
        return eprintln!("skipped: unshare and ip, which make the test's host, do not work here");
    }
    let inside = again("host");
    let mut command = Command::new("unshare");
    command.args(mapped).arg("unshare").args(inside.get_args());
    pass(command.env(ROLE, "host"));
}

/// Runs one of the tests below to its end.
fn pass(command: &mut Command) {
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    eprint!("{said}");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
}

/// This test executable in a network namespace of its own, as one of those below.
fn again(role: &str) -> Command {
    let mut command = Command::new("unshare");
    command.arg("--net").arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("egress::{role}"), "--nocapture"]);
    command.env(ROLE, role);
    command
}

fn is(role: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|one| one == role)
}

fn ip(arguments: &str) {
    let ran = Command::new("ip").args(arguments.split(' ')).status();
    assert!(ran.unwrap().success(), "ip {arguments}");
}

/// The outside: waits for its device, then for callers, until its input ends.
#[test]
fn outside() {
    if !is("outside") {
        return;
    }
    let mut line = String::new();
    println!("\nnamespace");
    std::io::stdin().read_line(&mut line).unwrap();
    ip(&format!("address add {OUTSIDE}/24 dev up1"));
    ip("link set up1 up");
    let listener = TcpListener::bind((OUTSIDE, PORT)).unwrap();
    std::thread::spawn(move || while listener.accept().is_ok() {});
    println!("ready");
    std::io::stdin().read_line(&mut line).unwrap();
}

struct Outside(Child);

impl Outside {
    fn start() -> Self {
        let mut command = again("outside");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut hear = |awaited: &str| said.any(|line| line.unwrap() == awaited);
        assert!(hear("namespace"));
        ip("link set lo up");
        ip("link add up0 type veth peer name up1");
        ip(&format!("link set up1 netns {}", child.id()));
        ip(&format!("address add {HOST}/24 dev up0"));
        ip("link set up0 up");
        ip(&format!("route add default via {OUTSIDE}"));
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        assert!(hear("ready"));
        // Nothing is said any more, but the pipe has to stay.
        std::thread::spawn(move || said.count());
        Self(child)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The host: asks functions of several settings what they reach.
#[test]
fn host() {
    if !is("host") {
        return;
    }
    let _outside = Outside::start();
    let service = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = service.local_addr().unwrap().port();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |allowed: Outbound, own: Option<&str>, way: StartTier| {
        runtime.block_on(ask(allowed, own, way, port))
    };
    let nothing = json!(["OSError", "OSError", "ConnectionRefusedError"]);
    let outside = json!(["connected", "OSError", "ConnectionRefusedError"]);
    let all = json!(["connected", "connected", "connected"]);
    for (allowed, own, expected) in [
        (Outbound::None, None, &nothing),
        (Outbound::None, Some("nat"), &nothing),
        (Outbound::Nat, None, &outside),
        (Outbound::Nat, Some("none"), &nothing),
        (Outbound::Nat, Some("host"), &outside),
        (Outbound::Host, Some("nat"), &outside),
        (Outbound::Host, None, &all),
    ] {
        for way in [StartTier::Exec, StartTier::Template] {
            let Some(reached) = ask(allowed, own, way) else {
                continue;
            };
            assert_eq!(&reached, expected, "{allowed:?}, {own:?}, {way:?}");
        }
    }
}

/// What a function reaches of the outside, of the host at its address, and at its loopback, in an
/// environment that came to be in this way.
async fn ask(allowed: Outbound, own: Option<&str>, way: StartTier, port: u16) -> Option<Value> {
    let configure = |config: &mut ExecConfig| config.outbound = allowed;
    let world = World::build(Clock::system(), Some(Arc::new(Gateway)), configure);
    if allowed != Outbound::None
        && let Some(why) = world.exec.host().egress_missing().unwrap()
    {
        eprintln!("skipped: {why}");
        return None;
    }
    let mut function = world.function("python3.12", "app.handler", &[("app.py", CODE)]);
    function.timeout = Duration::from_secs(30);
    if let Some(own) = own {
        let own = ("KAGERO_EGRESS".to_owned(), own.to_owned());
        function.environment.extend([own]);
    }
    if way == StartTier::Template {
        if let Some(why) = world.exec.host().templates_missing() {
            eprintln!("skipped: {why}");
            return None;
        }
        "1".clone_into(&mut function.key.version);
        function.snap_start = true;
    }
    let function = Arc::new(function);
    if way == StartTier::Template {
        world.exec.prepare(&function).await.unwrap();
    }
    let event = json!([[OUTSIDE, PORT], [HOST, port], ["127.0.0.1", port]]);
    let outcome = world.run(&function, &event).await?;
    assert_eq!(outcome.start, way, "{:?}", world.recorded.log());
    let mut answers = document(&outcome);
    let role = answers.as_array_mut().unwrap().pop().unwrap();
    assert_eq!(role, json!(function.role.to_string()));
    let warned = world
        .recorded
        .log()
        .iter()
        .any(|line| line.contains("more than this server"));
    let is_more = matches!(
        (allowed, own),
        (Outbound::None, Some("nat")) | (Outbound::Nat, Some("host"))
    );
    assert_eq!(warned, is_more);
    world.exec.shutdown().await;
    Some(answers)
}
