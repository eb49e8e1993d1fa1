//! What may be published, and who gets it.

use crate::world::{World, structure, text, texts};
use wire::Value;

#[tokio::test]
async fn what_is_refused() {
    let world = World::new().await;
    let topic = world.topic("t", &[]).await;
    let fifo = world.topic("t.fifo", &[("FifoTopic", "true")]).await;
    let long = "x".repeat(262_145);
    for (topic, message, more, expected) in [
        (&topic, "", None, "Invalid parameter: Empty message"),
        (
            &topic,
            long.as_str(),
            None,
            "Invalid parameter: Message too long",
        ),
        (
            &topic,
            "m",
            Some(("Subject", " x")),
            "Invalid parameter: Subject",
        ),
        (
            &topic,
            "{}",
            Some(("MessageStructure", "json")),
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            &topic,
            "m",
            Some(("MessageDeduplicationId", "d")),
            "Invalid parameter: MessageDeduplicationId Reason: The request includes",
        ),
        (
            &fifo,
            "m",
            None,
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        ),
        (
            &fifo,
            "m",
            Some(("MessageGroupId", "g")),
            "Invalid parameter: The topic should either have ContentBasedDeduplication enabled",
        ),
    ] {
        let mut members = vec![("TopicArn", text(topic)), ("Message", text(message))];
        members.extend(more.map(|(name, value)| (name, text(value))));
        let found = world.refusal("Publish", &members).await;
        assert!(found.starts_with(expected), "{found}");
    }
    let attribute = structure(&[("DataType", text("Strings")), ("StringValue", text("v"))]);
    let members = [
        ("TopicArn", text(&topic)),
        ("Message", text("m")),
        ("MessageAttributes", structure(&[("a", attribute)])),
    ];
    assert!(
        world
            .refusal("Publish", &members)
            .await
            .starts_with("The message attribute 'a' has an invalid message attribute type")
    );
}

#[tokio::test]
async fn each_protocol_gets_its_own_text() {
    let mut world = World::new().await;
    let topic = world.topic("t", &[]).await;
    world
        .subscribe_queue(&topic, "q", &[("RawMessageDelivery", "true")])
        .await;
    let members = [
        ("TopicArn", text(&topic)),
        ("Message", text(r#"{"default": "all", "sqs": "queues"}"#)),
        ("MessageStructure", text("json")),
    ];
    world.ok("Publish", &members).await;
    assert_eq!(world.next_body().await, "queues");
}

#[tokio::test]
async fn filters_by_attributes() {
    let mut world = World::new().await;
    let topic = world.topic("t", &[]).await;
    let policy = r#"{"kind": ["a", {"prefix": "b"}], "tags": ["x"]}"#;
    world
        .subscribe_queue(
            &topic,
            "q",
            &[("RawMessageDelivery", "true"), ("FilterPolicy", policy)],
        )
        .await;
    for (kind, tags, message) in [
        ("a", r#"["x", "y"]"#, "1"),
        ("bcd", r#"["x"]"#, "2"),
        ("c", r#"["x"]"#, "3"),
        ("a", r#"["y"]"#, "4"),
        ("a", r#"["x"]"#, "5"),
    ] {
        let attributes = structure(&[
            ("kind", attribute("String", kind)),
            ("tags", attribute("String.Array", tags)),
        ]);
        let members = [
            ("TopicArn", text(&topic)),
            ("Message", text(message)),
            ("MessageAttributes", attributes),
        ];
        world.ok("Publish", &members).await;
    }
    let mut got = [
        world.next_body().await,
        world.next_body().await,
        world.next_body().await,
    ];
    got.sort();
    assert_eq!(got, ["1", "2", "5"]);
}

fn attribute(kind: &str, value: &str) -> Value {
    texts(&[("DataType", kind), ("StringValue", value)])
}
