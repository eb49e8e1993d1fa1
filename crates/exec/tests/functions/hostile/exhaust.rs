//! What a function takes ends at its own bounds, and with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exec::{EnvironmentState, StartTier};
use serde_json::json;

use super::stage::{Stage, WAYS};
use crate::support::json as document;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_survives_a_timeout() {
    for (number, way) in WAYS.into_iter().enumerate() {
        let Some(stage) = Stage::open(way).await else {
            continue;
        };
        let mark = format!("left-{number}-{}", std::process::id());
        ends_with_its_timeout(&stage, "survive", &mark, 8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_processes_as_there_may_be_end_with_their_environment() {
    let Some(stage) = Stage::open(StartTier::Exec).await else {
        return;
    };
    let mark = format!("many-{}", std::process::id());
    let mut function = stage.hostile(&[] as &[(&str, &str)]);
    function.memory_mb = 2_048;
    let function = Arc::new(function);
    let event = json!({"try": "processes", "mark": mark});
    let outcome = stage.world.run(&function, &event).await.unwrap();
    assert_eq!(document(&outcome)["got"], json!([]), "{outcome:?}");
    assert!(marked(&mark).len() > 100, "{:?}", marked(&mark).len());
    stage.neighbour_is_well().await;
    stage.world.exec.retire(&function.key);
    until_nothing_is_left(&mark, &[]).await;
}

/// Runs what never returns, and makes sure that all of it is gone afterwards.
pub(super) async fn ends_with_its_timeout(stage: &Stage, what: &str, mark: &str, least: usize) {
    let before = groups_and_inits(stage);
    let mut function = stage.hostile(&[] as &[(&str, &str)]);
    function.timeout = Duration::from_secs(3);
    let event = json!({"try": what, "mark": mark});
    let looked = async {
        while marked(mark).len() < least {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let during = groups_and_inits(stage);
        during.difference(&before).cloned().collect::<Vec<_>>()
    };
    let (outcome, traces) = tokio::join!(stage.run(function, &event), looked);
    assert_eq!(document(&outcome)["errorType"], "Sandbox.Timedout");
    assert!(!traces.is_empty());
    until_nothing_is_left(mark, &traces).await;
    stage.neighbour_is_well().await;
}

/// Where the kernel shows the environments of functions, without templates, which stay: their first
/// processes, control groups.
fn groups_and_inits(stage: &Stage) -> BTreeSet<PathBuf> {
    let ours = fs::read_to_string("/proc/self/cgroup").unwrap();
    let mut traces = BTreeSet::new();
    for environment in stage.world.exec.environments() {
        if environment.state == EnvironmentState::Template {
            continue;
        }
        let Some(pid) = environment.pid else { continue };
        let process = PathBuf::from(format!("/proc/{pid}"));
        let groups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        for group in groups.lines().filter(|line| !ours.contains(line)) {
            let mut fields = group.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
            for hierarchy in [controllers, "unified", ""] {
                let folder = PathBuf::from(format!("/sys/fs/cgroup/{hierarchy}{path}"));
                traces.extend(folder.is_dir().then_some(folder));
            }
        }
        traces.insert(process);
    }
    traces
}

async fn until_nothing_is_left(mark: &str, traces: &[PathBuf]) {
    for _ in 0..1_000 {
        if marked(mark).is_empty() && !traces.iter().any(|trace| is_left(trace)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let left: Vec<_> = traces.iter().filter(|trace| is_left(trace)).collect();
    panic!("left: {:?}, {left:?}", marked(mark));
}

/// A control group that nothing is left in may stay, to be the next environment's.
fn is_left(trace: &Path) -> bool {
    match fs::read_to_string(trace.join("cgroup.procs")) {
        Ok(processes) => !processes.is_empty(),
        Err(_) => trace.exists(),
    }
}

/// Processes with this name, or this first argument.
fn marked(mark: &str) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_marked = |folder: &PathBuf| {
        let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
        let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
        name.trim_end() == &mark[..mark.len().min(15)] || arguments.starts_with(mark.as_bytes())
    };
    let folders = processes.map(|entry| entry.path());
    folders.filter(is_marked).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_end_where_their_folders_do() {
    for way in WAYS {
        let Some(stage) = Stage::open(way).await else {
            continue;
        };
        let mut function = stage.hostile(&[] as &[(&str, &str)]);
        function.timeout = Duration::from_mins(1);
        let outcome = stage.run(function, &json!({"try": "space"})).await;
        let sizes = &document(&outcome)["more"];
        let bytes = |name: &str| sizes[name].as_u64().unwrap();
        // On disk, what names of files take counts as well.
        let most = 512 << 20;
        assert!((most * 9 / 10..=most).contains(&bytes("/tmp")), "{sizes}");
        assert_eq!(bytes("/dev/shm"), 64 << 20, "{sizes}");
        // One a page in memory; on disk as many as its file system was made with.
        assert!(bytes("/tmp files") <= 262_400, "{sizes}");
        assert!(bytes("/dev/shm files") <= 64 << 8, "{sizes}");
        stage.neighbour_is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_files_end_at_their_limit_and_others_have_theirs() {
    for way in WAYS {
        if let Some(stage) = Stage::open(way).await {
            stage.tries("instances", json!({})).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_that_is_no_processs_counts_as_well() {
    for way in WAYS {
        let Some(stage) = Stage::open(way).await else {
            continue;
        };
        if !stage.has("memory limit") {
            return eprintln!("skipped: no memory control group on this host");
        }
        let mut function = stage.hostile(&[] as &[(&str, &str)]);
        function.memory_mb = 128;
        let outcome = stage.run(function, &json!({"try": "memory_file"})).await;
        let error = document(&outcome);
        assert_eq!(error["errorType"], "Runtime.OutOfMemory", "{error}");
        stage.neighbour_is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_has_the_memory_of_its_function_however_it_started() {
    let code = "
import resource, time
def handler(event, context):
    time.sleep(event.get('stay', 0))
    return resource.getrlimit(resource.RLIMIT_DATA)[1]
";
    for (way, groups) in WAYS.into_iter().flat_map(|way| [(way, true), (way, false)]) {
        let Some(stage) = Stage::with(way, |config| config.sandbox.cgroups = groups).await else {
            continue;
        };
        let files = [("app.py", code)];
        let function = stage.world.function("python3.12", "app.handler", &files);
        let limit = document(&stage.run(function, &json!({})).await);
        // Without a control group, 256 MB and what a process takes and does not use.
        let expected = if stage.has("memory limit") {
            json!(-1)
        } else {
            json!((256 + 512) << 20)
        };
        assert_eq!(limit, expected, "{way:?}");
    }
}
