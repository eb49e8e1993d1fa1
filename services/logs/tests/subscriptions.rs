//! Subscription filters: what functions get of a group's events.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{AccountId, Region};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Fixture, NOW, text};
use serde_json::json;
use service::ports::{LogLine, LogSink, LogStream};
use wire::Value;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:reader";

fn filter(name: &str, pattern: &str, destination: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("logGroupName", text("g")),
        ("filterName", text(name)),
        ("filterPattern", text(pattern)),
        ("destinationArn", text(destination)),
    ]
}

async fn subscribe(fixture: &Fixture, name: &str, pattern: &str) {
    let members = filter(name, pattern, FUNCTION);
    fixture.ok("PutSubscriptionFilter", &members).await;
}

/// The next event of a function, its source and its unpacked message.
async fn next(fixture: &mut Fixture) -> (String, serde_json::Value) {
    let received = tokio::time::timeout(Duration::from_secs(10), fixture.got.recv()).await;
    let got = received.unwrap().unwrap();
    assert_eq!(got.function, FUNCTION);
    let event: serde_json::Value = serde_json::from_slice(&got.payload).unwrap();
    let packed = STANDARD.decode(event["awslogs"]["data"].as_str().unwrap());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(packed.unwrap().as_slice())
        .read_to_string(&mut unpacked)
        .unwrap();
    (got.sender, serde_json::from_str(&unpacked).unwrap())
}

fn ids(answer: &Value) -> Vec<&str> {
    let events = answer.get("events").and_then(Value::as_list).unwrap();
    events
        .iter()
        .map(|event| event.get("eventId").and_then(Value::as_str).unwrap())
        .collect()
}

#[tokio::test]
async fn a_function_gets_what_the_filter_lets_through() {
    let mut fixture = Fixture::with_stream("g", "s").await;
    subscribe(&fixture, "f", "\"event 1\"").await;
    fixture.put("g", "s", &[0, 1, 10]).await;
    let (sender, message) = next(&mut fixture).await;
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:g:*";
    assert_eq!(sender, format!("logs.amazonaws.com {group}"));
    let found = [
        ("logGroupName", text("g")),
        ("filterPattern", text("\"event 1\"")),
    ];
    let found = fixture.ok("FilterLogEvents", &found).await;
    let found = ids(&found);
    let event = |at: i64, id: &str, message: &str| json!({"id": id, "timestamp": NOW.millis() + at * 1_000, "message": message});
    assert_eq!(
        message,
        json!({
            "messageType": "DATA_MESSAGE",
            "owner": "000000000000",
            "logGroup": "g",
            "logStream": "s",
            "subscriptionFilters": ["f"],
            "logEvents": [event(1, found[0], "event 1"), event(10, found[1], "event 10")],
        })
    );
    // What the filter keeps back reaches nobody.
    fixture.put("g", "s", &[2]).await;
    fixture.put("g", "s", &[11]).await;
    let (_, message) = next(&mut fixture).await;
    assert_eq!(message["logEvents"][0]["message"], "event 11");
    assert!(fixture.got.try_recv().is_err());
}

#[tokio::test]
async fn lines_of_functions_reach_subscribers_too() {
    let mut fixture = Fixture::with_stream("g", "s").await;
    subscribe(&fixture, "f", "{ $.level = \"ERROR\" }").await;
    let stream = Arc::new(LogStream {
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
        group: "g".to_owned(),
        name: "environment".to_owned(),
    });
    let line = |message: &str| LogLine {
        at: NOW,
        message: message.to_owned(),
    };
    let lines = vec![line(r#"{"level": "INFO"}"#), line(r#"{"level": "ERROR"}"#)];
    fixture.logs.append(&stream, lines);
    let (_, message) = next(&mut fixture).await;
    assert_eq!(message["logStream"], "environment");
    assert_eq!(message["logEvents"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn each_filter_has_a_message_of_its_own() {
    let mut fixture = Fixture::with_stream("g", "s").await;
    subscribe(&fixture, "all", "").await;
    subscribe(&fixture, "some", "nothing").await;
    // The same name changes a filter; a third one is too many.
    subscribe(&fixture, "some", "event").await;
    let third = filter("third", "", FUNCTION);
    let refused = fixture.call("PutSubscriptionFilter", &third).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, "LimitExceededException");
    assert_eq!(refused.message, "Resource limit exceeded.");
    fixture.put("g", "s", &[0]).await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let (_, message) = next(&mut fixture).await;
        names.push(
            message["subscriptionFilters"][0]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    names.sort();
    assert_eq!(names, ["all", "some"]);
}

#[tokio::test]
async fn what_is_not_delivered_is_after_a_restart() {
    let fixture = Fixture::with_stream("g", "s").await;
    subscribe(&fixture, "f", "").await;
    fixture.functions.refuse.store(true, Ordering::SeqCst);
    fixture.put("g", "s", &[0]).await;
    let mut fixture = fixture.restart().await;
    let (_, message) = next(&mut fixture).await;
    assert_eq!(message["logEvents"][0]["message"], "event 0");
    // And the filter is still there.
    fixture.put("g", "s", &[1]).await;
    let (_, message) = next(&mut fixture).await;
    assert_eq!(message["logEvents"][0]["message"], "event 1");
}

#[tokio::test]
async fn filters_are_listed_and_deleted_by_name() {
    let mut fixture = Fixture::with_stream("g", "s").await;
    subscribe(&fixture, "b", "ERROR").await;
    subscribe(&fixture, "a", "").await;
    let describe = async |more: &[(&'static str, Value)]| {
        let mut members = vec![("logGroupName", text("g"))];
        members.extend(more.iter().cloned());
        fixture.ok("DescribeSubscriptionFilters", &members).await
    };
    let first = describe(&[("limit", Value::Int(1))]).await;
    let token = first.get("nextToken").unwrap().clone();
    let second = describe(&[("nextToken", token)]).await;
    assert_eq!(second.get("nextToken"), None);
    let one = |answer: &Value| {
        answer
            .get("subscriptionFilters")
            .unwrap()
            .as_list()
            .unwrap()[0]
            .clone()
    };
    assert_eq!(one(&first).get("filterName"), Some(&text("a")));
    let expected = [
        ("filterName", text("b")),
        ("logGroupName", text("g")),
        ("filterPattern", text("ERROR")),
        ("destinationArn", text(FUNCTION)),
        ("distribution", text("ByLogStream")),
        ("creationTime", Value::Int(NOW.millis())),
    ];
    for (name, value) in expected {
        assert_eq!(one(&second).get(name), Some(&value), "{name}");
    }
    let prefixed = describe(&[("filterNamePrefix", text("b"))]).await;
    assert_eq!(one(&prefixed), one(&second));

    let named = [("logGroupName", text("g")), ("filterName", text("a"))];
    fixture.ok("DeleteSubscriptionFilter", &named).await;
    let again = fixture.call("DeleteSubscriptionFilter", &named).await;
    let again = again.unwrap_err();
    assert_eq!(again.code, "ResourceNotFoundException");
    assert_eq!(
        again.message,
        "The specified subscription filter does not exist."
    );
    fixture.put("g", "s", &[0]).await;
    assert!(fixture.got.try_recv().is_err());
    // They go with their group.
    let group = [("logGroupName", text("g"))];
    fixture.ok("DeleteLogGroup", &group).await;
    fixture.ok("CreateLogGroup", &group).await;
    let none = fixture.ok("DescribeSubscriptionFilters", &group).await;
    let none = none.get("subscriptionFilters").unwrap().as_list().unwrap();
    assert_eq!(none.len(), 0);
}

#[tokio::test]
async fn what_is_refused() {
    let fixture = Fixture::with_stream("g", "s").await;
    let own = "arn:aws:lambda:us-east-1:000000000000:function";
    let not_invocable = "Could not execute the lambda function. Make sure you have given \
                         CloudWatch Logs permission to execute your function.";
    let refusal = async |members: &[(&str, Value)]| {
        let refused = fixture.call("PutSubscriptionFilter", members).await;
        let refused = refused.unwrap_err();
        (refused.code.into_owned(), refused.message)
    };
    let invalid = |message: &str| ("InvalidParameterException".to_owned(), message.to_owned());
    for (destination, expected) in [
        ("reader", "Invalid destinationArn."),
        (
            "arn:aws:sqs:us-east-1:000000000000:q",
            "PutSubscriptionFilter operation cannot work with destinationArn for vendor sqs",
        ),
        (
            "arn:aws:lambda:eu-west-1:000000000000:function:reader",
            not_invocable,
        ),
        (
            "arn:aws:lambda:us-east-1:111111111111:function:reader",
            not_invocable,
        ),
    ] {
        let refused = refusal(&filter("f", "", destination)).await;
        assert_eq!(refused, invalid(expected), "{destination}");
    }
    let mut members = filter("f", "", FUNCTION);
    members.push(("roleArn", text("arn:aws:iam::000000000000:role/r")));
    assert_eq!(
        refusal(&members).await,
        invalid("destinationArn for vendor lambda cannot be used with roleArn")
    );
    let (code, _) = refusal(&filter("f", "\"open", FUNCTION)).await;
    assert_eq!(code, "InvalidParameterException");

    let group = "/aws/lambda/reader";
    fixture
        .ok("CreateLogGroup", &[("logGroupName", text(group))])
        .await;
    for destination in ["reader", "reader:live"] {
        let mut members = filter("f", "", &format!("{own}:{destination}"));
        members[0] = ("logGroupName", text(group));
        assert_eq!(
            refusal(&members).await,
            invalid(
                "The log group provided is reserved for the function logs of the destination \
                 function."
            )
        );
    }
    let rare = [
        ("logGroupName", text("rare")),
        ("logGroupClass", text("INFREQUENT_ACCESS")),
    ];
    fixture.ok("CreateLogGroup", &rare).await;
    let mut members = filter("f", "", FUNCTION);
    members[0] = ("logGroupName", text("rare"));
    assert_eq!(refusal(&members).await.0, "InvalidOperationException");
    members[0] = ("logGroupName", text("none"));
    assert_eq!(refusal(&members).await.0, "ResourceNotFoundException");

    fixture.functions.refuse.store(true, Ordering::SeqCst);
    assert_eq!(
        refusal(&filter("f", "", FUNCTION)).await,
        invalid(not_invocable)
    );
}
