//! Groups, streams and what arrives in them, through the table of operations.

mod common;

use std::sync::Arc;

use base::{AccountId, Region};
use common::{Fixture, NOW, messages, text};
use logs::LogsService;
use service::ports::{LogLine, LogSink, LogStream};
use service::{Principal, RequestContext, Service};
use wire::Value;

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
async fn changes_of_one_group_at_once_are_all_kept() {
    let fixture = Fixture::with_stream("g", "s").await;
    let tag = async |n: u32| {
        let tags = Value::Map(vec![(format!("k{n}"), text("v"))]);
        let input = [("logGroupName", text("g")), ("tags", tags)];
        fixture.ok("TagLogGroup", &input).await;
    };
    tokio::join!(tag(0), tag(1), tag(2), tag(3), async {
        let input = [
            ("logGroupName", text("g")),
            ("retentionInDays", Value::Int(7)),
        ];
        fixture.ok("PutRetentionPolicy", &input).await;
    });
    let group = [("logGroupName", text("g"))];
    let tags = fixture.ok("ListTagsLogGroup", &group).await;
    for n in 0..4 {
        let key = format!("k{n}");
        assert!(tags.get("tags").and_then(|tags| tags.get(&key)).is_some());
    }
    let groups = fixture.ok("DescribeLogGroups", &[]).await;
    let groups = groups.get("logGroups").and_then(Value::as_list).unwrap();
    assert_eq!(groups[0].get("retentionInDays"), Some(&Value::Int(7)));
}

#[tokio::test]
async fn names_and_tags_of_aws_are_reserved() {
    let fixture = Fixture::new().await;
    let group = [("logGroupName", text("aws/lambda/f"))];
    assert_eq!(
        fixture.code("CreateLogGroup", &group).await,
        "InvalidParameterException"
    );
    let tags = Value::Map(vec![("aws:stack".to_owned(), text("v"))]);
    let group = [("logGroupName", text("g")), ("tags", tags)];
    assert_eq!(
        fixture.code("CreateLogGroup", &group).await,
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn policies_are_about_streams_where_a_stream_is_named() {
    let fixture = Fixture::new().await;
    let service = LogsService(Arc::clone(&fixture.logs));
    let resource = |operation: &str, members: &[(&str, &str)]| {
        let account = AccountId::DEFAULT;
        let principal = Principal::Root { account };
        let region = Region::us_east_1();
        let context = RequestContext::internal(principal, account, region, NOW);
        let members = members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), text(value)));
        service.resource(operation, &context, &Value::Map(members.collect()))
    };
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:g";
    let stream = [("logGroupName", "g"), ("logStreamName", "s")];
    assert_eq!(
        resource("PutLogEvents", &stream),
        format!("{group}:log-stream:s")
    );
    let identified = [("logGroupIdentifier", group), ("logStreamName", "s")];
    assert_eq!(
        resource("GetLogEvents", &identified),
        format!("{group}:log-stream:s")
    );
    assert_eq!(
        resource("FilterLogEvents", &[("logGroupName", "g")]),
        format!("{group}:*")
    );
    assert_eq!(
        resource("DescribeLogGroups", &[("logGroupNamePrefix", "g")]),
        "arn:aws:logs:us-east-1:000000000000:log-group::log-stream:"
    );
    let elsewhere = "arn:aws:logs:eu-west-1:210987654321:log-group:g";
    assert_eq!(
        resource("FilterLogEvents", &[("logGroupIdentifier", elsewhere)]),
        format!("{elsewhere}:*")
    );
}

#[tokio::test]
async fn lines_of_environments_arrive_in_order_in_a_new_group() {
    let fixture = Fixture::new().await;
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
    let fixture = Fixture::new().await;
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
    let fixture = Fixture::new().await;
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

#[tokio::test]
async fn a_broken_identifier_is_not_shown() {
    let schema = LogsService(Fixture::new().await.logs).schema();
    let operation = schema.operation("GetLogEvents").unwrap();
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:g:*";
    let input = Value::of_members([
        Some(("logGroupIdentifier", Value::Str(group.to_owned()))),
        Some(("logStreamName", Value::Str("s".to_owned()))),
    ]);
    let refused = wire::validate(schema, operation, &input).unwrap_err();
    assert_eq!(refused.code, "InvalidParameterException");
    assert_eq!(
        refused.message,
        r"1 validation error detected: Value at 'logGroupIdentifier' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w#+=/:,.@-]*"
    );
}
