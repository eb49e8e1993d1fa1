//! What happens somewhere reaches whoever asked for it: SNS, EventBridge, Scheduler through boto3.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::collections::BTreeSet;

use conformance::{Api, Script, Server, python, root, until};
use serde_json::{Value, json};

#[test]
fn boto3() {
    run("events.py", "all ok\n");
}

#[test]
fn queues() {
    run("queues.py", "end ok\n");
}

/// Signatures are checked, and TLS is spoken, by OpenSSL.
#[test]
fn web_targets() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .output();
    match made {
        Ok(made) => assert!(made.status.success(), "{made:?}"),
        Err(error) => {
            eprintln!("skipped: no openssl to check signatures with: {error}");
            return;
        }
    }
    let server = Server::start_trusting(certificate.as_ref());
    let script = root().join("conformance/clients/web_targets.py");
    let transcript = Script::new(python(), &server)
        .env("TEST_CERTIFICATE", certificate)
        .env("TEST_KEY", key)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("end ok\n"),
        "{}",
        transcript.stdout
    );
}

fn run(script: &str, last: &str) {
    let server = Server::start();
    let script = root().join("conformance/clients").join(script);
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(transcript.stdout.ends_with(last), "{}", transcript.stdout);
}

/// Runs `aws` and reads what it prints.
fn aws(server: &Server, arguments: &[&str]) -> Value {
    let printed = Script::aws(server, arguments).run().expect_success().stdout;
    serde_json::from_str(&printed).unwrap_or(Value::Null)
}

#[test]
fn aws_cli() {
    let server = Server::start();
    let made = aws(&server, &["sqs", "create-queue", "--queue-name", "told"]);
    let url = made["QueueUrl"].as_str().unwrap();
    let topic = aws(&server, &["sns", "create-topic", "--name", "news"]);
    let topic = topic["TopicArn"].as_str().unwrap();
    let queue = &topic.replace(":sns:", ":sqs:").replace(":news", ":told");
    let subscribe = [
        "sns",
        "subscribe",
        "--topic-arn",
        topic,
        "--protocol",
        "sqs",
    ];
    let raw = [
        "--notification-endpoint",
        queue,
        "--attributes",
        "RawMessageDelivery=true",
    ];
    aws(&server, &[&subscribe[..], &raw[..]].concat());
    let publish = ["sns", "publish", "--topic-arn", topic, "--message", "hello"];
    assert!(aws(&server, &publish)["MessageId"].is_string());
    let receive = [
        "sqs",
        "receive-message",
        "--queue-url",
        url,
        "--wait-time-seconds",
        "20",
    ];
    assert_eq!(aws(&server, &receive)["Messages"][0]["Body"], "hello");
    let pattern = r#"{"source": ["cli"]}"#;
    aws(
        &server,
        &[
            "events",
            "put-rule",
            "--name",
            "r",
            "--event-pattern",
            pattern,
        ],
    );
    let target = format!("Id=1,Arn={queue}");
    aws(
        &server,
        &["events", "put-targets", "--rule", "r", "--targets", &target],
    );
    let entry = r#"[{"Source": "cli", "DetailType": "d", "Detail": "{\"n\": 1}"}]"#;
    let put = aws(&server, &["events", "put-events", "--entries", entry]);
    assert_eq!(put["FailedEntryCount"], 0);
    let told = aws(&server, &receive);
    let body = told["Messages"][0]["Body"].as_str().unwrap();
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!(event["detail"], json!({"n": 1}));
    let groups = aws(&server, &["scheduler", "list-schedule-groups"]);
    assert_eq!(groups["ScheduleGroups"][0]["Name"], "default");
}

/// Every event that was acknowledged reaches its queue, though the server is killed at once.
#[test]
fn a_killed_server_delivers_what_it_acknowledged() {
    let mut server = Server::start();
    let mut api = server.api();
    let url = api.queue("events");
    let rule = json!({"Name": "r", "EventPattern": r#"{"source": ["s"]}"#});
    assert_eq!(api.json("events", "PutRule", &rule).status, 200);
    let queue = "arn:aws:sqs:us-east-1:000000000000:events";
    let targets = json!({"Rule": "r", "Targets": [{"Id": "q", "Arn": queue}]});
    assert_eq!(api.json("events", "PutTargets", &targets).status, 200);
    let mut acknowledged = BTreeSet::new();
    for _ in 0..20 {
        let entry = json!({"Source": "s", "DetailType": "d", "Detail": "{}"});
        let entries = json!({"Entries": vec![entry; 10]});
        let answer = api.json("events", "PutEvents", &entries).expect(200).json();
        let entries = answer["Entries"].as_array().unwrap();
        acknowledged.extend(
            entries
                .iter()
                .map(|one| one["EventId"].as_str().unwrap().to_owned()),
        );
    }
    server.kill_and_restart(&[]);
    let mut api = server.api();
    let mut arrived = BTreeSet::new();
    until("every acknowledged event arrives", || {
        arrived.extend(receive(&mut api, &url));
        acknowledged.is_subset(&arrived).then_some(())
    });
}

/// The ids of the events that a queue has.
fn receive(api: &mut Api, url: &str) -> Vec<String> {
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let answer = api.json("sqs", "ReceiveMessage", &input).expect(200).json();
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .map(|message| {
            let event: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            event["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// What `kagero events tail` shows of an event, and what `kagero replay` makes of it.
#[test]
fn tail_and_replay() {
    let server = Server::start();
    let mut api = server.api();
    let url = api.queue("told");
    let queue = "arn:aws:sqs:us-east-1:000000000000:told";
    for (rule, pattern) in [
        ("wants", r#"{"source": ["shop"]}"#),
        (
            "not",
            r#"{"source": ["shop"], "detail": {"size": [{"numeric": [">", 9]}]}}"#,
        ),
    ] {
        let put = json!({"Name": rule, "EventPattern": pattern});
        let put = api.json("events", "PutRule", &put);
        assert_eq!(put.status, 200, "{}", put.text());
        let target = json!({"Rule": rule, "Targets": [{"Id": "1", "Arn": queue}]});
        let target = api.json("events", "PutTargets", &target);
        assert_eq!(target.status, 200, "{}", target.text());
    }
    let mut tail = std::process::Command::new(conformance::kagero_binary())
        .args(["events", "tail", "--json"])
        .envs(server.client_environment())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(tail.stdout.take().unwrap()));
    let (told, shown) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Some(Ok(line)) = lines.next() {
            if told.send(line).is_err() {
                return;
            }
        }
    });
    // Sent until the tail has begun to look.
    let entry = json!({"Source": "shop", "DetailType": "sold", "Detail": "{\"size\": 3}"});
    let line = until("the event is shown with its verdicts", || {
        let put = api.json("events", "PutEvents", &json!({"Entries": [entry]}));
        assert_eq!(put.status, 200, "{}", put.text());
        let line = shown
            .recv_timeout(std::time::Duration::from_millis(200))
            .ok()?;
        let line: Value = serde_json::from_str(&line).unwrap();
        (!line["unwanted"].as_array().unwrap().is_empty()).then_some(line)
    });
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(line["wanted"][0]["targets"][0], queue);
    let rule = line["unwanted"][0].clone();
    assert!(rule["by"].as_str().unwrap().ends_with("rule/not"), "{rule}");
    assert_eq!(rule["why"], "does not match in detail.size");

    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
    until("the queue is empty", || {
        let got = api.json("sqs", "ReceiveMessage", &receive).json();
        got.get("Messages").is_none().then_some(())
    });
    let replay = |id: &str| {
        std::process::Command::new(conformance::kagero_binary())
            .args(["replay", id])
            .envs(server.client_environment())
            .output()
            .unwrap()
    };
    let replayed = replay(line["id"].as_str().unwrap());
    assert!(replayed.status.success(), "{replayed:?}");
    let again = until("it arrives again", || {
        let got = api.json("sqs", "ReceiveMessage", &receive).json();
        got.get("Messages")
            .map(|messages| messages[0]["Body"].clone())
    });
    let again: Value = serde_json::from_str(again.as_str().unwrap()).unwrap();
    assert_eq!(again["detail"]["size"], 3);
    let unknown = replay("none");
    assert!(!unknown.status.success());
}
