//! Which events reach which targets, and in what shape.

use std::time::Duration;

use crate::world::{World, structure, text};
use wire::Value;

const SHOP: &str = r#"{"source": ["shop"], "detail": {"n": [{"numeric": [">", 1]}]}}"#;

#[tokio::test]
async fn an_event_keeps_its_order_and_its_detail() {
    let mut world = World::new().await;
    world.rule("r", &[("EventPattern", text(SHOP))]).await;
    world.put("shop", r#"{"n": 1}"#).await;
    world.put("other", r#"{"n": 2}"#).await;
    let answer = world.put("shop", r#"{"z": [1.50],  "n": 2}"#).await;
    let entry = &answer.get("Entries").unwrap().as_list().unwrap()[0];
    let id = entry.get("EventId").unwrap().as_str().unwrap();
    assert_eq!(
        world.next_body().await,
        format!(
            "{{\"version\":\"0\",\"id\":\"{id}\",\"detail-type\":\"d\",\"source\":\"shop\",\
             \"account\":\"000000000000\",\"time\":\"2027-01-15T08:00:00Z\",\
             \"region\":\"us-east-1\",\"resources\":[],\"detail\":{{\"z\": [1.50],  \"n\": 2}}}}"
        )
    );
    assert!(world.got.try_recv().is_err());
}

#[tokio::test]
async fn what_is_acknowledged_survives_a_crash() {
    let world = World::new().await;
    world.rule("r", &[("EventPattern", text(SHOP))]).await;
    world.refuse();
    for n in 2..22 {
        world.put("shop", &format!("{{\"n\": {n}}}")).await;
    }
    let mut world = world.restart().await;
    let mut got = Vec::new();
    for _ in 2..22 {
        let event: serde_json::Value = serde_json::from_str(&world.next_body().await).unwrap();
        got.push(event["detail"]["n"].as_i64().unwrap());
    }
    got.sort_unstable();
    assert_eq!(got, (2..22).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_target_gives_up_after_its_age_and_tells_its_queue() {
    let mut world = World::new().await;
    world
        .ok(
            "PutRule",
            &[("Name", text("r")), ("EventPattern", text(SHOP))],
        )
        .await;
    let letters = "arn:aws:sqs:us-east-1:000000000000:letters";
    let target = structure(&[
        ("Id", text("k")),
        (
            "Arn",
            text("arn:aws:kinesis:us-east-1:000000000000:stream/s"),
        ),
        ("DeadLetterConfig", structure(&[("Arn", text(letters))])),
    ]);
    let members = [("Rule", text("r")), ("Targets", Value::List(vec![target]))];
    world.ok("PutTargets", &members).await;
    world.put("shop", r#"{"n": 3}"#).await;
    world.time.advance(Duration::from_secs(1));
    let letter = world.got.recv().await.unwrap();
    let attributes = letter.get("MessageAttributes").unwrap();
    let said = |name: &str| {
        let one = attributes.get(name).unwrap();
        one.get("StringValue").unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(said("ERROR_CODE"), "UNSUPPORTED_TARGET");
    assert!(said("ERROR_MESSAGE").contains("kinesis"));
    assert_eq!(
        said("RULE_ARN"),
        "arn:aws:events:us-east-1:000000000000:rule/r"
    );
}

#[tokio::test]
async fn what_is_refused() {
    let world = World::new().await;
    let pattern = ("EventPattern", text(r#"{"source": []}"#));
    assert_eq!(
        world
            .refusal("PutRule", &[("Name", text("r")), pattern])
            .await,
        "Event pattern is not valid. Reason: Empty arrays are not allowed\n at [Source: \
         (String)\"{\"source\": []}\"; line: 1, column: 14]"
    );
    world.rule("r", &[("EventPattern", text(SHOP))]).await;
    let fifo = structure(&[
        ("Id", text("f")),
        ("Arn", text("arn:aws:sqs:us-east-1:000000000000:q.fifo")),
    ]);
    let members = [("Rule", text("r")), ("Targets", Value::List(vec![fifo]))];
    assert_eq!(
        world.refusal("PutTargets", &members).await,
        "Parameter(s) SqsParameters must be specified for target: f."
    );
    let entries = |bytes| {
        let detail = format!("{{\"x\": \"{}\"}}", "x".repeat(bytes));
        let entry = [("Source", "shop"), ("DetailType", "d"), ("Detail", &detail)];
        let entry = entry.map(|(name, value)| (name, text(value)));
        [("Entries", Value::List(vec![structure(&entry)]))]
    };
    let taken = world.ok("PutEvents", &entries(1_048_000)).await;
    assert_eq!(taken.get("FailedEntryCount"), Some(&Value::Int(0)));
    let members = entries(1_048_576);
    assert_eq!(
        world.refusal("PutEvents", &members).await,
        "Total size of the entries in the request is over the limit."
    );
}

#[tokio::test]
async fn a_fifo_queue_deduplicates_by_content() {
    let mut world = World::new().await;
    let rule = [
        ("Name", text("r")),
        ("EventPattern", text(r#"{"source": ["s"]}"#)),
    ];
    world.ok("PutRule", &rule).await;
    let target = structure(&[
        ("Id", text("q")),
        ("Arn", text("arn:aws:sqs:us-east-1:000000000000:q.fifo")),
        (
            "SqsParameters",
            structure(&[("MessageGroupId", text("group"))]),
        ),
    ]);
    let members = [("Rule", text("r")), ("Targets", Value::List(vec![target]))];
    world.ok("PutTargets", &members).await;
    world.put("s", "{}").await;
    let message = world.got.recv().await.unwrap();
    assert_eq!(message.get("MessageGroupId"), Some(&text("group")));
    assert_eq!(message.get("MessageDeduplicationId"), None);
}
