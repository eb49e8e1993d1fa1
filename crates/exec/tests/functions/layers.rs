//! Layers: a second image at `/opt`, whatever way an environment starts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exec::{Code, CodeImage, FunctionSpec, InterpreterSearch, StartTier};
use serde_json::{Value, json};

use crate::support::{World, function_of, json as document, package, write_files};

fn layer(world: &World, files: &[(&str, &str)]) -> CodeImage {
    world.images.import_zip(&package(files)).unwrap()
}

fn with_layers(world: &World, mut function: FunctionSpec, layers: &[CodeImage]) -> FunctionSpec {
    function.layers = Some(world.images.stack(layers).unwrap());
    function
}

/// Runs it until an environment has been parked for the next start; `None` if this host cannot.
async fn park(world: &World, function: &FunctionSpec) -> Option<()> {
    let function = Arc::new(function.clone());
    world.run(&function, &json!({})).await?;
    world.exec.retire(&function.key);
    for _ in 0..2_000 {
        if world.exec.spares().iter().any(|spare| !spare.is_zygote) {
            return Some(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was parked: {:?}", world.exec.spares());
}

const PYTHON: &str = r"
import errno, os, sys
import common, low, high

def denied(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]

def flags(place):
    with open('/proc/self/mountinfo') as mounts:
        for mount in mounts:
            if mount.split()[4] == place:
                return sorted(set(mount.split()[5].split(',')) & {'ro', 'nosuid', 'nodev'})

def handler(event, context):
    return {
        'which': [common.WHICH, low.WHICH, high.WHICH],
        'path': [part for part in sys.path if part.startswith(('/opt', '/var'))],
        'opt': sorted(os.listdir('/opt')),
        'write': denied(lambda: open('/opt/python/common.py', 'w')),
        'add': denied(lambda: open('/opt/new', 'w')),
        'flags': flags('/opt'),
        'bin': os.popen('tool-bootstrap').read().strip(),
    }
";

fn python(world: &World) -> FunctionSpec {
    world.function("python3.12", "app.handler", &[("app.py", PYTHON)])
}

/// Two layers that have a folder and a file in common, and each something of its own.
fn two(world: &World) -> [CodeImage; 2] {
    let tool = "#!/bin/sh\necho from the layer\n";
    [
        layer(
            world,
            &[
                ("python/common.py", "WHICH = 'first'\n"),
                ("python/low.py", "WHICH = 'low'\n"),
                ("notes/bootstrap", "one"),
                ("bin/tool-bootstrap", tool),
            ],
        ),
        layer(
            world,
            &[
                ("python/common.py", "WHICH = 'second'\n"),
                (
                    "python/lib/python3.12/site-packages/high.py",
                    "WHICH = 'high'\n",
                ),
                ("notes", "a file where there was a folder"),
            ],
        ),
    ]
}

fn check_python(answer: &Value) {
    assert_eq!(answer["which"], json!(["second", "low", "high"]));
    assert_eq!(answer["opt"], json!(["bin", "notes", "python"]));
    assert_eq!(answer["write"], "EROFS");
    assert_eq!(answer["add"], "EROFS");
    assert_eq!(answer["bin"], "from the layer");
    assert_eq!(answer["flags"], json!(["nodev", "nosuid", "ro"]));
    let path = answer["path"].as_array().unwrap();
    assert_eq!(path[0], "/var/task");
    assert_eq!(path[1], "/opt/python/lib/python3.12/site-packages");
    let folder = path.iter().position(|part| part == "/opt/python").unwrap();
    assert_eq!(path[folder + 1], "/var/runtime");
}

#[tokio::test(flavor = "multi_thread")]
async fn later_layers_win_and_folders_merge_whatever_way_an_environment_starts() {
    let world = World::with(base::Clock::system(), |config| config.parking.most = 2);
    let nothing = [("app.py", "def handler(event, context): pass")];
    let plain = world.function("python3.12", "app.handler", &nothing);
    if park(&world, &plain).await.is_none() {
        return;
    }
    let run = async |world: &World, variable: Option<&str>| {
        let mut function = with_layers(world, python(world), &two(world));
        let variable = variable.map(|name| (name.to_owned(), "1".to_owned()));
        function.environment.extend(variable);
        let outcome = world.run(&Arc::new(function), &json!({})).await.unwrap();
        check_python(&document(&outcome));
        outcome.start
    };
    assert_eq!(run(&world, None).await, StartTier::Parked);
    // Its interpreter reads this when it starts.
    assert_eq!(run(&world, Some("PYTHONHASHSEED")).await, StartTier::Exec);
    let unparked = World::with(base::Clock::system(), |config| config.parking.most = 0);
    assert_eq!(run(&unparked, None).await, StartTier::Exec);
    // As many at once as are not parked.
    let forks = world.exec.spares().iter().any(|spare| spare.is_zygote);
    let many = futures::future::join_all((0..6).map(|_| run(&world, None))).await;
    assert!(!forks || many.contains(&StartTier::Zygote), "{many:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_compiled_like_the_package() {
    const SAYS: &str = "
import common
def handler(event, context):
    return [type(common.__spec__.loader).__name__, None, common.handler.__code__.co_filename, common.WHERE]
";
    const COMMON: &str = "WHERE = __file__\ndef handler(): pass\n";
    let world = World::new();
    let layer = layer(&world, &[("python/common.py", COMMON)]);
    let function = world.function("python3.12", "app.handler", &[("app.py", SAYS)]);
    let function = with_layers(&world, function, &[layer]);
    for _ in 0..500 {
        let mut function = function.clone();
        function.key.name = format!("f-{}", base::RequestId::random());
        let Some(outcome) = world.run(&Arc::new(function), &json!({})).await else {
            return;
        };
        let answer = document(&outcome);
        let file = "/opt/python/common.py";
        assert_eq!(answer[2], file);
        assert_eq!(answer[3], file);
        if answer[0] == "_Loader" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no bytecode was used");
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_of_layers_are_found_even_by_what_has_looked_before() {
    const LOADS: &str = "
import ctypes
def handler(event, context):
    return ctypes.CDLL('liblayer.so').of_the_layer()
";
    let world = World::with(base::Clock::system(), |config| config.parking.most = 2);
    let library = world.folder().join("liblayer.so");
    let source = world.folder().join("layer.c");
    std::fs::write(&source, "int of_the_layer(void) { return 42; }\n").unwrap();
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no C compiler");
        return;
    }
    let library = std::fs::read(library).unwrap();
    let in_layer = package(&[("lib/liblayer.so", &library)]);
    let in_layer = world.images.import_zip(&in_layer).unwrap();
    let in_package = package(&[("app.py", LOADS.as_bytes()), ("lib/liblayer.so", &library)]);
    let in_package = world.images.import_zip(&in_package).unwrap();
    let plain = world.function("python3.12", "app.handler", &[("app.py", LOADS)]);
    let with_its_own = function_of("python3.12", "app.handler", Code::Image(in_package));
    for function in [
        with_layers(&world, plain.clone(), &[in_layer]),
        with_its_own,
    ] {
        if park(&world, &plain).await.is_none() {
            return;
        }
        let outcome = world.run(&Arc::new(function), &json!({})).await.unwrap();
        assert_eq!(outcome.start, StartTier::Parked);
        assert_eq!(document(&outcome), 42);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_finds_modules_in_layers() {
    const CODE: &str = "
const one = require('one');
const two = require('two');
exports.handler = async () => [one, two, process.env.NODE_PATH];
";
    let world = World::with(base::Clock::system(), |config| config.parking.most = 2);
    let layer = layer(
        &world,
        &[
            (
                "nodejs/node_modules/one/index.js",
                "module.exports = 'one';",
            ),
            (
                "nodejs/node20/node_modules/two/index.js",
                "module.exports = 'two';",
            ),
            (
                "nodejs/node18/node_modules/two/index.js",
                "module.exports = 'other';",
            ),
        ],
    );
    let module = "import one from 'one';\nimport two from 'two';\n\
                  export const handler = async () => [one, two];\n";
    let files = [("index.js", CODE), ("esm.mjs", module)];
    let function = world.function("nodejs20.x", "index.handler", &files);
    let function = with_layers(&world, function, &[layer]);
    let nothing = [("index.js", "exports.handler = async () => null;")];
    let plain = world.function("nodejs20.x", "index.handler", &nothing);
    if park(&world, &plain).await.is_none() {
        return;
    }
    let path = "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules";
    let expected = json!(["one", "two", path]);
    let parked = world
        .run(&Arc::new(function.clone()), &json!({}))
        .await
        .unwrap();
    assert_eq!(parked.start, StartTier::Parked);
    assert_eq!(document(&parked), expected);
    let mut module = function.clone();
    module.handler = "esm.handler".to_owned();
    module.key.name.push_str("-module");
    let imported = world.run(&Arc::new(module), &json!({})).await.unwrap();
    assert_eq!(document(&imported), json!(["one", "two"]));
    let mut own = function;
    own.environment.insert("NODE_OPTIONS".into(), String::new());
    own.key.name.push_str("-own");
    let executed = world.run(&Arc::new(own), &json!({})).await.unwrap();
    assert_eq!(executed.start, StartTier::Exec);
    assert_eq!(document(&executed), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_starts_the_runtime() {
    const WRAPPER: &str = "#!/bin/sh\nexport WRAPPED=\"$#\"\nexec \"$@\" wrapped\n";
    let code = "
import os, sys
def handler(event, context):
    return [os.environ.get('WRAPPED'), sys.argv[1:], event]
";
    let world = World::new();
    let layer = layer(&world, &[("wrap/bootstrap", WRAPPER)]);
    let function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    let mut function = with_layers(&world, function, &[layer]);
    let variable = "AWS_LAMBDA_EXEC_WRAPPER".to_owned();
    function
        .environment
        .insert(variable.clone(), "/opt/wrap/bootstrap".into());
    let Some(outcome) = world.run(&Arc::new(function.clone()), &json!(7)).await else {
        return;
    };
    assert_eq!(outcome.start, StartTier::Exec);
    let answer = document(&outcome);
    assert_eq!((&answer[1], &answer[2]), (&json!(["wrapped"]), &json!(7)));
    assert!(answer[0].is_string(), "{answer}");
    // One that is not there is the function's fault.
    function.key.name.push_str("-lost");
    function.environment.insert(variable, "/opt/none".into());
    let outcome = world.run(&Arc::new(function), &json!(7)).await.unwrap();
    let answer = document(&outcome);
    assert_eq!(answer["errorType"], "Runtime.InvalidEntrypoint");
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.contains("fork/exec /opt/none: "), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_brings_the_runtime() {
    const BOOTSTRAP: &str = r"#!/usr/bin/python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
while True:
    api.request('GET', '/2018-06-01/runtime/invocation/next')
    event = api.getresponse()
    id = event.getheader('lambda-runtime-aws-request-id')
    event.read()
    body = json.dumps([__file__, sorted(os.listdir('/var/task'))])
    api.request('POST', f'/2018-06-01/runtime/invocation/{id}/response', body)
    api.getresponse().read()
";
    if !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: the custom runtime of this test needs /usr/bin/python3");
        return;
    }
    let world = World::new();
    let layer = layer(&world, &[("bootstrap", BOOTSTRAP)]);
    let function = world.function("provided.al2023", "any", &[("code.txt", "code")]);
    let function = with_layers(&world, function, &[layer]);
    let outcome = world.run(&Arc::new(function), &json!({})).await.unwrap();
    let expected = json!(["/opt/bootstrap", ["code.txt"]]);
    assert_eq!(document(&outcome), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interpreter_may_lie_where_layers_do() {
    const CODE: &str = "
exports.handler = async () => [require('one'), process.execPath.split('/').length];
";
    let node = node_below_opt();
    let Some((_folder, search)) = node else {
        return;
    };
    let world = World::with(base::Clock::system(), |config| config.interpreters = search);
    let layer = layer(
        &world,
        &[("nodejs/node_modules/one/index.js", "module.exports = 1;")],
    );
    let function = world.function("nodejs20.x", "index.handler", &[("index.js", CODE)]);
    let function = with_layers(&world, function, &[layer]);
    for _ in 0..2 {
        let outcome = world
            .run(&Arc::new(function.clone()), &json!({}))
            .await
            .unwrap();
        assert_eq!(outcome.start, StartTier::Exec);
        assert_eq!(document(&outcome), json!([1, 5]));
        world.exec.retire(&function.key);
    }
}

/// A Node.js below `/opt`, where GitHub's runners have theirs.
fn node_below_opt() -> Option<(tempfile::TempDir, InterpreterSearch)> {
    let node = Path::new("/usr/bin/node").canonicalize();
    let Ok(folder) = tempfile::tempdir_in("/opt") else {
        eprintln!("skipped: /opt cannot be written to");
        return None;
    };
    let programs = folder.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    if !node.is_ok_and(|node| std::fs::copy(node, programs.join("node")).is_ok()) {
        eprintln!("skipped: no /usr/bin/node");
        return None;
    }
    let anybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), anybody).unwrap();
    let search = InterpreterSearch {
        path: Some(programs.into()),
        packs: None,
        home: None,
    };
    Some((folder, search))
}

#[tokio::test(flavor = "multi_thread")]
async fn code_seen_live_has_layers_too() {
    let world = World::new();
    let folder = world.folder().join("live");
    let code = "import common\ndef handler(event, context):\n    return common.WHICH\n";
    write_files(&folder, &[("app.py", code)]);
    let function = function_of("python3.12", "app.handler", Code::HotReload(folder));
    let function = with_layers(&world, function, &two(&world));
    if let Some(outcome) = world.run(&Arc::new(function), &json!({})).await {
        assert_eq!(document(&outcome), "second");
    }
}
