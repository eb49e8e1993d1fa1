//! EventBridge and its Scheduler: what many rules and many schedules cost.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::counted;
use crate::functions::json_call;
use crate::http::Connection;
use crate::processes::processor_time;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools};

const CONNECTIONS: usize = 8;

pub(super) fn matching(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const RULES: usize = 10_000;
    const ROUNDS: usize = 300;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    for bus in ["few", "many"] {
        let input = json!({"Name": bus});
        events(&mut connection, "CreateEventBus", &input)?;
    }
    put_rule(&mut connection, "few", 0)?;
    counted(CONNECTIONS, |thread| {
        let mut connection = Connection::open(server.port)?;
        for number in (thread..RULES).step_by(CONNECTIONS) {
            put_rule(&mut connection, "many", number)?;
        }
        Ok(vec![()])
    })?;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    // In turns, so that both meet the same machine.
    for round in 0..ROUNDS {
        few.push(put_ten(&mut connection, "few", round)?);
        many.push(put_ten(&mut connection, "many", round)?);
    }
    let (few, many) = (Samples::new(few).p50() / 10, Samples::new(many).p50() / 10);
    let more = many.saturating_sub(few);
    Ok(vec![Row {
        what: "matching an event with 10,000 rules of eight kinds, 100 for each source",
        measured: format!(
            "{:.1} µs more an event ({} of ten in one PutEvents)",
            more.as_secs_f64() * 1e6,
            ms(many * 10)
        ),
        floor: format!("a bus of one rule: {} of ten", ms(few * 10)),
        promise: "≤ 20 µs",
        kept: more <= Duration::from_micros(20),
    }])
}

/// Every rule asks for a source and, in one of eight ways, for something of the detail. None has a
/// target, so that matching is all there is to do.
fn put_rule(connection: &mut Connection, bus: &str, number: usize) -> anyhow::Result<()> {
    let asked = match number % 8 {
        0 => json!({"kind": [format!("kind-{number}"), "made"]}),
        1 => json!({"kind": [{"prefix": format!("kind-{number}-")}]}),
        2 => json!({"kind": [{"suffix": format!("-{number}")}]}),
        3 => json!({"kind": [{"anything-but": format!("kind-{number}")}], "place": ["here"]}),
        4 => json!({"amount": [{"numeric": [">", number, "<=", number + 5]}]}),
        5 => json!({"kind": [{"wildcard": format!("*-{number}-*")}]}),
        6 => json!({"missing": [{"exists": true}], "amount": [number]}),
        _ => {
            json!({"$or": [{"kind": [format!("one-{number}")]}, {"place": [format!("p-{number}")]}]})
        }
    };
    let pattern = json!({"source": [format!("app.{}", number / 8 % 100)], "detail": asked});
    let input = json!({
        "Name": format!("rule-{number}"),
        "EventBusName": bus,
        "EventPattern": pattern.to_string(),
    });
    events(connection, "PutRule", &input).map(drop)
}

fn put_ten(connection: &mut Connection, bus: &str, round: usize) -> anyhow::Result<Duration> {
    let entry = |number: usize| {
        let number = round * 10 + number;
        let detail = json!({
            "kind": format!("kind-{number}"),
            "place": format!("p{number}"),
            "amount": number,
            "customer": {"id": number, "name": "somebody"},
        });
        json!({
            "EventBusName": bus,
            "Source": format!("app.{}", number % 100),
            "DetailType": "order",
            "Detail": detail.to_string(),
        })
    };
    let input = json!({"Entries": (0..10).map(entry).collect::<Vec<_>>()});
    let began = Instant::now();
    let answer = events(connection, "PutEvents", &input)?;
    let took = began.elapsed();
    ensure!(answer["FailedEntryCount"] == 0, "{answer}");
    Ok(took)
}

fn events(connection: &mut Connection, operation: &str, input: &Value) -> anyhow::Result<Value> {
    json_call(
        connection,
        "events",
        &format!("AWSEvents.{operation}"),
        input,
    )
}

pub(super) fn idle_schedules(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const SCHEDULES: usize = 100_000;
    const SECONDS: u64 = 20;
    let server = Server::start(&tools.kagero)?;
    let used = |over: u64| {
        let before = processor_time(server.pid())?;
        std::thread::sleep(Duration::from_secs(over));
        let spent = processor_time(server.pid())?.saturating_sub(before);
        anyhow::Ok(spent.as_secs_f64() / over as f64 * 100.0)
    };
    std::thread::sleep(Duration::from_secs(2));
    let without = used(SECONDS / 2)?;
    let resident = server.resident_kib()?;
    counted(CONNECTIONS * 4, |thread| {
        let mut connection = Connection::open(server.port)?;
        for number in (thread..SCHEDULES).step_by(CONNECTIONS * 4) {
            create_schedule(&mut connection, number)?;
        }
        Ok(vec![()])
    })?;
    // What their making leaves to be tidied up is not what is asked for.
    std::thread::sleep(Duration::from_secs(5));
    let with = used(SECONDS)?;
    let grown = server.resident_kib()?.saturating_sub(resident);
    Ok(vec![Row {
        what: "100,000 schedules that wait, of a core",
        measured: format!(
            "{with:.2} %; {:.0} MB, {:.2} KB each",
            grown as f64 * 1_024.0 / 1e6,
            grown as f64 * 1_024.0 / 1e3 / SCHEDULES as f64
        ),
        floor: format!("the same server without: {without:.2} %"),
        promise: "≤ 1 %",
        kept: with <= 1.0,
    }])
}

/// 2199-01-01.
const FAR_OFF: u64 = 7_226_582_400;

/// A third each at a time, by a rate, and by the calendar; none of them is due soon.
fn create_schedule(connection: &mut Connection, number: usize) -> anyhow::Result<()> {
    let expression = match number % 3 {
        0 => format!(
            "at(2199-01-01T00:{:02}:{:02})",
            number / 60 % 60,
            number % 60
        ),
        1 => format!("rate({} hours)", 2 + number % 1_000),
        _ => format!("cron({} {} 1 1 ? 2199)", number % 60, number / 60 % 24),
    };
    let input = json!({
        "ScheduleExpression": expression,
        // A rate begins at once where nothing else is said.
        "StartDate": FAR_OFF,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:sqs:us-east-1:000000000000:nobody",
            "RoleArn": "arn:aws:iam::000000000000:role/bench",
        },
    });
    let path = format!("/schedules/schedule-{number}");
    let headers = "content-type: application/json\r\n";
    let body = input.to_string();
    connection
        .expect("scheduler", "POST", &path, headers, body.as_bytes())
        .map(drop)
}
