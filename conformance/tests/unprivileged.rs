//! A server that an ordinary user runs executes functions, isolated, without any privilege.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use conformance::{Server, ordinary_uid};
use serde_json::json;

const WHO: &str = "import os, json
def handler(event, context):
    status = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)
    return {'message': 'Hello from Lambda!', 'event': event, 'uid': os.getuid(),
            'effective': status['CapEff'], 'seccomp': status['Seccomp'],
            'processes': [p for p in os.listdir('/proc') if p.isdigit()],
            'root': os.path.exists('/root/.bashrc')}
";

#[test]
fn hello_as_an_ordinary_user() {
    let server = match ordinary_uid() {
        Some(uid) => match Server::start_as(uid) {
            Ok(server) => server,
            Err(reason) => {
                eprintln!("skipped: {reason}");
                return;
            }
        },
        None => Server::start(),
    };
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = |name: &str| {
        status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(!line("Uid:").contains("\t0\t"), "{}", line("Uid:"));
    assert!(
        line("CapEff:").ends_with("0000000000000000"),
        "{}",
        line("CapEff:")
    );

    let mut api = server.api();
    api.python_function("hello", WHO);
    let event = json!({"name": "serverless", "action": "test"});
    for _ in 0..3 {
        let answer = api.answer("hello", &event);
        assert_eq!(answer["message"], "Hello from Lambda!");
        assert_eq!(answer["event"], event);
        assert_ne!(answer["uid"], 0);
        assert_eq!(answer["effective"], "0000000000000000");
        assert_eq!(answer["seccomp"], "2");
        assert!(
            answer["processes"].as_array().unwrap().len() <= 3,
            "{answer}"
        );
        assert_eq!(answer["root"], false);
    }
}
