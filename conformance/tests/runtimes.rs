//! Runtimes, and how each kind of failure is reported.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use conformance::{Answer, Api, Server, add, log_tail, until, zip, zip_with};
use serde_json::{Value, json};

fn started() -> (Server, Api) {
    let server = Server::start();
    let api = server.api();
    (server, api)
}

/// The error document of a failed call.
fn failure(answer: Answer) -> Value {
    let answer = answer.expect(200);
    assert_eq!(
        answer.header("x-amz-function-error"),
        Some("Unhandled"),
        "{}",
        answer.text()
    );
    answer.json()
}

fn failing_python(api: &mut Api, name: &str, source: &str, more: &Value) -> (Value, String) {
    api.function(name, &zip(&[("function.py", source)]), more);
    let answer = api.invoke(name, b"{}");
    let log = log_tail(&answer);
    (failure(answer), log)
}

#[test]
fn python_says_so_when_it_is_not_the_version_asked_for() {
    let (_server, mut api) = started();
    let source =
        "import sys\ndef handler(event, context):\n    return list(sys.version_info[:2])\n";
    for (runtime, minor) in [("python3.12", 12), ("python3.13", 13)] {
        let name = runtime.replace('.', "-");
        let more = json!({"Runtime": runtime});
        let configuration = api.function(&name, &zip(&[("function.py", source)]), &more);
        let version = api.answer(&name, &json!({}));
        assert_eq!(version[0], 3);
        let reason = configuration["StateReason"].as_str().unwrap_or_default();
        if version[1] == minor {
            assert_eq!(reason, "", "the exact version runs");
            continue;
        }
        let answer = api.invoke(&name, b"{}");
        let logged = until("the warning is in the log", || {
            let messages = api.log_messages(&format!("/aws/lambda/{name}")).concat();
            messages.contains(runtime).then_some(messages)
        });
        let used = format!("3.{}", version[1]);
        assert!(
            reason.contains(&used) || logged.contains(&used),
            "{reason}\n{logged}"
        );
        drop(answer);
    }
}

#[test]
fn node_takes_both_kinds_of_module() {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: there is no node on PATH");
        return;
    }
    let (_server, mut api) = started();
    let body = "async (event, context) => ({ event, name: context.functionName, \
                left: context.getRemainingTimeInMillis() > 0 });\n";
    let common = format!("exports.handler = {body}");
    let module = format!("export const handler = {body}");
    let callback = "exports.handler = (event, context, done) => \
                    setTimeout(() => done(null, { event, name: context.functionName, left: true }), 5);\n";
    for (name, file, source) in [
        ("common", "index.js", common.as_str()),
        ("module", "index.mjs", module.as_str()),
        ("callback", "index.js", callback),
    ] {
        let more = json!({"Runtime": "nodejs20.x", "Handler": "index.handler"});
        api.function(name, &zip(&[(file, source)]), &more);
        let answer = api.answer(name, &json!({"é": [1, null]}));
        assert_eq!(
            answer,
            json!({"event": {"é": [1, null]}, "name": name, "left": true})
        );
    }
}

#[test]
fn nodes_failures() {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: there is no node on PATH");
        return;
    }
    let (_server, mut api) = started();
    let mut fail = |name: &str, source: &str, handler: &str| {
        let more = json!({"Runtime": "nodejs20.x", "Handler": handler});
        api.function(name, &zip(&[("index.js", source)]), &more);
        failure(api.invoke(name, b"{}"))
    };
    let thrown = "exports.handler = async () => { throw new TypeError('no way'); };";
    let error = fail("thrown", thrown, "index.handler");
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&json!("TypeError"), &json!("no way"))
    );
    assert!(error["trace"].is_array(), "{error}");
    assert_eq!(
        fail("nowhere", "", "missing.handler")["errorType"],
        "Runtime.ImportModuleError"
    );
    let error = fail("nothing", "", "index.missing");
    assert_eq!(error["errorType"], "Runtime.HandlerNotFound");
    assert_eq!(
        error["errorMessage"],
        "index.missing is undefined or not exported"
    );
    let error = fail("syntax", "this is not JavaScript", "index.handler");
    assert_eq!(error["errorType"], "Runtime.UserCodeSyntaxError");
    let error = fail(
        "exit",
        "exports.handler = async () => process.exit(4);",
        "index.handler",
    );
    assert_eq!(error["errorType"], "Runtime.ExitError");
}

#[test]
fn a_shell_script_is_a_runtime() {
    if !Path::new("/usr/bin/curl").exists() {
        eprintln!("skipped: there is no /usr/bin/curl for a shell script to speak HTTP with");
        return;
    }
    let (_server, mut api) = started();
    let bootstrap = "#!/bin/sh
api=\"http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime\"
while :; do
  event=$(curl -sS -D /tmp/headers \"$api/invocation/next\")
  id=$(grep -i '^lambda-runtime-aws-request-id:' /tmp/headers | tr -d ' \\r' | cut -d: -f2)
  echo \"shell got $event\"
  curl -sS -o /dev/null -d \"{\\\"handler\\\":\\\"$_HANDLER\\\",\\\"event\\\":$event}\" \"$api/invocation/$id/response\"
done
";
    let more = json!({"Runtime": "provided.al2023", "Handler": "any.thing"});
    api.function("shell", &zip(&[("bootstrap", bootstrap)]), &more);
    for number in [1, 2] {
        let answer = api
            .invoke("shell", json!({"n": number}).to_string().as_bytes())
            .expect(200);
        assert_eq!(
            answer.header("x-amz-function-error"),
            None,
            "{}",
            log_tail(&answer)
        );
        assert_eq!(
            answer.json(),
            json!({"handler": "any.thing", "event": {"n": number}})
        );
        assert!(log_tail(&answer).contains(&format!("shell got {{\"n\":{number}}}")));
    }
}

#[test]
fn a_static_executable_is_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let source = conformance::root().join("conformance/clients/bootstrap.c");
    let program = folder.path().join("bootstrap");
    let compiled = Command::new("cc")
        .args(["-static", "-O1", "-o"])
        .args([&program, &source])
        .output();
    if !compiled
        .as_ref()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("skipped: no C compiler here makes a static executable ({compiled:?})");
        return;
    }
    let (_server, mut api) = started();
    let code = zip_with(|archive| add(archive, "bootstrap", &std::fs::read(&program).unwrap()));
    api.function(
        "static",
        &code,
        &json!({"Runtime": "provided.al2023", "Handler": "none"}),
    );
    for event in [json!({"n": 1}), json!("text"), json!(null)] {
        assert_eq!(api.answer("static", &event), json!({"echo": event}));
    }
}

#[test]
fn a_bootstrap_that_is_not_there_or_ends_is_reported() {
    let (_server, mut api) = started();
    let more = json!({"Runtime": "provided.al2023", "Handler": "none"});
    api.function("absent", &zip(&[("readme", "no bootstrap")]), &more);
    let error = failure(api.invoke("absent", b"{}"));
    assert_eq!(error["errorType"], "Runtime.InvalidEntrypoint", "{error}");
    api.function(
        "ends",
        &zip(&[("bootstrap", "#!/bin/sh\necho goodbye\nexit 7\n")]),
        &more,
    );
    let answer = api.invoke("ends", b"{}");
    let log = log_tail(&answer);
    let error = failure(answer);
    assert_eq!(error["errorType"], "Runtime.ExitError", "{error}");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with("Error: Runtime exited with error: exit status 7"),
        "{message}"
    );
    assert!(log.contains("goodbye"), "{log}");
}

#[test]
fn pythons_failures() {
    let (_server, mut api) = started();
    let mut fail = |name: &str, source: &str, handler: &str| {
        let more = json!({"Handler": handler});
        failing_python(&mut api, name, source, &more)
    };
    let (error, log) = fail(
        "raises",
        "def handler(e, c):\n    print('before')\n    raise KeyError('k')\n",
        "function.handler",
    );
    assert_eq!(
        (&error["errorType"], &error["errorMessage"]),
        (&json!("KeyError"), &json!("'k'"))
    );
    assert!(
        error["stackTrace"][0]
            .as_str()
            .unwrap()
            .contains("line 3, in handler"),
        "{error}"
    );
    assert!(error["requestId"].is_string(), "{error}");
    assert!(
        log.contains("before\n") && log.contains("[ERROR] KeyError: 'k'"),
        "{log}"
    );

    let (error, _) = fail("nowhere", "", "missing.handler");
    assert_eq!(error["errorType"], "Runtime.ImportModuleError");
    assert_eq!(
        error["errorMessage"],
        "Unable to import module 'missing': No module named 'missing'"
    );

    let (error, _) = fail("nothing", "", "function.missing");
    assert_eq!(error["errorType"], "Runtime.HandlerNotFound");
    assert_eq!(
        error["errorMessage"],
        "Handler 'missing' missing on module 'function'"
    );

    let (error, _) = fail("dotless", "", "function");
    assert_eq!(error["errorType"], "Runtime.MalformedHandlerName");

    let (error, _) = fail("syntax", "def broken(:\n", "function.handler");
    assert_eq!(error["errorType"], "Runtime.UserCodeSyntaxError");

    let (error, _) = fail(
        "set",
        "def handler(e, c):\n    return {1}\n",
        "function.handler",
    );
    assert_eq!(error["errorType"], "Runtime.MarshalError");
}

#[test]
fn an_exit_ends_the_environment_and_the_next_call_has_a_new_one() {
    let (_server, mut api) = started();
    let source = "import os\ncalls = 0\ndef handler(event, context):\n    global calls\n    \
                  calls += 1\n    if event.get('exit'):\n        os._exit(3)\n    return calls\n";
    api.python_function("exits", source);
    assert_eq!(api.answer("exits", &json!({})), 1);
    assert_eq!(api.answer("exits", &json!({})), 2);
    let answer = api.invoke("exits", br#"{"exit": true}"#);
    let log = log_tail(&answer);
    let error = failure(answer);
    assert_eq!(error["errorType"], "Runtime.ExitError");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("RequestId: "), "{message}");
    assert!(
        message.ends_with("Error: Runtime exited with error: exit status 3"),
        "{message}"
    );
    assert!(log.contains("REPORT RequestId: "), "{log}");
    assert_eq!(api.answer("exits", &json!({})), 1, "a new environment");
}

#[test]
fn the_timeout_ends_a_call() {
    let (_server, mut api) = started();
    let source = "import time\ndef handler(event, context):\n    print('begun')\n    \
                  time.sleep(event['s'])\n    return 'done'\n";
    api.function(
        "sleeps",
        &zip(&[("function.py", source)]),
        &json!({"Timeout": 1}),
    );
    let began = std::time::Instant::now();
    let answer = api.invoke("sleeps", br#"{"s": 20}"#);
    let took = began.elapsed().as_secs_f64();
    assert!((1.0..8.0).contains(&took), "{took} s");
    let log = log_tail(&answer);
    let error = failure(answer);
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with("Error: Task timed out after 1.00 seconds"),
        "{message}"
    );
    assert!(
        log.contains("begun\n") && log.contains("Task timed out after 1.00 seconds"),
        "{log}"
    );
    assert!(log.contains("Status: timeout"), "{log}");
    assert_eq!(api.answer("sleeps", &json!({"s": 0})), "done");
}

#[test]
fn too_much_memory_ends_a_call() {
    let (server, mut api) = started();
    // Held for a while, since guards look again and again; and well above the headroom of the rlimit
    // that serves where no control group can be had.
    let source = "import time\ndef handler(event, context):\n    \
                  kept = bytearray(event['mb'] * 1048576)\n    time.sleep(event['s'])\n    \
                  return len(kept) // 1048576\n";
    api.python_function("hungry", source);
    assert_eq!(api.answer("hungry", &json!({"mb": 20, "s": 0})), 20);
    let error = failure(api.invoke("hungry", br#"{"mb": 900, "s": 5}"#));
    // A control group kills; where there is none the interpreter is refused the memory.
    let kind = error["errorType"].as_str().unwrap();
    let known = ["Runtime.ExitError", "Runtime.OutOfMemory", "MemoryError"];
    assert!(known.contains(&kind), "{error}");
    assert_eq!(api.answer("hungry", &json!({"mb": 20, "s": 0})), 20);
    assert!(server.is_healthy());
}

#[test]
fn the_log_tail_is_the_end_of_the_log() {
    let (_server, mut api) = started();
    api.python_function(
        "talks",
        "def handler(event, context):\n    for n in range(event['lines']):\n        print('line', n)\n    return 1\n",
    );
    let answer = api.invoke("talks", br#"{"lines": 2}"#).expect(200);
    let log = log_tail(&answer);
    let lines: Vec<&str> = log.lines().collect();
    let id = answer.header("x-amzn-requestid").unwrap();
    assert_eq!(lines[0], format!("START RequestId: {id} Version: $LATEST"));
    assert_eq!(
        &lines[1..4],
        ["line 0", "line 1", &format!("END RequestId: {id}")]
    );
    let report: Vec<&str> = lines[4].split('\t').collect();
    assert_eq!(report[0], format!("REPORT RequestId: {id}"));
    for (at, name, unit) in [
        (1, "Duration: ", " ms"),
        (2, "Billed Duration: ", " ms"),
        (3, "Memory Size: 128 MB", ""),
        (4, "Max Memory Used: ", " MB"),
        (5, "Init Duration: ", " ms"),
    ] {
        assert!(
            report[at].starts_with(name) && report[at].trim_end().ends_with(unit),
            "{report:?}"
        );
    }
    let long = log_tail(&api.invoke("talks", br#"{"lines": 2000}"#).expect(200));
    assert!(long.len() <= 4_096 && long.contains("line 1999") && !long.contains("line 0\n"));
    assert!(
        long.trim_end()
            .lines()
            .last()
            .unwrap()
            .starts_with("REPORT "),
        "{long}"
    );
    assert!(!long.contains("Init Duration"), "a warm call");
    until("all lines are in the log", || {
        let count = api
            .log_messages("/aws/lambda/talks")
            .iter()
            .filter(|m| m.starts_with("line "))
            .count();
        (count == 2_002).then_some(())
    });
}

#[test]
fn a_hot_reload_function_runs_what_is_in_its_folder_now() {
    let (_server, mut api) = started();
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("part.py", "VALUE = 'first'\n");
    write(
        "function.py",
        "import part\ndef handler(event, context):\n    return part.VALUE\n",
    );
    let code = json!({"S3Bucket": "hot-reload", "S3Key": folder.path()});
    api.function("hot", b"", &json!({"Code": code}));
    assert_eq!(api.answer("hot", &json!({})), "first");
    write("part.py", "VALUE = 'and second'\n");
    assert_eq!(api.answer("hot", &json!({})), "and second");
    assert_eq!(api.answer("hot", &json!({})), "and second");
    write(
        "function.py",
        "def handler(event, context):\n    return 'third'\n",
    );
    assert_eq!(api.answer("hot", &json!({})), "third");
}

#[test]
fn ruby_has_methods_and_classes_as_handlers() {
    if Command::new("ruby").arg("--version").output().is_err() {
        eprintln!("skipped: there is no ruby on PATH");
        return;
    }
    let (_server, mut api) = started();
    let source = "def handler(event:, context:)\n  \
                  raise ArgumentError, 'not this' if event['bad']\n  \
                  { event: event, name: context.function_name, \
                  left: context.get_remaining_time_in_millis.positive? }\nend\n\
                  class Own\n  def self.call(event:, context:) = [event, context.memory_limit_in_mb]\nend\n";
    let package = zip(&[("function.rb", source)]);
    let more = json!({"Runtime": "ruby3.3", "Handler": "function.handler"});
    api.function("method", &package, &more);
    let expected = json!({"event": {"n": 1}, "name": "method", "left": true});
    assert_eq!(api.answer("method", &json!({"n": 1})), expected);
    let answer = api.invoke("method", br#"{"bad": true}"#);
    let log = log_tail(&answer);
    let error = failure(answer);
    assert_eq!(error["errorType"], "Function<ArgumentError>");
    assert_eq!(error["errorMessage"], "not this");
    assert!(log.contains("Error raised from handler method"), "{log}");
    let more = json!({"Runtime": "ruby3.3", "Handler": "function.Own.call"});
    api.function("class", &package, &more);
    assert_eq!(api.answer("class", &json!(5)), json!([5, "128"]));
}
