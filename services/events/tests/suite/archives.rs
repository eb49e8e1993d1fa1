//! Archives, the rules that are made for them, and what a replay needs.

use service::ServiceError;
use wire::Value;

use crate::world::{World, structure, text};

const BUS: &str = "arn:aws:events:us-east-1:000000000000:event-bus/default";
const RULE: &str = "Events-Archive-kept";

async fn archive(world: &World, operation: &str, pattern: &str) {
    let mut members = vec![
        ("ArchiveName", text("kept")),
        ("EventPattern", text(pattern)),
    ];
    if operation == "CreateArchive" {
        members.push(("EventSourceArn", text(BUS)));
    }
    world.ok(operation, &members).await;
}

/// The rule's pattern, read.
async fn pattern(world: &World) -> Result<serde_json::Value, ServiceError> {
    let rule = world.call("DescribeRule", &[("Name", text(RULE))]).await?;
    let manager = rule.get("ManagedBy").and_then(Value::as_str);
    assert_eq!(manager, Some("prod.vhs.events.aws.internal"));
    let pattern = rule.get("EventPattern").and_then(Value::as_str);
    Ok(serde_json::from_str(pattern.unwrap()).unwrap())
}

#[tokio::test]
async fn an_archive_has_a_rule_that_clients_see_and_may_not_change() {
    let world = World::new().await;
    archive(&world, "CreateArchive", r#"{"source": ["a"]}"#).await;
    let expected =
        |source| serde_json::json!({"source": [source], "replay-name": [{"exists": false}]});
    assert_eq!(pattern(&world).await.unwrap(), expected("a"));
    archive(&world, "UpdateArchive", r#"{"source": ["b"]}"#).await;
    let world = world.restart().await;
    assert_eq!(pattern(&world).await.unwrap(), expected("b"));

    let targets = world.ok("ListTargetsByRule", &[("Rule", text(RULE))]).await;
    let targets = targets.get("Targets").and_then(Value::as_list).unwrap();
    let [target] = targets else {
        panic!("{targets:?} is not one target")
    };
    assert_eq!(
        target.get("Arn"),
        Some(&text("arn:aws:events:us-east-1:::"))
    );
    let transformer = target.get("InputTransformer").unwrap();
    let template = transformer.get("InputTemplate").and_then(Value::as_str);
    assert!(
        template
            .unwrap()
            .contains(r#""event": <aws.events.event.json>"#)
    );

    let target = structure(&[
        ("Id", text("q")),
        ("Arn", text("arn:aws:sqs:us-east-1:000000000000:q")),
    ]);
    let (rule, name) = (("Rule", text(RULE)), ("Name", text(RULE)));
    for (operation, members) in [
        ("DeleteRule", vec![name.clone()]),
        ("DisableRule", vec![name.clone()]),
        ("EnableRule", vec![name.clone()]),
        (
            "PutRule",
            vec![name, ("EventPattern", text(r#"{"source": ["c"]}"#))],
        ),
        (
            "PutTargets",
            vec![rule.clone(), ("Targets", Value::List(vec![target]))],
        ),
        (
            "RemoveTargets",
            vec![rule, ("Ids", Value::List(vec![text("q")]))],
        ),
    ] {
        let error = world.call(operation, &members).await.unwrap_err();
        assert_eq!(error.code, "ManagedRuleException", "{operation}");
        assert_eq!(
            error.message,
            "Events-Archive-kept is a managed rule. Set 'force' parameter to true to override."
        );
    }
    let named = [("ArchiveName", text("kept"))];
    world.ok("DeleteArchive", &named).await;
    let gone = pattern(&world).await.unwrap_err();
    assert_eq!(gone.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_rule_of_a_client_with_the_name_of_an_archives_stays_its_own() {
    let world = World::new().await;
    world
        .rule(RULE, &[("EventPattern", text(r#"{"source": ["mine"]}"#))])
        .await;
    archive(&world, "CreateArchive", r#"{"source": ["a"]}"#).await;
    let named = [("ArchiveName", text("kept"))];
    world.ok("DeleteArchive", &named).await;
    let rule = world.ok("DescribeRule", &[("Name", text(RULE))]).await;
    assert_eq!(
        rule.get("EventPattern"),
        Some(&text(r#"{"source": ["mine"]}"#))
    );
    assert_eq!(rule.get("ManagedBy").and_then(Value::as_str), None);
}

#[tokio::test]
async fn lists_take_one_filter() {
    let world = World::new().await;
    for operation in ["ListArchives", "ListReplays"] {
        let both = [("NamePrefix", text("a")), ("EventSourceArn", text(BUS))];
        assert_eq!(
            world.refusal(operation, &both).await,
            format!(
                "At most one filter is allowed for {operation}. Use either : State, \
                 EventSourceArn, or NamePrefix."
            )
        );
        world.ok(operation, &both[..1]).await;
    }
}

#[tokio::test]
async fn a_replay_names_a_bus_and_an_archive_that_are_there() {
    let world = World::new().await;
    archive(&world, "CreateArchive", r#"{"source": ["a"]}"#).await;
    let events = "arn:aws:events:us-east-1:000000000000";
    for (archive, bus, expected) in [
        (
            "archive/kept",
            "rule/r",
            "Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.",
        ),
        (
            "archive/kept",
            "event-bus/none",
            "Event bus none does not exist.",
        ),
        (
            "event-bus/default",
            "event-bus/default",
            "Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.",
        ),
        (
            "archive/none",
            "event-bus/default",
            "Parameter EventSourceArn is not valid. Reason: Archive none does not exist.",
        ),
    ] {
        let destination = structure(&[("Arn", text(&format!("{events}:{bus}")))]);
        let at = |seconds: i64| Value::Time(base::Timestamp::from_millis(seconds * 1_000));
        let members = [
            ("ReplayName", text("again")),
            ("EventSourceArn", text(&format!("{events}:{archive}"))),
            ("Destination", destination),
            ("EventStartTime", at(0)),
            ("EventEndTime", at(1)),
        ];
        assert_eq!(world.refusal("StartReplay", &members).await, expected);
    }
}

#[tokio::test]
async fn no_partner_sends_events_here() {
    let world = World::new().await;
    let source = "aws.partner/shop/orders";
    let members = [("Name", text(source)), ("EventSourceName", text(source))];
    assert_eq!(
        world.refusal("CreateEventBus", &members).await,
        "Event source aws.partner/shop/orders does not exist."
    );
}
