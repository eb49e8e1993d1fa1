//! Messages nobody could handle, and the queues they are moved to.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use support::{Sqs, bodies, json, settle, text};

const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

fn policy(target: &str, count: u32) -> serde_json::Value {
    let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": count});
    json!({"RedrivePolicy": policy.to_string(), "VisibilityTimeout": "1"})
}

#[tokio::test]
async fn after_enough_receives_a_message_moves_with_its_history() {
    let sqs = Sqs::start().await;
    let dead = sqs.queue("dead", json!({})).await;
    let source = sqs.queue("source", policy(DEAD, 2)).await;
    let id = sqs.send(&source, "poison").await;
    sqs.advance(1);
    let first = sqs.receive(&source).await;
    sqs.advance(1);
    assert_eq!(sqs.receive(&source).await.len(), 1);
    sqs.advance(1);
    assert!(sqs.receive(&source).await.is_empty());
    assert_eq!(sqs.counts(&source).await, ["0", "0", "0"]);
    let [moved] = &sqs.receive(&dead).await[..] else {
        panic!("one message");
    };
    assert_eq!(text(&moved["MessageId"]), id);
    let attributes = &moved["Attributes"];
    assert_eq!(attributes["ApproximateReceiveCount"], "3");
    assert_eq!(
        attributes["DeadLetterQueueSourceArn"],
        "arn:aws:sqs:us-east-1:000000000000:source"
    );
    for kept in [
        "SentTimestamp",
        "ApproximateFirstReceiveTimestamp",
        "SenderId",
    ] {
        assert_eq!(attributes[kept], first[0]["Attributes"][kept], "{kept}");
    }
    let sources = sqs
        .ok("ListDeadLetterSourceQueues", json!({"QueueUrl": dead}))
        .await;
    assert_eq!(sources["queueUrls"], json!([source]));
}

#[tokio::test]
async fn a_waiting_receive_is_as_good_as_another_to_move_it() {
    let sqs = Sqs::start().await;
    let dead = sqs.queue("dead", json!({})).await;
    let source = sqs.queue("source", policy(DEAD, 1)).await;
    sqs.send(&source, "poison").await;
    sqs.receive(&source).await;
    let long = json!({"WaitTimeSeconds": 20});
    let wait_for = |url: &str| {
        let (sqs, url, long) = (sqs.clone(), url.to_owned(), long.clone());
        tokio::spawn(async move { sqs.receive_with(&url, long).await })
    };
    let (at_source, at_dead) = (wait_for(&source), wait_for(&dead));
    settle().await;
    sqs.advance(1);
    assert_eq!(
        bodies(&at_dead.await.unwrap()),
        ["poison"],
        "woken by the move"
    );
    settle().await;
    assert!(!at_source.is_finished());
    sqs.send(&source, "good").await;
    assert_eq!(bodies(&at_source.await.unwrap()), ["good"]);
}

#[tokio::test]
async fn without_its_dead_letter_queue_a_message_stays() {
    let sqs = Sqs::start().await;
    let dead = sqs.queue("dead", json!({})).await;
    let source = sqs.queue("source", policy(DEAD, 1)).await;
    sqs.send(&source, "poison").await;
    sqs.ok("DeleteQueue", json!({"QueueUrl": dead})).await;
    for _ in 0..3 {
        assert_eq!(sqs.receive(&source).await.len(), 1);
        sqs.advance(1);
    }
}

#[tokio::test]
async fn a_fifo_group_goes_on_behind_a_message_that_moved() {
    let sqs = Sqs::start().await;
    let dead = sqs.queue("dead.fifo", json!({"FifoQueue": "true"})).await;
    let mut attributes = policy(&format!("{DEAD}.fifo"), 1);
    attributes["FifoQueue"] = json!("true");
    let source = sqs.queue("source.fifo", attributes).await;
    for body in ["1", "2"] {
        sqs.send_to_group(&source, "g", body).await;
    }
    let one = json!({"MaxNumberOfMessages": 1});
    assert_eq!(bodies(&sqs.receive_with(&source, one.clone()).await), ["1"]);
    sqs.advance(1);
    assert_eq!(bodies(&sqs.receive_with(&source, one).await), ["2"]);
    let moved = sqs.receive(&dead).await;
    assert_eq!(bodies(&moved), ["1"]);
    assert_eq!(moved[0]["Attributes"]["MessageGroupId"], "g");
}

#[tokio::test]
async fn wrong_targets_are_refused() {
    let sqs = Sqs::start().await;
    sqs.queue("dead", json!({})).await;
    sqs.queue("dead.fifo", json!({"FifoQueue": "true"})).await;
    let deny = json!({"redrivePermission": "denyAll"}).to_string();
    sqs.queue("closed", json!({"RedriveAllowPolicy": deny}))
        .await;
    for (target, reason) in [
        (
            "arn:aws:sqs:us-east-1:000000000000:none",
            "Dead letter target does not exist.",
        ),
        (
            "arn:aws:sqs:us-east-1:000000000000:dead.fifo",
            "Dead-letter queue must be same type of queue as the source.",
        ),
        (
            "arn:aws:sqs:us-east-1:111111111111:dead",
            "Dead-letter target owner should be same as the source.",
        ),
        (
            "arn:aws:sqs:us-east-1:000000000000:closed",
            "does not allow",
        ),
        (
            "arn:aws:sqs:us-east-1:000000000000:source",
            "must not be the source queue itself.",
        ),
        ("dummy", "Invalid value for deadLetterTargetArn."),
    ] {
        let create = json!({"QueueName": "source", "Attributes": policy(target, 1)});
        let (_, code, message) = sqs.refused("CreateQueue", create).await;
        assert_eq!(code, "InvalidParameterValue", "{target}");
        assert!(message.contains(reason), "{target}: {message}");
    }
    let source = sqs.queue("source", json!({})).await;
    let set = json!({"QueueUrl": source, "Attributes": policy("dummy", 1)});
    sqs.refused("SetQueueAttributes", set).await;
    let set = json!({"QueueUrl": source, "Attributes": policy(DEAD, 1)});
    sqs.ok("SetQueueAttributes", set).await;
    let unset = json!({"QueueUrl": source, "Attributes": {"RedrivePolicy": ""}});
    sqs.ok("SetQueueAttributes", unset).await;
    assert!(sqs.attributes(&source).await.get("RedrivePolicy").is_none());
}
