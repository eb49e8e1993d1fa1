//! AWS's own runtime client for Python, fetched from PyPI, on our Runtime API.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use exec::Code;
use serde_json::json;

use crate::managed::{at_once, managed};
use crate::support::{World, event_for, function_of, json as document, write_files};

/// Puts the client into the package's folder; says why if that cannot be.
fn fetch(folder: &Path) -> bool {
    let fetched = Command::new("/usr/bin/python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--only-binary", ":all:", "--target"])
        .arg(folder)
        .arg("awslambdaric")
        .env("PIP_DEFAULT_TIMEOUT", "10")
        .env("PIP_RETRIES", "0")
        .output();
    match fetched {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            eprintln!("skipped: awslambdaric cannot be installed: {reason}");
            false
        }
        Err(error) => {
            eprintln!("skipped: /usr/bin/python3 cannot be run: {error}");
            false
        }
    }
}

fn lay_out(folder: &Path, app: &str, bootstrap: &str) {
    write_files(folder, &[("app.py", app), ("bootstrap", bootstrap)]);
    let executable = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(folder.join("bootstrap"), executable.clone()).unwrap();
    std::fs::set_permissions(folder, executable).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn awslambdaric_runs_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    if !fetch(folder.path()) {
        return;
    }
    let app = "
def handler(event, context):
    if event.get('fail'):
        raise ValueError('bad')
    return {'event': event, 'id': context.aws_request_id, 'function': context.function_name}
";
    let bootstrap = "#!/bin/sh\nexec /usr/bin/python3 -m awslambdaric app.handler\n";
    lay_out(folder.path(), app, bootstrap);
    let world = World::new();
    let code = Code::HotReload(folder.path().to_owned());
    let function = Arc::new(function_of("provided.al2023", "app.handler", code));
    for n in 1..=3 {
        let event = event_for(&function, json!({ "n": n }).to_string());
        let id = event.request_id.to_string();
        let outcome = world.exec.invoke(&function, event).await.unwrap();
        assert_eq!(
            document(&outcome),
            json!({"event": {"n": n}, "id": id, "function": function.key.name})
        );
        assert_eq!(outcome.cold(), n == 1);
    }
    let failed = world.run(&function, &json!({"fail": true})).await.unwrap();
    assert_eq!(document(&failed)["errorType"], "ValueError");
    assert!(failed.log_tail.unwrap().contains("[ERROR] ValueError: bad"));
}

/// On a capacity provider it has a process for each.
#[tokio::test(flavor = "multi_thread")]
async fn awslambdaric_has_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    if !fetch(folder.path()) {
        return;
    }
    let app = "
import os, time

def handler(event, context):
    time.sleep(1)
    return os.getpid()
";
    let bootstrap = "#!/bin/sh\nexec /usr/bin/python3 -m awslambdaric app.handler\n";
    lay_out(folder.path(), app, bootstrap);
    let world = World::new();
    let code = Code::HotReload(folder.path().to_owned());
    let function = managed(function_of("provided.al2023", "app.handler", code), 4);
    let function = Arc::new(function);
    world.exec.scale(&function, 1, 1).await.unwrap();
    world.exec.scaled_up(&function.key).await.unwrap();
    // Its processes come one after the other.
    for _ in 0..20 {
        let outcomes = at_once(&world, &function, &json!({}), 4).await;
        let answers = outcomes
            .iter()
            .filter_map(|it| it.as_ref().ok())
            .map(document);
        let pids: std::collections::BTreeSet<_> = answers.map(|it| it.to_string()).collect();
        if pids.len() == 4 {
            assert_eq!(world.exec.environments().len(), 1);
            return;
        }
    }
    panic!("four never ran at once");
}
