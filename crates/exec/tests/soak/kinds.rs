//! Every way of starting an environment, and every way for it to end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exec::{Code, EnvironmentState, FunctionSpec};
use serde_json::{Value, json};

use crate::support::{World, function_of, json as document, package, write_files};

const PYTHON: &str = "
import os, sys, time
if os.environ['KIND'] == 'init': raise ValueError('at init')
def handler(event, context):
    kind = os.environ['KIND']
    if kind == 'write': open('/tmp/file', 'wb').write(b'x' * 100000)
    if kind == 'timeout': time.sleep(60)
    if kind == 'killed': time.sleep(60)
    if kind == 'exit': os._exit(3)
    if kind == 'memory': b'x' * (1 << 30)
    if kind == 'children': [os.fork() or time.sleep(60) for _ in range(3)]
    return kind
";
const NODE: &str = "exports.handler = async () => process.env.KIND;";
const RUBY: &str = "def handler(event:, context:) = ENV['KIND']\n";
/// Speaks the Runtime API with nothing but the standard library.
const BOOTSTRAP: &str = "#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
while True:
    api.request('GET', '/2018-06-01/runtime/invocation/next')
    answer = api.getresponse()
    answer.read()
    id = answer.getheader('lambda-runtime-aws-request-id')
    body = '\"%s\"' % os.environ['KIND']
    api.request('POST', f'/2018-06-01/runtime/invocation/{id}/response', body)
    api.getresponse().read()
";

/// What the code is told to do, and the error that comes of it, on this runtime.
pub struct Kind {
    name: &'static str,
    error: Option<&'static str>,
    runtime: &'static str,
}

const fn kind(name: &'static str, error: Option<&'static str>, runtime: &'static str) -> Kind {
    Kind {
        name,
        error,
        runtime,
    }
}

/// In the order of their turns; what is cheap comes more often.
const KINDS: [Kind; 18] = [
    kind("plain", None, "python3.12"),
    kind("write", None, "python3.12"),
    kind("init", Some("ValueError"), "python3.12"),
    kind("plain", None, "nodejs20.x"),
    kind("plain", None, "python3.12"),
    kind("exit", Some("Runtime.ExitError"), "python3.12"),
    kind("live", None, "python3.12"),
    kind("layers", None, "python3.12"),
    kind("plain", None, "ruby3.3"),
    kind("plain", None, "python3.12"),
    kind("timeout", Some("Sandbox.Timedout"), "python3.12"),
    kind("plain", None, "python3.12"),
    kind("plain", None, "provided.al2023"),
    kind("plain", None, "python3.12"),
    kind("memory", Some("Runtime.OutOfMemory"), "python3.12"),
    kind("children", None, "python3.12"),
    kind("killed", Some("Runtime.ExitError"), "python3.12"),
    kind("plain", None, "python3.12"),
];

/// The kinds that this host can run.
pub fn kinds(world: &World) -> Vec<&'static Kind> {
    let mut kinds = Vec::new();
    for kind in &KINDS {
        let needs = Path::new("/usr/bin/python3");
        let missing = if kind.runtime.starts_with("provided") {
            (!needs.exists()).then(|| format!("no {}", needs.display()))
        } else {
            let runtime = kind.runtime.parse().unwrap();
            let warning = world.exec.runtime_warning(runtime);
            warning.err().map(|error| error.to_string())
        };
        match missing {
            Some(missing) => eprintln!("left out: {} on {}: {missing}", kind.name, kind.runtime),
            // Without a control group, memory ends in Python's own error.
            None if kind.name == "memory" && !has_memory_limit(world) => {
                eprintln!("left out: out of memory: no control group");
            }
            None => kinds.push(kind),
        }
    }
    kinds
}

fn has_memory_limit(world: &World) -> bool {
    let findings = world.exec.host().capabilities_report();
    findings
        .iter()
        .any(|one| one.feature == "memory limit" && one.available)
}

impl Kind {
    /// A function of its own, called once and deleted.
    pub async fn run(&self, world: &World, live: &Path) {
        let function = Arc::new(self.function(world, live));
        let event = json!(0);
        let call = world.run(&function, &event);
        let outcome = if self.name == "killed" {
            let (outcome, ()) = tokio::join!(call, kill_when_busy(world, &function));
            outcome
        } else {
            call.await
        };
        let outcome = outcome.unwrap();
        let answer = document(&outcome);
        match self.error {
            None => assert_eq!(answer, Value::from(self.name)),
            Some(error) => assert_eq!(answer["errorType"], error, "{}: {answer}", self.name),
        }
        world.exec.retire(&function.key);
    }

    fn function(&self, world: &World, live: &Path) -> FunctionSpec {
        let mut function = match (self.name, self.runtime) {
            ("live", runtime) => {
                function_of(runtime, "app.handler", Code::HotReload(live.to_owned()))
            }
            (_, runtime @ "python3.12") => {
                world.function(runtime, "app.handler", &[("app.py", PYTHON)])
            }
            (_, runtime @ "nodejs20.x") => {
                world.function(runtime, "app.handler", &[("app.js", NODE)])
            }
            (_, runtime @ "ruby3.3") => world.function(runtime, "app.handler", &[("app.rb", RUBY)]),
            (_, runtime) => world.function(runtime, "any", &[("bootstrap", BOOTSTRAP)]),
        };
        function.memory_mb = 128;
        if self.name == "layers" {
            let layers = ["one", "two"].map(|name| {
                let module = format!("python/{name}.py");
                let layer = package(&[(module.as_str(), name)]);
                world.images.import_zip(&layer).unwrap()
            });
            function.layers = Some(world.images.stack(&layers).unwrap());
        }
        if self.name == "timeout" {
            function.timeout = Duration::from_millis(200);
        }
        function.environment.insert("KIND".into(), self.name.into());
        function
    }
}

/// The folder of the functions whose code is live.
pub fn live_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &[("app.py", PYTHON)]);
    folder
}

/// Kills an environment's pid 1 as soon as it has its event.
async fn kill_when_busy(world: &World, function: &FunctionSpec) {
    loop {
        let all = world.exec.environments();
        let busy = all
            .iter()
            .find(|one| one.function == function.key && one.state == EnvironmentState::Busy);
        if let Some(pid) = busy.and_then(|one| one.pid) {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
