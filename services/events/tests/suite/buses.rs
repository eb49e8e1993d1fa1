//! Buses, and whose they are.

use wire::Value;

use crate::world::{World, structure, text};

#[tokio::test]
async fn every_account_has_a_default_bus_of_its_own() {
    let mut world = World::new().await;
    let any = ("EventPattern", text(r#"{"source": [{"exists": true}]}"#));
    world.rule("r", &[any]).await;
    let entry = structure(&[
        ("Source", text("shop")),
        ("DetailType", text("d")),
        ("Detail", text("{}")),
    ]);
    let members = [("Entries", Value::List(vec![entry]))];
    let other = "111111111111";
    world.call_as(other, "PutEvents", &members).await.unwrap();
    let rules = world.call_as(other, "ListRules", &[]).await.unwrap();
    assert_eq!(rules.get("Rules").unwrap().as_list().unwrap().len(), 0);
    world.put("shop", "{}").await;
    assert!(world.next_body().await.contains("\"000000000000\""));
    assert!(world.got.try_recv().is_err());
}

#[tokio::test]
async fn what_is_made_is_there_after_a_restart() {
    let world = World::new().await;
    world.ok("CreateEventBus", &[("Name", text("b"))]).await;
    let rule = [
        ("Name", text("r")),
        ("EventBusName", text("b")),
        ("EventPattern", text(r#"{"source": ["s"]}"#)),
        ("Description", text("why")),
    ];
    world.ok("PutRule", &rule).await;
    let world = world.restart().await;
    let named = [("Name", text("r")), ("EventBusName", text("b"))];
    let found = world.ok("DescribeRule", &named).await;
    assert_eq!(found.get("Description"), Some(&text("why")));
    assert_eq!(
        world
            .refusal("DeleteEventBus", &[("Name", text("b"))])
            .await,
        "EventBus b can't be deleted since it has rules."
    );
    world.ok("DeleteRule", &named).await;
    world.ok("DeleteEventBus", &[("Name", text("b"))]).await;
    assert_eq!(
        world
            .refusal("DescribeEventBus", &[("Name", text("b"))])
            .await,
        "Event bus b does not exist."
    );
    assert_eq!(
        world
            .refusal("DeleteEventBus", &[("Name", text("default"))])
            .await,
        "Cannot delete event bus default."
    );
}

#[tokio::test]
async fn a_bus_of_another_account_takes_what_its_policy_lets_in() {
    let mut world = World::new().await;
    let other = "111111111111";
    let theirs = "arn:aws:events:us-east-1:111111111111:event-bus/default";
    world
        .ok(
            "PutRule",
            &[
                ("Name", text("r")),
                ("EventPattern", text(r#"{"source": ["s"]}"#)),
            ],
        )
        .await;
    let letters = structure(&[("Arn", text("arn:aws:sqs:us-east-1:000000000000:letters"))]);
    let target = structure(&[
        ("Id", text("b")),
        ("Arn", text(theirs)),
        ("DeadLetterConfig", letters),
    ]);
    let members = [("Rule", text("r")), ("Targets", Value::List(vec![target]))];
    world.ok("PutTargets", &members).await;
    let queue = structure(&[
        ("Id", text("q")),
        ("Arn", text("arn:aws:sqs:us-east-1:111111111111:q")),
    ]);
    let rule = [
        ("Name", text("r")),
        ("EventPattern", text(r#"{"source": ["s"]}"#)),
    ];
    world.call_as(other, "PutRule", &rule).await.unwrap();
    let members = [("Rule", text("r")), ("Targets", Value::List(vec![queue]))];
    world.call_as(other, "PutTargets", &members).await.unwrap();

    world.put("s", "{}").await;
    let letter = world.got.recv().await.unwrap();
    assert_eq!(
        letter.get("QueueUrl"),
        Some(&text("http://localhost/000000000000/letters"))
    );
    let permission = [
        ("Action", text("events:PutEvents")),
        ("Principal", text("000000000000")),
        ("StatementId", text("s")),
    ];
    world
        .call_as(other, "PutPermission", &permission)
        .await
        .unwrap();
    world.put("s", "{}").await;
    let message = world.got.recv().await.unwrap();
    assert_eq!(
        message.get("QueueUrl"),
        Some(&text("http://localhost/111111111111/q"))
    );
}

#[tokio::test]
async fn events_do_not_go_round_for_ever() {
    let mut world = World::new().await;
    world.ok("CreateEventBus", &[("Name", text("a"))]).await;
    for (on, to) in [("default", "a"), ("a", "default")] {
        let rule = [
            ("Name", text("r")),
            ("EventBusName", text(on)),
            ("EventPattern", text(r#"{"source": ["s"]}"#)),
        ];
        world.ok("PutRule", &rule).await;
        let arn = format!("arn:aws:events:us-east-1:000000000000:event-bus/{to}");
        let letters = structure(&[("Arn", text("arn:aws:sqs:us-east-1:000000000000:letters"))]);
        let target = structure(&[
            ("Id", text("b")),
            ("Arn", text(&arn)),
            ("DeadLetterConfig", letters),
        ]);
        let members = [
            ("Rule", text("r")),
            ("EventBusName", text(on)),
            ("Targets", Value::List(vec![target])),
        ];
        world.ok("PutTargets", &members).await;
    }
    world.put("s", "{}").await;
    let letter = world.got.recv().await.unwrap();
    let code = letter
        .get("MessageAttributes")
        .unwrap()
        .get("ERROR_CODE")
        .unwrap();
    assert_eq!(code.get("StringValue"), Some(&text("TOO_MANY_HOPS")));
    assert!(world.got.try_recv().is_err());
}
