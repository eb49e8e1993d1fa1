//! The `kagero` command, as a user types it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use conformance::{Script, Server, Transcript, free_port, kagero_binary, until, zip};
use serde_json::json;

/// `kagero` with these arguments, talking to a server.
fn kagero(server: &Server, arguments: &[&str]) -> Transcript {
    Script::new(kagero_binary(), server).args(arguments).run()
}

/// `kagero` alone, with no variable of ours set.
fn alone(arguments: &[&str]) -> Command {
    let mut command = Command::new(kagero_binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KAGERO_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn invoke_logs_and_ps() {
    let server = Server::start();
    let mut api = server.api();
    // The commands ask in the region of the client's environment, this client in another.
    let source = "def handler(event, context):\n    print('saw', event)\n    \
                  if event.get('fail'):\n        raise ValueError('asked to')\n    return {'got': event}\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("code.zip");
    std::fs::write(&file, zip(&[("function.py", source)])).unwrap();
    let archive = format!("fileb://{}", file.display());
    Script::aws(
        &server,
        &[
            "lambda",
            "create-function",
            "--function-name",
            "echo",
            "--runtime",
            "python3.12",
            "--handler",
            "function.handler",
            "--role",
            conformance::ROLE,
            "--zip-file",
            &archive,
        ],
    )
    .run()
    .expect_success();
    Script::aws(
        &server,
        &[
            "lambda",
            "wait",
            "function-active-v2",
            "--function-name",
            "echo",
        ],
    )
    .run()
    .expect_success();

    let answer = kagero(&server, &["invoke", "echo", r#"{"n": 1}"#]).expect_success();
    assert_eq!(answer.stdout, "{\"got\": {\"n\": 1}}\n");
    assert_eq!(answer.stderr, "");
    let answer = kagero(&server, &["invoke", "echo"]).expect_success();
    assert_eq!(answer.json(), json!({"got": {}}));
    let event = folder.path().join("event.json");
    std::fs::write(&event, "{\"from\": \"file\"}").unwrap();
    let from_file = format!("@{}", event.display());
    let answer = kagero(&server, &["invoke", "echo", &from_file, "--log"]).expect_success();
    assert_eq!(answer.json(), json!({"got": {"from": "file"}}));
    assert!(
        answer.stderr.contains("saw {'from': 'file'}"),
        "{}",
        answer.stderr
    );
    let arn = "arn:aws:lambda:ap-northeast-1:000000000000:function:echo";
    kagero(&server, &["invoke", arn]).expect_success();

    let failed = kagero(&server, &["invoke", "echo", r#"{"fail": true}"#]);
    assert!(!failed.success);
    assert_eq!(failed.json()["errorType"], "ValueError");
    assert!(
        failed.stderr.contains("the function failed (Unhandled)"),
        "{}",
        failed.stderr
    );
    let missing = kagero(&server, &["invoke", "nowhere"]);
    assert!(
        !missing.success && missing.stderr.contains("ResourceNotFoundException"),
        "{missing:?}"
    );
    let queued =
        kagero(&server, &["invoke", "echo", r#"{"later": 1}"#, "--async"]).expect_success();
    assert_eq!(queued.stdout, "");

    let log = until("the asynchronous call is in the log", || {
        let log = kagero(&server, &["logs", "echo"]).expect_success().stdout;
        log.contains("saw {'later': 1}").then_some(log)
    });
    for part in ["START RequestId: ", "REPORT RequestId: ", "saw {'n': 1}"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    let filtered = kagero(&server, &["logs", "echo", "--filter", "later"])
        .expect_success()
        .stdout;
    assert!(
        filtered.lines().count() == 1 && filtered.contains("later"),
        "{filtered}"
    );
    let none = kagero(&server, &["logs", "nowhere"]);
    assert!(
        !none.success && none.stderr.contains("ResourceNotFoundException"),
        "{none:?}"
    );

    let environments = kagero(&server, &["ps", "--json"]).expect_success().json();
    assert!(
        !environments.as_array().unwrap().is_empty(),
        "{environments}"
    );
    assert_eq!(environments[0]["function"], "echo", "{environments}");
    let table = kagero(&server, &["ps"]).expect_success().stdout;
    assert!(
        table.starts_with("FUNCTION") && table.contains("echo"),
        "{table}"
    );
    let spares = kagero(&server, &["ps", "--spares"]).expect_success().stdout;
    assert!(
        spares.starts_with("RUNTIME") || spares.starts_with("No spares"),
        "{spares}"
    );
    drop(api.lambda("GET", "/2015-03-31/functions", &json!(null)));
}

#[test]
fn logs_follow() {
    let server = Server::start_in_region("us-east-1");
    let mut api = server.api();
    api.python_function(
        "told",
        "def handler(event, context):\n    print('told', event)\n",
    );
    api.answer("told", &json!(1));
    let mut child = Command::new(kagero_binary())
        .args(["logs", "told", "--follow", "--region", "us-east-1"])
        .envs(server.client_environment())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let wait_for = |text: &str| {
        while let Ok(line) = received.recv_timeout(Duration::from_secs(30)) {
            if line.ends_with(text) {
                return;
            }
        }
        panic!("no line ended with {text:?}");
    };
    wait_for("told 1");
    api.answer("told", &json!(2));
    wait_for("told 2");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn doctor_and_runtime_list() {
    let (code, report, _) = output(&mut alone(&["doctor"]));
    assert_eq!(code, Some(0));
    assert!(
        report
            .lines()
            .all(|l| l.starts_with("ok ") || l.starts_with("missing ")),
        "{report}"
    );
    let (_, text, _) = output(&mut alone(&["doctor", "--json"]));
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let features = report["features"].as_array().unwrap();
    assert!(features.len() > 3, "{report}");
    for feature in features {
        assert!(
            feature["available"].is_boolean() && feature["name"].is_string(),
            "{feature}"
        );
        assert!(!feature["detail"].as_str().unwrap().is_empty(), "{feature}");
    }

    let (code, table, _) = output(&mut alone(&["runtime", "list"]));
    assert_eq!(code, Some(0));
    assert!(table.starts_with("RUNTIME"), "{table}");
    let (_, text, _) = output(&mut alone(&["runtime", "list", "--json"]));
    let runtimes: serde_json::Value = serde_json::from_str(&text).unwrap();
    for wanted in ["python3.12", "nodejs22.x", "provided.al2023"] {
        let known = runtimes
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["identifier"] == wanted);
        assert!(known, "{wanted} in {runtimes}");
    }
}

#[test]
fn reset_removes_all_and_asks_first() {
    let server = Server::start_in_region("us-east-1");
    let mut api = server.api();
    let queue = api.queue("kept");
    api.python_function("kept", "def handler(event, context):\n    return 1\n");
    let _ = api.answer("kept", &json!({}));
    let refused = kagero(&server, &["reset"]);
    assert!(
        !refused.success && refused.stderr.contains("--yes"),
        "{refused:?}"
    );
    let attributes = json!({"QueueUrl": queue, "AttributeNames": ["QueueArn"]});
    let _ = api
        .json("sqs", "GetQueueAttributes", &attributes)
        .expect(200);

    kagero(&server, &["reset", "--yes"]).expect_success();
    let gone = api
        .json("sqs", "GetQueueAttributes", &attributes)
        .expect(400);
    assert_eq!(gone.error_code(), "QueueDoesNotExist");
    let functions = api
        .lambda("GET", "/2015-03-31/functions", &json!(null))
        .expect(200)
        .json();
    assert_eq!(functions["Functions"], json!([]));
    api.python_function("kept", "def handler(event, context):\n    return 2\n");
    assert_eq!(api.answer("kept", &json!({})), 2);
}

#[test]
fn a_browser_cannot_reset() {
    let server = Server::start();
    let request = "POST /_kagero/reset HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\
                   content-length: 0\r\nconnection: close\r\n\r\n";
    let answer = String::from_utf8(server.raw(request.as_bytes())).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn permissive_stays_on_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let port = free_port();
    let everywhere = format!("0.0.0.0:{port}");
    let arguments = ["serve", "--listen", &everywhere, "--data-dir", data];
    let (code, _, complaint) = output(&mut alone(&arguments));
    assert_eq!(code, Some(1), "{complaint}");
    assert!(
        complaint.contains("--allow-permissive-remote"),
        "{complaint}"
    );
    let (code, _, complaint) = output(&mut alone(&["serve", "--lisen", "x"]));
    assert_eq!(code, Some(2), "{complaint}");
}

#[test]
fn a_taken_port_is_said() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", server.port());
    let data = folder.path().to_str().unwrap();
    let (code, _, complaint) = output(&mut alone(&[
        "serve",
        "--listen",
        &address,
        "--data-dir",
        data,
    ]));
    assert_eq!(code, Some(1));
    assert!(complaint.contains(&address), "{complaint}");
}

#[test]
fn two_servers_cannot_share_a_data_directory() {
    let server = Server::start();
    let address = format!("127.0.0.1:{}", free_port());
    let data = server.data_dir();
    let arguments = [
        "serve",
        "--listen",
        &address,
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let (code, _, complaint) = output(&mut alone(&arguments));
    assert_eq!(code, Some(1));
    assert!(complaint.contains(data.to_str().unwrap()), "{complaint}");
    assert!(server.is_healthy());
}

/// A server started by hand, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn flags_over_variables_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let [of_file, of_variable, of_flag] = [free_port(), free_port(), free_port()];
    std::fs::write(
        folder.path().join("kagero.toml"),
        format!("listen = \"127.0.0.1:{of_file}\"\nephemeral = true\n"),
    )
    .unwrap();
    let listens = |port: u16, command: &mut Command| {
        let _server = Running(
            command
                .current_dir(folder.path())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        until(&format!("port {port} answers"), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
    };
    let variable = format!("127.0.0.1:{of_variable}");
    let flag = format!("127.0.0.1:{of_flag}");
    listens(of_file, &mut alone(&["serve"]));
    listens(
        of_variable,
        alone(&["serve"]).env("KAGERO_LISTEN", &variable),
    );
    listens(
        of_flag,
        alone(&["serve", "--listen", &flag]).env("KAGERO_LISTEN", &variable),
    );
    std::fs::write(folder.path().join("kagero.toml"), "lisen = 1\n").unwrap();
    let (code, _, complaint) = output(alone(&["serve"]).current_dir(folder.path()));
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("kagero.toml") && complaint.contains("lisen"),
        "{complaint}"
    );
}

#[test]
fn sigterm_lets_a_call_end_and_exits_0() {
    let server = Server::start();
    let mut api = server.api();
    let source =
        "import time\ndef handler(event, context):\n    time.sleep(1.5)\n    return 'whole'\n";
    api.python_function("slow", source);
    let caller = std::thread::spawn(move || api.answer("slow", &json!({})));
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(700));
    let status = server.stop();
    assert_eq!(caller.join().unwrap(), "whole");
    assert_eq!(status.code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}
