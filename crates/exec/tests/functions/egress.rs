//! What a function reaches beyond its gateway, by the server's setting and by its own.

use std::any::Any;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use exec::{EnvironmentIdentity, ExecConfig, GatewaySockets, Outbound, StartTier};
use serde_json::{Value, json};

use crate::outside::{HOST, OUTSIDE, Outside, PORT, Way, is_in_a_world};
use crate::support::{World, json as document};

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
    Way::AsRoot.run("egress::host");
}

#[test]
fn without_root_they_reach_the_same_by_pasta() {
    Way::ByPasta.run("egress::host");
}

/// The host: asks functions of several settings what they reach.
#[test]
fn host() {
    if !is_in_a_world() {
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
