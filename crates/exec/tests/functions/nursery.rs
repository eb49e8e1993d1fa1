//! Environments that wait for their function, and the zygotes that make them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exec::{Code, FunctionSpec, InvokeOutcome, SpareInfo, StartTier};
use futures::future::join_all;
use serde_json::json;

use crate::support::{World, event_for, json as document};

const PYTHON: &str = "
import os, random, uuid
ME = [str(uuid.uuid4()), random.random(), os.urandom(8).hex()]
def handler(event, context):
    import time
    time.sleep(event / 1000)
    return {'me': ME, 'variable': os.environ.get('WHOSE'), 'argv': __import__('sys').argv,
            'stash': os.listdir('/run/stash'), 'cwd': os.getcwd(), 'files': os.listdir('/tmp'),
            'task': sorted(os.listdir('/var/task')), 'pid': os.getpid(),
            'names': sorted(os.environ), 'path': __import__('sys').path,
            'hooks': len(__import__('sys').path_hooks), 'request': context.aws_request_id != 'rehearsal',
            'rehearsed': [name for name in __import__('sys').modules if 'rehears' in name
                          and name != '_kagero.rehearsal'],
            'values': [name for name, value in os.environ.items() if 'xxx' in value]}
";

fn python(world: &World, name: &str) -> Arc<FunctionSpec> {
    let whose = format!("/* {name} */");
    let files = [("app.py", PYTHON), (name, whose.as_str())];
    let mut function = world.function("python3.12", "app.handler", &files);
    function.environment.insert("WHOSE".into(), name.into());
    Arc::new(function)
}

/// Waits for spares of which this holds.
async fn until(world: &World, holds: impl Fn(&[SpareInfo]) -> bool) -> Vec<SpareInfo> {
    for _ in 0..2_000 {
        let spares = world.exec.spares();
        if holds(&spares) {
            return spares;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {:?}", world.exec.spares());
}

fn parked(spares: &[SpareInfo]) -> usize {
    spares.iter().filter(|spare| !spare.is_zygote).count()
}

fn zygote(spares: &[SpareInfo]) -> Option<u32> {
    spares
        .iter()
        .find(|spare| spare.is_zygote)
        .map(|one| one.pid)
}

async fn start(world: &World, name: &str) -> Option<InvokeOutcome> {
    let outcome = world.run(&python(world, name), &json!(0)).await?;
    assert_eq!(outcome.function_error, None, "{outcome:?}");
    Some(outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_function_of_a_runtime_takes_a_parked_environment() {
    let world = World::new();
    let Some(first) = start(&world, "first.txt").await else {
        return;
    };
    assert_eq!(first.start, StartTier::Exec);
    until(&world, |spares| parked(spares) > 0).await;
    let second = start(&world, "second.txt").await.unwrap();
    assert_eq!(second.start, StartTier::Parked);
    let answer = document(&second);
    assert_eq!(answer["variable"], "second.txt");
    assert_eq!(answer["task"], json!(["app.py", "second.txt"]));
    for (of_first, of_second) in [(&document(&first), &answer)] {
        for same in [
            "argv",
            "stash",
            "cwd",
            "files",
            "pid",
            "names",
            "path",
            "hooks",
            "request",
            "rehearsed",
            "values",
        ] {
            assert_eq!(of_first[same], of_second[same], "{same}");
        }
        assert_eq!(of_first["stash"], json!([]));
        assert_ne!(of_first["me"], of_second["me"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_forked_and_no_two_share_their_randomness() {
    let world = World::with(base::Clock::system(), |config| config.parking.most = 1);
    if start(&world, "first.txt").await.is_none() {
        return;
    }
    let spares = until(&world, |spares| parked(spares) == 1).await;
    if zygote(&spares).is_none() {
        return eprintln!("skipped: no zygote without root");
    }
    let function = python(&world, "burst.txt");
    let event = json!(2_000);
    let outcomes = join_all((0..6).map(|_| world.run(&function, &event))).await;
    let outcomes: Vec<_> = outcomes.into_iter().flatten().collect();
    let tiers: Vec<_> = outcomes.iter().map(|one| one.start).collect();
    let forked = tiers.iter().filter(|tier| **tier == StartTier::Zygote);
    // All but those for which one was parked in time.
    assert!(forked.count() >= 1, "{tiers:?}");
    assert!(!tiers.contains(&StartTier::Exec), "{tiers:?}");
    for random in 0..3 {
        let distinct: HashSet<_> = outcomes
            .iter()
            .map(|one| document(one)["me"][random].to_string())
            .collect();
        assert_eq!(distinct.len(), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_the_interpreter_reads_at_start_has_a_process_of_its_own() {
    let world = World::new();
    if start(&world, "first.txt").await.is_none() {
        return;
    }
    until(&world, |spares| parked(spares) > 0).await;
    let files = [
        (
            "app.py",
            "import below\ndef handler(e, c): return below.NAME",
        ),
        ("lib/below.py", "NAME = 'found'"),
    ];
    let mut function = world.function("python3.12", "app.handler", &files);
    let path = "/var/task/lib".to_owned();
    function.environment.insert("PYTHONPATH".into(), path);
    let outcome = world.run(&Arc::new(function), &json!(0)).await.unwrap();
    assert_eq!(outcome.start, StartTier::Exec);
    assert_eq!(document(&outcome), "found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_may_be_killed_at_any_time() {
    let world = World::new();
    if start(&world, "first.txt").await.is_none() {
        return;
    }
    let spares = until(&world, |spares| parked(spares) > 0).await;
    for spare in &spares {
        kill(spare.pid);
    }
    let next = start(&world, "second.txt").await.unwrap();
    assert!(next.start >= StartTier::Parked, "{next:?}");
    // A zygote that was killed is replaced by another.
    let killed: HashSet<u32> = spares.iter().map(|spare| spare.pid).collect();
    start(&world, "third.txt").await.unwrap();
    start(&world, "fourth.txt").await.unwrap();
    let had_zygote = zygote(&spares).is_some();
    until(&world, |spares| {
        let alive = spares.iter().all(|spare| !killed.contains(&spare.pid));
        alive && parked(spares) > 0 && zygote(spares).is_some() == had_zygote
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_nobody_uses_keeps_nothing_and_shutdown_leaves_nothing() {
    let world = World::with(base::Clock::system(), |config| {
        config.parking.idle = Duration::from_secs(5);
    });
    if start(&world, "first.txt").await.is_none() {
        return;
    }
    let spares = until(&world, |spares| parked(spares) > 0).await;
    until(&world, <[SpareInfo]>::is_empty).await;
    ended(&spares).await;
    // And begins anew.
    start(&world, "second.txt").await.unwrap();
    let spares = until(&world, |spares| parked(spares) > 0).await;
    world.exec.shutdown().await;
    assert!(world.exec.spares().is_empty());
    ended(&spares).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_function_is_expected() {
    let world = World::new();
    let function = python(&world, "first.txt");
    world.exec.expect(&function).await;
    if world.exec.runtime_warning(function.runtime).is_err() {
        return eprintln!("skipped: no Python");
    }
    until(&world, |spares| parked(spares) > 0).await;
    let outcome = world.run(&function, &json!(0)).await.unwrap();
    assert_eq!(outcome.start, StartTier::Parked);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_waits_parked_for_each_size_of_heap() {
    let world = World::new();
    let code = "exports.handler = async () => [process.argv.length, process.cwd(),
        require('v8').getHeapStatistics().heap_size_limit >> 20, process.env.WHOSE,
        Object.keys(process.env).sort(), Object.values(process.env).filter((v) => v.includes('xxx')),
        Object.keys(require.cache).filter((name) => name.includes('rehearsal'))];";
    let function = |memory: u32| {
        let mut function = world.function("nodejs20.x", "app.handler", &[("app.js", code)]);
        function.memory_mb = memory;
        function
            .environment
            .insert("WHOSE".into(), memory.to_string());
        Arc::new(function)
    };
    let Some(first) = world.run(&function(256), &json!(0)).await else {
        return;
    };
    until(&world, |spares| parked(spares) > 0).await;
    let second = world.run(&function(256), &json!(0)).await.unwrap();
    assert_eq!(second.start, StartTier::Parked);
    assert_eq!(document(&first), document(&second));
    let larger = world.run(&function(1_024), &json!(0)).await.unwrap();
    assert_eq!(larger.start, StartTier::Exec);
    let megabytes = |outcome: &InvokeOutcome| document(outcome)[2].as_u64().unwrap();
    assert!(megabytes(&larger) > 2 * megabytes(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_environment_logs_into_its_functions_stream_alone() {
    let world = World::new();
    if start(&world, "first.txt").await.is_none() {
        return;
    }
    until(&world, |spares| parked(spares) > 0).await;
    let code = "print('at init')\ndef handler(e, c): print('in handler')";
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let event = event_for(&function, "0");
    let outcome = world.exec.invoke(&function, event).await.unwrap();
    assert_eq!(outcome.start, StartTier::Parked);
    assert!(outcome.log_tail.unwrap().contains("in handler"));
    let log = world.recorded.log();
    assert_eq!(
        log.iter().filter(|line| line.contains("at init")).count(),
        1
    );
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Waits until none of these processes is there.
async fn ended(spares: &[SpareInfo]) {
    let lives = |spare: &SpareInfo| Path::new(&format!("/proc/{}", spare.pid)).exists();
    for _ in 0..1_000 {
        if !spares.iter().any(lives) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still there: {spares:?}");
}

/// Waits until the bytecode of this function's package is there, and returns its folder.
async fn compiled(function: &FunctionSpec) -> std::path::PathBuf {
    let Code::Image(image) = &function.code else {
        panic!("no image")
    };
    let root = image.path().parent().unwrap();
    let folder = root.join(".compiled").join(image.id().to_string());
    for _ in 0..2_000 {
        if let Some(entry) = folder.read_dir().ok().and_then(|mut read| read.next()) {
            return entry.unwrap().path();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never compiled");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_is_compiled_once_and_runs_from_its_bytecode() {
    let world = World::new();
    let code = "
import importlib, inspect, os, sys
from package import inner
NAMES = sorted(globals())
def handler(event, context):
    if event: raise ValueError('here')
    spec, me = __spec__, sys.modules['app']
    module = [NAMES, __name__, __package__, __doc__, spec.name, spec.origin, spec.cached, spec.parent,
              spec.has_location, spec.submodule_search_locations, spec.loader is __loader__,
              me.handler is handler, inspect.getsource(handler), importlib.reload(me) is me]
    return {'task': sorted(os.listdir('/var/task')), 'inner': inner.WHERE, 'file': __file__,
            'loader': type(__loader__).__name__, 'cached': __cached__, 'module': module}
";
    let files = [
        ("app.py", code),
        ("package/__init__.py", ""),
        ("package/inner.py", "WHERE = __file__"),
        ("broken.py", "def ("),
    ];
    let function = world.function("python3.12", "app.handler", &files);
    if world.exec.runtime_warning(function.runtime).is_err() {
        return eprintln!("skipped: no Python");
    }
    let run = async |function: &FunctionSpec, event: bool| {
        let mut another = function.clone();
        another.key.name = format!("f-{}", base::RequestId::random());
        world.run(&Arc::new(another), &json!(event)).await.unwrap()
    };
    let from_source = document(&run(&function, false).await);
    let folder = compiled(&function).await;
    let mut names: Vec<_> = walk(&folder);
    names.sort();
    assert_eq!(
        names,
        ["app.pyc", "package/__init__.pyc", "package/inner.pyc"]
    );
    // That it runs from there shows when it is another's.
    let other = "def handler(event, context): return 'from bytecode'";
    let other = world.function("python3.12", "app.handler", &[("app.py", other)]);
    run(&other, false).await;
    let bytecode = std::fs::read(compiled(&other).await.join("app.pyc")).unwrap();
    let mut from_bytecode = document(&run(&function, false).await);
    for same in ["task", "inner", "file", "cached", "module"] {
        assert_eq!(from_bytecode[same], from_source[same], "{same}");
    }
    let failed = document(&run(&function, true).await);
    let trace = failed["stackTrace"][0].as_str().unwrap();
    assert!(trace.contains("/var/task/app.py"), "{trace}");
    assert!(trace.contains("raise ValueError"), "{trace}");
    std::fs::write(folder.join("app.pyc"), &bytecode).unwrap();
    from_bytecode = document(&run(&function, false).await);
    assert_eq!(from_bytecode, "from bytecode");
    // Bytecode that is damaged is as good as none.
    std::fs::write(folder.join("app.pyc"), &bytecode[..20]).unwrap();
    assert_eq!(
        document(&run(&function, false).await)["task"],
        from_source["task"]
    );
}

fn walk(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in folder.read_dir().unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            names.extend(
                walk(&entry.path())
                    .iter()
                    .map(|below| format!("{name}/{below}")),
            );
        } else {
            names.push(name);
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_while_the_host_is_short_of_memory() {
    let short = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let probe = Arc::clone(&short);
    let world = World::with(base::Clock::system(), |config| {
        config.memory = exec::MemoryProbe::new(move || {
            let is_short = probe.load(std::sync::atomic::Ordering::Relaxed);
            let available = if is_short { 1 } else { 64 << 30 };
            let total = 64 << 30;
            Some(exec::HostMemory { total, available })
        });
    });
    if start(&world, "first.txt").await.is_none() {
        return;
    }
    until(&world, |spares| parked(spares) > 0).await;
    short.store(true, std::sync::atomic::Ordering::Relaxed);
    until(&world, |spares| parked(spares) == 0).await;
    // Starts go on, and once there is memory again, so does parking.
    start(&world, "second.txt").await.unwrap();
    assert_eq!(parked(&world.exec.spares()), 0);
    short.store(false, std::sync::atomic::Ordering::Relaxed);
    until(&world, |spares| parked(spares) > 0).await;
}
