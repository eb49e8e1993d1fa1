//! The service through its table of operations, on a store in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use logs::{Config, Logs, LogsService};
use service::ports::{LogLine, LogSink, LogStream};
use service::{Principal, RequestContext, Service, ServiceError};
use store::MemoryStore;
use wire::Value;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

struct Fixture {
    logs: Arc<Logs>,
    clock: Clock,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::starting_at(NOW).clock();
        let store = Arc::new(MemoryStore::new());
        let logs = logs::service(Config {
            store,
            clock: clock.clone(),
        });
        Self { logs, clock }
    }

    async fn call(
        &self,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        let account = AccountId::DEFAULT;
        let principal = Principal::Root { account };
        let region = Region::us_east_1();
        let context = RequestContext::internal(principal, account, region, self.clock.now());
        let members = members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        LogsService(Arc::clone(&self.logs))
            .call(operation, context, Value::Map(members.collect()))
            .await
    }

    async fn ok(&self, operation: &str, members: &[(&str, Value)]) -> Value {
        self.call(operation, members).await.unwrap()
    }

    async fn code(&self, operation: &str, members: &[(&str, Value)]) -> String {
        self.call(operation, members)
            .await
            .unwrap_err()
            .code
            .into_owned()
    }

    async fn with_stream(group: &str, stream: &str) -> Self {
        let fixture = Self::new();
        fixture
            .ok("CreateLogGroup", &[("logGroupName", text(group))])
            .await;
        fixture.create_stream(group, stream).await;
        fixture
    }

    async fn create_stream(&self, group: &str, stream: &str) {
        let names = [
            ("logGroupName", text(group)),
            ("logStreamName", text(stream)),
        ];
        self.ok("CreateLogStream", &names).await;
    }

    /// Events at these offsets from now in seconds, each with its offset as message.
    async fn put(&self, group: &str, stream: &str, offsets: &[i64]) -> Value {
        let events = offsets
            .iter()
            .map(|offset| {
                let at = NOW.millis() + offset * 1_000;
                let message = text(&format!("event {offset}"));
                Value::Map(vec![
                    ("timestamp".to_owned(), Value::Int(at)),
                    ("message".to_owned(), message),
                ])
            })
            .collect();
        let names = [
            ("logGroupName", text(group)),
            ("logStreamName", text(stream)),
            ("logEvents", Value::List(events)),
        ];
        self.ok("PutLogEvents", &names).await
    }
}

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn messages(answer: &Value) -> Vec<&str> {
    let events = answer.get("events").and_then(Value::as_list).unwrap();
    events
        .iter()
        .map(|event| event.get("message").and_then(Value::as_str).unwrap())
        .collect()
}

#[tokio::test]
async fn groups_and_streams_exist_once() {
    let fixture = Fixture::with_stream("g", "s").await;
    let group = [("logGroupName", text("g"))];
    let stream = [("logGroupName", text("g")), ("logStreamName", text("s"))];
    assert_eq!(
        fixture.code("CreateLogGroup", &group).await,
        "ResourceAlreadyExistsException"
    );
    assert_eq!(
        fixture.code("CreateLogStream", &stream).await,
        "ResourceAlreadyExistsException"
    );
    fixture.ok("DeleteLogGroup", &group).await;
    for operation in ["DeleteLogGroup", "DescribeLogStreams", "FilterLogEvents"] {
        assert_eq!(
            fixture.code(operation, &group).await,
            "ResourceNotFoundException",
            "{operation}"
        );
    }
}

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
async fn lines_of_environments_arrive_in_order_in_a_new_group() {
    let fixture = Fixture::new();
    let stream = Arc::new(LogStream {
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
        group: "/aws/lambda/f".to_owned(),
        name: "2027/01/15/[$LATEST]0".to_owned(),
    });
    let line = |n: u32| LogLine {
        at: NOW,
        message: format!("line {n}\n"),
    };
    fixture.logs.append(&stream, (0..3).map(line).collect());
    fixture.logs.append(&stream, vec![line(3)]);
    let found = fixture
        .ok(
            "FilterLogEvents",
            &[("logGroupName", text("/aws/lambda/f"))],
        )
        .await;
    assert_eq!(
        messages(&found),
        ["line 0\n", "line 1\n", "line 2\n", "line 3\n"]
    );
    let groups = fixture.ok("DescribeLogGroups", &[]).await;
    assert_eq!(
        groups
            .get("logGroups")
            .and_then(Value::as_list)
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_logged_is_there_for_whoever_asks_next() {
    let fixture = Fixture::new();
    let stream = Arc::new(LogStream {
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
        group: "g".to_owned(),
        name: "s".to_owned(),
    });
    let names = [("logGroupName", text("g")), ("logStreamName", text("s"))];
    // Long enough that the writer, too, takes some of the lines.
    for count in 1..=200 {
        let message = format!("line {count}\n");
        fixture
            .logs
            .append(&stream, vec![LogLine { at: NOW, message }]);
        let found = fixture.ok("GetLogEvents", &names).await;
        assert_eq!(messages(&found).len(), count);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_flood_is_bounded_and_says_what_was_lost() {
    let fixture = Fixture::new();
    let stream = Arc::new(LogStream {
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
        group: "/aws/lambda/flood".to_owned(),
        name: "s".to_owned(),
    });
    let message = "x".repeat(100_000);
    for _ in 0..100 {
        fixture.logs.append(
            &stream,
            vec![LogLine {
                at: NOW,
                message: message.clone(),
            }],
        );
    }
    let lost = [
        ("logGroupName", text("/aws/lambda/flood")),
        ("filterPattern", text("dropped")),
    ];
    let found = fixture.ok("FilterLogEvents", &lost).await;
    assert_eq!(
        messages(&found).len(),
        1,
        "one line says how many were dropped"
    );
}

#[tokio::test]
async fn expired_events_are_not_shown() {
    let fixture = Fixture::with_stream("g", "s").await;
    fixture.put("g", "s", &[-90_000]).await;
    fixture.put("g", "s", &[0]).await;
    let days = [
        ("logGroupName", text("g")),
        ("retentionInDays", Value::Int(1)),
    ];
    fixture.ok("PutRetentionPolicy", &days).await;
    let found = fixture
        .ok("FilterLogEvents", &[("logGroupName", text("g"))])
        .await;
    assert_eq!(messages(&found), ["event 0"]);
    let bad = [
        ("logGroupName", text("g")),
        ("retentionInDays", Value::Int(2)),
    ];
    assert_eq!(
        fixture.code("PutRetentionPolicy", &bad).await,
        "InvalidParameterException"
    );
}
