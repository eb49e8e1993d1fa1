//! What starting and calling a no-op Python function costs through `Exec::invoke`, without HTTP.
//!
//! Prints medians of cold starts and warm calls, and the throughput of one and of several callers.
//! Run it in release: `cargo run --release -p exec --example warm_floor`.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod nowhere;

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{AccountId, Arn, Clock, Region, RequestId};
use exec::{
    Code, Exec, ExecConfig, ExecPorts, FunctionKey, FunctionSpec, Images, InterpreterSearch,
    InvokeEvent, Phases,
};
use nowhere::Nowhere;
use zip::write::SimpleFileOptions;

const COLD: usize = 30;
const WARM: usize = 5_000;
const CALLERS: [usize; 2] = [1, 4];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "python3.12".to_owned());
    let folder = tempfile::tempdir()?;
    let mut config = ExecConfig::new(folder.path().join("exec"));
    // It measures how fast this can be, not how fast Lambda lets it be.
    config.invocation_rate = 0;
    config.interpreters = InterpreterSearch::from_variables(|name| std::env::var_os(name));
    let ports = ExecPorts {
        clock: Clock::system(),
        logs: Arc::new(Nowhere),
        usage: Arc::new(Nowhere),
        gateway: None,
    };
    let exec = Exec::new(config, ports)?;
    let images = Images::new(folder.path().join("images"))?;
    let function = function(&images, &runtime)?;

    // The first start finds the interpreter and compiles the bootstrap.
    exec.invoke(&function, event(&function)).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut cold = Vec::new();
    for _ in 0..COLD {
        exec.retire(&function.key);
        let started = Instant::now();
        let outcome = exec.invoke(&function, event(&function)).await?;
        assert!(outcome.cold() && outcome.function_error.is_none());
        cold.push((started.elapsed(), outcome.phases));
    }
    print_cold(&runtime, cold);
    for callers in CALLERS {
        warm(&exec, &function, callers).await?;
    }
    exec.shutdown().await;
    Ok(())
}

async fn warm(
    exec: &Arc<Exec>,
    function: &Arc<FunctionSpec>,
    callers: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let calls: Vec<_> = (0..callers)
        .map(|_| {
            let (exec, function) = (Arc::clone(exec), Arc::clone(function));
            tokio::spawn(async move {
                let mut took = Vec::with_capacity(WARM);
                for _ in 0..WARM / callers {
                    let started = Instant::now();
                    let called = exec.invoke(&function, event(&function)).await;
                    if called.is_ok() {
                        took.push(started.elapsed());
                    }
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for call in calls {
        took.extend(call.await?);
    }
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    took.sort();
    println!(
        "warm, {callers} caller(s): min {:?}, p50 {:?}, p99 {:?}, {rate:.0}/s, {} environments",
        took[0],
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        exec.environments().len()
    );
    Ok(())
}

fn print_cold(runtime: &str, mut cold: Vec<(Duration, Phases)>) {
    cold.sort_by_key(|(took, _)| *took);
    let median = |phase: fn(&Phases) -> Duration| {
        let mut all: Vec<_> = cold.iter().map(|(_, phases)| phase(phases)).collect();
        all.sort();
        all[all.len() / 2]
    };
    println!(
        "cold {runtime}: min {:?}, p50 {:?} (environment {:?}, runtime {:?}, code {:?}, init {:?}, \
         handler {:?})",
        cold[0].0,
        cold[cold.len() / 2].0,
        median(|phases| phases.environment),
        median(|phases| phases.runtime),
        median(|phases| phases.code),
        median(|phases| phases.init),
        median(|phases| phases.handler),
    );
}

fn function(
    images: &Images,
    runtime: &str,
) -> Result<Arc<FunctionSpec>, Box<dyn std::error::Error>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", SimpleFileOptions::default())?;
    zip.write_all(b"def handler(event, context):\n    return event\n")?;
    zip.start_file("app.js", SimpleFileOptions::default())?;
    zip.write_all(b"exports.handler = async (event) => event;\n")?;
    let image = images.import_zip(&zip.finish()?.into_inner().into())?;
    let region = Region::us_east_1();
    Ok(Arc::new(FunctionSpec {
        arn: Arn::regional("lambda", &region, AccountId::DEFAULT, "function:noop"),
        key: FunctionKey {
            account: AccountId::DEFAULT,
            region,
            name: "noop".to_owned(),
            version: "$LATEST".to_owned(),
        },
        revision_id: "1".to_owned(),
        runtime: runtime.parse()?,
        handler: "app.handler".to_owned(),
        code: Code::Image(image),
        environment: std::collections::BTreeMap::new(),
        memory_mb: 256,
        timeout: Duration::from_secs(10),
        tmp_mb: 512,
        max_response: exec::MAX_RESPONSE_BYTES,
        role: Arn::global("iam", AccountId::DEFAULT, "role/noop"),
        credentials: Arc::new(Nowhere),
        log_group: "/aws/lambda/noop".to_owned(),
        logging: exec::Logging::default(),
        reserved_concurrency: None,
        layers: None,
        snap_start: false,
        managed: None,
    }))
}

fn event(function: &FunctionSpec) -> InvokeEvent {
    InvokeEvent {
        request_id: RequestId::random(),
        payload: r#"{"name":"serverless"}"#.into(),
        invoked_arn: function.arn.to_string(),
        trace: None,
        client_context: None,
        cognito_identity: None,
        tenant: None,
        tail: false,
        asynchronous: false,
        sink: None,
    }
}
