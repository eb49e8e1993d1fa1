//! Messages of standard queues: sent, received, hidden, waited for, deleted.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sqs::Config;
use store::MemoryStore;
use support::{Sqs, bodies, json, settle, text};

#[tokio::test]
async fn sent_received_deleted() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    let sent = sqs
        .ok(
            "SendMessage",
            json!({
                "QueueUrl": url,
                "MessageBody": "msg",
                "MessageAttributes": {
                    "Hello": {"DataType": "String", "StringValue": "There"},
                    "General": {"DataType": "String", "StringValue": "Kenobi"},
                    "Help.Me": {"DataType": "String", "StringValue": "Me"},
                },
                "MessageSystemAttributes": {
                    "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"},
                },
            }),
        )
        .await;
    assert_eq!(sent["MD5OfMessageBody"], "6e2baaf3b97dbeef01c0043275f9a0e7");
    assert_eq!(
        sent["MD5OfMessageAttributes"],
        "4c360f3fdafd970e05fae2f149d997f5"
    );
    assert_eq!(text(&sent["MD5OfMessageSystemAttributes"]).len(), 32);
    assert!(sent.get("SequenceNumber").is_none());
    sqs.advance(1);
    let [message] = &sqs.receive(&url).await[..] else {
        panic!("one message");
    };
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(
        message["MD5OfMessageAttributes"],
        sent["MD5OfMessageAttributes"]
    );
    assert_eq!(
        message["MessageAttributes"]["Hello"]["StringValue"],
        "There"
    );
    assert_eq!(
        message["Attributes"],
        json!({
            "SenderId": "AIDAME",
            "SentTimestamp": "1795466144123",
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": "1795466145123",
            "AWSTraceHeader": "Root=1-2-3",
        })
    );
    assert_eq!(sqs.counts(&url).await, ["0", "1", "0"]);
    sqs.delete(&url, message).await;
    assert_eq!(sqs.counts(&url).await, ["0", "0", "0"]);
    sqs.delete(&url, message).await;
    sqs.advance(3600);
    assert!(sqs.receive(&url).await.is_empty());
}

#[tokio::test]
async fn only_what_is_asked_for_comes_with_a_message() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({"VisibilityTimeout": "0"})).await;
    let attribute = |value: &str| json!({"DataType": "String", "StringValue": value});
    let attributes = json!({"Hello": attribute("There"), "Help.Me": attribute("Me")});
    let message = json!({"QueueUrl": url, "MessageBody": "m", "MessageAttributes": attributes});
    sqs.ok("SendMessage", message).await;
    let bare = sqs.ok("ReceiveMessage", json!({"QueueUrl": url})).await["Messages"][0].clone();
    let mut members: Vec<&str> = bare
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    members.sort_unstable();
    assert_eq!(members, ["Body", "MD5OfBody", "MessageId", "ReceiptHandle"]);
    let some = json!({
        "QueueUrl": url, "MessageAttributeNames": ["Hello"], "AttributeNames": ["SenderId"],
    });
    let some = sqs.ok("ReceiveMessage", some).await["Messages"][0].clone();
    assert_eq!(
        some["MD5OfMessageAttributes"],
        "a311262e065454b75da111d535b8dacd"
    );
    assert_eq!(some["Attributes"], json!({"SenderId": "AIDAME"}));
}

#[tokio::test]
async fn hidden_until_the_visibility_timeout_ends_or_is_changed() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({"VisibilityTimeout": "20"})).await;
    sqs.send(&url, "m").await;
    let first = sqs.receive(&url).await;
    sqs.advance(19);
    assert!(sqs.receive(&url).await.is_empty());
    sqs.advance(1);
    let second = sqs
        .receive_with(&url, json!({"VisibilityTimeout": 100}))
        .await;
    assert_eq!(second[0]["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(
        second[0]["Attributes"]["ApproximateFirstReceiveTimestamp"],
        first[0]["Attributes"]["ApproximateFirstReceiveTimestamp"]
    );
    assert_ne!(first[0]["ReceiptHandle"], second[0]["ReceiptHandle"]);
    let change = |seconds: i64| {
        json!({
            "QueueUrl": url, "ReceiptHandle": second[0]["ReceiptHandle"],
            "VisibilityTimeout": seconds,
        })
    };
    sqs.ok("ChangeMessageVisibility", change(5)).await;
    sqs.advance(5);
    let third = sqs.receive(&url).await;
    assert_eq!(third.len(), 1);
    sqs.ok("ChangeMessageVisibility", change(0)).await;
    assert_eq!(
        sqs.receive(&url).await.len(),
        1,
        "an older receipt still works"
    );
    for bad in [-1, 43_201] {
        assert_eq!(
            sqs.refused("ChangeMessageVisibility", change(bad)).await.1,
            "InvalidParameterValue"
        );
    }
    sqs.advance(10);
    let (_, _, message) = sqs.refused("ChangeMessageVisibility", change(43_191)).await;
    assert!(
        message.contains("beyond the limit [43200 seconds]"),
        "{message}"
    );
    sqs.delete(&url, &first[0]).await;
    let (_, code, message) = sqs.refused("ChangeMessageVisibility", change(1)).await;
    assert_eq!(code, "InvalidParameterValue");
    assert!(
        message.ends_with(
            "Reason: Message does not exist or is not available for visibility timeout change."
        ),
        "{message}"
    );
}

#[tokio::test]
async fn delayed_by_the_queue_or_the_message() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({"DelaySeconds": "10"})).await;
    sqs.send(&url, "queue").await;
    let own = json!({"QueueUrl": url, "MessageBody": "own", "DelaySeconds": 3});
    sqs.ok("SendMessage", own).await;
    assert_eq!(sqs.counts(&url).await, ["0", "0", "2"]);
    sqs.advance(3);
    assert_eq!(bodies(&sqs.receive(&url).await), ["own"]);
    sqs.advance(7);
    assert_eq!(bodies(&sqs.receive(&url).await), ["queue"]);
}

#[tokio::test]
async fn a_long_poll_is_woken_by_an_arrival() {
    let sqs = Sqs::start().await;
    let url = sqs
        .queue("q", json!({"ReceiveMessageWaitTimeSeconds": "20"}))
        .await;
    let waiting = tokio::spawn({
        let (sqs, url) = (sqs.clone(), url.clone());
        async move { sqs.receive(&url).await }
    });
    settle().await;
    assert!(!waiting.is_finished());
    sqs.send(&url, "m").await;
    assert_eq!(bodies(&waiting.await.unwrap()), ["m"]);
}

#[tokio::test]
async fn a_long_poll_is_woken_when_a_message_becomes_visible_and_gives_up_in_time() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({"VisibilityTimeout": "7"})).await;
    sqs.send(&url, "hidden").await;
    sqs.receive(&url).await;
    let delayed = json!({"QueueUrl": url, "MessageBody": "delayed", "DelaySeconds": 3});
    sqs.ok("SendMessage", delayed).await;
    for (wait, after, expected) in [
        (9, 3, vec!["delayed"]),
        (9, 4, vec!["hidden"]),
        (2, 2, vec![]),
    ] {
        let waiting = tokio::spawn({
            let (sqs, url) = (sqs.clone(), url.clone());
            async move {
                sqs.receive_with(&url, json!({"WaitTimeSeconds": wait}))
                    .await
            }
        });
        settle().await;
        let almost = Duration::from_millis(after * 1000 - 1);
        sqs.clock.advance(almost);
        settle().await;
        assert!(!waiting.is_finished());
        sqs.clock.advance(Duration::from_millis(1));
        assert_eq!(bodies(&waiting.await.unwrap()), expected);
    }
}

#[tokio::test]
async fn each_arrival_wakes_one_of_those_who_wait() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    let mut waiting: Vec<_> = (0..5)
        .map(|_| {
            let (sqs, url) = (sqs.clone(), url.clone());
            tokio::spawn(async move {
                let one = json!({"WaitTimeSeconds": 20, "MaxNumberOfMessages": 1});
                sqs.receive_with(&url, one).await
            })
        })
        .collect();
    settle().await;
    // One that hangs up takes no wake-up with it.
    waiting.remove(0).abort();
    let entries: Vec<_> = (0..4)
        .map(|n| json!({"Id": n.to_string(), "MessageBody": n.to_string()}))
        .collect();
    sqs.ok(
        "SendMessageBatch",
        json!({"QueueUrl": url, "Entries": entries}),
    )
    .await;
    let mut received = Vec::new();
    for waiter in waiting {
        received.extend(bodies(&waiter.await.unwrap()));
    }
    received.sort();
    assert_eq!(received, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn batches_answer_for_each_entry() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({"MaximumMessageSize": "1024"})).await;
    let entries = json!([
        {"Id": "ok", "MessageBody": "fine"},
        {"Id": "bad", "MessageBody": "\u{b}"},
        {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
        {"Id": "big", "MessageBody": "x".repeat(1025)},
    ]);
    let answer = sqs
        .ok(
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": entries}),
        )
        .await;
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 1);
    let failed: Vec<(String, String)> = answer["Failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (text(&entry["Id"]), text(&entry["Code"])))
        .collect();
    let expected = [
        ("bad", "InvalidMessageContents"),
        ("late", "InvalidParameterValue"),
        ("big", "InvalidParameterValue"),
    ];
    assert_eq!(
        failed,
        expected.map(|(id, code)| (id.to_owned(), code.to_owned()))
    );
    assert_eq!(answer["Failed"][0]["SenderFault"], true);

    let received = sqs.receive(&url).await;
    let handle = &received[0]["ReceiptHandle"];
    let change = json!([
        {"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 1},
        {"Id": "b", "ReceiptHandle": handle},
    ]);
    let change = json!({"QueueUrl": url, "Entries": change});
    let changed = sqs.ok("ChangeMessageVisibilityBatch", change).await;
    assert_eq!(changed["Successful"], json!([{"Id": "a"}]));
    assert_eq!(changed["Failed"][0]["Code"], "MissingParameter");
    let delete = json!([
        {"Id": "a", "ReceiptHandle": handle},
        {"Id": "b", "ReceiptHandle": "fake"},
    ]);
    let deleted = sqs
        .ok(
            "DeleteMessageBatch",
            json!({"QueueUrl": url, "Entries": delete}),
        )
        .await;
    assert_eq!(deleted["Successful"], json!([{"Id": "a"}]));
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn batches_that_are_refused_as_a_whole() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    let entry = |id: &str, body: String| json!({"Id": id, "MessageBody": body});
    let small = |id: &str| entry(id, "x".into());
    let eleven: Vec<_> = (0..11).map(|n| small(&n.to_string())).collect();
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(eleven), "TooManyEntriesInBatchRequest"),
        (json!([small("a"), small("a")]), "BatchEntryIdsNotDistinct"),
        (json!([small("a b")]), "InvalidBatchEntryId"),
        (
            json!([entry("a", "x".repeat(1_048_576)), small("b")]),
            "BatchRequestTooLong",
        ),
    ] {
        let input = json!({"QueueUrl": url, "Entries": entries});
        let (shape, query_code, _) = sqs.refused("SendMessageBatch", input).await;
        assert_eq!(shape, code);
        assert_eq!(query_code, format!("AWS.SimpleQueueService.{code}"));
    }
    assert_eq!(sqs.counts(&url).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn bad_numbers_and_names() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    for (name, value, reason) in [
        (
            "MaxNumberOfMessages",
            11,
            "Must be between 1 and 10, if provided.",
        ),
        (
            "MaxNumberOfMessages",
            0,
            "Must be between 1 and 10, if provided.",
        ),
        (
            "WaitTimeSeconds",
            21,
            "Must be >= 0 and <= 20, if provided.",
        ),
        (
            "WaitTimeSeconds",
            -1,
            "Must be >= 0 and <= 20, if provided.",
        ),
        (
            "VisibilityTimeout",
            43_201,
            "Must be >= 0 and <= 43200, if provided.",
        ),
    ] {
        let input = json!({"QueueUrl": url, name: value});
        assert_eq!(
            sqs.refused("ReceiveMessage", input).await.2,
            format!("Value {value} for parameter {name} is invalid. Reason: {reason}")
        );
    }
    let unknown = json!({"QueueUrl": url, "AttributeNames": ["Nope"]});
    assert_eq!(
        sqs.refused("ReceiveMessage", unknown).await.0,
        "InvalidAttributeName"
    );
    let empty = json!({"QueueUrl": url, "MessageBody": ""});
    assert_eq!(
        sqs.refused("SendMessage", empty).await,
        (
            "MissingRequiredParameterException".into(),
            "MissingParameter".into(),
            "The request must contain the parameter MessageBody.".into()
        )
    );
}

#[tokio::test]
async fn too_old_messages_go() {
    let sqs = Sqs::start().await;
    let url = sqs
        .queue("q", json!({"MessageRetentionPeriod": "60"}))
        .await;
    sqs.send(&url, "old").await;
    sqs.advance(59);
    sqs.send(&url, "new").await;
    sqs.advance(1);
    assert_eq!(bodies(&sqs.receive(&url).await), ["new"]);
    settle().await;
    sqs.advance(60);
    assert_eq!(sqs.counts(&url).await, ["0", "0", "0"], "in flight or not");
}

#[tokio::test]
async fn contents_beyond_the_memory_budget_are_read_back() {
    let config = Config {
        content_in_memory: 0,
        ..Config::default()
    };
    let sqs = Sqs::on(Arc::new(MemoryStore::new()), config).await;
    let url = sqs.queue("q", json!({})).await;
    for body in ["a", "b"] {
        sqs.send(&url, body).await;
    }
    let received = sqs.receive(&url).await;
    assert_eq!(bodies(&received), ["a", "b"]);
    sqs.delete(&url, &received[0]).await;
    assert_eq!(sqs.counts(&url).await, ["0", "1", "0"]);
}

#[tokio::test]
async fn a_trace_header_holds_what_a_body_may_hold() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    let traced = |header: &str| {
        json!({
            "QueueUrl": url, "MessageBody": "m",
            "MessageSystemAttributes": {
                "AWSTraceHeader": {"DataType": "String", "StringValue": header},
            },
        })
    };
    sqs.ok("SendMessage", traced("Root=1-2-3")).await;
    let (_, code, _) = sqs.refused("SendMessage", traced("Root=\u{1}")).await;
    assert_eq!(code, "InvalidMessageContents");
}
