//! What may be asked for.

use std::time::Duration;

use service::Reach;

use crate::world::{World, instant, schedule, structure, text};

#[tokio::test]
async fn what_is_refused() {
    let world = World::at("2027-01-01T00:00:00Z").await;
    for (expression, more, expected) in [
        (
            "rate(1 days)",
            None,
            "Invalid Schedule Expression rate(1 days).",
        ),
        ("cron(0 0 * * * *)", None, "Invalid Schedule Expression"),
        (
            "rate(1 day)",
            Some(("ScheduleExpressionTimezone", text("Mars/Olympus"))),
            "Invalid ScheduleExpressionTimezone Mars/Olympus.",
        ),
        (
            "rate(1 day)",
            Some(("GroupName", text("none"))),
            "Schedule group none does not exist.",
        ),
    ] {
        let mut members = schedule("s", expression);
        members.extend(more);
        let error = world.call("CreateSchedule", &members).await.unwrap_err();
        assert!(error.message.starts_with(expected), "{}", error.message);
    }
    let none = world.call("ListSchedules", &[]).await.unwrap();
    assert_eq!(none.get("Schedules").unwrap().as_list().unwrap().len(), 0);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::at("2027-01-01T00:00:00Z").await;
    for n in 0..5 {
        world.create(&format!("s{n}"), "rate(1 day)", &[]).await;
    }
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let mut members = vec![("MaxResults", wire::Value::Int(2))];
        members.extend(token.map(|token: String| ("NextToken", text(&token))));
        let page = world.call("ListSchedules", &members).await.unwrap();
        for one in page.get("Schedules").unwrap().as_list().unwrap() {
            names.push(one.get("Name").unwrap().as_str().unwrap().to_owned());
        }
        token = page
            .get("NextToken")
            .and_then(|token| token.as_str().map(str::to_owned));
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["s0", "s1", "s2", "s3", "s4"]);
}

#[tokio::test]
async fn what_recurs_may_not_start_long_ago() {
    let world = World::at("2027-01-01T00:10:00Z").await;
    let create = async |name, expression, start| {
        let mut members = schedule(name, expression);
        members.push(("StartDate", wire::Value::Time(instant(start))));
        world.call("CreateSchedule", &members).await
    };
    for (name, expression) in [("rate", "rate(1 day)"), ("cron", "cron(0 8 * * ? *)")] {
        let error = create(name, expression, "2027-01-01T00:04:59Z")
            .await
            .unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            "The StartDate you specify cannot be earlier than 5 minutes ago."
        );
        create(name, expression, "2027-01-01T00:05:00Z")
            .await
            .unwrap();
    }
    let once = "at(2027-01-02T00:00:00)";
    create("once", once, "2026-01-01T00:00:00Z").await.unwrap();
}

#[tokio::test]
async fn what_a_function_has_called_is_called_within_its_reach() {
    let world = World::at("2027-01-01T00:00:00Z").await;
    let members = |hour: u8| {
        let target = structure(&[
            ("Arn", text("arn:aws:scheduler:::aws-sdk:sns:subscribe")),
            ("RoleArn", text("arn:aws:iam::000000000000:role/r")),
            ("Input", text("{}")),
        ]);
        let expression = format!("at(2027-01-01T0{hour}:00:00)");
        let mut members = schedule(&format!("s{hour}"), &expression);
        members.retain(|(name, _)| *name != "Target");
        members.push(("Target", target));
        members
    };
    let operation = "CreateSchedule";
    for (reach, hour) in [(Reach::Function, 1), (Reach::Anywhere, 2)] {
        let members = members(hour);
        let made = world.call_within(reach, operation, &members).await;
        made.unwrap();
    }
    let mut world = world.restart(Duration::ZERO).await;
    for (at, expected) in [
        ("2027-01-01T01:00:00Z", "of a function: sns Subscribe "),
        ("2027-01-01T02:00:00Z", "sns Subscribe "),
    ] {
        assert_eq!(world.next_at(instant(at)).await, expected);
    }
}
