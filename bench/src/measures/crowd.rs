//! Many environments: all at once, one after another, and what one of them weighs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{counted, unix_nanos};
use crate::functions::{Package, begin_invoke, create, create_with, environments, invoke_with};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors, processes};

/// Says when it began, and ends when the event says: until then it keeps its environment.
const WAITING: &str = "import time
def handler(event, context):
    began = time.time_ns()
    time.sleep(max(0, event['until'] - began) / 1e9)
    return began
";

/// Answers with how many calls its environment has had.
const COUNTING: &str = "calls = 0
def handler(event, context):
    global calls
    calls += 1
    return calls
";

pub(super) fn thousand_at_once(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CALLS: usize = 1_000;
    /// Nobody's answer is due before.
    const HOLD: Duration = Duration::from_secs(12);
    let server = Server::start_with(&tools.kagero, &["--concurrency", "1000"])?;
    let package = Package::python(tools, WAITING)?;
    let more = json!({"MemorySize": 128, "Timeout": 60});
    create_with(&mut server.connect()?, "crowd", &package, &more)?;
    std::thread::sleep(Duration::from_secs(1));
    let mut connections = (0..CALLS)
        .map(|_| server.connect())
        .collect::<anyhow::Result<Vec<_>>>()?;
    let sent = unix_nanos();
    let until = sent + u64::try_from(HOLD.as_nanos())?;
    let event = json!({"until": until}).to_string();
    for connection in &mut connections {
        begin_invoke(connection, "crowd", event.as_bytes())?;
    }
    let (mut begun, mut refused) = (Vec::new(), None);
    for connection in &mut connections {
        let answer = connection.read_answer()?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        match text.trim().parse::<u64>() {
            Ok(at) if at < until => begun.push(Duration::from_nanos(at.saturating_sub(sent))),
            _ => refused = Some(format!("; one answered {} {text:.80}", answer.status)),
        }
    }
    let together = begun.len();
    let begun = Samples::new(begun);
    Ok(vec![Row {
        what: "0 to 1,000 environments of one Python function, 1,000 calls at once",
        measured: format!(
            "{together} at once, the last after {}, half after {}{}",
            ms(begun.quantile(1.0)),
            ms(begun.p50()),
            refused.unwrap_or_default()
        ),
        floor: format!(
            "an interpreter forks 1,000 that live at once: {}",
            ms(floors::forks_at_once(tools, CALLS)?)
        ),
        promise: "≤ 3 s until all have begun",
        kept: together == CALLS && begun.quantile(1.0) <= Duration::from_secs(3),
    }])
}

/// Environments that leave when they freeze, a quarter of a second after their answer: what is timed
/// ends when none is left, and so includes that pause once.
pub(super) fn environments_a_second(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: usize = 500;
    const CALLS: usize = 2_000;
    let server = Server::start_with(&tools.kagero, &["--idle-seconds", "0"])?;
    let mut connection = server.connect()?;
    let package = Package::python(tools, COUNTING)?;
    // So many that a function's last environment has left when its next call comes, and that none
    // gains more than it may in ten seconds.
    for number in 0..FUNCTIONS {
        create(&mut connection, &format!("brief-{number}"), &package)?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let callers = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    let began = Instant::now();
    let answers = counted(callers, |caller| {
        let mut connection = Connection::open(server.port)?;
        let own = (caller..CALLS).step_by(callers);
        own.map(|number| {
            let name = format!("brief-{}", number % FUNCTIONS);
            invoke_with(&mut connection, &name, b"{}")
        })
        .collect()
    })?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut left = environments(&mut connection)?.len();
    while left > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
        left = environments(&mut connection)?.len();
    }
    // A call that met an environment before it had ended made none.
    let made = answers.iter().filter(|answer| *answer == b"1").count();
    let rate = made as f64 / began.elapsed().as_secs_f64();
    let other = answers.iter().find(|answer| *answer != b"1");
    let other = other.map(|answer| format!("; one was {:.80}", String::from_utf8_lossy(answer)));
    Ok(vec![Row {
        what: "environments created, run and removed",
        measured: format!(
            "{rate:.0}/s; {made} for {CALLS} calls, {left} left{}",
            other.unwrap_or_default()
        ),
        floor: format!(
            "bare forks of an interpreter, to their end, one by one: {:.0}/s",
            1.0 / floors::fork(tools, 500)?.p50().as_secs_f64()
        ),
        promise: "≥ 400/s",
        kept: rate >= 400.0 && left == 0,
    }])
}

pub(super) fn memory(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CALLS: usize = 40;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let package = Package::python(tools, WAITING)?;
    create(&mut connection, "idle", &package)?;
    // The runtime's zygote is there by then.
    std::thread::sleep(Duration::from_secs(1));
    let until = unix_nanos() + u64::try_from(Duration::from_secs(3).as_nanos())?;
    let event = json!({"until": until}).to_string();
    counted(CALLS, |_| {
        let mut connection = Connection::open(server.port)?;
        Ok(vec![invoke_with(
            &mut connection,
            "idle",
            event.as_bytes(),
        )?])
    })?;
    // They freeze when they have had nothing to do for a while.
    std::thread::sleep(Duration::from_secs(1));
    let live = environments(&mut connection)?;
    let pids = live
        .iter()
        .filter(|entry| entry["start"] == "zygote")
        .filter_map(|entry| u32::try_from(entry["pid"].as_u64()?).ok());
    let mut sizes = pids
        .map(processes::proportional_kib)
        .collect::<anyhow::Result<Vec<_>>>()?;
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    Ok(vec![Row {
        what: "idle zygote-born Python environment, PSS",
        measured: format!(
            "p50 {}, most {}; {} of {} live ones",
            processes::mib(median),
            processes::mib(sizes.last().copied().unwrap_or_default()),
            sizes.len(),
            live.len()
        ),
        floor: format!(
            "a bare interpreter that sleeps: {}",
            processes::mib(floors::sleeping_kib(&super::cold::interpreter(
                tools,
                "python3.12"
            )?)?)
        ),
        promise: "≤ 2.5 MiB",
        kept: !sizes.is_empty() && median * 2 <= 5 * 1_024,
    }])
}
