//! One function a promise of issue-sized work; the table in `ALL` is docs/promises.md's.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::{Value, json};

use crate::floors::Rounds;
use crate::functions::{CLOCKED, NO_OP, create, invoke, json_call, sightings};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

type Measure = fn(&Tools) -> anyhow::Result<Vec<Row>>;

pub const ALL: [(&str, Measure); 6] = [
    ("start-and-idle", start_and_idle),
    ("warm-invoke", warm_invoke),
    ("cold-invoke", cold_invoke),
    ("sqs-to-function", sqs_to_function),
    ("s3-to-function", s3_to_function),
    ("durable-send", durable_send),
];

fn start_and_idle(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let starts = (0..15)
        .map(|_| Server::start(&tools.kagero).map(|server| server.started_in))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let starts = Samples::new(starts);
    let server = Server::start(&tools.kagero)?;
    std::thread::sleep(Duration::from_secs(2));
    let idle = server.resident_kib()?;
    Ok(vec![
        Row {
            what: "server start to first answer",
            measured: starts.summary(),
            floor: "-".to_owned(),
            promise: "≤ 50 ms",
            kept: starts.p50() <= Duration::from_millis(50),
        },
        Row {
            what: "idle server, resident",
            measured: format!("{:.1} MB", idle as f64 * 1_024.0 / 1e6),
            floor: "-".to_owned(),
            promise: "≤ 40 MB",
            kept: idle * 1_024 <= 40_000_000,
        },
    ])
}

fn warm_invoke(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const ROUNDS: usize = 5;
    const CALLS: usize = 2_000;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(tools, &mut connection, "warm", NO_OP)?;
    for _ in 0..100 {
        invoke(&mut connection, "warm")?;
    }
    // In turns, so that what else the machine does falls on all of them.
    let (mut ours, mut rates) = (Vec::new(), Vec::new());
    let (mut behind_http, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        behind_http.push(floors::awslambdaric_behind_http(tools, CALLS)?);
        let began = Instant::now();
        ours.extend(timed(CALLS, || invoke(&mut connection, "warm"))?);
        rates.push(CALLS as f64 / began.elapsed().as_secs_f64());
        alone.push(floors::awslambdaric(tools, CALLS)?);
    }
    let ours = Samples::new(ours);
    let rate = median(rates);
    let compared = |what, floor: &[Rounds]| {
        let floor_rate = median(floor.iter().map(|round| round.per_second).collect());
        Row {
            what,
            measured: format!("{rate:.0}/s, {:.2} ×", rate / floor_rate),
            floor: format!("{floor_rate:.0}/s, p50 {}", ms(p50(floor))),
            promise: "≥ 1.5 ×",
            kept: rate / floor_rate >= 1.5,
        }
    };
    Ok(vec![
        Row {
            what: "warm Python invoke, 1 connection",
            measured: ours.summary(),
            floor: format!(
                "awslambdaric behind a minimal server: p50 {}",
                ms(p50(&behind_http))
            ),
            promise: "p50 ≤ 0.5 ms",
            kept: ours.p50() <= Duration::from_micros(500),
        },
        compared(
            "throughput beside awslambdaric behind a minimal HTTP server",
            &behind_http,
        ),
        compared(
            "throughput beside awslambdaric alone, with nobody calling by HTTP",
            &alone,
        ),
    ])
}

/// The median of what the rounds' medians are.
fn p50(rounds: &[Rounds]) -> Duration {
    Samples::new(rounds.iter().map(|round| round.latency.p50()).collect()).p50()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn cold_invoke(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: usize = 30;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let interpreter = interpreter(tools)?;
    let names: Vec<String> = (0..FUNCTIONS)
        .map(|number| format!("cold-{number}"))
        .collect();
    for name in &names {
        create(tools, &mut connection, name, NO_OP)?;
    }
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for name in &names {
        ours.extend(timed(1, || invoke(&mut connection, name))?);
        bare.push(floors::python_start(&interpreter, 1)?.p50());
    }
    let (ours, bare) = (Samples::new(ours), Samples::new(bare));
    let ratio = ours.p50().as_secs_f64() / bare.p50().as_secs_f64();
    Ok(vec![Row {
        what: "cold Python invoke by exec, request to response",
        measured: format!("{}; {ratio:.2} ×", ours.summary()),
        floor: format!("bare interpreter start and end: p50 {}", ms(bare.p50())),
        promise: "≤ 2 ×",
        kept: ratio <= 2.0,
    }])
}

/// The interpreter that python3.12 functions run on here.
fn interpreter(tools: &Tools) -> anyhow::Result<String> {
    let output = std::process::Command::new(&tools.kagero)
        .args(["runtime", "list", "--json"])
        .output()
        .context("ask for the runtimes")?;
    let runtimes: Value = serde_json::from_slice(&output.stdout)?;
    runtimes
        .as_array()
        .into_iter()
        .flatten()
        .find(|runtime| runtime["identifier"] == "python3.12")
        .and_then(|runtime| runtime["interpreter"].as_str())
        .map(str::to_owned)
        .context("no interpreter for python3.12")
}

fn sqs_to_function(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const MESSAGES: usize = 300;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(tools, &mut connection, "on-message", CLOCKED)?;
    let queue = json_call(
        &mut connection,
        "sqs",
        "AmazonSQS.CreateQueue",
        &json!({"QueueName": "bench", "Attributes": {"VisibilityTimeout": "60"}}),
    )?["QueueUrl"]
        .clone();
    let mapping = json!({
        "FunctionName": "on-message",
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:bench",
        "BatchSize": 1,
    });
    let path = "/2015-03-31/event-source-mappings";
    let body = mapping.to_string();
    let headers = "content-type: application/json\r\n";
    connection.expect("lambda", "POST", path, headers, body.as_bytes())?;
    let mut send = |body: &str| {
        let input = json!({"QueueUrl": queue, "MessageBody": body});
        json_call(&mut connection, "sqs", "AmazonSQS.SendMessage", &input).map(drop)
    };
    let latencies = latencies(MESSAGES, &mut send)?;
    let seen = sightings(&mut connection, "on-message", MESSAGES + WARM_UP)?;
    let samples = differences(&latencies, seen);
    Ok(vec![Row {
        what: "SQS message sent → warm handler running",
        measured: samples.summary(),
        floor: format!(
            "1 KB fsync here: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "p50 ≤ 3 ms",
        kept: samples.p50() <= Duration::from_millis(3),
    }])
}

fn s3_to_function(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const OBJECTS: usize = 300;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(tools, &mut connection, "on-object", CLOCKED)?;
    connection.expect("s3", "PUT", "/bench-bucket", "", b"")?;
    let configuration = "<NotificationConfiguration><CloudFunctionConfiguration>\
        <CloudFunction>arn:aws:lambda:us-east-1:000000000000:function:on-object</CloudFunction>\
        <Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration></NotificationConfiguration>";
    connection.expect(
        "s3",
        "PUT",
        "/bench-bucket?notification",
        "",
        configuration.as_bytes(),
    )?;
    let content = vec![b'x'; 1_024];
    let mut put = |key: &str| {
        connection
            .expect("s3", "PUT", &format!("/bench-bucket/{key}"), "", &content)
            .map(drop)
    };
    let latencies = latencies(OBJECTS, &mut put)?;
    let seen = sightings(&mut connection, "on-object", OBJECTS + WARM_UP)?;
    let samples = differences(&latencies, seen);
    Ok(vec![Row {
        what: "S3 put → warm handler running",
        measured: samples.summary(),
        floor: format!(
            "1 KB fsync here: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "p50 ≤ 5 ms",
        kept: samples.p50() <= Duration::from_millis(5),
    }])
}

fn durable_send(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CONNECTIONS: usize = 64;
    const EACH: usize = 500;
    let server = Server::start(&tools.kagero)?;
    let create = json!({"QueueName": "bench"});
    let queue = json_call(
        &mut server.connect()?,
        "sqs",
        "AmazonSQS.CreateQueue",
        &create,
    )?["QueueUrl"]
        .clone();
    let input = json!({"QueueUrl": queue, "MessageBody": "x".repeat(1_024)});
    let port = server.port;
    let began = Instant::now();
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let input = input.clone();
            std::thread::spawn(move || -> anyhow::Result<Vec<Duration>> {
                let mut connection = Connection::open(port)?;
                timed(EACH, || {
                    json_call(&mut connection, "sqs", "AmazonSQS.SendMessage", &input).map(drop)
                })
            })
        })
        .collect();
    let mut samples = Vec::new();
    for sender in senders {
        samples.extend(sender.join().expect("a sender does not panic")?);
    }
    let rate = samples.len() as f64 / began.elapsed().as_secs_f64();
    Ok(vec![Row {
        what: "durable SendMessage of 1 KB, 64 connections",
        measured: format!("{rate:.0}/s; {}", Samples::new(samples).summary()),
        floor: format!(
            "1 KB fsync, one by one: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "≥ 5,000/s",
        kept: rate >= 5_000.0,
    }])
}

/// Events sent first, that are not measured.
const WARM_UP: usize = 20;

/// Sends events one at a time, spaced so that each meets an idle system, and notes when.
fn latencies(
    count: usize,
    send: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<HashMap<String, u64>> {
    let mut sent = HashMap::new();
    for number in 0..count + WARM_UP {
        let id = format!("event-{number}");
        let at = unix_nanos();
        send(&id)?;
        if number >= WARM_UP {
            sent.insert(id, at);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(sent)
}

fn differences(sent: &HashMap<String, u64>, seen: Vec<(String, u64)>) -> Samples {
    let spans = seen
        .into_iter()
        .filter_map(|(id, at)| Some(Duration::from_nanos(at.saturating_sub(*sent.get(&id)?))));
    Samples::new(spans.collect())
}

fn timed(
    count: usize,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    (0..count)
        .map(|_| {
            let began = Instant::now();
            work()?;
            Ok(began.elapsed())
        })
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with the function's own system clock"
)]
fn unix_nanos() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}
