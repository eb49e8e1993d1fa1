//! The server is killed between any two checkpoints.

use std::time::Duration;

use super::rig::{Rig, step, step_done, update, wait};
use crate::generated::{
    ChainedInvokeOptions, EventType, ExecutionStatus, OperationAction, OperationType,
    OperationUpdate,
};

const STEPS: usize = 6;

/// Plays a function of several steps, each with a result of its own, and is killed after so many
/// checkpoints. Gives what it did: the steps that it ran.
async fn play(rig: &Rig, checkpoints: usize, ran: &mut Vec<usize>) -> bool {
    let mut turn = rig.turn().await;
    let mut left = checkpoints;
    for number in 0..STEPS {
        let id = format!("s{number}");
        if turn.operation(&id)["Status"] == "SUCCEEDED" {
            continue;
        }
        if left == 0 {
            return false;
        }
        if turn.operation(&id)["Status"] != "STARTED" {
            turn.checkpoint(vec![step(&id, OperationAction::Start)])
                .await;
            left -= 1;
        }
        if left == 0 {
            return false;
        }
        ran.push(number);
        let result = format!("{number}-{}", ran.len());
        turn.checkpoint(vec![step_done(&id, &result)]).await;
        left -= 1;
    }
    turn.succeed("done");
    true
}

#[tokio::test]
async fn no_step_runs_again_once_its_result_is_acknowledged() {
    for checkpoints in 1..=2 * STEPS {
        let mut rig = Rig::new().await;
        let arn = rig.start().await;
        let mut ran = Vec::new();
        while !play(&rig, checkpoints, &mut ran).await {
            rig = rig.restart().await;
        }
        let ended = rig.ended(&arn).await;
        assert_eq!(ended.status, ExecutionStatus::Succeeded);
        let (events, _) = rig
            .durable
            .history(&arn, true, false, None, 1_000)
            .await
            .unwrap();
        let results: Vec<_> = events
            .iter()
            .filter_map(|event| event.step_succeeded_details.as_ref())
            .map(|details| details.result.payload.clone().unwrap())
            .collect();
        // Each step has one result, and no other was used.
        assert_eq!(results.len(), STEPS, "{checkpoints}: {results:?}");
        assert_eq!(ran, (0..STEPS).collect::<Vec<_>>(), "{checkpoints}");
    }
}

#[tokio::test]
async fn a_wait_survives_and_what_was_due_meanwhile_happens() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    turn.checkpoint(vec![wait("short", 10), wait("long", 1_000)])
        .await;
    turn.pending();
    assert!(rig.is_quiet().await);
    rig.durable.end();
    rig.manual.advance(Duration::from_secs(10));
    let rig = rig.restart().await;
    let turn = rig.turn().await;
    assert_eq!(turn.operation("short")["Status"], "SUCCEEDED");
    turn.pending();
    assert!(rig.is_quiet().await);
    let rig = rig.restart().await;
    assert!(rig.is_quiet().await);
    rig.manual.advance(Duration::from_secs(990));
    let turn = rig.turn().await;
    assert_eq!(turn.operation("long")["Status"], "SUCCEEDED");
    turn.succeed("1");
    rig.ended(&arn).await;
}

#[tokio::test]
async fn a_token_of_before_is_good_no_more() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let turn = rig.turn().await;
    let old = turn.token.clone();
    let rig = rig.restart().await;
    let mut turn = rig.turn().await;
    let new = std::mem::replace(&mut turn.token, old);
    assert_eq!(
        turn.refused(vec![wait("w", 1)]).await,
        "Invalid checkpoint token"
    );
    turn.token = new;
    turn.checkpoint(vec![wait("w", 1)]).await;
    assert_eq!(rig.get(&arn).await.status, ExecutionStatus::Running);
}

#[tokio::test]
async fn chained_invocations_are_taken_up() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let chained = |id: &str, function: &str| OperationUpdate {
        chained_invoke_options: Some(ChainedInvokeOptions {
            function_name: function.to_owned(),
            ..ChainedInvokeOptions::default()
        }),
        ..update(id, OperationType::ChainedInvoke, OperationAction::Start)
    };
    let updates = vec![chained("p", "plain"), chained("c", "child:$LATEST")];
    turn.checkpoint(updates).await;
    turn.pending();
    // They are killed in the middle of it.
    let _targets = (rig.turn().await, rig.turn().await);
    assert!(rig.is_quiet().await);
    let rig = rig.restart().await;
    // Both targets are invoked again, in whatever order; the parent is not.
    for _ in 0..2 {
        let turn = rig.turn().await;
        if turn.function.contains(":plain:") {
            turn.answer(&serde_json::json!("plain"));
        } else {
            turn.succeed("\"child\"");
        }
    }
    let mut turn = rig.turn().await;
    assert_eq!(turn.execution(), arn);
    if ["p", "c"]
        .iter()
        .any(|id| turn.operation(id)["Status"] == "STARTED")
    {
        turn.pending();
        turn = rig.turn().await;
    }
    assert_eq!(
        turn.operation("p")["ChainedInvokeDetails"]["Result"],
        "\"plain\""
    );
    assert_eq!(
        turn.operation("c")["ChainedInvokeDetails"]["Result"],
        "\"child\""
    );
    turn.succeed("1");
    rig.ended(&arn).await;
    let ended = rig.kinds(&arn).await;
    let count = |kind| ended.iter().filter(|it| **it == kind).count();
    assert_eq!(count(EventType::ChainedInvokeSucceeded), 2);
}
