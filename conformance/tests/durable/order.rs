//! The example `durable-order`: a human's answer is waited for while the server is killed.

use conformance::{Script, Server, durable_sdk, root};
use serde_json::json;

use crate::support::{callback, history};

fn run(server: &Server, script: &str, arguments: &[&str]) -> String {
    let aws = conformance::aws_cli();
    let folder = aws.parent().expect("a program lies in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let script = root().join("examples/durable-order").join(script);
    let script = script.to_str().unwrap();
    Script::new("sh", server)
        .args(&[&[script], arguments].concat())
        .env("PATH", format!("{}:{path}", folder.display()))
        .run()
        .expect_success()
        .stdout
}

#[test]
fn an_order_waits_for_a_human_while_the_server_restarts() {
    let mut server = Server::start_in_region("us-east-1");
    let sdk = durable_sdk("python");
    let begun = run(&server, "begin.sh", &[sdk.to_str().unwrap()]);
    let arn = begun.lines().last().unwrap().to_owned();
    assert!(arn.contains("/durable-execution/order-7/"), "{begun}");
    callback(&mut server.api(), &arn);
    server.kill_and_restart(&[]);
    let done = run(&server, "approve.sh", &[]);
    let (status, result) = done.trim().split_once('\t').unwrap();
    assert_eq!(status, "SUCCEEDED");
    let result: serde_json::Value = serde_json::from_str(result).unwrap();
    let shipped = "order-7 paid by receipt-order-7";
    assert_eq!(result, json!({"shipped": shipped, "approved_by": "Kim"}));
    let events = history(&mut server.api(), &arn);
    let charged = events
        .iter()
        .filter(|event| event["EventType"] == "StepStarted" && event["Name"] == "charge");
    assert_eq!(charged.count(), 1);
}
