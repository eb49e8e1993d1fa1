//! The usage ledger across `kill -9`: each invocation is in it once, but for those of the last moment.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conformance::{Request, Server};
use serde_json::{Value, json};

/// Records wait for 200 ms, and their batch for the disk for 50 ms more; the rest is for a machine
/// under load.
const WRITTEN_AFTER: Duration = Duration::from_secs(1);
const LOAD: Duration = Duration::from_millis(2_500);
/// So that there are no more than one answer shows.
const PAUSE: Duration = Duration::from_millis(40);

const CODE: &str = "def handler(event, context):
    if event == 'fail': raise ValueError('as it was told')
    return context.aws_request_id
";

/// By request id, the records of a function.
fn recorded(server: &Server, function: &str) -> BTreeMap<String, Value> {
    let path = format!("/_kagero/usage?function={function}&region=us-east-1");
    let request = Request::new("kagero", "GET", &path).header("x-kagero-command", "1");
    let records = server.api().send(&request).expect(200).json();
    let records = records.as_array().unwrap();
    let by_id: BTreeMap<_, _> = records
        .iter()
        .map(|record| {
            let id = record["request_id"].as_str().unwrap().to_owned();
            (id, record.clone())
        })
        .collect();
    assert_eq!(by_id.len(), records.len(), "twice in the ledger");
    by_id
}

#[test]
fn what_has_been_used_is_known_after_kill_9() {
    let mut server = Server::start();
    let mut api = server.api();
    api.python_function("counted", CODE);
    let mut answered = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LOAD {
        let id = api.answer("counted", &json!({}));
        answered.push((id.as_str().unwrap().to_owned(), Instant::now()));
        std::thread::sleep(PAUSE);
    }
    let killed = Instant::now();
    server.kill_and_restart(&[]);
    let before = recorded(&server, "counted");
    let mut due = 0;
    for (id, at) in &answered {
        let is_due = killed.duration_since(*at) > WRITTEN_AFTER;
        assert!(!is_due || before.contains_key(id), "{id} is lost");
        due += usize::from(is_due);
    }
    assert!(due > 1, "of {} calls", answered.len());
    for id in before.keys() {
        assert!(answered.iter().any(|(known, _)| known == id), "{id}?");
    }

    let mut api = server.api();
    let failed = api.invoke("counted", b"\"fail\"").expect(200);
    assert!(failed.header("x-amz-function-error").is_some());
    let after = recorded(&server, "counted");
    assert_eq!(after.len(), before.len() + 1);
    let (_, last) = after
        .iter()
        .find(|(id, _)| !before.contains_key(*id))
        .unwrap();
    assert_eq!(last["succeeded"], false, "{last}");
    assert_eq!(last["memory_mb"], 128);
    assert_eq!(last["cold"], true, "after a restart nothing is warm");
    let phase = |name: &str| last["phases"][format!("{name}_us")].as_u64().unwrap();
    let handler_ms = (phase("init") + phase("handler")).div_ceil(1_000);
    assert!(phase("handler") > 0 && phase("environment") > 0, "{last}");
    assert!(
        last["billed_ms"].as_u64().unwrap() >= handler_ms.max(1),
        "{last}"
    );
    let of = |id: &str| &before[id];
    let (first, second) = (of(&answered[0].0), of(&answered[1].0));
    assert_eq!(
        (&first["cold"], &second["cold"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(second["phases"]["environment_us"], 0);
}
