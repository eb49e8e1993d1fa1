//! Callbacks: completed by others, in time or not.

use std::time::Duration;

use super::rig::{Rig, Turn, update};
use crate::durable::Completion;
use crate::durable::records::Failure;
use crate::generated::{
    CallbackOptions, EventType, OperationAction, OperationType, OperationUpdate,
};

/// Begins a callback and gives its id.
async fn begin(turn: &mut Turn, timeout: i32, heartbeat: i32) -> String {
    let callback = OperationUpdate {
        callback_options: Some(CallbackOptions {
            timeout_seconds: Some(timeout),
            heartbeat_timeout_seconds: Some(heartbeat),
        }),
        ..update("cb", OperationType::Callback, OperationAction::Start)
    };
    let answer = turn.checkpoint(vec![callback]).await;
    let operations = answer.new_execution_state.operations.unwrap();
    let details = operations[0].callback_details.clone();
    details.unwrap().callback_id.unwrap()
}

#[tokio::test]
async fn a_callback_is_completed_once() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let id = begin(&mut turn, 0, 0).await;
    turn.pending();
    assert!(rig.is_quiet().await);
    let here = arn.place.clone();
    let durable = &rig.durable;
    let done = |result: &str| Completion::Succeeded(Some(result.to_owned()));
    let mut elsewhere = here.clone();
    elsewhere.region = "eu-west-1".parse().unwrap();
    let refused = durable
        .complete_callback(id.clone(), elsewhere, done("no"))
        .await;
    assert_eq!(refused.unwrap_err().code, "CallbackTimeoutException");
    let refused = durable
        .complete_callback("QUJD".to_owned(), here.clone(), done("no"))
        .await;
    assert_eq!(refused.unwrap_err().message, "Invalid callback id");
    durable.heartbeat(id.clone(), here.clone()).await.unwrap();
    durable
        .complete_callback(id.clone(), here.clone(), done("yes"))
        .await
        .unwrap();
    let turn = rig.turn().await;
    assert_eq!(turn.operation("cb")["Status"], "SUCCEEDED");
    assert_eq!(turn.operation("cb")["CallbackDetails"]["Result"], "yes");
    for refused in [
        durable
            .complete_callback(id.clone(), here.clone(), done("again"))
            .await,
        durable.heartbeat(id.clone(), here.clone()).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, "CallbackTimeoutException");
        let message = "The callback is either timed out or already completed";
        assert_eq!(
            (refused.message.as_str(), refused.status.as_u16()),
            (message, 400)
        );
    }
    turn.succeed("1");
    rig.ended(&arn).await;
}

#[tokio::test]
async fn one_that_failed_may_say_nothing() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let id = begin(&mut turn, 0, 0).await;
    turn.pending();
    let failed = Completion::Failed(Failure::default());
    rig.durable
        .complete_callback(id, arn.place.clone(), failed)
        .await
        .unwrap();
    let turn = rig.turn().await;
    let callback = turn.operation("cb");
    assert_eq!(callback["Status"], "FAILED");
    assert_eq!(callback["CallbackDetails"]["Error"], serde_json::json!({}));
    assert!(rig.kinds(&arn).await.contains(&EventType::CallbackFailed));
}

#[tokio::test]
async fn one_times_out_at_its_time_or_without_a_heartbeat() {
    for (timeout, heartbeat, kind) in [(60, 0, "Callback.Timeout"), (60, 10, "Callback.Heartbeat")]
    {
        let rig = Rig::new().await;
        let arn = rig.start().await;
        let mut turn = rig.turn().await;
        let id = begin(&mut turn, timeout, heartbeat).await;
        turn.pending();
        if heartbeat > 0 {
            rig.manual.advance(Duration::from_secs(9));
            rig.durable
                .heartbeat(id.clone(), arn.place.clone())
                .await
                .unwrap();
            rig.manual.advance(Duration::from_secs(9));
            assert!(rig.is_quiet().await);
            rig.manual.advance(Duration::from_secs(1));
        } else {
            rig.manual.advance(Duration::from_secs(59));
            assert!(rig.is_quiet().await);
            rig.manual.advance(Duration::from_secs(1));
        }
        let turn = rig.turn().await;
        let callback = turn.operation("cb");
        assert_eq!(callback["Status"], "TIMED_OUT");
        assert_eq!(callback["CallbackDetails"]["Error"]["ErrorType"], kind);
        let late = Completion::Succeeded(None);
        let late = rig
            .durable
            .complete_callback(id, arn.place.clone(), late)
            .await;
        assert_eq!(late.unwrap_err().code, "CallbackTimeoutException");
    }
}

#[tokio::test]
async fn one_of_an_execution_that_has_ended_is_closed() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let id = begin(&mut turn, 0, 0).await;
    turn.pending();
    rig.durable.stop(arn.clone(), None).await.unwrap();
    let late = Completion::Succeeded(None);
    let late = rig
        .durable
        .complete_callback(id, arn.place.clone(), late)
        .await;
    assert_eq!(late.unwrap_err().code, "CallbackTimeoutException");
}
