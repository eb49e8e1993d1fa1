//! Reading events: GetLogEvents and FilterLogEvents.

mod common;

use common::{Fixture, NOW, messages, text};
use wire::Value;

#[tokio::test]
async fn events_come_back_either_way_page_by_page() {
    let fixture = Fixture::with_stream("g", "s").await;
    fixture.put("g", "s", &[-4, -3, -2, -1, 0]).await;
    let names = [("logGroupName", text("g")), ("logStreamName", text("s"))];
    let page = |extra: &[(&'static str, Value)]| [names.as_slice(), extra].concat();

    let head = page(&[
        ("startFromHead", Value::Bool(true)),
        ("limit", Value::Int(2)),
    ]);
    let first = fixture.ok("GetLogEvents", &head).await;
    assert_eq!(messages(&first), ["event -4", "event -3"]);
    let token = first.get("nextForwardToken").unwrap().clone();
    let rest = fixture
        .ok("GetLogEvents", &page(&[("nextToken", token)]))
        .await;
    assert_eq!(messages(&rest), ["event -2", "event -1", "event 0"]);
    let token = rest.get("nextForwardToken").unwrap().clone();
    let end = fixture
        .ok("GetLogEvents", &page(&[("nextToken", token.clone())]))
        .await;
    assert!(messages(&end).is_empty());
    assert_eq!(
        end.get("nextForwardToken"),
        Some(&token),
        "at the end the token stays"
    );

    let tail = fixture
        .ok("GetLogEvents", &page(&[("limit", Value::Int(2))]))
        .await;
    assert_eq!(messages(&tail), ["event -1", "event 0"]);
    let token = tail.get("nextBackwardToken").unwrap().clone();
    let before = page(&[("nextToken", token), ("limit", Value::Int(2))]);
    assert_eq!(
        messages(&fixture.ok("GetLogEvents", &before).await),
        ["event -3", "event -2"]
    );

    let garbage = page(&[("nextToken", text("x"))]);
    assert_eq!(
        fixture.code("GetLogEvents", &garbage).await,
        "InvalidParameterException"
    );
}

/// Two events a page, until there is no token.
async fn all_pages(fixture: &Fixture, from_head: bool) -> Vec<String> {
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let mut input = vec![
            ("logGroupName", text("g")),
            ("limit", Value::Int(2)),
            ("startFromHead", Value::Bool(from_head)),
        ];
        if let Some(token) = token {
            input.push(("nextToken", token));
        }
        let page = fixture.ok("FilterLogEvents", &input).await;
        seen.extend(messages(&page).into_iter().map(str::to_owned));
        token = page.get("nextToken").cloned();
        if token.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn filtering_merges_streams_by_time_and_pages_without_gaps() {
    let fixture = Fixture::with_stream("g", "a").await;
    fixture.create_stream("g", "b").await;
    fixture.put("g", "a", &[-5, -3, -1]).await;
    fixture.put("g", "b", &[-4, -3, -2]).await;
    let mut expected = [
        "event -5", "event -4", "event -3", "event -3", "event -2", "event -1",
    ];
    assert_eq!(all_pages(&fixture, true).await, expected);
    expected.reverse();
    assert_eq!(all_pages(&fixture, false).await, expected);

    let some = [
        ("logGroupName", text("g")),
        ("filterPattern", text("\"event -3\"")),
    ];
    assert_eq!(
        messages(&fixture.ok("FilterLogEvents", &some).await).len(),
        2
    );
    let window = [
        ("logGroupName", text("g")),
        ("startTime", Value::Int(NOW.millis() - 4_000)),
        ("endTime", Value::Int(NOW.millis() - 3_000)),
    ];
    let found = fixture.ok("FilterLogEvents", &window).await;
    assert_eq!(messages(&found), ["event -4", "event -3", "event -3"]);
}

#[tokio::test]
async fn a_stream_can_be_followed_from_before_its_first_event() {
    for from_head in [true, false] {
        let fixture = Fixture::with_stream("g", "s").await;
        let mut input = vec![
            ("logGroupName", text("g")),
            ("logStreamName", text("s")),
            ("startFromHead", Value::Bool(from_head)),
        ];
        let empty = fixture.ok("GetLogEvents", &input).await;
        assert!(messages(&empty).is_empty());
        fixture.put("g", "s", &[-2, -1]).await;
        let token = empty.get("nextForwardToken").cloned().unwrap();
        input.push(("nextToken", token));
        let next = fixture.ok("GetLogEvents", &input).await;
        assert_eq!(messages(&next), ["event -2", "event -1"]);
    }
}

#[tokio::test]
async fn filtering_wants_streams_that_exist() {
    let fixture = Fixture::with_stream("g", "a").await;
    let of = |streams: &[&str]| {
        let streams = streams.iter().map(|name| text(name)).collect();
        [
            ("logGroupName", text("g")),
            ("logStreamNames", Value::List(streams)),
        ]
    };
    fixture.ok("FilterLogEvents", &of(&["a"])).await;
    let refused = fixture
        .call("FilterLogEvents", &of(&["a", "none"]))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "ResourceNotFoundException");
    assert_eq!(refused.message, "The specified log stream does not exist.");
}

#[tokio::test]
async fn an_answer_is_no_larger_than_a_megabyte() {
    let fixture = Fixture::with_stream("g", "s").await;
    for offset in [-3, -2, -1] {
        let event = Value::Map(vec![
            (
                "timestamp".to_owned(),
                Value::Int(NOW.millis() + offset * 1_000),
            ),
            ("message".to_owned(), text(&"x".repeat(400_000))),
        ]);
        let input = [
            ("logGroupName", text("g")),
            ("logStreamName", text("s")),
            ("logEvents", Value::List(vec![event])),
        ];
        fixture.ok("PutLogEvents", &input).await;
    }
    let mut input = vec![("logGroupName", text("g"))];
    let first = fixture.ok("FilterLogEvents", &input).await;
    assert_eq!(messages(&first).len(), 2);
    input.push(("nextToken", first.get("nextToken").cloned().unwrap()));
    let rest = fixture.ok("FilterLogEvents", &input).await;
    assert_eq!(messages(&rest).len(), 1);
    assert!(rest.get("nextToken").is_none());
}
