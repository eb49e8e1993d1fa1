//! A year of schedules in a moment, clocks set forward and back among it.

use std::time::Duration;

use crate::world::{World, instant, text};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_year_in_new_york() {
    let mut world = World::at("2027-01-01T00:00:00Z").await;
    let zone = ("ScheduleExpressionTimezone", text("America/New_York"));
    world.create("daily", "cron(0 9 * * ? *)", &[zone]).await;
    // Nine o'clock in New York is 14:00 UTC, and 13:00 from the 14th of March to the 6th of
    // November.
    let (summer, winter) = (
        instant("2027-03-14T00:00:00Z"),
        instant("2027-11-07T00:00:00Z"),
    );
    let mut day = instant("2027-01-01T00:00:00Z");
    for _ in 0..365 {
        let hours = if day >= summer && day < winter {
            13
        } else {
            14
        };
        let at = day + Duration::from_hours(hours);
        assert_eq!(world.next_at(at).await, at.iso8601_seconds());
        day = day + DAY;
    }
    assert!(world.nothing_yet());
}

#[tokio::test]
async fn a_time_that_is_skipped_does_not_happen_and_a_repeated_one_happens_once() {
    let mut world = World::at("2027-03-13T12:00:00Z").await;
    let zone = ("ScheduleExpressionTimezone", text("America/New_York"));
    world
        .create("skipped", "cron(30 2 * * ? *)", std::slice::from_ref(&zone))
        .await;
    let next = instant("2027-03-15T06:30:00Z");
    assert_eq!(world.next_at(next).await, "2027-03-15T06:30:00Z");
    world
        .call("DeleteSchedule", &[("Name", text("skipped"))])
        .await
        .unwrap();

    let mut world = World::at("2027-11-07T00:00:00Z").await;
    world
        .create("repeated", "cron(30 1 * * ? *)", &[zone])
        .await;
    for at in ["2027-11-07T05:30:00Z", "2027-11-08T06:30:00Z"] {
        assert_eq!(world.next_at(instant(at)).await, at);
    }
}

#[tokio::test]
async fn a_rate_begins_at_once_or_at_its_start_and_ends() {
    let mut world = World::at("2027-01-01T00:00:00Z").await;
    let begin = instant("2027-01-02T00:00:10Z");
    let end = begin + Duration::from_hours(2);
    world
        .create(
            "rate",
            "rate(1 hour)",
            &[
                ("StartDate", wire::Value::Time(begin)),
                ("EndDate", wire::Value::Time(end)),
                ("ActionAfterCompletion", text("DELETE")),
            ],
        )
        .await;
    for hour in 0..3 {
        let at = begin + Duration::from_hours(hour);
        assert_eq!(world.next_at(at).await, at.iso8601_seconds());
    }
    let error = world.call("GetSchedule", &[("Name", text("rate"))]).await;
    assert_eq!(error.unwrap_err().code, "ResourceNotFoundException");
    world.create("at once", "rate(5 minutes)", &[]).await;
    assert_eq!(world.got.recv().await.unwrap(), "2027-01-02T02:00:10Z");
}

#[tokio::test]
async fn a_flexible_window_is_kept() {
    let mut world = World::at("2027-01-01T00:00:00Z").await;
    let window = crate::world::structure(&[
        ("Mode", text("FLEXIBLE")),
        ("MaximumWindowInMinutes", wire::Value::Int(15)),
    ]);
    let mut members = crate::world::schedule("flexible", "at(2027-01-01T01:00:00)");
    members.retain(|(name, _)| *name != "FlexibleTimeWindow");
    members.push(("FlexibleTimeWindow", window));
    world.call("CreateSchedule", &members).await.unwrap();
    let last = instant("2027-01-01T01:15:00Z");
    assert_eq!(world.next_at(last).await, "2027-01-01T01:00:00Z");
}

#[tokio::test]
async fn a_thousand_at_one_time() {
    let mut world = World::at("2027-01-01T00:00:00Z").await;
    for n in 0..1_000 {
        world
            .create(&format!("s{n}"), "at(2027-01-01T01:00:00)", &[])
            .await;
    }
    let at = instant("2027-01-01T01:00:00Z");
    assert_eq!(world.next_at(at).await, "2027-01-01T01:00:00Z");
    for _ in 1..1_000 {
        assert_eq!(world.got.recv().await.unwrap(), "2027-01-01T01:00:00Z");
    }
    assert!(world.nothing_yet());
}
