//! Queues themselves: made, found, configured, purged, deleted.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use sqs::Config;
use std::sync::Arc;
use store::MemoryStore;
use support::{Sqs, json, text};

#[tokio::test]
async fn a_queue_is_made_once_and_found_by_name() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("orders", json!({"DelaySeconds": "5"})).await;
    assert_eq!(url, "http://127.0.0.1:4566/000000000000/orders");
    assert_eq!(sqs.queue("orders", json!({"DelaySeconds": "5"})).await, url);
    assert_eq!(
        sqs.queue("orders", json!({})).await,
        url,
        "what is not named may differ"
    );
    let different = json!({"QueueName": "orders", "Attributes": {"DelaySeconds": "6"}});
    assert_eq!(
        sqs.refused("CreateQueue", different).await,
        (
            "QueueNameExists".into(),
            "QueueAlreadyExists".into(),
            "A queue already exists with the same name and a different value for attribute \
             DelaySeconds"
                .into()
        )
    );
    let found = sqs.ok("GetQueueUrl", json!({"QueueName": "orders"})).await;
    assert_eq!(text(&found["QueueUrl"]), url);
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let sqs = Sqs::start().await;
    let not_there = (
        "QueueDoesNotExist".to_owned(),
        "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "The specified queue does not exist.".to_owned(),
    );
    assert_eq!(
        sqs.refused("GetQueueUrl", json!({"QueueName": "none"}))
            .await,
        not_there
    );
    let url = "http://localhost:4566/000000000000/none";
    for operation in [
        "ReceiveMessage",
        "DeleteQueue",
        "PurgeQueue",
        "ListQueueTags",
    ] {
        assert_eq!(
            sqs.refused(operation, json!({"QueueUrl": url})).await,
            not_there
        );
    }
    let (code, ..) = sqs
        .refused("PurgeQueue", json!({"QueueUrl": "nonsense"}))
        .await;
    assert_eq!(code, "InvalidAddress");
    let missing = json!({"SourceArn": "arn:aws:sqs:us-east-1:000000000000:none"});
    let (code, ..) = sqs.refused("ListMessageMoveTasks", missing).await;
    assert_eq!(code, "ResourceNotFoundException");
}

#[tokio::test]
async fn any_host_leads_to_the_queue_and_the_region_counts() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("orders", json!({})).await;
    sqs.send(&url, "m").await;
    for url in [
        "https://sqs.us-east-1.amazonaws.com/000000000000/orders",
        "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/orders",
        "http://localhost:4566/queue/us-east-1/000000000000/orders",
    ] {
        assert_eq!(sqs.counts(url).await[0], "1", "{url}");
    }
    let elsewhere = json!({"QueueUrl": "http://h/queue/eu-west-1/000000000000/orders"});
    assert_eq!(
        sqs.refused("PurgeQueue", elsewhere).await.0,
        "QueueDoesNotExist"
    );
}

#[tokio::test]
async fn lists_in_pages_and_by_prefix() {
    let sqs = Sqs::start().await;
    assert_eq!(sqs.ok("ListQueues", json!({})).await, json!({}));
    for name in ["b-1", "a-2", "a-1", "a-3"] {
        sqs.queue(name, json!({})).await;
    }
    let names = |answer: &serde_json::Value| -> Vec<String> {
        let urls = answer["QueueUrls"].as_array().unwrap();
        urls.iter()
            .map(|url| text(url).rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    let all = sqs.ok("ListQueues", json!({})).await;
    assert_eq!(names(&all), ["a-1", "a-2", "a-3", "b-1"]);
    assert!(all.get("NextToken").is_none());
    let first = sqs
        .ok(
            "ListQueues",
            json!({"QueueNamePrefix": "a", "MaxResults": 2}),
        )
        .await;
    assert_eq!(names(&first), ["a-1", "a-2"]);
    let rest = json!({"QueueNamePrefix": "a", "MaxResults": 2, "NextToken": first["NextToken"]});
    let rest = sqs.ok("ListQueues", rest).await;
    assert_eq!(names(&rest), ["a-3"]);
    assert!(rest.get("NextToken").is_none());
    for bad in [
        json!({"MaxResults": 0}),
        json!({"MaxResults": 1001}),
        json!({"NextToken": "?"}),
    ] {
        assert_eq!(
            sqs.refused("ListQueues", bad).await.1,
            "InvalidParameterValue"
        );
    }
}

#[tokio::test]
async fn attributes_are_shown_as_aws_shows_them() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q.fifo", json!({"FifoQueue": "true"})).await;
    assert_eq!(
        sqs.attributes(&url).await,
        json!({
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesDelayed": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "ContentBasedDeduplication": "false",
            "CreatedTimestamp": "1795466144",
            "DeduplicationScope": "queue",
            "DelaySeconds": "0",
            "FifoQueue": "true",
            "FifoThroughputLimit": "perQueue",
            "LastModifiedTimestamp": "1795466144",
            "MaximumMessageSize": "1048576",
            "MessageRetentionPeriod": "345600",
            "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q.fifo",
            "ReceiveMessageWaitTimeSeconds": "0",
            "SqsManagedSseEnabled": "true",
            "VisibilityTimeout": "30",
        })
    );
    sqs.advance(10);
    let set = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "69"}});
    sqs.ok("SetQueueAttributes", set).await;
    let one = json!({"QueueUrl": url, "AttributeNames": ["VisibilityTimeout", "Policy"]});
    let one = sqs.ok("GetQueueAttributes", one).await;
    assert_eq!(one, json!({"Attributes": {"VisibilityTimeout": "69"}}));
    assert_eq!(
        sqs.attributes(&url).await["LastModifiedTimestamp"],
        "1795466154"
    );
    assert_eq!(
        sqs.ok("GetQueueAttributes", json!({"QueueUrl": url})).await,
        json!({})
    );
    let unknown = json!({"QueueUrl": url, "AttributeNames": ["Nope"]});
    assert_eq!(
        sqs.refused("GetQueueAttributes", unknown).await,
        (
            "InvalidAttributeName".into(),
            "InvalidAttributeName".into(),
            "Unknown Attribute Nope.".into()
        )
    );
}

#[tokio::test]
async fn tags() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    assert_eq!(
        sqs.ok("ListQueueTags", json!({"QueueUrl": url})).await,
        json!({})
    );
    let tags = json!({"tag1": "value1", "tag2": "value2", "tag3": ""});
    sqs.ok("TagQueue", json!({"QueueUrl": url, "Tags": tags}))
        .await;
    assert_eq!(
        sqs.ok("ListQueueTags", json!({"QueueUrl": url})).await["Tags"],
        tags
    );
    sqs.ok(
        "UntagQueue",
        json!({"QueueUrl": url, "TagKeys": ["tag1", "tag3", "none"]}),
    )
    .await;
    let left = sqs.ok("ListQueueTags", json!({"QueueUrl": url})).await;
    assert_eq!(left, json!({"Tags": {"tag2": "value2"}}));
    let many: serde_json::Map<_, _> = (0..50).map(|n| (n.to_string(), json!("x"))).collect();
    let (_, code, _) = sqs
        .refused("TagQueue", json!({"QueueUrl": url, "Tags": many}))
        .await;
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        sqs.ok("ListQueueTags", json!({"QueueUrl": url})).await,
        left,
        "all or none"
    );
}

#[tokio::test]
async fn permissions_are_statements_of_the_policy() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    let add = json!({
        "QueueUrl": url, "Label": "share", "AWSAccountIds": ["111111111111"],
        "Actions": ["ReceiveMessage"],
    });
    sqs.ok("AddPermission", add.clone()).await;
    let policy = text(&sqs.attributes(&url).await["Policy"]);
    assert!(
        policy.contains("arn:aws:iam::111111111111:root"),
        "{policy}"
    );
    assert_eq!(
        sqs.refused("AddPermission", add).await.2,
        "Value share for parameter Label is invalid. Reason: Already exists."
    );
    let remove = json!({"QueueUrl": url, "Label": "share"});
    sqs.ok("RemovePermission", remove.clone()).await;
    assert!(sqs.attributes(&url).await.get("Policy").is_none());
    assert_eq!(
        sqs.refused("RemovePermission", remove).await.2,
        "Value share for parameter Label is invalid. Reason: can't find label."
    );
}

#[tokio::test]
async fn a_purge_takes_everything_and_only_once_a_minute() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    for body in ["a", "b", "c"] {
        sqs.send(&url, body).await;
    }
    let held = sqs
        .receive_with(&url, json!({"MaxNumberOfMessages": 1}))
        .await;
    sqs.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    assert_eq!(sqs.counts(&url).await, ["0", "0", "0"]);
    sqs.delete(&url, &held[0]).await;
    assert_eq!(
        sqs.refused("PurgeQueue", json!({"QueueUrl": url})).await,
        (
            "PurgeQueueInProgress".into(),
            "AWS.SimpleQueueService.PurgeQueueInProgress".into(),
            "Only one PurgeQueue operation on q is allowed every 60 seconds.".into()
        )
    );
    sqs.send(&url, "later").await;
    sqs.advance(60);
    sqs.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    assert!(sqs.receive(&url).await.is_empty());
}

#[tokio::test]
async fn a_deleted_queue_is_gone_with_its_messages() {
    let sqs = Sqs::start().await;
    let url = sqs.queue("q", json!({})).await;
    sqs.send(&url, "old").await;
    let held = sqs.receive(&url).await;
    let waiting = tokio::spawn({
        let (sqs, url) = (sqs.clone(), url.clone());
        async move {
            sqs.call(
                "ReceiveMessage",
                json!({"QueueUrl": url, "WaitTimeSeconds": 20}),
            )
            .await
        }
    });
    support::settle().await;
    sqs.ok("DeleteQueue", json!({"QueueUrl": url})).await;
    assert_eq!(
        waiting.await.unwrap().unwrap_err().code,
        "QueueDoesNotExist"
    );
    assert_eq!(
        sqs.queue("q", json!({})).await,
        url,
        "the name is free at once"
    );
    assert!(sqs.receive(&url).await.is_empty());
    let old = json!({"QueueUrl": url, "ReceiptHandle": held[0]["ReceiptHandle"]});
    let (code, _, message) = sqs.refused("DeleteMessage", old).await;
    assert_eq!(code, "ReceiptHandleIsInvalid");
    assert!(
        message.ends_with("is not valid for this queue."),
        "{message}"
    );
}

#[tokio::test]
async fn the_name_of_a_deleted_queue_can_be_kept_for_a_minute() {
    let config = Config {
        refuse_recently_deleted_names: true,
        ..Config::default()
    };
    let sqs = Sqs::on(Arc::new(MemoryStore::new()), config).await;
    let url = sqs.queue("q", json!({})).await;
    sqs.ok("DeleteQueue", json!({"QueueUrl": url})).await;
    assert_eq!(
        sqs.refused("CreateQueue", json!({"QueueName": "q"}))
            .await
            .1,
        "AWS.SimpleQueueService.QueueDeletedRecently"
    );
    sqs.advance(60);
    sqs.queue("q", json!({})).await;
}

#[tokio::test]
async fn what_a_call_is_about_for_policies() {
    let sqs = Sqs::start().await;
    let context = sqs.context();
    let input = wire::Value::Map(vec![(
        "QueueUrl".into(),
        wire::Value::Str("http://h/000000000000/q".into()),
    )]);
    let resource = sqs.service.resource("SendMessageBatch", &context, &input);
    assert_eq!(resource, "arn:aws:sqs:us-east-1:000000000000:q");
    assert_eq!(sqs.service.action("SendMessageBatch"), "sqs:SendMessage");
    let none = wire::Value::Map(vec![]);
    let resource = sqs.service.resource("ListQueues", &context, &none);
    assert_eq!(resource, "arn:aws:sqs:us-east-1:000000000000:*");
}
