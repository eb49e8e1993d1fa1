//! Message move tasks: from a dead-letter queue back, or to another queue.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;

use store::{MemoryStore, Store};
use support::{Sqs, bodies, json, settle, text};

const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

fn policy() -> serde_json::Value {
    let policy = json!({"deadLetterTargetArn": DEAD, "maxReceiveCount": 1});
    json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "1"})
}

/// A dead-letter queue with messages `m0`, `m1`, ... of two sources in turn.
async fn dead_letters(sqs: &Sqs, count: usize) -> (String, [String; 2]) {
    let dead = sqs.queue("dead", json!({})).await;
    let one = sqs.queue("one", policy()).await;
    let two = sqs.queue("two", policy()).await;
    for number in 0..count {
        let source = if number % 2 == 0 { &one } else { &two };
        sqs.send(source, &format!("m{number}")).await;
    }
    for source in [&one, &two] {
        while !sqs.receive(source).await.is_empty() {}
        sqs.advance(2);
        while !sqs.receive(source).await.is_empty() {}
    }
    (dead, [one, two])
}

async fn tasks(sqs: &Sqs) -> serde_json::Value {
    let input = json!({"SourceArn": DEAD, "MaxResults": 10});
    sqs.ok("ListMessageMoveTasks", input).await["Results"].clone()
}

#[tokio::test]
async fn messages_go_back_to_where_they_came_from() {
    let sqs = Sqs::start().await;
    let (dead, [one, two]) = dead_letters(&sqs, 6).await;
    assert_eq!(sqs.counts(&dead).await, ["6", "0", "0"]);
    let started = sqs
        .ok("StartMessageMoveTask", json!({"SourceArn": DEAD}))
        .await;
    assert!(started["TaskHandle"].is_string());
    settle().await;
    let done = tasks(&sqs).await;
    assert_eq!(done[0]["Status"], "COMPLETED", "{done}");
    assert_eq!(done[0]["ApproximateNumberOfMessagesMoved"], 6);
    assert_eq!(done[0]["ApproximateNumberOfMessagesToMove"], 6);
    assert!(done[0]["TaskHandle"].is_null(), "only of running ones");
    assert_eq!(sqs.counts(&dead).await, ["0", "0", "0"]);
    let back = sqs.receive(&one).await;
    assert_eq!(bodies(&back), ["m0", "m2", "m4"]);
    assert_eq!(
        back[0]["Attributes"]["ApproximateReceiveCount"], "1",
        "it is as new"
    );
    assert_eq!(sqs.counts(&two).await, ["3", "0", "0"]);
}

#[tokio::test]
async fn a_rate_holds_and_a_task_can_be_cancelled_and_resumed() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let sqs = Sqs::on(Arc::clone(&store), sqs::Config::default()).await;
    let (dead, _) = dead_letters(&sqs, 8).await;
    let other = sqs.queue("other", json!({})).await;
    let start = json!({
        "SourceArn": DEAD, "DestinationArn": "arn:aws:sqs:us-east-1:000000000000:other",
        "MaxNumberOfMessagesPerSecond": 2,
    });
    let started = sqs.ok("StartMessageMoveTask", start.clone()).await;
    let again = sqs.call("StartMessageMoveTask", start).await.unwrap_err();
    assert_eq!(again.code, "UnsupportedOperation");
    settle().await;
    assert_eq!(sqs.counts(&other).await[0], "1");
    sqs.advance(1);
    settle().await;
    let moved = tasks(&sqs).await[0]["ApproximateNumberOfMessagesMoved"].clone();
    assert_eq!(moved, 2, "one half a second, each time the clock has moved");
    // Another start goes on with it.
    let clock = sqs.clock.clone();
    drop(sqs);
    let sqs = Sqs::with_clock(store, sqs::Config::default(), clock).await;
    settle().await;
    assert_eq!(sqs.counts(&other).await[0], "3");
    let cancel = json!({"TaskHandle": started["TaskHandle"]});
    let cancelled = sqs.ok("CancelMessageMoveTask", cancel.clone()).await;
    assert_eq!(cancelled["ApproximateNumberOfMessagesMoved"], 3);
    settle().await;
    assert_eq!(tasks(&sqs).await[0]["Status"], "CANCELLED");
    assert_eq!(sqs.counts(&dead).await[0], "5");
    let error = sqs.call("CancelMessageMoveTask", cancel).await.unwrap_err();
    assert_eq!(error.code, "UnsupportedOperation");
}

#[tokio::test]
async fn what_cannot_be_moved_stays_and_is_said() {
    let sqs = Sqs::start().await;
    let start = |arn: &str| json!({"SourceArn": arn});
    let missing = sqs
        .call("StartMessageMoveTask", start(DEAD))
        .await
        .unwrap_err();
    assert_eq!(missing.code, "ResourceNotFoundException");
    let dead = sqs.queue("dead", json!({})).await;
    let none = sqs
        .call("StartMessageMoveTask", start(DEAD))
        .await
        .unwrap_err();
    assert!(none.message.contains("Dead Letter Queue"), "{none}");
    sqs.queue("one", policy()).await;
    sqs.send(&dead, "sent here").await;
    sqs.ok("StartMessageMoveTask", start(DEAD)).await;
    settle().await;
    let failed = tasks(&sqs).await;
    assert_eq!(failed[0]["Status"], "FAILED");
    assert_eq!(failed[0]["FailureReason"], "CouldNotDetermineMessageSource");
    let left = sqs.receive(&dead).await;
    assert_eq!(text(&left[0]["Body"]), "sent here");
    for (input, part) in [
        (json!({"SourceArn": "x"}), "format"),
        (
            json!({"SourceArn": DEAD, "MaxNumberOfMessagesPerSecond": 501}),
            "500",
        ),
        (
            json!({"SourceArn": DEAD, "DestinationArn": DEAD}),
            "different",
        ),
    ] {
        let error = sqs.call("StartMessageMoveTask", input).await.unwrap_err();
        assert!(error.message.contains(part), "{error}");
    }
    let error = sqs
        .call("CancelMessageMoveTask", json!({"TaskHandle": "x"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, "InvalidParameterValueException");
}

#[tokio::test]
async fn a_busy_group_does_not_keep_others_waiting() {
    let sqs = Sqs::start().await;
    let queue = sqs.queue("fair", json!({})).await;
    let send = |group: &str, body: String| {
        let input = json!({"QueueUrl": queue, "MessageBody": body, "MessageGroupId": group});
        let sqs = &sqs;
        async move { sqs.ok("SendMessage", input).await }
    };
    for number in 0..20 {
        send("noisy", format!("noisy {number}")).await;
    }
    let input = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10});
    sqs.ok("ReceiveMessage", input).await;
    send("quiet", "quiet".to_owned()).await;
    let next = sqs
        .ok(
            "ReceiveMessage",
            json!({"QueueUrl": queue, "MaxNumberOfMessages": 2}),
        )
        .await;
    let next = next["Messages"].as_array().unwrap().clone();
    assert_eq!(bodies(&next), ["quiet", "noisy 10"]);
}
