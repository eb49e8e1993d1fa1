//! Durable functions: what a step costs, and what executions cost that wait.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::counted;
use crate::functions::{Package, create_with, environments, invoke_with};
use crate::http::Connection;
use crate::processes::mib;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

/// Speaks the protocol of durable functions itself, so that no SDK is measured: as many steps as the
/// event says, each timed, or a wait.
const FUNCTION: &str = r"import http.client, json, os, time, urllib.parse
host = urllib.parse.urlparse(os.environ['AWS_ENDPOINT_URL']).netloc
connection = http.client.HTTPConnection(host)
headers = {'content-type': 'application/json', 'x-amz-date': '20260101T000000Z', 'authorization':
    'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, '
    'SignedHeaders=host;x-amz-date, Signature=00'}
def checkpoint(arn, token, updates):
    path = '/2025-12-01/durable-executions/' + urllib.parse.quote(arn, safe='') + '/checkpoint'
    connection.request('POST', path, json.dumps({'CheckpointToken': token, 'Updates': updates}), headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200: raise RuntimeError(body)
    return json.loads(body).get('CheckpointToken')
def handler(event, context):
    arn, token = event['DurableExecutionArn'], event['CheckpointToken']
    operations = event['InitialExecutionState']['Operations']
    asked = json.loads(operations[0]['ExecutionDetails']['InputPayload'])
    if 'wait' in asked:
        if len(operations) == 1:
            wait = {'WaitSeconds': asked['wait']}
            checkpoint(arn, token, [{'Id': 'w', 'Type': 'WAIT', 'Action': 'START', 'WaitOptions': wait}])
            return {'Status': 'PENDING'}
        return {'Status': 'SUCCEEDED', 'Result': '1'}
    times = []
    for number in range(asked['steps']):
        begun = time.perf_counter_ns()
        step = {'Id': str(number), 'Type': 'STEP'}
        token = checkpoint(arn, token, [{**step, 'Action': 'START'},
            {**step, 'Action': 'SUCCEED', 'Payload': '1'}])
        times.append(time.perf_counter_ns() - begun)
    return {'Status': 'SUCCEEDED', 'Result': json.dumps(times)}
";

fn deploy(tools: &Tools, connection: &mut Connection, timeout: u32) -> anyhow::Result<()> {
    let durable = json!({"DurableConfig": {"ExecutionTimeout": timeout}});
    create_with(
        connection,
        "bench",
        &Package::python(tools, FUNCTION)?,
        &durable,
    )
}

pub(super) fn step(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const STEPS: usize = 300;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    deploy(tools, &mut connection, 900)?;
    let event = json!({"steps": STEPS}).to_string();
    let function = "bench:$LATEST";
    // The first opens the connection and warms both sides.
    invoke_with(
        &mut connection,
        function,
        json!({"steps": 20}).to_string().as_bytes(),
    )?;
    let times = invoke_with(&mut connection, function, event.as_bytes())?;
    let times: Vec<u64> = serde_json::from_slice(&times)?;
    ensure!(times.len() == STEPS, "every step is timed");
    let samples = Samples::new(times.into_iter().map(Duration::from_nanos).collect());
    Ok(vec![Row {
        what: "a durable step over its function's work, its checkpoint among it, by HTTP from Python",
        measured: samples.summary(),
        floor: format!(
            "1 KB fsync, one by one: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "p50 ≤ 2 ms",
        kept: samples.p50() <= Duration::from_millis(2),
    }])
}

pub(super) fn waiting(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const EXECUTIONS: usize = 100_000;
    const CALLERS: usize = 16;
    const WOKEN: usize = 100;
    const DAY: u32 = 86_400;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    deploy(tools, &mut connection, 2 * DAY)?;
    begin(&mut connection, 1)?;
    let before = server.resident_kib()?;
    let port = server.port;
    let executions = counted(CALLERS, |_| {
        let mut connection = Connection::open(port)?;
        (0..EXECUTIONS / CALLERS)
            .map(|_| begin(&mut connection, DAY))
            .collect::<anyhow::Result<Vec<String>>>()
    })?;
    // The server has closed what was idle meanwhile.
    let mut connection = server.connect()?;
    settle(&mut connection, &executions)?;
    let memory = server.resident_kib()?.saturating_sub(before);
    let woken = counted(CALLERS, |_| {
        let mut connection = Connection::open(port)?;
        (0..WOKEN / CALLERS)
            .map(|_| begin(&mut connection, 2))
            .collect::<anyhow::Result<Vec<String>>>()
    })?;
    std::thread::sleep(Duration::from_secs(4));
    let late: anyhow::Result<Vec<Duration>> = woken
        .iter()
        .map(|arn| lateness(&mut connection, arn))
        .collect();
    let late = Samples::new(late?);
    let is_held = |environment: &Value| environment["state"] == "busy";
    let all = environments(&mut connection)?;
    let held = all.iter().filter(|it| is_held(it)).count();
    let memory_kept = memory <= 100 * 1_024 && held == 0;
    Ok(vec![
        Row {
            what: "memory of 100,000 executions that wait for a day",
            measured: format!("{} more; {held} environments busy", mib(memory)),
            floor: String::new(),
            promise: "≤ 100 MB, no environment",
            kept: memory_kept,
        },
        Row {
            what: "waking beside them: after its time, by the history",
            measured: late.summary(),
            floor: String::new(),
            promise: "≤ 100 ms",
            kept: late.quantile(0.99) <= Duration::from_millis(100),
        },
    ])
}

/// Begins an execution that waits, and gives its name.
fn begin(connection: &mut Connection, seconds: u32) -> anyhow::Result<String> {
    let name = format!("bench-{seconds}-{:016x}", serial());
    let headers = format!(
        "content-type: application/json\r\nx-amz-invocation-type: Event\r\n\
         x-amz-durable-execution-name: {name}\r\n"
    );
    let path = "/2015-03-31/functions/bench/invocations?Qualifier=%24LATEST";
    let body = json!({"wait": seconds}).to_string();
    connection.expect("lambda", "POST", path, &headers, body.as_bytes())?;
    Ok(name)
}

/// A number that no other name has.
fn serial() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Waits until the last of them waits.
fn settle(connection: &mut Connection, names: &[String]) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_mins(10);
    for name in names.iter().rev().take(64) {
        while !events(connection, name)?
            .iter()
            .any(|event| event["EventType"] == "InvocationCompleted")
        {
            ensure!(Instant::now() < deadline, "{name} does not come to wait");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

fn events(connection: &mut Connection, name: &str) -> anyhow::Result<Vec<Value>> {
    let path =
        format!("/2025-12-01/functions/bench/durable-executions?DurableExecutionName={name}");
    let listed = connection.expect("lambda", "GET", &path, "", b"")?;
    let listed: Value = serde_json::from_slice(&listed)?;
    let arn = listed["DurableExecutions"][0]["DurableExecutionArn"].as_str();
    let arn = arn.context("an execution")?;
    let escaped = arn
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('$', "%24");
    let path = format!("/2025-12-01/durable-executions/{escaped}/history");
    let history = connection.expect("lambda", "GET", &path, "", b"")?;
    let history: Value = serde_json::from_slice(&history)?;
    Ok(history["Events"].as_array().cloned().unwrap_or_default())
}

/// How long after its time a wait ended.
fn lateness(connection: &mut Connection, name: &str) -> anyhow::Result<Duration> {
    let events = events(connection, name)?;
    let find = |kind: &str| events.iter().find(|event| event["EventType"] == kind);
    let due = find("WaitStarted").context("a wait")?["WaitStartedDetails"]["ScheduledEndTimestamp"]
        .as_f64()
        .context("a time")?;
    let ended = find("WaitSucceeded").context("the end of a wait")?["EventTimestamp"].as_f64();
    let late = ended.context("a time")? - due;
    Ok(Duration::from_secs_f64(late.max(0.0)))
}
