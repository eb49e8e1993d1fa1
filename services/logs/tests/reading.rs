//! Reading events: GetLogEvents and FilterLogEvents.

mod common;

use common::{Fixture, NOW, event, messages, text};
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

/// What comes at one instant, more than one row holds, is read like any other: each page length, from
/// both ends.
#[tokio::test]
async fn events_of_one_instant_are_paged_one_by_one() {
    let fixture = Fixture::with_stream("g", "s").await;
    let mut expected = Vec::new();
    for round in ["a", "b"] {
        let at = |number: i64| NOW.millis() - 1_000 + i64::from(number >= 40);
        let texts = (0..50).map(|number| (at(number), format!("{round}{number:02}")));
        let (events, texts): (Vec<_>, Vec<_>) = texts
            .map(|(at, message)| (event(at, &message), (at, message)))
            .unzip();
        fixture.put_events("g", "s", events).await;
        expected.extend(texts);
    }
    expected.sort_by_key(|(at, _)| *at);
    let expected: Vec<_> = expected.into_iter().map(|(_, message)| message).collect();
    for length in [1, 7, 16, 33, 100] {
        for from_head in [true, false] {
            let seen = all_of_stream(&fixture, from_head, length).await;
            assert_eq!(
                seen, expected,
                "{length} a page, from the head: {from_head}"
            );
        }
    }
    assert_eq!(all_pages(&fixture, true).await, expected);
    let latest_first: Vec<_> = expected.iter().rev().cloned().collect();
    assert_eq!(all_pages(&fixture, false).await, latest_first);
}

/// A stream from one end to the other in pages of GetLogEvents, oldest first.
async fn all_of_stream(fixture: &Fixture, from_head: bool, length: i64) -> Vec<String> {
    let next = ["nextBackwardToken", "nextForwardToken"][usize::from(from_head)];
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let mut input = vec![
            ("logGroupName", text("g")),
            ("logStreamName", text("s")),
            ("limit", Value::Int(length)),
            ("startFromHead", Value::Bool(from_head)),
        ];
        input.extend(token.clone().map(|token| ("nextToken", token)));
        let page = fixture.ok("GetLogEvents", &input).await;
        let found: Vec<String> = messages(&page).into_iter().map(str::to_owned).collect();
        assert!(found.len() as i64 <= length);
        let following = page.get(next).cloned();
        if following == token {
            return seen;
        }
        token = following;
        let at = if from_head { seen.len() } else { 0 };
        seen.splice(at..at, found);
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
        let event = event(NOW.millis() + offset * 1_000, &"x".repeat(400_000));
        fixture.put_events("g", "s", vec![event]).await;
    }
    let mut input = vec![("logGroupName", text("g"))];
    let first = fixture.ok("FilterLogEvents", &input).await;
    assert_eq!(messages(&first).len(), 2);
    input.push(("nextToken", first.get("nextToken").cloned().unwrap()));
    let rest = fixture.ok("FilterLogEvents", &input).await;
    assert_eq!(messages(&rest).len(), 1);
    assert!(rest.get("nextToken").is_none());
}
