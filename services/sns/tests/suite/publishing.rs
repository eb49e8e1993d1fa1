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

#[tokio::test]
async fn a_topic_says_how_large_its_messages_may_be() {
    let mut world = World::new().await;
    let topic = world
        .topic("large", &[("MaximumMessageSize", "1048576")])
        .await;
    world
        .subscribe_queue(&topic, "q", &[("RawMessageDelivery", "true")])
        .await;
    let long = "x".repeat(1_048_576);
    let publish = |message: &str| [("TopicArn", text(&topic)), ("Message", text(message))];
    world.ok("Publish", &publish(&long)).await;
    assert!(world.next_body().await == long);
    assert_eq!(
        world
            .refusal("Publish", &publish(&format!("{long}x")))
            .await,
        "Invalid parameter: Message too long"
    );

    // Of a batch it is what all its messages and their attributes have together.
    let attribute = [("DataType", text("String")), ("StringValue", text("value"))];
    let entry = |id, bytes: usize| {
        structure(&[
            ("Id", text(id)),
            ("Message", text(&"y".repeat(bytes))),
            (
                "MessageAttributes",
                structure(&[("name", structure(&attribute))]),
            ),
        ])
    };
    let batch = |second| {
        let entries = vec![entry("1", 1_000_000), entry("2", second)];
        [
            ("TopicArn", text(&topic)),
            ("PublishBatchRequestEntries", Value::List(entries)),
        ]
    };
    // Each has 15 bytes of attributes.
    world.ok("PublishBatch", &batch(48_546)).await;
    assert_eq!(
        world.refusal("PublishBatch", &batch(48_547)).await,
        "The length of all the messages put together is more than the limit."
    );

    let set = |size| {
        [
            ("TopicArn", text(&topic)),
            ("AttributeName", text("MaximumMessageSize")),
            ("AttributeValue", text(size)),
        ]
    };
    for size in ["1023", "1048577", "many"] {
        let refused = world.refusal("SetTopicAttributes", &set(size)).await;
        assert!(refused.contains("MaximumMessageSize"), "{refused}");
    }
    world.ok("SetTopicAttributes", &set("1024")).await;
    assert_eq!(
        world.refusal("Publish", &publish(&"z".repeat(1_025))).await,
        "Invalid parameter: Message too long"
    );
    let shown = world
        .ok("GetTopicAttributes", &[("TopicArn", text(&topic))])
        .await;
    let shown = shown.get("Attributes").unwrap().get("MaximumMessageSize");
    assert_eq!(shown, Some(&text("1024")));
}

#[tokio::test]
async fn not_every_endpoint_can_have_large_messages() {
    let world = World::new().await;
    let topic = world
        .topic("large", &[("MaximumMessageSize", "262145")])
        .await;
    let subscribe = |topic: &str, address| {
        [
            ("TopicArn", text(topic)),
            ("Protocol", text("email")),
            ("Endpoint", text(address)),
        ]
    };
    let refused = world
        .refusal("Subscribe", &subscribe(&topic, "a@example.com"))
        .await;
    assert!(refused.contains("protocol email"), "{refused}");
    for at in 0..100 {
        world.subscribe_queue(&topic, &format!("q{at}"), &[]).await;
    }
    let members = [
        ("TopicArn", text(&topic)),
        ("Protocol", text("sqs")),
        (
            "Endpoint",
            text("arn:aws:sqs:us-east-1:000000000000:one-more"),
        ),
    ];
    let refused = world.refusal("Subscribe", &members).await;
    assert!(refused.contains("up to 100 subscriptions"), "{refused}");

    let other = world.topic("other", &[]).await;
    world
        .ok("Subscribe", &subscribe(&other, "a@example.com"))
        .await;
    let set = |size| {
        [
            ("TopicArn", text(&other)),
            ("AttributeName", text("MaximumMessageSize")),
            ("AttributeValue", text(size)),
        ]
    };
    let refused = world.refusal("SetTopicAttributes", &set("262145")).await;
    assert!(refused.contains("protocol email"), "{refused}");
    world.ok("SetTopicAttributes", &set("262144")).await;
}
