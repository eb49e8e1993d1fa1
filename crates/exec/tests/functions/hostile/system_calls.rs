//! System calls that lead out, made by compiled code: in the runtime's own process, in a child of
//! it, and as a custom runtime.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use exec::{Code, StartTier};
use serde_json::json;

use super::stage::{Stage, WAYS};
use crate::support::{World, function_of, json as document, package};

const SOURCE: &str = include_str!("escape.c");

/// The program and the library; `None` if this host has no compiler, which is said.
fn compiled() -> Option<(Vec<u8>, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("escape.c");
    fs::write(&source, SOURCE).unwrap();
    let compile = |name: &str, flags: &[&str]| {
        let output = folder.path().join(name);
        let mut compiler = Command::new("cc");
        let compiler = compiler.args(["-O1", "-Wall", "-Werror"]).args(flags);
        let status = compiler.arg("-o").arg(&output).arg(&source).status().ok()?;
        assert!(status.success(), "the compiler refuses escape.c");
        fs::read(output).ok()
    };
    let both = compile("program", &[]).zip(compile("library", &["-shared", "-fPIC"]));
    if both.is_none() {
        eprintln!("skipped: no C compiler on this host");
    }
    both
}

fn got_nothing(said: &str, way: StartTier) {
    let tried = said
        .lines()
        .last()
        .and_then(|line| line.strip_prefix("tried "));
    let tried: u32 = tried.and_then(|number| number.parse().ok()).unwrap_or(0);
    assert!(tried > 400 && !said.contains("GOT"), "{way:?}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn none_leads_out_of_a_python_process() {
    let Some((_, library)) = compiled() else {
        return;
    };
    for way in WAYS {
        let Some(stage) = Stage::open(way).await else {
            continue;
        };
        let files = [("libescape-bootstrap", &library)];
        let said = stage
            .tries_with("escape_in_process", json!({}), &files)
            .await;
        got_nothing(said.as_str().unwrap(), way);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn none_leads_out_of_a_child_of_node() {
    let Some((program, _)) = compiled() else {
        return;
    };
    let code = "exports.handler = async () => require('child_process')
        .execFileSync('/var/task/escape-bootstrap', { encoding: 'utf8' });";
    let files = [
        ("app.js", code.as_bytes()),
        ("escape-bootstrap", program.as_slice()),
    ];
    for way in [StartTier::Exec, StartTier::Parked] {
        let world = World::with(base::Clock::system(), |config| {
            config.parking.most = usize::from(way == StartTier::Parked);
        });
        let other = [("app.js", "exports.handler = async () => 1;")];
        let other = Arc::new(world.function("nodejs20.x", "app.handler", &other));
        if world.run(&other, &json!({})).await.is_none() {
            return;
        }
        while way == StartTier::Parked && world.exec.spares().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let image = world.images.import_zip(&package(&files)).unwrap();
        let function = function_of("nodejs20.x", "app.handler", Code::Image(image));
        let outcome = world.run(&Arc::new(function), &json!({})).await.unwrap();
        assert_eq!(outcome.start, way);
        got_nothing(document(&outcome).as_str().unwrap(), way);
        assert_eq!(
            world.run(&other, &json!({})).await.unwrap().start,
            StartTier::Warm
        );
    }
}

/// A shell as a custom runtime, which looks around and then runs the program.
const BOOTSTRAP: &str = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
look() {
    for path in /etc/shadow /root/.bashrc /proc/1/environ /proc/1/maps /proc/kcore /proc/kmsg; do
        head -c 1 $path && echo "GOT $path"
    done
    for folder in /root /home /work /boot /sys /proc/1/root /proc/1/fd /proc/1/cwd /run/stash; do
        test -n "$(ls -A $folder)" && echo "GOT $folder"
    done
    for place in / /usr /etc /var/task /opt /dev /proc /run /var; do
        (: > $place/planted) && echo "GOT $place"
    done
    (echo '#' >> "$0") && echo "GOT $0"
    kill -9 1 -1
    /var/task/escape-bootstrap
}
while :; do
    curl -sS -o /dev/null -D /tmp/headers "$api/next"
    id=$(sed -n 's/^lambda-runtime-aws-request-id: *\([^[:space:]]*\).*/\1/Ip' /tmp/headers)
    look > /tmp/said 2>/dev/null
    curl -sS -o /dev/null --data-binary @/tmp/said "$api/$id/response"
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn none_leads_out_of_a_shell_that_is_a_runtime() {
    let Some((program, _)) = compiled() else {
        return;
    };
    if !Path::new("/usr/bin/curl").exists() {
        return eprintln!("skipped: no curl on this host");
    }
    let world = World::new();
    let files = [
        ("bootstrap", BOOTSTRAP.as_bytes()),
        ("escape-bootstrap", program.as_slice()),
    ];
    let image = world.images.import_zip(&package(&files)).unwrap();
    let function = Arc::new(function_of("provided.al2023", "any", Code::Image(image)));
    for _ in 0..2 {
        let outcome = world.run(&function, &json!({})).await.unwrap();
        got_nothing(&String::from_utf8_lossy(&outcome.payload), outcome.start);
    }
}
