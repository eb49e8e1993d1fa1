//! Rules by the clock.

use std::time::Duration;

use crate::world::{World, text};

fn time_of(event: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["source"], "aws.events");
    assert_eq!(event["detail"], serde_json::json!({}));
    event["time"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rate_and_a_calendar_over_a_crash() {
    // 2027-01-15T08:00:00Z
    let mut world = World::new().await;
    let every = ("ScheduleExpression", text("rate(5 minutes)"));
    world.rule("rate", &[every]).await;
    for minutes in [5, 10] {
        world.time.advance(Duration::from_mins(5));
        let event = world.next_body().await;
        assert_eq!(time_of(&event), format!("2027-01-15T08:{minutes:02}:00Z"));
    }
    world.ok("DisableRule", &[("Name", text("rate"))]).await;
    world.time.advance(Duration::from_mins(5));
    let daily = ("ScheduleExpression", text("cron(0 9 * * ? *)"));
    world.rule("daily", &[daily]).await;
    let mut world = world.restart().await;
    world.time.advance(Duration::from_mins(45));
    assert_eq!(time_of(&world.next_body().await), "2027-01-15T09:00:00Z");
    assert!(world.got.try_recv().is_err());
}

#[tokio::test]
async fn expressions_and_buses() {
    let world = World::new().await;
    for (members, expected) in [
        (
            vec![("ScheduleExpression", text("rate(5 minute)"))],
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            vec![("ScheduleExpression", text("at(2027-01-01T00:00:00)"))],
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            vec![
                ("ScheduleExpression", text("rate(1 day)")),
                ("EventBusName", text("other")),
            ],
            "ScheduleExpression is supported only on the default event bus.",
        ),
        (
            vec![],
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ),
    ] {
        if members.len() == 2 {
            world.ok("CreateEventBus", &[("Name", text("other"))]).await;
        }
        let mut rule = vec![("Name", text("r"))];
        rule.extend(members);
        assert_eq!(world.refusal("PutRule", &rule).await, expected);
    }
}
