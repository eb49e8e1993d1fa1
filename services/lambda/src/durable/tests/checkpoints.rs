//! What a function records, and what of it is refused.

use serde_json::json;

use super::rig::{Rig, retry, step, step_done, update, wait};
use crate::durable::Checkpoint;
use crate::generated::{
    CallbackOptions, ContextOptions, ErrorObject, EventType, ExecutionStatus, OperationAction,
    OperationStatus, OperationType, OperationUpdate,
};

#[tokio::test]
async fn a_function_is_told_of_itself_and_records_its_steps() {
    let rig = Rig::new().await;
    let arn = rig.try_start(Some("one"), r#"{"a":1}"#, true).await;
    // Nobody waits longer than a quarter of an hour.
    assert!(arn.unwrap_err().message.contains("15 minutes"));
    let arn = rig
        .try_start(Some("one"), r#"{"a":1}"#, false)
        .await
        .unwrap();
    let mut turn = rig.turn().await;
    assert_eq!(turn.execution(), arn);
    let execution = turn.operation(&arn.id).clone();
    assert_eq!(execution["Type"], "EXECUTION");
    assert_eq!(execution["Name"], "one");
    assert_eq!(execution["ExecutionDetails"]["InputPayload"], r#"{"a":1}"#);
    assert!(execution["StartTimestamp"].is_i64());
    assert_eq!(turn.event["InitialExecutionState"]["NextMarker"], "");
    assert_eq!(turn.event["UpdatedOperationIds"], json!([arn.id]));

    let begun = turn
        .checkpoint(vec![step("s", OperationAction::Start)])
        .await;
    let state = begun.new_execution_state.operations.unwrap();
    assert_eq!(state[0].status, OperationStatus::Started);
    assert_eq!(state[0].step_details.as_ref().unwrap().attempt, Some(0));
    let done = turn.checkpoint(vec![step_done("s", "6")]).await;
    let state = done.new_execution_state.operations.unwrap();
    assert_eq!(state.len(), 1);
    let details = state[0].step_details.as_ref().unwrap();
    assert_eq!(
        (details.attempt, details.result.as_deref()),
        (Some(1), Some("6"))
    );
    let nothing = turn.checkpoint(Vec::new()).await;
    assert_eq!(nothing.new_execution_state.operations, Some(Vec::new()));
    turn.succeed("7");
    let ended = rig.ended(&arn).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    assert_eq!(ended.result.as_deref(), Some("7"));
    let kinds = rig.kinds(&arn).await;
    assert_eq!(
        kinds,
        [
            EventType::ExecutionStarted,
            EventType::StepStarted,
            EventType::StepSucceeded,
            EventType::InvocationCompleted,
            EventType::ExecutionSucceeded
        ]
    );
    assert_eq!(rig.statuses().await, ["RUNNING", "SUCCEEDED"]);
}

#[tokio::test]
async fn a_token_is_good_once() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let first = turn.token.clone();
    let checkpoint = |token: &str, client: Option<&str>| Checkpoint {
        execution: arn.clone(),
        token: token.to_owned(),
        client_token: client.map(str::to_owned),
        updates: vec![wait("w", 60)],
    };
    let durable = &rig.durable;
    let answered = durable
        .checkpoint(checkpoint(&first, Some("c")))
        .await
        .unwrap();
    // The same again is answered the same, and changes nothing.
    let again = durable
        .checkpoint(checkpoint(&first, Some("c")))
        .await
        .unwrap();
    assert_eq!(answered, again);
    for client in [None, Some("d")] {
        let refused = durable
            .checkpoint(checkpoint(&first, client))
            .await
            .unwrap_err();
        assert_eq!(refused.code, "InvalidParameterValueException");
        assert_eq!(refused.message, "Invalid checkpoint token");
    }
    let events = rig.kinds(&arn).await;
    assert_eq!(
        events
            .iter()
            .filter(|kind| **kind == EventType::WaitStarted)
            .count(),
        1
    );
    // Forged, and of another execution.
    for forged in [
        "QUJD",
        "!",
        &answered.checkpoint_token.clone().unwrap()[..40],
    ] {
        let refused = durable
            .checkpoint(checkpoint(forged, None))
            .await
            .unwrap_err();
        assert_eq!(refused.message, "Invalid checkpoint token", "{forged}");
    }
    let other = rig.start().await;
    let of_other = Checkpoint {
        execution: other,
        ..checkpoint(&first, None)
    };
    let refused = durable.checkpoint(of_other).await.unwrap_err();
    let message = "Checkpoint token is not valid for the durable execution ARN";
    assert_eq!(refused.message, message);
    // After the end none is good.
    turn.token = answered.checkpoint_token.unwrap();
    let late = turn.token.clone();
    turn.pending();
    rig.turn().await.pending();
    rig.durable.stop(arn.clone(), None).await.unwrap();
    let refused = durable
        .checkpoint(checkpoint(&late, None))
        .await
        .unwrap_err();
    assert_eq!(refused.message, "Invalid checkpoint token");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_changes_nothing() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let context = |action| update("c", OperationType::Context, action);
    turn.checkpoint(vec![
        context(OperationAction::Start),
        step("s", OperationAction::Start),
        step_done("s", "1"),
        wait("w", 5),
    ])
    .await;
    let before = rig.kinds(&arn).await;
    let named = |update: OperationUpdate| OperationUpdate {
        name: Some("other".to_owned()),
        ..update
    };
    let below = |parent: &str| OperationUpdate {
        parent_id: Some(parent.to_owned()),
        ..step("new", OperationAction::Start)
    };
    let execution = |action| update("e", OperationType::Execution, action);
    let error = Some(ErrorObject::default());
    let callback = update("cb", OperationType::Callback, OperationAction::Start);
    let chained = update("i", OperationType::ChainedInvoke, OperationAction::Start);
    let large = OperationUpdate {
        payload: Some("x".repeat((1 << 20) + 1)),
        ..step("new", OperationAction::Succeed)
    };
    for (updates, message) in [
        (
            vec![
                execution(OperationAction::Succeed),
                execution(OperationAction::Fail),
            ],
            "Cannot checkpoint multiple EXECUTION updates.",
        ),
        (
            vec![execution(OperationAction::Succeed), wait("new", 1)],
            "EXECUTION checkpoint must be the last update.",
        ),
        (
            vec![execution(OperationAction::Start)],
            "Invalid EXECUTION action.",
        ),
        (
            vec![wait("new", 1), wait("new", 1)],
            "Cannot update the same operation twice in a single request.",
        ),
        (
            vec![step("c", OperationAction::Start)],
            "Inconsistent operation type.",
        ),
        (
            vec![named(context(OperationAction::Succeed))],
            "Inconsistent operation name.",
        ),
        (vec![below("s")], "Invalid parent operation id."),
        (vec![below("nobody")], "Invalid parent operation id."),
        (
            vec![context(OperationAction::Start)],
            "Cannot start a CONTEXT that already exist.",
        ),
        (
            vec![context(OperationAction::Retry)],
            "Invalid action for the given operation type.",
        ),
        (
            vec![step("s", OperationAction::Start)],
            "Invalid current STEP state to start.",
        ),
        (
            vec![step_done("s", "2")],
            "Invalid current STEP state to close.",
        ),
        (
            vec![retry("s", 1)],
            "Invalid current STEP state to re-attempt.",
        ),
        (
            vec![step("new", OperationAction::Retry)],
            "Invalid StepOptions for the given action.",
        ),
        (
            vec![OperationUpdate {
                error: error.clone(),
                ..step_done("new", "1")
            }],
            "Cannot provide an Error for SUCCEED action.",
        ),
        (
            vec![OperationUpdate {
                action: OperationAction::Fail,
                ..step_done("new", "1")
            }],
            "Cannot provide a Payload for FAIL action.",
        ),
        (
            vec![OperationUpdate {
                error,
                payload: Some("1".to_owned()),
                ..retry("new", 1)
            }],
            "Cannot provide both error and payload to RETRY a STEP.",
        ),
        (
            vec![wait("w", 5)],
            "Cannot start a WAIT that already exist.",
        ),
        (
            vec![update("new", OperationType::Wait, OperationAction::Start)],
            "Update for WAIT operation requires WaitOptions.",
        ),
        (
            vec![update("new", OperationType::Wait, OperationAction::Cancel)],
            "Cannot cancel a WAIT that does not exist or has already completed.",
        ),
        (
            vec![OperationUpdate {
                action: OperationAction::Succeed,
                ..callback
            }],
            "Invalid action for the given operation type.",
        ),
        (
            vec![chained],
            "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.",
        ),
        (
            vec![large],
            "STEP payload size must be less than or equal to 1048576 bytes.",
        ),
    ] {
        // What stands before it in the same checkpoint is not taken either.
        let mut all = vec![step_done("before", "1")];
        all.extend(updates);
        assert_eq!(turn.refused(all).await, message);
    }
    assert_eq!(rig.kinds(&arn).await, before);
    // The token has not been consumed by any of them.
    turn.checkpoint(vec![context(OperationAction::Succeed)])
        .await;
}

#[tokio::test]
async fn what_stands_below_a_context_that_has_ended_is_not_replayed() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let context = |id: &str, action, replays| OperationUpdate {
        context_options: Some(ContextOptions {
            replay_children: Some(replays),
        }),
        ..update(id, OperationType::Context, action)
    };
    let below = |id: &str, parent: &str| OperationUpdate {
        parent_id: Some(parent.to_owned()),
        ..step_done(id, "1")
    };
    turn.checkpoint(vec![
        context("a", OperationAction::Start, false),
        below("a1", "a"),
        context("b", OperationAction::Start, true),
        below("b1", "b"),
    ])
    .await;
    turn.checkpoint(vec![
        context("a", OperationAction::Succeed, false),
        context("b", OperationAction::Succeed, true),
        wait("w", 1),
    ])
    .await;
    turn.pending();
    rig.manual.advance(std::time::Duration::from_secs(1));
    let turn = rig.turn().await;
    let ids: Vec<_> = turn.event["InitialExecutionState"]["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| operation["Id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [arn.id.as_str(), "a", "b", "b1", "w"]);
    assert_eq!(turn.event["UpdatedOperationIds"], json!(["w"]));
    let page = rig.durable.state(&arn, &turn.token, None, 2).await.unwrap();
    assert_eq!(
        (page.operations.len(), page.next_marker.as_deref()),
        (2, Some("2"))
    );
    let page = rig
        .durable
        .state(&arn, &turn.token, Some("2"), 100)
        .await
        .unwrap();
    assert_eq!(
        (page.operations.len(), page.next_marker.as_deref()),
        (3, Some(""))
    );
    let marker = rig
        .durable
        .state(&arn, &turn.token, Some("x"), 2)
        .await
        .unwrap_err();
    assert_eq!(marker.message, "Invalid Marker");
}

#[tokio::test]
async fn there_are_only_so_many_operations() {
    let rig = Rig::new().await;
    rig.start().await;
    let mut turn = rig.turn().await;
    for hundred in 0..30 {
        let steps = (0..100).map(|number| step_done(&format!("{hundred}-{number}"), "1"));
        turn.checkpoint(steps.collect()).await;
    }
    let refused = turn.refused(vec![step_done("one-more", "1")]).await;
    assert!(refused.contains("3000"), "{refused}");
}

#[tokio::test]
async fn large_results_are_read_page_by_page() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let large = "x".repeat(1 << 20);
    for number in 0..8 {
        turn.checkpoint(vec![step_done(&number.to_string(), &large)])
            .await;
    }
    turn.checkpoint(vec![wait("w", 1)]).await;
    turn.pending();
    rig.manual.advance(std::time::Duration::from_secs(1));
    let turn = rig.turn().await;
    assert!(turn.event.to_string().len() < 6 << 20);
    let mut marker = turn.event["InitialExecutionState"]["NextMarker"].clone();
    let first = turn.event["InitialExecutionState"]["Operations"].as_array();
    let mut count = first.unwrap().len();
    while let Some(next) = marker.as_str().filter(|marker| !marker.is_empty()) {
        let page = rig
            .durable
            .state(&arn, &turn.token, Some(next), 1_000)
            .await
            .unwrap();
        count += page.operations.len();
        marker = page.next_marker.unwrap_or_default().into();
    }
    assert_eq!(count, 10);
}

#[tokio::test]
async fn callbacks_and_their_limits_are_in_the_history() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let callback = OperationUpdate {
        callback_options: Some(CallbackOptions {
            timeout_seconds: Some(60),
            heartbeat_timeout_seconds: Some(10),
        }),
        name: Some("approval".to_owned()),
        sub_type: Some("Callback".to_owned()),
        ..update("cb", OperationType::Callback, OperationAction::Start)
    };
    turn.checkpoint(vec![callback]).await;
    let (events, next) = rig
        .durable
        .history(&arn, false, true, None, 1)
        .await
        .unwrap();
    assert_eq!(next.as_deref(), Some("1"));
    let started = events[0].callback_started_details.as_ref().unwrap();
    assert_eq!(
        (started.timeout, started.heartbeat_timeout),
        (Some(60), Some(10))
    );
    assert_eq!(events[0].name.as_deref(), Some("approval"));
    let (events, next) = rig
        .durable
        .history(&arn, false, true, Some("1"), 5)
        .await
        .unwrap();
    assert_eq!((events.len(), next), (1, None));
    let input = &events[0].execution_started_details.as_ref().unwrap().input;
    assert_eq!(
        (input.payload.as_ref(), input.truncated),
        (None, Some(true))
    );
}
