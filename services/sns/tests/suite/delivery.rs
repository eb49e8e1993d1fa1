//! What was acknowledged arrives.

use std::time::Duration;

use base::ManualClock;
use tokio::sync::mpsc::UnboundedReceiver;
use wire::Value;

use crate::world::{World, body, text};

const RAW: (&str, &str) = ("RawMessageDelivery", "true");

#[tokio::test]
async fn a_message_whose_queue_is_away_arrives_later() {
    let (mut world, mut attempted) = World::refusing().await;
    let topic = world.topic("t", &[]).await;
    world.subscribe_queue(&topic, "q", &[RAW]).await;
    let message = [("TopicArn", text(&topic)), ("Message", text("m"))];
    world.ok("Publish", &message).await;
    for _ in 0..3 {
        assert_eq!(body(&in_time(&world.time, &mut attempted).await), "m");
    }
    world.accept_again();
    assert_eq!(body(&in_time(&world.time, &mut world.got).await), "m");
}

/// What comes while time passes.
async fn in_time(time: &ManualClock, from: &mut UnboundedReceiver<Value>) -> Value {
    loop {
        tokio::task::yield_now().await;
        if let Ok(what) = from.try_recv() {
            return what;
        }
        time.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_crash_loses_nothing_and_keeps_the_order_of_a_group() {
    let (world, mut attempted) = World::refusing().await;
    let topic = world
        .topic(
            "t.fifo",
            &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")],
        )
        .await;
    world.subscribe_queue(&topic, "q.fifo", &[RAW]).await;
    for n in 0..20 {
        let message = format!("m{n}");
        let members = [
            ("TopicArn", text(&topic)),
            ("Message", text(&message)),
            ("MessageGroupId", text("g")),
        ];
        world.ok("Publish", &members).await;
    }
    assert_eq!(body(&attempted.recv().await.unwrap()), "m0");
    let mut world = world.restart().await;
    for n in 0..20 {
        assert_eq!(world.next_body().await, format!("m{n}"));
    }
    // What was taken before is known after.
    let again = [
        ("TopicArn", text(&topic)),
        ("Message", text("m7")),
        ("MessageGroupId", text("g")),
    ];
    world.ok("Publish", &again).await;
    assert!(world.got.try_recv().is_err());
    world.time.advance(Duration::from_mins(5));
    world.ok("Publish", &again).await;
    assert_eq!(world.next_body().await, "m7");
}

#[tokio::test]
async fn a_queue_that_is_away_holds_up_no_function() {
    let (mut world, mut attempted) = World::refusing().await;
    let topic = world.topic("t", &[]).await;
    world.subscribe_queue(&topic, "q", &[RAW]).await;
    world
        .ok(
            "Publish",
            &[("TopicArn", text(&topic)), ("Message", text("1"))],
        )
        .await;
    attempted.recv().await.unwrap();
    world.accept_again();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    world
        .ok(
            "Subscribe",
            &[
                ("TopicArn", text(&topic)),
                ("Protocol", text("lambda")),
                ("Endpoint", text(function)),
            ],
        )
        .await;
    world
        .ok(
            "Publish",
            &[("TopicArn", text(&topic)), ("Message", text("2"))],
        )
        .await;
    // The queue's first message waits for its time; nothing else does.
    let first = world.got.recv().await.unwrap();
    let second = world.got.recv().await.unwrap();
    let function_got = |value: &Value| value.as_str().is_some_and(|t| t.contains("\"2\""));
    assert!(function_got(&first) || function_got(&second));
}
