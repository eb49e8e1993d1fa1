//! Telemetry, as an extension receives it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{function, invoke, logged};
use crate::support::World;

/// What the extension has received so far.
fn received(world: &World) -> Vec<Value> {
    let log = world.recorded.log();
    log.iter()
        .filter_map(|line| {
            let event = line.strip_prefix("one: telemetry ")?;
            Some(serde_json::from_str(event).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_receives_all_from_the_start_of_the_init_to_the_last_report() {
    let world = World::new();
    let config = json!({"telemetry": true, "work": 0.3});
    let function = Arc::new(function(&world, &["one"], &config));
    if invoke(&world, &function, json!({}), true).await.is_none() {
        return;
    }
    assert_eq!(
        logged(&world, "one: subscribed").await,
        "one: subscribed 200 \"OK\"\n"
    );
    assert_eq!(
        logged(&world, "TELEMETRY\t").await,
        "TELEMETRY\tName: one\tState: Subscribed\tTypes: [Platform, Function]\n"
    );
    world.exec.retire(&function.key);
    logged(&world, "one: ends").await;
    let mut events = received(&world);
    // What ends may say so.
    let report = events
        .iter()
        .position(|event| event["type"] == "platform.report");
    events.truncate(report.map_or(0, |report| report + 1));
    let types: Vec<_> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(
        types,
        [
            "platform.initStart",
            "platform.telemetrySubscription",
            "platform.initRuntimeDone",
            "platform.extension",
            "platform.initReport",
            "platform.start",
            "function",
            "platform.runtimeDone",
            "platform.report",
        ],
        "{events:#?}"
    );
    assert_eq!(
        events[1]["record"]["types"],
        json!(["platform", "function"])
    );
    assert_eq!(events[6]["record"], "handled\n");
    assert_eq!(events[7]["record"]["status"], "success");
    assert_eq!(events[7]["record"]["spans"][0]["name"], "responseLatency");
    let durations = [&events[7], &events[8]].map(|event| {
        let metrics = &event["record"]["metrics"];
        metrics["durationMs"].as_f64().unwrap()
    });
    assert!(durations[0] + 250.0 <= durations[1], "{durations:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_subscription_is_refused_with_all_that_is_wrong() {
    let world = World::new();
    let config = json!({"telemetry": true, "bad_subscription": true});
    let function = Arc::new(function(&world, &["one"], &config));
    if invoke(&world, &function, json!({}), true).await.is_none() {
        return;
    }
    let answer = logged(&world, "one: subscribed 400 ").await;
    let answer: Value = serde_json::from_str(&answer["one: subscribed 400 ".len()..]).unwrap();
    assert_eq!(
        answer,
        json!({
            "errorType": "ValidationError",
            "errorMessage": "types should not be empty; destination is not provided",
        })
    );
}
