//! What a deployed function can see and reach, asked from inside it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use conformance::{Server, kagero_binary, until};
use serde_json::{Value, json};

/// Answers what the event asks about the environment.
const PROBE: &str = r"
import ctypes, os, socket, urllib.request

def attempt(work):
    try:
        return {'ok': work()}
    except Exception as error:
        return {'error': type(error).__name__ + ': ' + str(error)}

def status():
    lines = open('/proc/self/status').read().splitlines()
    return dict(line.split(':\t', 1) for line in lines if ':\t' in line)

def fetch(path, data=None, headers={}):
    request = urllib.request.Request(os.environ['AWS_ENDPOINT_URL'] + path, data, headers)
    return urllib.request.urlopen(request, timeout=10).read().decode()

def write(path):
    with open(path, 'w') as file:
        file.write('mine')
    return True

def processes():
    found = {}
    for pid in os.listdir('/proc'):
        if pid.isdigit():
            found[pid] = open('/proc/' + pid + '/cmdline').read().replace('\0', ' ')
    return found

def connect(port):
    socket.create_connection(('127.0.0.1', port), 3).close()
    return True

def unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    return True

def handler(event, context):
    work = {
        'status': status, 'processes': processes, 'uid': os.getuid, 'fetch': fetch,
        'list': os.listdir, 'read': lambda path: open(path).read(), 'write': write,
        'connect': connect, 'unshare': unshare, 'environment': lambda: dict(os.environ),
        'kill': lambda pid: os.kill(pid, 9),
    }[event['do']]
    return attempt(lambda: work(*event.get('with', [])))
";

/// CLONE_NEWUSER and CLONE_NEWNS.
const NEW_USER: u32 = 0x1000_0000;
const NEW_MOUNT: u32 = 0x0002_0000;

struct Probe {
    server: Server,
    api: conformance::Api,
}

impl Probe {
    fn start() -> Self {
        let server = Server::start();
        let mut api = server.api();
        api.python_function("probe", PROBE);
        Self { server, api }
    }

    fn ask(&mut self, question: &str, arguments: &Value) -> Value {
        self.api
            .answer("probe", &json!({"do": question, "with": arguments}))
    }

    fn ok(&mut self, question: &str, arguments: &Value) -> Value {
        let answer = self.ask(question, arguments);
        assert!(
            answer.get("ok").is_some(),
            "{question} {arguments}: {answer}"
        );
        answer["ok"].clone()
    }

    fn refused(&mut self, question: &str, arguments: &Value) -> String {
        let answer = self.ask(question, arguments);
        let error = answer["error"].as_str();
        error
            .unwrap_or_else(|| panic!("{question} {arguments} worked: {answer}"))
            .to_owned()
    }
}

/// What the runtime runs on here.
fn interpreter(runtime: &str) -> PathBuf {
    let listed = Command::new(kagero_binary())
        .args(["runtime", "list", "--json"])
        .output()
        .unwrap();
    let runtimes: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let found = runtimes
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["identifier"] == runtime);
    PathBuf::from(found.unwrap()["interpreter"].as_str().unwrap())
}

#[test]
fn files_of_the_host_are_not_there() {
    let mut probe = Probe::start();
    let data = probe.server.data_dir();
    let interpreter = interpreter("python3.12");
    for folder in ["/root", "/home", "/etc/ssl/private", data.to_str().unwrap()] {
        let answer = probe.ask("list", &json!([folder]));
        let shown = answer["ok"].as_array().cloned().unwrap_or_default();
        // An interpreter that lies there (a version manager's) has its own folder bound in, and so
        // the way to it; nothing else of the host is on that way.
        let way = interpreter.strip_prefix(folder).ok();
        let step = way
            .and_then(|way| way.iter().next())
            .and_then(OsStr::to_str);
        let expected = shown.iter().all(|name| name.as_str() == step);
        assert!(expected, "{folder}: {answer}");
    }
    let shadow = probe.refused("read", &json!(["/etc/shadow"]));
    assert!(
        shadow.contains("FileNotFoundError") || shadow.contains("PermissionError"),
        "{shadow}"
    );
    for place in [
        "/var/task/new",
        "/opt/new",
        "/usr/new",
        "/etc/new",
        "/new",
        "/proc/sys/kernel/hostname",
    ] {
        probe.refused("write", &json!([place]));
    }
    probe.ok("write", &json!(["/tmp/new"]));
    probe.ok("read", &json!(["/var/task/function.py"]));
}

#[test]
fn processes_of_the_host_are_not_there() {
    let mut probe = Probe::start();
    let processes = probe.ok("processes", &json!([]));
    let processes = processes.as_object().unwrap();
    assert!(processes.len() <= 3, "{processes:?}");
    for (pid, command) in processes {
        assert!(
            !command.as_str().unwrap().contains("serve"),
            "{pid} is {command}"
        );
    }
    let pid = probe.server.pid();
    let error = probe.refused("kill", &json!([pid]));
    assert!(
        error.contains("ProcessLookupError") || error.contains("PermissionError"),
        "{error}"
    );
    assert!(probe.server.is_healthy());
}

#[test]
fn no_root_no_capabilities_and_no_way_to_more() {
    let mut probe = Probe::start();
    assert_ne!(probe.ok("uid", &json!([])), json!(0));
    let status = probe.ok("status", &json!([]));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    assert_eq!(status["NoNewPrivs"], "1");
    assert_eq!(status["Seccomp"], "2", "a filter is installed");
    for flags in [NEW_USER, NEW_MOUNT, NEW_USER | NEW_MOUNT] {
        probe.refused("unshare", &json!([flags]));
    }
}

#[test]
fn the_hosts_loopback_cannot_be_reached() {
    let mut probe = Probe::start();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let elsewhere = listener.local_addr().unwrap().port();
    for port in [elsewhere, probe.server.port()] {
        let error = probe.refused("connect", &json!([port]));
        assert!(error.contains("ConnectionRefusedError"), "{error}");
    }
}

#[test]
fn the_servers_own_variables_stay_outside() {
    let mut probe = Probe::start();
    let variables = probe.ok("environment", &json!([]));
    let variables = variables.as_object().unwrap();
    for (name, expected) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "probe"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/probe"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("_HANDLER", "function.handler"),
        ("TZ", ":UTC"),
    ] {
        assert_eq!(variables.get(name), Some(&json!(expected)), "{name}");
    }
    for name in [
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ] {
        assert!(variables.contains_key(name), "{name}");
    }
    for name in ["CARGO_MANIFEST_DIR", "KAGERO_BIN", "HOME", "USER"] {
        assert!(
            !variables.contains_key(name),
            "{name} leaked: {:?}",
            variables.get(name)
        );
    }
}

#[test]
fn two_functions_share_nothing() {
    let mut probe = Probe::start();
    probe.api.python_function("other", PROBE);
    probe.ok("write", &json!(["/tmp/secret"]));
    // The function finds it again, and so the first call did write it.
    assert_eq!(probe.ok("read", &json!(["/tmp/secret"])), "mine");
    let theirs = probe
        .api
        .answer("other", &json!({"do": "list", "with": ["/tmp"]}));
    assert_eq!(theirs, json!({"ok": []}));
    let theirs = probe.api.answer("other", &json!({"do": "processes"}));
    let others = theirs["ok"].as_object().unwrap();
    assert!(others.len() <= 3, "{others:?}");
}

#[test]
fn aws_apis_are_reached_as_the_role() {
    let mut probe = Probe::start();
    probe.api.queue("inside");
    let identity = probe.ok(
        "fetch",
        &json!(["/?Action=GetCallerIdentity&Version=2011-06-15"]),
    );
    let arn = "<Arn>arn:aws:sts::000000000000:assumed-role/conformance/probe</Arn>";
    assert!(identity.as_str().unwrap().contains(arn), "{identity}");

    let headers = json!({
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "AmazonSQS.SendMessage",
    });
    let url = "http://127.0.0.1:4566/000000000000/inside";
    let body = json!({"QueueUrl": url, "MessageBody": "from inside"}).to_string();
    // Python wants bytes; a second function saves teaching the probe to make them.
    probe.api.python_function(
        "sender",
        "import os, urllib.request
def handler(event, context):
    request = urllib.request.Request(
        os.environ['AWS_ENDPOINT_URL'], event['body'].encode(), event['headers'])
    return urllib.request.urlopen(request).read().decode()
",
    );
    probe
        .api
        .answer("sender", &json!({"headers": headers, "body": body}));
    let outside = probe.api.queue("inside");
    let message = until("the message has arrived", || {
        let input = json!({"QueueUrl": outside, "MessageSystemAttributeNames": ["All"]});
        let page = probe
            .api
            .json("sqs", "ReceiveMessage", &input)
            .expect(200)
            .json();
        page["Messages"].get(0).cloned()
    });
    assert_eq!(message["Body"], "from inside");
    let sender = message["Attributes"]["SenderId"].as_str().unwrap();
    assert!(sender.ends_with("sender"), "{sender}");
}
