//! FIFO queues: order within groups, exactly-once sending, receipts that expire.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use support::{Sqs, bodies, json, text};

async fn fifo() -> (Sqs, String) {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q.fifo", json!({"FifoQueue": "true"})).await;
    (sqs, url)
}

#[tokio::test]
async fn a_group_waits_for_its_message_in_flight() {
    let (sqs, url) = fifo().await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        sqs.send_to_group(&url, group, body).await;
    }
    let one = json!({"MaxNumberOfMessages": 1});
    let first = sqs.receive_with(&url, one.clone()).await;
    assert_eq!(bodies(&first), ["a1"]);
    assert_eq!(
        bodies(&sqs.receive(&url).await),
        ["b1"],
        "the other group goes on"
    );
    assert!(sqs.receive(&url).await.is_empty());
    sqs.delete(&url, &first[0]).await;
    assert_eq!(bodies(&sqs.receive_with(&url, one).await), ["a2"]);
}

#[tokio::test]
async fn what_comes_back_is_received_before_what_follows_it() {
    let (sqs, url) = fifo().await;
    for body in ["1", "2", "3"] {
        sqs.send_to_group(&url, "g", body).await;
    }
    let held = sqs.receive(&url).await;
    assert_eq!(
        bodies(&held),
        ["1", "2", "3"],
        "of one group, as many as there are"
    );
    let show = |at: usize| {
        json!({
            "QueueUrl": url, "ReceiptHandle": held[at]["ReceiptHandle"], "VisibilityTimeout": 0,
        })
    };
    sqs.ok("ChangeMessageVisibility", show(1)).await;
    assert!(
        sqs.receive(&url).await.is_empty(),
        "the first is still in flight"
    );
    sqs.ok("ChangeMessageVisibility", show(0)).await;
    assert!(
        sqs.receive(&url).await.is_empty(),
        "whoever still holds the last has the group to itself"
    );
    sqs.delete(&url, &held[2]).await;
    assert_eq!(bodies(&sqs.receive(&url).await), ["1", "2"]);
}

#[tokio::test]
async fn sequence_numbers_grow() {
    let (sqs, url) = fifo().await;
    let first = text(&sqs.send_to_group(&url, "a", "1").await["SequenceNumber"]);
    let second = text(&sqs.send_to_group(&url, "b", "2").await["SequenceNumber"]);
    assert_eq!(first.len(), 20);
    assert!(second > first);
    let received = sqs.receive(&url).await;
    let attributes = &received[0]["Attributes"];
    assert_eq!(attributes["SequenceNumber"], json!(first));
    assert_eq!(attributes["MessageGroupId"], "a");
    assert_eq!(attributes["MessageDeduplicationId"], "a-1");
}

#[tokio::test]
async fn a_repeated_send_within_five_minutes_is_delivered_once() {
    let (sqs, url) = fifo().await;
    let first = sqs.send_to_group(&url, "g", "m").await;
    let received = sqs.receive(&url).await;
    sqs.delete(&url, &received[0]).await;
    sqs.advance(299);
    let again = sqs.send_to_group(&url, "g", "m").await;
    assert_eq!(again, first, "even after it was deleted");
    assert!(sqs.receive(&url).await.is_empty());
    sqs.advance(1);
    let anew = sqs.send_to_group(&url, "g", "m").await;
    assert_ne!(anew["MessageId"], first["MessageId"]);
    assert_eq!(sqs.receive(&url).await.len(), 1);
}

#[tokio::test]
async fn content_can_stand_for_the_id_and_the_group_can_be_the_scope() {
    let sqs = Sqs::start().await;
    let attributes = json!({
        "FifoQueue": "true", "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
    });
    let url = sqs.queue("q.fifo", attributes).await;
    let entry = |id: &str, group: &str, body: &str| json!({"Id": id, "MessageBody": body, "MessageGroupId": group});
    let entries = json!([
        entry("1", "a", "x"),
        entry("2", "a", "x"),
        entry("3", "b", "x")
    ]);
    let answer = sqs
        .ok(
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": entries}),
        )
        .await;
    let ids: Vec<_> = answer["Successful"].as_array().unwrap().iter().collect();
    assert_eq!(ids[0]["MessageId"], ids[1]["MessageId"]);
    assert_ne!(ids[0]["MessageId"], ids[2]["MessageId"]);
    assert_eq!(sqs.counts(&url).await[0], "2");
}

#[tokio::test]
async fn what_a_send_must_give() {
    let (sqs, url) = fifo().await;
    let bare = json!({"QueueUrl": url, "MessageBody": "m"});
    let (_, code, message) = sqs.refused("SendMessage", bare).await;
    assert_eq!(code, "MissingParameter");
    assert_eq!(
        message,
        "The request must contain the parameter MessageGroupId."
    );
    let grouped = json!({"QueueUrl": url, "MessageBody": "m", "MessageGroupId": "g"});
    let (_, code, _) = sqs.refused("SendMessage", grouped).await;
    assert_eq!(code, "InvalidParameterValue");
    let batch = json!({"QueueUrl": url, "Entries": [{"Id": "1", "MessageBody": "m"}]});
    let (_, code, message) = sqs.refused("SendMessageBatch", batch).await;
    assert_eq!(
        code, "InvalidParameterValue",
        "in a batch it is another code"
    );
    assert_eq!(
        message,
        "The request must contain the parameter MessageGroupId."
    );
}

#[tokio::test]
async fn a_receipt_ends_with_its_visibility_timeout() {
    let (sqs, url) = fifo().await;
    sqs.send_to_group(&url, "g", "m").await;
    let held = sqs
        .receive_with(&url, json!({"VisibilityTimeout": 5}))
        .await;
    sqs.advance(5);
    let handle = &held[0]["ReceiptHandle"];
    let expired = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        text(handle)
    );
    let delete = json!({"QueueUrl": url, "ReceiptHandle": handle});
    let (_, code, message) = sqs.refused("DeleteMessage", delete.clone()).await;
    assert_eq!((code.as_str(), message), ("InvalidParameterValue", expired));
    let current = sqs.receive(&url).await;
    sqs.refused("DeleteMessage", delete.clone()).await;
    sqs.delete(&url, &current[0]).await;
    sqs.ok("DeleteMessage", delete).await;
}

#[tokio::test]
async fn an_attempt_can_be_repeated_until_its_messages_change() {
    let (sqs, url) = fifo().await;
    for group in ["a", "b"] {
        sqs.send_to_group(&url, group, "m").await;
    }
    let attempt = json!({"ReceiveRequestAttemptId": "try-1"});
    let first = sqs.receive_with(&url, attempt.clone()).await;
    assert_eq!(first.len(), 2);
    sqs.advance(20);
    assert_eq!(
        sqs.receive_with(&url, attempt.clone()).await,
        first,
        "receipts and all"
    );
    sqs.advance(20);
    assert!(sqs.receive(&url).await.is_empty(), "they were hidden anew");
    sqs.delete(&url, &first[0]).await;
    assert!(sqs.receive_with(&url, attempt).await.is_empty());
}

#[tokio::test]
async fn the_delay_is_that_of_the_messages_already_there() {
    let sqs = Sqs::start().await;
    let attributes = json!({"FifoQueue": "true", "DelaySeconds": "10"});
    let url = sqs.queue("q.fifo", attributes).await;
    let delay = |seconds: &str| json!({"QueueUrl": url, "Attributes": {"DelaySeconds": seconds}});
    sqs.send_to_group(&url, "g", "1").await;
    sqs.advance(5);
    sqs.send_to_group(&url, "g", "2").await;
    assert_eq!(sqs.counts(&url).await, ["0", "0", "2"]);
    sqs.ok("SetQueueAttributes", delay("5")).await;
    let first = sqs.receive(&url).await;
    assert_eq!(bodies(&first), ["1"]);
    sqs.ok("SetQueueAttributes", delay("20")).await;
    sqs.delete(&url, &first[0]).await;
    sqs.advance(19);
    assert!(sqs.receive(&url).await.is_empty());
    sqs.advance(1);
    assert_eq!(bodies(&sqs.receive(&url).await), ["2"]);
}

#[tokio::test]
async fn each_message_waits_for_its_own_delay() {
    let sqs = Sqs::start().await;
    let attributes = json!({"FifoQueue": "true", "DelaySeconds": "10"});
    let url = sqs.queue("q.fifo", attributes).await;
    sqs.send_to_group(&url, "g", "1").await;
    sqs.advance(5);
    sqs.send_to_group(&url, "g", "2").await;
    sqs.advance(5);
    let first = sqs.receive(&url).await;
    assert_eq!(bodies(&first), ["1"], "the second waits");
    sqs.delete(&url, &first[0]).await;
    sqs.advance(5);
    assert_eq!(bodies(&sqs.receive(&url).await), ["2"]);
}
