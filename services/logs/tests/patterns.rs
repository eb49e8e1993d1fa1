//! What a filter pattern lets through, tried by TestMetricFilter.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Fixture, text};
use wire::Value;

const LINES: [&str; 2] = [
    r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /a.png HTTP/1.0" 200 1534"#,
    r#"127.0.0.1 - frank [10/Oct/2000:13:35:22 -0700] "GET /a.png HTTP/1.0" 500 5324"#,
];

/// The numbers of the messages that match, and the fields of the first.
async fn tried(pattern: &str, messages: &[&str]) -> (Vec<i64>, Vec<(String, String)>) {
    let fixture = Fixture::new().await;
    let messages = messages.iter().map(|message| text(message)).collect();
    let members = [
        ("filterPattern", text(pattern)),
        ("logEventMessages", Value::List(messages)),
    ];
    let answer = fixture.ok("TestMetricFilter", &members).await;
    let matches = answer.get("matches").and_then(Value::as_list).unwrap();
    let number = |one: &Value| match one.get("eventNumber") {
        Some(Value::Int(number)) => *number,
        other => panic!("{other:?} is no number"),
    };
    let fields = match matches.first().and_then(|one| one.get("extractedValues")) {
        Some(Value::Map(fields)) => fields
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        _ => Vec::new(),
    };
    (matches.iter().map(number).collect(), fields)
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    fields.sort();
    fields
}

#[tokio::test]
async fn fields_have_the_names_that_the_pattern_gives() {
    let (numbers, fields) = tried("[..., status = 5*, size]", &LINES).await;
    assert_eq!(numbers, [2]);
    let expected = owned(&[
        ("$1", "127.0.0.1"),
        ("$2", "-"),
        ("$3", "frank"),
        ("$4", "10/Oct/2000:13:35:22 -0700"),
        ("$5", "GET /a.png HTTP/1.0"),
        ("$status", "500"),
        ("$size", "5324"),
    ]);
    assert_eq!(fields, expected);
    let (numbers, fields) = tried("[ip, , user, ...]", &LINES[..1]).await;
    assert_eq!(numbers, [1]);
    assert_eq!(fields.len(), 7);
    for named in owned(&[("$ip", "127.0.0.1"), ("$2", "-"), ("$user", "frank")]) {
        assert!(fields.contains(&named), "{named:?} is not in {fields:?}");
    }
    let all = "[ip, id, user, time, request, status, size]";
    let (_, fields) = tried(all, &LINES).await;
    assert!(fields.contains(&("$size".to_owned(), "1534".to_owned())));
}

#[tokio::test]
async fn other_patterns_name_nothing() {
    assert_eq!(tried("POST", &LINES).await, (vec![], vec![]));
    assert_eq!(tried("frank", &LINES).await, (vec![1, 2], vec![]));
    let objects = [r#"{"a": 1}"#, r#"{"a": 2}"#];
    assert_eq!(tried("{ $.a = 2 }", &objects).await, (vec![2], vec![]));
    let fixture = Fixture::new().await;
    let members = [
        ("filterPattern", text("\"open")),
        ("logEventMessages", Value::List(vec![text("m")])),
    ];
    assert_eq!(
        fixture.code("TestMetricFilter", &members).await,
        "InvalidParameterException"
    );
}
