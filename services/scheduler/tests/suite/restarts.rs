//! What a crash leaves.

use std::time::Duration;

use crate::world::{World, instant, text};

#[tokio::test]
async fn what_was_missed_happens_once_and_then_as_before() {
    let world = World::at("2027-01-01T00:30:00Z").await;
    world.create("hourly", "cron(0 * * * ? *)", &[]).await;
    world.create("once", "at(2027-01-01T02:00:00)", &[]).await;
    let mut world = world.restart(Duration::from_hours(5)).await;
    let mut missed = [
        world.got.recv().await.unwrap(),
        world.got.recv().await.unwrap(),
    ];
    missed.sort();
    assert_eq!(missed, ["2027-01-01T01:00:00Z", "2027-01-01T02:00:00Z"]);
    let next = instant("2027-01-01T06:00:00Z");
    assert_eq!(world.next_at(next).await, "2027-01-01T06:00:00Z");
    assert!(world.nothing_yet());
}

#[tokio::test]
async fn what_is_deleted_or_disabled_stays_so() {
    let world = World::at("2027-01-01T00:00:00Z").await;
    world
        .create("gone", "rate(1 hour)", &[("StartDate", start())])
        .await;
    world
        .call("DeleteSchedule", &[("Name", text("gone"))])
        .await
        .unwrap();
    let off = ("State", text("DISABLED"));
    world.create("off", "rate(1 hour)", &[off]).await;
    world
        .create("on", "rate(1 day)", &[("StartDate", start())])
        .await;
    let mut world = world.restart(Duration::from_hours(24)).await;
    assert_eq!(world.got.recv().await.unwrap(), "2027-01-01T12:00:00Z");
    assert!(world.nothing_yet());
}

fn start() -> wire::Value {
    wire::Value::Time(instant("2027-01-01T12:00:00Z"))
}
