//! Time passes: a year of it, for a function that nobody sees meanwhile.

use std::time::Duration;

use super::rig::{Rig, YEAR, retry, step, step_done, wait};
use crate::generated::{ErrorObject, EventType, ExecutionStatus, OperationAction, OperationUpdate};

#[tokio::test]
async fn a_wait_of_a_year_holds_nothing_and_ends_to_the_second() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let year = i32::try_from(YEAR.as_secs()).unwrap();
    turn.checkpoint(vec![step_done("before", "1"), wait("w", year)])
        .await;
    turn.pending();
    assert!(rig.is_quiet().await);
    // Nothing of it is in memory but its time.
    assert!(rig.durable.slots.lock().is_empty());
    rig.manual.advance(Duration::from_secs(YEAR.as_secs() - 1));
    assert!(rig.is_quiet().await);
    rig.manual.advance(Duration::from_secs(1));
    let turn = rig.turn().await;
    assert_eq!(turn.operation("w")["Status"], "SUCCEEDED");
    assert_eq!(turn.operation("before")["StepDetails"]["Result"], "1");
    turn.succeed("2");
    assert_eq!(rig.ended(&arn).await.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn an_attempt_follows_when_its_delay_is_over() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let failed = OperationUpdate {
        error: Some(ErrorObject {
            error_message: Some("not now".to_owned()),
            ..ErrorObject::default()
        }),
        ..retry("s", 30)
    };
    turn.checkpoint(vec![step("s", OperationAction::Start), failed])
        .await;
    turn.pending();
    assert!(rig.is_quiet().await);
    rig.manual.advance(Duration::from_secs(30));
    let mut turn = rig.turn().await;
    let ready = turn.operation("s").clone();
    assert_eq!(ready["Status"], "READY");
    assert_eq!(ready["StepDetails"]["Attempt"], 1);
    assert!(ready["StepDetails"].get("NextAttemptTimestamp").is_none());
    assert_eq!(ready["StepDetails"]["Error"]["ErrorMessage"], "not now");
    turn.checkpoint(vec![step("s", OperationAction::Start), step_done("s", "1")])
        .await;
    turn.succeed("1");
    rig.ended(&arn).await;
    let (events, _) = rig
        .durable
        .history(&arn, true, false, None, 100)
        .await
        .unwrap();
    let failed = events
        .iter()
        .find_map(|event| event.step_failed_details.as_ref());
    let failed = failed.unwrap();
    assert_eq!(failed.retry_details.next_attempt_delay_seconds, Some(30));
    let error = failed.error.payload.as_ref().unwrap();
    assert_eq!(error.error_message.as_deref(), Some("not now"));
    let succeeded = events
        .iter()
        .find_map(|event| event.step_succeeded_details.as_ref());
    assert_eq!(succeeded.unwrap().retry_details.current_attempt, Some(2));
}

#[tokio::test]
async fn a_running_function_learns_of_what_is_due() {
    let rig = Rig::new().await;
    rig.start().await;
    let mut turn = rig.turn().await;
    turn.checkpoint(vec![wait("w", 1)]).await;
    rig.manual.advance(Duration::from_secs(1));
    // Whoever comes first, the clock or the checkpoint, the function is told once.
    let told = turn.checkpoint(Vec::new()).await;
    let told = told.new_execution_state.operations.unwrap();
    assert_eq!((told.len(), told[0].id.as_str()), (1, "w"));
    turn.succeed("1");
    assert!(rig.is_quiet().await);
}

#[tokio::test]
async fn what_it_did_not_see_before_it_paused_has_it_invoked_again() {
    let rig = Rig::new().await;
    rig.start().await;
    let mut turn = rig.turn().await;
    turn.checkpoint(vec![wait("w", 1)]).await;
    rig.manual.advance(Duration::from_secs(1));
    assert!(rig.is_quiet().await);
    turn.pending();
    let turn = rig.turn().await;
    assert_eq!(turn.operation("w")["Status"], "SUCCEEDED");
}

#[tokio::test]
async fn an_execution_times_out_and_is_forgotten_in_the_end() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    turn.checkpoint(vec![wait("w", 31_622_400)]).await;
    turn.pending();
    assert!(rig.is_quiet().await);
    rig.manual.advance(Duration::from_hours(366 * 24));
    let ended = rig.ended(&arn).await;
    assert_eq!(ended.status, ExecutionStatus::TimedOut);
    let message = ended.error.unwrap().error_message.unwrap();
    assert_eq!(message, "Execution timed out after 31622400 seconds.");
    let last = *rig.kinds(&arn).await.last().unwrap();
    assert_eq!(last, EventType::ExecutionTimedOut);
    rig.manual.advance(Duration::from_hours(7 * 24 - 1));
    assert!(rig.is_quiet().await);
    rig.get(&arn).await;
    rig.manual.advance(Duration::from_hours(1));
    for _ in 0..200 {
        if rig.durable.describe(&arn, true).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = rig.durable.describe(&arn, true).await.unwrap_err();
    assert_eq!(refused.message, "Durable Execution does not exist");
    for table in [
        "execution",
        "operation",
        "event",
        "outcome",
        "name",
        "start",
    ] {
        assert_eq!(
            rig.count(&format!("lambda.durable_{table}")).await,
            0,
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_function_that_crashes_is_invoked_again_at_growing_distances() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut delay = Duration::from_secs(1);
    for failure in 1..8 {
        rig.turn().await.crash();
        assert!(rig.is_quiet().await, "{failure}");
        rig.manual.advance(delay);
        delay *= 2;
    }
    rig.turn().await.crash();
    let ended = rig.ended(&arn).await;
    assert_eq!(ended.status, ExecutionStatus::Failed);
    assert_eq!(ended.error.unwrap().error_type.as_deref(), Some("Crash"));
}

#[tokio::test]
async fn a_throttled_invocation_is_made_later_and_is_no_failure() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    for _ in 0..20 {
        rig.turn().await.throttle();
        assert!(rig.is_quiet().await);
        rig.manual.advance(Duration::from_secs(1));
    }
    rig.turn().await.succeed("1");
    let ended = rig.ended(&arn).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn to_wait_for_nothing_is_a_failure_in_the_end() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    for delay in [1, 2] {
        rig.turn().await.pending();
        assert!(rig.is_quiet().await);
        rig.manual.advance(Duration::from_secs(delay));
    }
    rig.turn().await.pending();
    let ended = rig.ended(&arn).await;
    let message = ended.error.unwrap().error_message.unwrap();
    assert_eq!(
        message,
        "Cannot return PENDING status with no pending operations."
    );
}
