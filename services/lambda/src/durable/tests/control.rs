//! Stopped, paused, resumed and deleted.

use std::time::Duration;

use super::rig::{Rig, step_done, wait};
use crate::durable::records::Failure;
use crate::generated::{EventType, ExecutionStatus};

#[tokio::test]
async fn a_stopped_execution_stays_so() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let error = Failure::new("Enough", "of it");
    let stopped = rig.durable.stop(arn.clone(), Some(error)).await.unwrap();
    assert_eq!(
        turn.refused(vec![wait("w", 1)]).await,
        "Invalid checkpoint token"
    );
    turn.succeed("1");
    assert!(rig.is_quiet().await);
    let got = rig.get(&arn).await;
    assert_eq!(
        (got.status, got.end_timestamp),
        (ExecutionStatus::Stopped, Some(stopped))
    );
    assert_eq!(got.error.unwrap().error_type.as_deref(), Some("Enough"));
    rig.manual.advance(Duration::from_secs(5));
    assert_eq!(rig.durable.stop(arn.clone(), None).await.unwrap(), stopped);
    let kinds = rig.kinds(&arn).await;
    assert_eq!(
        kinds,
        [
            EventType::ExecutionStarted,
            EventType::ExecutionStopped,
            EventType::InvocationCompleted
        ]
    );
    assert_eq!(rig.statuses().await, ["RUNNING", "STOPPED"]);
}

#[tokio::test]
async fn a_pause_takes_effect_at_the_next_checkpoint() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    let reason = Some("maintenance".to_owned());
    let token = Some("t".to_owned());
    let durable = &rig.durable;
    durable
        .pause(arn.clone(), reason.clone(), true, token.clone())
        .await
        .unwrap();
    let got = rig.get(&arn).await;
    assert_eq!(got.status, ExecutionStatus::Pausing);
    assert_eq!(got.pause_details.unwrap().reason, reason);
    // The same again is no conflict; another is.
    durable
        .pause(arn.clone(), reason.clone(), true, token)
        .await
        .unwrap();
    let refused = durable
        .pause(arn.clone(), None, true, Some("u".to_owned()))
        .await;
    assert_eq!(refused.unwrap_err().code, "ResourceConflictException");
    // What it records is kept, but it may go no further.
    let answer = turn.checkpoint(vec![step_done("s", "1")]).await;
    assert_eq!(answer.checkpoint_token, None);
    assert_eq!(rig.get(&arn).await.status, ExecutionStatus::Paused);
    assert_eq!(
        turn.refused(vec![wait("w", 1)]).await,
        "Invalid checkpoint token"
    );
    turn.pending();
    assert!(rig.is_quiet().await);
    durable
        .resume_paused(arn.clone(), None, None)
        .await
        .unwrap();
    let turn = rig.turn().await;
    assert_eq!(turn.operation("s")["Status"], "SUCCEEDED");
    turn.succeed("1");
    rig.ended(&arn).await;
    let kinds = rig.kinds(&arn).await;
    assert!(kinds.contains(&EventType::ExecutionPaused));
    assert!(kinds.contains(&EventType::ExecutionResumed));
}

#[tokio::test]
async fn waits_go_on_in_a_pause_and_the_function_does_not() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    turn.checkpoint(vec![wait("w", 10), wait("long", 100)])
        .await;
    turn.pending();
    assert!(rig.is_quiet().await);
    rig.durable
        .pause(arn.clone(), None, true, None)
        .await
        .unwrap();
    let expected = rig
        .get(&arn)
        .await
        .expected_execution_timeout_timestamp
        .unwrap();
    let started = rig.get(&arn).await.start_timestamp;
    assert_eq!(expected.since(started), Duration::from_hours(366 * 24));
    rig.manual.advance(Duration::from_secs(10));
    assert!(rig.is_quiet().await);
    assert!(rig.kinds(&arn).await.contains(&EventType::WaitSucceeded));
    let rig = rig.restart().await;
    assert!(rig.is_quiet().await);
    rig.durable
        .resume_paused(arn.clone(), None, None)
        .await
        .unwrap();
    let turn = rig.turn().await;
    assert_eq!(turn.operation("w")["Status"], "SUCCEEDED");
    turn.pending();
    // Nothing has happened in this one: there is nothing to invoke it for.
    assert!(rig.is_quiet().await);
    rig.durable
        .pause(arn.clone(), None, false, None)
        .await
        .unwrap();
    rig.durable
        .resume_paused(arn.clone(), None, None)
        .await
        .unwrap();
    assert!(rig.is_quiet().await);
    let refused = rig
        .durable
        .resume_paused(arn, None, None)
        .await
        .unwrap_err();
    assert_eq!(refused.code, "ResourceConflictException");
}

#[tokio::test]
async fn a_pause_survives_what_it_waited_for() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let _turn = rig.turn().await;
    rig.durable
        .pause(arn.clone(), None, true, None)
        .await
        .unwrap();
    let rig = rig.restart().await;
    assert!(rig.is_quiet().await);
    assert_eq!(rig.get(&arn).await.status, ExecutionStatus::Paused);
    rig.durable
        .resume_paused(arn.clone(), None, None)
        .await
        .unwrap();
    rig.turn().await.succeed("1");
    rig.ended(&arn).await;
    assert!(rig.is_quiet().await);
    assert!(rig.durable.slots.lock().is_empty());
}

#[tokio::test]
async fn a_pause_that_is_taken_back_in_time_is_none() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let mut turn = rig.turn().await;
    rig.durable
        .pause(arn.clone(), None, true, None)
        .await
        .unwrap();
    rig.durable
        .resume_paused(arn.clone(), None, None)
        .await
        .unwrap();
    assert_eq!(rig.get(&arn).await.status, ExecutionStatus::Running);
    let answer = turn.checkpoint(vec![step_done("s", "1")]).await;
    assert!(answer.checkpoint_token.is_some());
    turn.succeed("1");
    assert_eq!(rig.ended(&arn).await.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn only_what_has_ended_is_deleted() {
    let rig = Rig::new().await;
    let arn = rig.start().await;
    let turn = rig.turn().await;
    let refused = rig.durable.delete(arn.clone()).await.unwrap_err();
    assert_eq!(refused.code, "ResourceConflictException");
    turn.succeed("1");
    rig.ended(&arn).await;
    rig.durable.delete(arn.clone()).await.unwrap();
    let refused = rig.durable.delete(arn).await.unwrap_err();
    assert_eq!(refused.code, "ResourceNotFoundException");
}
