//! One execution waits for another function.

use serde_json::json;

use super::rig::{Rig, Turn, update};
use crate::durable::records::Failure;
use crate::generated::{
    ChainedInvokeOptions, EventType, ExecutionStatus, OperationAction, OperationShape,
    OperationType, OperationUpdate,
};

async fn invoke(turn: &mut Turn, id: &str, function: &str) -> OperationShape {
    let chained = OperationUpdate {
        payload: Some(json!({"n": 1}).to_string()),
        chained_invoke_options: Some(ChainedInvokeOptions {
            function_name: function.to_owned(),
            ..ChainedInvokeOptions::default()
        }),
        ..update(id, OperationType::ChainedInvoke, OperationAction::Start)
    };
    let answer = turn.checkpoint(vec![chained]).await;
    answer.new_execution_state.operations.unwrap().remove(0)
}

#[tokio::test]
async fn a_durable_target_is_an_execution_of_its_own() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut parent = rig.turn().await;
    invoke(&mut parent, "i", "child:$LATEST").await;
    parent.pending();
    let child = rig.turn().await;
    let child_arn = child.execution();
    assert_eq!(child_arn.function, "child");
    let execution = child.operation(&child_arn.id).clone();
    assert_eq!(execution["ExecutionDetails"]["InputPayload"], r#"{"n":1}"#);
    child.succeed("42");
    let parent = rig.turn().await;
    assert_eq!(parent.execution(), arn);
    assert_eq!(parent.operation("i")["Status"], "SUCCEEDED");
    assert_eq!(
        parent.operation("i")["ChainedInvokeDetails"]["Result"],
        "42"
    );
    parent.succeed("1");
    rig.ended(&arn).await;
    let (events, _) = rig
        .durable
        .history(&arn, true, false, None, 100)
        .await
        .unwrap();
    let started = events
        .iter()
        .find_map(|it| it.chained_invoke_started_details.as_ref());
    let started = started.unwrap();
    assert_eq!(started.durable_execution_arn, Some(child_arn.to_string()));
    assert_eq!(started.executed_version.as_deref(), Some("$LATEST"));
    assert_eq!(started.function_name, "child:$LATEST");
}

#[tokio::test]
async fn how_a_durable_target_ends_is_how_the_operation_does() {
    let rig = Rig::new().await;
    for (status, kind, event) in [
        (
            ExecutionStatus::Failed,
            "Crash",
            EventType::ChainedInvokeFailed,
        ),
        (
            ExecutionStatus::Stopped,
            "Enough",
            EventType::ChainedInvokeStopped,
        ),
        (
            ExecutionStatus::TimedOut,
            "ChainedInvoke.Timeout",
            EventType::ChainedInvokeTimedOut,
        ),
    ] {
        let arn = rig.start().await;
        let mut parent = rig.turn().await;
        invoke(&mut parent, "i", "child:$LATEST").await;
        parent.pending();
        let child = rig.turn().await;
        let child_arn = child.execution();
        match status {
            ExecutionStatus::Failed => {
                child.answer(&json!({"Status": "FAILED", "Error": {"ErrorType": "Crash"}}));
            }
            ExecutionStatus::Stopped => {
                let error = Failure::new("Enough", "of it");
                rig.durable.stop(child_arn, Some(error)).await.unwrap();
            }
            _ => rig.manual.advance(std::time::Duration::from_mins(1)),
        }
        let parent = rig.turn().await;
        let details = &parent.operation("i")["ChainedInvokeDetails"];
        assert_eq!(details["Error"]["ErrorType"], kind);
        assert!(rig.kinds(&arn).await.contains(&event));
        parent.succeed("1");
    }
}

#[tokio::test]
async fn a_target_that_is_not_durable_is_invoked_once() {
    let rig = Rig::new().await;
    rig.start().await;
    let mut parent = rig.turn().await;
    invoke(&mut parent, "good", "plain").await;
    let plain = rig.turn().await;
    assert!(plain.function.ends_with(":function:plain:$LATEST"));
    assert_eq!(plain.event, json!({"n": 1}));
    plain.answer(&json!({"said": "hello"}));
    invoke(&mut parent, "bad", "plain").await;
    rig.turn().await.crash();
    parent.pending();
    let parent = rig.turn().await;
    let good = parent.operation("good");
    assert_eq!(
        good["ChainedInvokeDetails"]["Result"],
        r#"{"said":"hello"}"#
    );
    let parent = if parent.operation("bad")["Status"] == "STARTED" {
        parent.pending();
        rig.turn().await
    } else {
        parent
    };
    let error = &parent.operation("bad")["ChainedInvokeDetails"]["Error"];
    assert_eq!(error["ErrorType"], "Crash");
}

#[tokio::test]
async fn where_a_name_leads_is_known_at_once() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    for (id, function, kind, message) in [
        (
            "a",
            "nobody",
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST",
        ),
        (
            "b",
            "child",
            "InvalidParameterValueException",
            "You cannot invoke a durable function using an unqualified ARN.",
        ),
    ] {
        let failed = invoke(&mut turn, id, function).await;
        let error = failed.chained_invoke_details.unwrap().error.unwrap();
        assert_eq!(error.error_type.as_deref(), Some(kind));
        assert_eq!(error.error_message.as_deref(), Some(message));
    }
    let (events, _) = rig
        .durable
        .history(&arn, true, false, None, 100)
        .await
        .unwrap();
    let started = events
        .iter()
        .find_map(|it| it.chained_invoke_started_details.as_ref());
    assert_eq!(started.unwrap().input, None);
    for (function, message) in [
        (
            "arn:aws:lambda:eu-west-1:000000000000:function:child:1",
            "Cannot start a CHAINED_INVOKE on a function in another region.",
        ),
        (
            "arn:aws:lambda:us-east-1:111111111111:function:child:1",
            "Cannot start a CHAINED_INVOKE on a function in another account.",
        ),
    ] {
        let chained = OperationUpdate {
            chained_invoke_options: Some(ChainedInvokeOptions {
                function_name: function.to_owned(),
                ..ChainedInvokeOptions::default()
            }),
            ..update("c", OperationType::ChainedInvoke, OperationAction::Start)
        };
        assert_eq!(turn.refused(vec![chained]).await, message);
    }
}

#[tokio::test]
async fn a_chain_through_itself_ends() {
    let rig = Rig::new().await;
    rig.start().await;
    let mut depth = 0;
    let failed = loop {
        let mut turn = rig.turn().await;
        let begun = invoke(&mut turn, "i", "child:$LATEST").await;
        turn.pending();
        if let Some(error) = begun.chained_invoke_details.and_then(|it| it.error) {
            break error;
        }
        depth += 1;
        assert!(depth < 100);
    };
    assert_eq!(
        failed.error_type.as_deref(),
        Some("RecursiveInvocationException")
    );
}
