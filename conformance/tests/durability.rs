//! What was acknowledged is there after `kill -9` in mid-load, whole, and nothing else is half
//! there.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use conformance::{Api, Request, Server, until, zip};
use serde_json::{Value, json};

/// When the server is killed, in each round.
const ROUNDS: [Duration; 3] = [
    Duration::from_millis(700),
    Duration::from_millis(1_900),
    Duration::from_millis(1_200),
];

/// Names that were tried, and those of them that were acknowledged.
#[derive(Default)]
struct Ledger {
    tried: Mutex<BTreeSet<String>>,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Ledger {
    /// Does `work` for new names until it fails because the server is gone.
    fn load(
        &self,
        prefix: &str,
        killed: &AtomicBool,
        mut work: impl FnMut(&str) -> io::Result<u16>,
    ) {
        for number in 0.. {
            let name = format!("{prefix}-{number}");
            self.tried.lock().unwrap().insert(name.clone());
            match work(&name) {
                Ok(status) => {
                    assert!((200..300).contains(&status), "{name} was answered {status}");
                    self.acknowledged.lock().unwrap().insert(name);
                }
                Err(error) => {
                    // What is on the wire when the server dies fails before we know why.
                    std::thread::sleep(Duration::from_millis(100));
                    assert!(
                        killed.load(Ordering::SeqCst),
                        "{name} failed alone: {error}"
                    );
                    return;
                }
            }
        }
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    fn unsure(&self) -> BTreeSet<String> {
        self.tried
            .lock()
            .unwrap()
            .difference(&self.acknowledged())
            .cloned()
            .collect()
    }
}

/// Up to 300 KB that no other name has.
fn content(name: &str) -> Vec<u8> {
    let seed = name.bytes().fold(17_usize, |hash, byte| {
        hash.wrapping_mul(31) + usize::from(byte)
    });
    name.bytes().cycle().take(seed % 300_000 + 1).collect()
}

fn code(name: &str) -> Vec<u8> {
    zip(&[(
        "function.py",
        &format!("def handler(event, context):\n    return '{name}'\n"),
    )])
}

fn put(api: &mut Api, bucket: &str, name: &str) -> io::Result<u16> {
    let (target, body) = (format!("/{bucket}/{name}"), content(name));
    let answer = api.try_send(&Request::new("s3", "PUT", &target).body(&body))?;
    Ok(answer.status)
}

fn send(api: &mut Api, queue: &str, name: &str) -> io::Result<u16> {
    let input = json!({"QueueUrl": queue, "MessageBody": name});
    Ok(api.try_json("sqs", "SendMessage", &input)?.status)
}

fn create(api: &mut Api, name: &str) -> io::Result<u16> {
    Ok(api.try_create_function(name, &code(name))?.status)
}

fn invoke_async(api: &mut Api, name: &str) -> io::Result<u16> {
    // Each event costs a call afterwards: more would only make the test longer.
    std::thread::sleep(Duration::from_millis(40));
    let body = json!({"id": name}).to_string();
    let request = Request::new(
        "lambda",
        "POST",
        "/2015-03-31/functions/witness/invocations",
    )
    .header("x-amz-invocation-type", "Event")
    .body(body.as_bytes());
    Ok(api.try_send(&request)?.status)
}

/// Notes each event as an object, because a log line is not promised to survive a kill.
const WITNESS: &str = "import os, urllib.request
def handler(event, context):
    url = os.environ['AWS_ENDPOINT_URL'] + '/evidence/' + event['id']
    urllib.request.urlopen(urllib.request.Request(url, data=b'ran', method='PUT')).read()
";

#[derive(Default)]
struct Everything {
    objects: Ledger,
    messages: Ledger,
    functions: Ledger,
    events: Ledger,
}

impl Everything {
    /// Loads the server from several clients at once, and kills it in the middle.
    fn load_and_kill(&self, server: &mut Server, queue: &str, round: usize) {
        let killed = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            for client in 0..3 {
                let prefix = format!("r{round}c{client}");
                let api = || server.api();
                let (mut one, mut two, mut three, mut four) = (api(), api(), api(), api());
                let (p1, p2, p3, p4) = (prefix.clone(), prefix.clone(), prefix.clone(), prefix);
                scope.spawn(move || {
                    self.objects
                        .load(&p1, killed, |name| put(&mut one, "objects", name));
                });
                scope.spawn(move || {
                    self.messages
                        .load(&p2, killed, |name| send(&mut two, queue, name));
                });
                if client < 2 {
                    scope.spawn(move || {
                        self.functions
                            .load(&p3, killed, |name| create(&mut three, name));
                    });
                    scope.spawn(move || {
                        self.events
                            .load(&p4, killed, |name| invoke_async(&mut four, name));
                    });
                }
            }
            std::thread::sleep(ROUNDS[round]);
            // Said first, so that no client takes the kill for a failure.
            killed.store(true, Ordering::SeqCst);
            server.kill();
        });
    }

    fn check(&self, api: &mut Api, queue: &str) {
        self.check_objects(api);
        self.check_functions(api);
        self.check_messages(api, queue);
        for name in self.events.acknowledged() {
            let target = format!("/evidence/{name}");
            until(&format!("the event {name} was handled"), || {
                (api.send(&Request::new("s3", "HEAD", &target)).status == 200).then_some(())
            });
        }
    }

    fn check_objects(&self, api: &mut Api) {
        let mut get =
            |name: &str| api.send(&Request::new("s3", "GET", &format!("/objects/{name}")));
        for name in self.objects.acknowledged() {
            assert!(
                get(&name).expect(200).body == content(&name),
                "{name} is not what was put"
            );
        }
        for name in self.objects.unsure() {
            let answer = get(&name);
            let whole = answer.status == 200 && answer.body == content(&name);
            assert!(
                whole || answer.status == 404,
                "{name} is half there: {}",
                answer.status
            );
        }
    }

    fn check_functions(&self, api: &mut Api) {
        let mut sha = |name: &str| {
            let path = format!("/2015-03-31/functions/{name}");
            let answer = api.lambda("GET", &path, &Value::Null);
            let configuration = || answer.json()["Configuration"]["CodeSha256"].clone();
            (answer.status, (answer.status == 200).then(configuration))
        };
        for name in self.functions.acknowledged() {
            assert_eq!(sha(&name), (200, Some(expected_sha(&name))), "{name}");
        }
        for name in self.functions.unsure() {
            let found = sha(&name);
            let whole = found == (200, Some(expected_sha(&name)));
            assert!(whole || found.0 == 404, "{name} is half there: {found:?}");
        }
        // The code itself, of the newest, which the kill was closest to.
        for name in self.functions.acknowledged().iter().rev().take(2) {
            assert_eq!(api.answer(name, &json!({})), json!(name));
        }
    }

    fn check_messages(&self, api: &mut Api, queue: &str) {
        let mut waiting = self.messages.acknowledged();
        let tried = self.messages.tried.lock().unwrap().clone();
        until("all acknowledged messages were received", || {
            let input = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10});
            let page = api.json("sqs", "ReceiveMessage", &input).expect(200).json();
            for message in page["Messages"].as_array().into_iter().flatten() {
                let body = message["Body"].as_str().unwrap();
                assert!(tried.contains(body), "nobody sent {body:?}");
                waiting.remove(body);
            }
            waiting.is_empty().then_some(())
        });
    }
}

/// `CodeSha256` of [`code`].
fn expected_sha(name: &str) -> Value {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(code(name));
    Value::from(base64::engine::general_purpose::STANDARD.encode(hash))
}

#[test]
fn acknowledged_is_there_after_kill_9() {
    let mut server = Server::start();
    let mut api = server.api();
    for bucket in ["objects", "evidence"] {
        let _ = api
            .send(&Request::new("s3", "PUT", &format!("/{bucket}")))
            .expect(200);
    }
    api.python_function("witness", WITNESS);
    let everything = Everything::default();
    for round in 0..ROUNDS.len() {
        // A queue a round: what an earlier round has received is invisible for a while.
        let queue = api.queue(&format!("messages-{round}"));
        everything.messages.tried.lock().unwrap().clear();
        everything.messages.acknowledged.lock().unwrap().clear();
        everything.load_and_kill(&mut server, &queue, round);
        server.kill_and_restart(&[]);
        api = server.api();
        for (what, ledger) in [
            ("objects", &everything.objects),
            ("messages", &everything.messages),
            ("functions", &everything.functions),
            ("events", &everything.events),
        ] {
            let count = ledger.acknowledged().len();
            println!("round {round}: {count} {what} acknowledged so far");
            assert!(count > 0, "the load did no {what}");
        }
        everything.check(&mut api, &queue);
    }
}
