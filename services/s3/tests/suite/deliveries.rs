//! Events reach their destinations: later if need be, beside others, over restarts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::ManualClock;
use store::{FileBlobs, MemoryStore};
use tokio::sync::Semaphore;

use crate::notifications::{FUNCTION, SLOW, configure, filter, function, know, ready, ready_at};
use crate::world::{NOW, World};

/// Lets time pass until the work is done.
async fn while_time_passes<T>(clock: &ManualClock, work: impl Future<Output = T>) -> T {
    let passing = async {
        loop {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_millis(50));
        }
    };
    tokio::select! {
        done = work => done,
        never = passing => never,
    }
}

#[tokio::test]
async fn a_topic_of_another_account_is_reached_if_its_policy_says_so() {
    const TOPIC: &str = "arn:aws:sns:ap-northeast-1:111111111111:elsewhere";
    let world = ready().await;
    let configuration = [format!(
        "<TopicConfiguration><Topic>{TOPIC}</Topic><Event>s3:ObjectCreated:*</Event>\
         </TopicConfiguration>"
    )];
    configure(&world, &configuration)
        .await
        .fails(400, "InvalidArgument");
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": TOPIC,
            "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b-1"}},
        }],
    });
    *world.api.topic_policy.lock() = Some(policy.to_string());
    configure(&world, &configuration).await.ok();
    let (topic, test) = world.api.message().await;
    assert_eq!(
        (topic.as_str(), &test["Event"]),
        (TOPIC, &"s3:TestEvent".into())
    );
    world.put("/b-1/k", "x").await;
    let (topic, event) = world.api.message().await;
    assert_eq!(topic, TOPIC);
    assert_eq!(event["Records"][0]["s3"]["object"]["key"], "k");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_fails_is_tried_again() {
    let clock = ManualClock::starting_at(NOW);
    let world = ready_at(&clock).await;
    configure(&world, &[function(FUNCTION, "s3:ObjectCreated:*", "")])
        .await
        .ok();
    world.functions.refusals.store(3, Ordering::SeqCst);
    world.put("/b-1/k", "x").await;
    world.put("/b-1/l", "x").await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (_, record) = while_time_passes(&clock, world.functions.invocation()).await;
        keys.push(record["s3"]["object"]["key"].as_str().unwrap().to_owned());
    }
    keys.sort();
    assert_eq!(keys, ["k", "l"]);
    world.settle().await;
    assert_eq!(world.records("routing.delivery").await, 0);
}

#[tokio::test]
async fn a_slow_destination_holds_up_nobody_else() {
    let world = ready().await;
    let gate = Arc::new(Semaphore::new(0));
    world
        .functions
        .gates
        .lock()
        .insert("function:slow".to_owned(), Arc::clone(&gate));
    configure(
        &world,
        &[
            function(SLOW, "s3:ObjectCreated:*", &filter(&[("prefix", "slow/")])),
            function(
                FUNCTION,
                "s3:ObjectCreated:*",
                &filter(&[("prefix", "fast/")]),
            ),
        ],
    )
    .await
    .ok();
    for n in 0..40 {
        world.put(&format!("/b-1/slow/{n}"), "x").await;
    }
    world.put("/b-1/fast/1", "x").await;
    let (_, record) = world.functions.invocation().await;
    assert_eq!(record["s3"]["object"]["key"], "fast/1");
    gate.add_permits(40);
    for _ in 0..40 {
        let (request, _) = world.functions.invocation().await;
        assert_eq!(request.function.to_string(), SLOW);
    }
}

#[tokio::test]
async fn what_a_crash_left_is_delivered_by_the_next_run() {
    let store = MemoryStore::new();
    let blobs = Arc::new(FileBlobs::temporary().unwrap());
    let clock = ManualClock::starting_at(NOW).clock();
    {
        let world = World::on(store.clone(), Arc::clone(&blobs), clock.clone());
        world.make_bucket("b-1").await;
        know(&world);
        let never = Arc::new(Semaphore::new(0));
        world
            .functions
            .gates
            .lock()
            .insert("function:handler".to_owned(), never);
        configure(&world, &[function(FUNCTION, "s3:ObjectCreated:*", "")])
            .await
            .ok();
        world.put("/b-1/k", "x").await;
        world.put("/b-1/l", "x").await;
        assert_eq!(world.records("routing.delivery").await, 2);
    }
    let world = World::on(store, blobs, clock);
    world.s3.resume().await.unwrap();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (_, record) = world.functions.invocation().await;
        keys.push(record["s3"]["object"]["key"].as_str().unwrap().to_owned());
    }
    keys.sort();
    assert_eq!(keys, ["k", "l"]);
    assert_eq!(world.get("/b-1/k").await.ok().body, "x");
}

#[tokio::test]
async fn an_event_is_given_up_after_a_day() {
    let manual = ManualClock::starting_at(NOW);
    let world = ready_at(&manual).await;
    configure(&world, &[function(FUNCTION, "s3:ObjectCreated:*", "")])
        .await
        .ok();
    world.functions.refusals.store(usize::MAX, Ordering::SeqCst);
    world.put("/b-1/k", "x").await;
    for _ in 0..50 {
        world.settle().await;
        if world.records("routing.delivery").await == 0 {
            return;
        }
        manual.advance(Duration::from_hours(1));
    }
    panic!("the event is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_all_arrive() {
    let world = Arc::new(ready().await);
    configure(&world, &[function(FUNCTION, "s3:ObjectCreated:*", "")])
        .await
        .ok();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                for n in 0..300 {
                    world.put(&format!("/b-1/{writer}-{n}"), "x").await;
                }
            })
        })
        .collect();
    let mut keys = std::collections::HashSet::new();
    for _ in 0..2400 {
        let (_, record) = world.functions.invocation().await;
        keys.insert(record["s3"]["object"]["key"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys.len(), 2400);
    for writer in writers {
        writer.await.unwrap();
    }
}
