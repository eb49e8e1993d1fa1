//! What a function's warm calls cost while another function in the same server does its worst, as
//! ratios to what they cost alone.
//!
//! Run it in release: `cargo run --release -p exec --example hostile_neighbour`. It ends by itself
//! within a minute: each hostile function has a timeout.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod nowhere;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{AccountId, Arn, Clock, Region, RequestId};
use exec::{
    Code, Exec, ExecConfig, ExecPorts, FunctionKey, FunctionSpec, Images, InterpreterSearch,
    InvokeEvent,
};
use nowhere::Nowhere;
use zip::write::SimpleFileOptions;

const NEIGHBOUR: &str = "def handler(event, context): return event";
/// How long one measurement takes.
const MEASURED: Duration = Duration::from_secs(3);
/// How long a hostile function may run, and how long it has before the neighbour is measured.
const TIMEOUT: Duration = Duration::from_secs(6);
const HEAD_START: Duration = Duration::from_secs(1);

/// Names, and bodies of handlers that never return.
const ATTACKS: [(&str, &str); 6] = [
    (
        "spins in 16 processes",
        "for _ in range(4): os.fork()\n    while True: pass",
    ),
    (
        "forks as much as it may",
        "while True:\n        try: os.fork()\n        except OSError: pass",
    ),
    (
        "fills and frees its memory",
        "while True: bytearray(b'x' * (150 << 20))",
    ),
    (
        "writes to its log",
        "while True: os.write(1, b'flood\\n' * 2000)",
    ),
    (
        "fills and empties /tmp",
        "while True:\n        with open('/tmp/x', 'wb', 0) as file:\n            \
         for _ in range(400): file.write(bytes(1 << 20))",
    ),
    (
        "makes system calls",
        "os.fork()\n    while True: os.close(os.open('/var/task/app.py', 0))",
    ),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut config = ExecConfig::new(folder.path().join("exec"));
    config.interpreters = InterpreterSearch::from_variables(|name| std::env::var_os(name));
    let ports = ExecPorts {
        clock: Clock::system(),
        logs: Arc::new(Nowhere),
        usage: Arc::new(Nowhere),
        gateway: None,
    };
    let exec = Exec::new(config, ports)?;
    let images = Images::new(folder.path().join("images"))?;
    let neighbour = function(&images, "neighbour", NEIGHBOUR)?;
    measure(&exec, &neighbour).await?;
    let alone = measure(&exec, &neighbour).await?;
    println!("alone: p50 {:?}, p99 {:?}", alone[0], alone[1]);
    for (name, body) in ATTACKS {
        let code = format!("import os\ndef handler(event, context):\n    {body}\n");
        let hostile = function(&images, "hostile", &code)?;
        let attack = {
            let exec = Arc::clone(&exec);
            tokio::spawn(async move { exec.invoke(&hostile, event(&hostile)).await })
        };
        tokio::time::sleep(HEAD_START).await;
        let beside = measure(&exec, &neighbour).await?;
        let ratio = |index: usize| beside[index].as_secs_f64() / alone[index].as_secs_f64();
        let is_over = if attack.is_finished() {
            " (over before the end)"
        } else {
            ""
        };
        println!(
            "{name}: p50 {:.2} x, p99 {:.2} x ({:?}){is_over}",
            ratio(0),
            ratio(1),
            beside[1],
        );
        attack.await??;
    }
    exec.shutdown().await;
    Ok(())
}

/// The median and the 99th percentile of some warm calls, a moment apart.
async fn measure(
    exec: &Arc<Exec>,
    function: &Arc<FunctionSpec>,
) -> Result<[Duration; 2], Box<dyn Error>> {
    let mut took = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < MEASURED {
        let started = Instant::now();
        exec.invoke(function, event(function)).await?;
        took.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    took.sort();
    Ok([took[took.len() / 2], took[took.len() * 99 / 100]])
}

fn function(images: &Images, name: &str, code: &str) -> Result<Arc<FunctionSpec>, Box<dyn Error>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", SimpleFileOptions::default())?;
    zip.write_all(code.as_bytes())?;
    let image = images.import_zip(&zip.finish()?.into_inner().into())?;
    let region = Region::us_east_1();
    let resource = format!("function:{name}");
    Ok(Arc::new(FunctionSpec {
        arn: Arn::regional("lambda", &region, AccountId::DEFAULT, resource),
        key: FunctionKey {
            account: AccountId::DEFAULT,
            region,
            name: name.to_owned(),
            version: "$LATEST".to_owned(),
        },
        revision_id: RequestId::random().to_string(),
        runtime: "python3.12".parse()?,
        handler: "app.handler".to_owned(),
        code: Code::Image(image),
        environment: BTreeMap::new(),
        memory_mb: 512,
        timeout: TIMEOUT,
        tmp_mb: 512,
        max_response: exec::MAX_RESPONSE_BYTES,
        role: Arn::global("iam", AccountId::DEFAULT, "role/any"),
        credentials: Arc::new(Nowhere),
        log_group: format!("/aws/lambda/{name}"),
        logging: exec::Logging::default(),
        reserved_concurrency: None,
        layers: None,
        snap_start: false,
        managed: None,
    }))
}

fn event(function: &FunctionSpec) -> InvokeEvent {
    InvokeEvent {
        asynchronous: false,
        sink: None,
        request_id: RequestId::random(),
        payload: "{}".into(),
        invoked_arn: function.arn.to_string(),
        trace: None,
        client_context: None,
        cognito_identity: None,
        tenant: None,
        tail: false,
    }
}
