//! Each operator, with the cases that event-ruler's README and EventBridge's guide give.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use patterns::{Event, Pattern, PatternSet};
use serde_json::{Value, json};

/// The instance's event of the README.
fn instance() -> Value {
    json!({
        "version": "0",
        "id": "ddddd4-aaaa-7777-4444-345dd43cc333",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "012345679012",
        "time": "2017-10-02T16:24:49Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
        "detail": {
            "c-count": 5,
            "d-count": 3,
            "x-limit": 301.8,
            "source-ip": "10.0.0.33",
            "instance-id": "i-000000aaaaaa00000",
            "state": "running",
            "path": "/usr/bin/tool.jar",
            "note": null,
            "live": true,
            "tags": [],
        }
    })
}

/// By itself and in a set: both must say the same.
fn matches(pattern: &Value, event: &Value) -> bool {
    let pattern = Pattern::parse(&pattern.to_string()).unwrap_or_else(|e| panic!("{e}"));
    let event = Event::of(event);
    let alone = pattern.matches(&event);
    let mut set = PatternSet::new();
    set.insert(1, &pattern);
    assert_eq!(!set.matches(&event).is_empty(), alone);
    alone
}

#[test]
fn what_matches_the_instance() {
    for pattern in [
        json!({
            "detail-type": ["EC2 Instance State-change Notification"],
            "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
            "detail": {"state": ["initializing", "running"]}
        }),
        json!({"time": [{"prefix": "2017-10-02"}]}),
        json!({"source": [{"suffix": "ec2"}]}),
        json!({"source": [{"equals-ignore-case": "AWS.EC2"}]}),
        json!({"source": [{"prefix": {"equals-ignore-case": "AWS"}}]}),
        json!({"source": [{"suffix": {"equals-ignore-case": "EC2"}}]}),
        json!({"source": [{"wildcard": "aws*2"}]}),
        json!({"source": [{"wildcard": "*.ec2"}]}),
        json!({"source": [{"exactly": "aws.ec2"}]}),
        json!({"detail": {"state": [{"anything-but": "initializing"}]}}),
        json!({"detail": {"x-limit": [{"anything-but": 123}]}}),
        json!({"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}),
        json!({"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}),
        json!({"detail": {"c-count": [{"anything-but": "five"}]}}),
        json!({"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}),
        json!({"detail": {"state": [{"anything-but": {"suffix": ["ed", "er"]}}]}}),
        json!({"detail": {"state": [{"anything-but": {"equals-ignore-case": ["STOPPED"]}}]}}),
        json!({"detail": {"path": [{"anything-but": {"wildcard": "*/lib/*"}}]}}),
        json!({"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}]}}),
        json!({"detail": {"d-count": [{"numeric": ["<", 10]}]}}),
        json!({"detail": {"x-limit": [{"numeric": ["=", 3.018e2]}]}}),
        json!({"detail": {"x-limit": [301.8]}}),
        json!({"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}}),
        json!({"detail": {"source-ip": ["10.0.0.33"]}}),
        json!({"detail": {"c-count": [{"exists": true}]}}),
        json!({"detail": {"note": [null]}}),
        json!({"detail": {"note": [{"exists": true}]}}),
        json!({"detail": {"live": [true]}}),
        json!({"detail": {"nothing": [{"exists": false}]}}),
        json!({"detail": [{"exists": false}]}),
        json!({"detail": {"tags": [{"exists": false}]}}),
        json!({"detail.state": ["running"]}),
        json!({"source": ["aws.s3", {"prefix": "aws.e"}]}),
        json!({
            "time": [{"prefix": "2017-10-02"}],
            "detail": {
                "state": [{"anything-but": "initializing"}],
                "c-count": [{"numeric": [">", 0, "<=", 5]}],
                "d-count": [{"numeric": ["<", 10]}],
                "x-limit": [{"anything-but": [100, 200, 300]}],
                "source-ip": [{"cidr": "10.0.0.0/8"}]
            }
        }),
    ] {
        assert!(matches(&pattern, &instance()), "{pattern}");
    }
}

#[test]
fn what_does_not() {
    for pattern in [
        json!({"source": ["aws.ec"]}),
        json!({"source": [{"prefix": "ec2"}]}),
        json!({"source": [{"suffix": "aws"}]}),
        json!({"source": [{"wildcard": "aws*s3"}]}),
        json!({"detail": {"state": [{"anything-but": ["running", "x"]}]}}),
        json!({"detail": {"state": [{"anything-but": {"prefix": ["run", "init"]}}]}}),
        json!({"detail": {"state": [{"anything-but": {"equals-ignore-case": "RUNNING"}}]}}),
        json!({"detail": {"path": [{"anything-but": {"wildcard": "*/bin/*.jar"}}]}}),
        // Numbers are only compared with numbers.
        json!({"detail": {"state": [{"anything-but": 5}]}}),
        json!({"detail": {"state": [{"numeric": [">", 0]}]}}),
        json!({"detail": {"c-count": ["5"]}}),
        json!({"detail": {"c-count": [{"prefix": "5"}]}}),
        json!({"detail": {"c-count": [{"numeric": [">", 5]}]}}),
        json!({"detail": {"source-ip": [{"cidr": "10.0.1.0/24"}]}}),
        json!({"detail": {"source-ip": [{"cidr": "2001:db8::/32"}]}}),
        json!({"detail": {"c-count": [{"exists": false}]}}),
        json!({"detail": {"nothing": [{"exists": true}]}}),
        json!({"detail": [{"exists": true}]}),
        json!({"detail": {"live": ["true"]}}),
        json!({"nothing": [{"anything-but": "x"}]}),
    ] {
        assert!(!matches(&pattern, &instance()), "{pattern}");
    }
}

#[test]
fn or_is_of_fields_and_multiplies() {
    let cpu = json!({"source": "aws.cloudwatch", "metricName": "CPUUtilization"});
    let space = json!({
        "source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/EC2",
        "spaceId": 1000
    });
    let pattern = json!({
        "source": ["aws.cloudwatch"],
        "$or": [
            {"metricName": ["CPUUtilization", "ReadLatency"]},
            {
                "metricType": ["MetricType"],
                "namespace": ["AWS/EC2", "AWS/ES"],
                "$or": [{"metricId": [1234]}, {"spaceId": [1000]}]
            },
            {"scope": ["Service"]}
        ]
    });
    assert!(matches(&pattern, &cpu));
    assert!(matches(&pattern, &space));
    assert!(!matches(
        &pattern,
        &json!({"source": "aws.cloudwatch", "metricType": "MetricType"})
    ));
    assert!(!matches(
        &pattern,
        &json!({"source": "aws.ec2", "scope": "Service"})
    ));

    let parallel = json!({
        "$or": [{"a": [1]}, {"b": [1]}],
        "detail": {"$or": [{"c": [1]}, {"d": [1]}]}
    });
    assert!(matches(&parallel, &json!({"b": 1, "detail": {"d": 1}})));
    assert!(!matches(&parallel, &json!({"a": 1, "b": 1})));
}

#[test]
fn conditions_inside_one_array_hold_for_one_element() {
    let event = json!({
        "employees": [
            {"firstName": "John", "lastName": "Doe", "ids": [1, 2]},
            {"firstName": "Anna", "lastName": "Smith", "ids": [3]},
            {"firstName": "Peter", "lastName": "Jones"}
        ]
    });
    for (first, last, id, expected) in [
        ("John", "Doe", 2, true),
        ("Anna", "Smith", 3, true),
        ("Anna", "Jones", 3, false),
        ("John", "Doe", 3, false),
    ] {
        let pattern = json!({
            "employees": {"firstName": [first], "lastName": [last], "ids": [id]}
        });
        assert_eq!(matches(&pattern, &event), expected, "{pattern}");
    }
    // Arrays beside each other have nothing to do with each other.
    let beside = json!({"a": [{"x": 1}, {"x": 2}], "b": [{"y": 1}]});
    assert!(matches(&json!({"a": {"x": [2]}, "b": {"y": [1]}}), &beside));
    let nested = json!({"a": [{"b": [{"x": 1, "y": 1}]}, {"b": [{"x": 2, "y": 2}]}]});
    assert!(matches(&json!({"a": {"b": {"x": [2], "y": [2]}}}), &nested));
    assert!(!matches(
        &json!({"a": {"b": {"x": [1], "y": [2]}}}),
        &nested
    ));
}

#[test]
fn many_rules_are_told_apart() {
    let mut set = PatternSet::new();
    for number in 0..10_000 {
        let pattern = json!({"source": ["shop"], "detail": {"order": [format!("o-{number}")]}});
        set.insert(number, &Pattern::parse(&pattern.to_string()).unwrap());
    }
    let event = json!({"source": "shop", "detail": {"order": "o-77"}});
    let event = Event::of(&event);
    assert_eq!(set.matches(&event), [77]);
    assert!(set.remove(&77));
    assert!(!set.remove(&77));
    assert!(set.matches(&event).is_empty());
    set.insert(
        5,
        &Pattern::parse(r#"{"source": [{"prefix": "sh"}]}"#).unwrap(),
    );
    assert_eq!(set.matches(&event), [5]);
    assert_eq!(set.len(), 9_999);
}
