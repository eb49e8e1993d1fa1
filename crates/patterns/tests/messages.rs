//! What AWS answers to patterns it does not take.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use patterns::Pattern;

fn reason(pattern: &str) -> String {
    Pattern::parse(pattern).unwrap_err().to_string()
}

fn at(pattern: &str, reason: &str, column: usize) -> String {
    format!("{reason}\n at [Source: (String)\"{pattern}\"; line: 1, column: {column}]")
}

/// As seen in the wild.
#[test]
fn places_are_aws_places() {
    let health = r#"{"source": ["aws.health"], "detail": {}}"#;
    assert_eq!(
        reason(health),
        at(health, "Empty objects are not allowed", 40)
    );
    let empty = r#"{"detail-type":[],"source":["example.source"],"account":["123456789012"]}"#;
    assert_eq!(reason(empty), at(empty, "Empty arrays are not allowed", 18));
    let resources = r#"{"detail-type":["CodeCommit Repository State Change"],"resources":"arn:x"}"#;
    assert_eq!(
        reason(resources),
        at(resources, "\"resources\" must be an object or an array", 68)
    );
    let bucket = "{ \"detail-type\": [ \"Build\" ],\n \"detail\": {\n  \"slug\": \"some\"\n } }";
    assert!(reason(bucket).ends_with("line: 3, column: 12]"));
}

#[test]
fn reasons() {
    for (pattern, expected) in [
        ("[]", "Filter is not an object"),
        (r#"{"a": [{"pre": "x"}]}"#, "Unrecognized match type pre"),
        (r#"{"a": [{}]}"#, "Match expression name not found"),
        (
            r#"{"a": [[1]]}"#,
            "Match value must be String, number, true, false, or null",
        ),
        (
            r#"{"a": [{"prefix": 1}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"a": [{"prefix": "x", "suffix": "y"}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"a": [{"exists": "x"}]}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"a": [{"numeric": 5}]}"#,
            "Value of numeric must be an array.",
        ),
        (
            r#"{"a": [{"numeric": ["<", "5"]}]}"#,
            "Value of < must be numeric",
        ),
        (
            r#"{"a": [{"numeric": ["=>", 5]}]}"#,
            "Unrecognized numeric range operator: =>",
        ),
        (
            r#"{"a": [{"numeric": ["<", 5, 6]}]}"#,
            "Too many elements in numeric expression",
        ),
        (
            r#"{"a": [{"numeric": [">", 5, "<", 3]}]}"#,
            "Bottom must be less than top",
        ),
        (
            r#"{"a": [{"anything-but": {"numeric": 3}}]}"#,
            "Unsupported anything-but pattern: numeric",
        ),
        (
            r#"{"a": [{"anything-but": ["x", 3]}]}"#,
            "Inside anything but list, either all values",
        ),
        (
            r#"{"a": [{"anything-but": {"prefix": ""}}]}"#,
            "Null prefix/suffix not allowed",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0.0"}]}"#,
            "Malformed CIDR, one '/' required",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0.0/40"}]}"#,
            "IPv4 mask bits must be < 32",
        ),
        (
            r#"{"a": [{"wildcard": "a**"}]}"#,
            "Consecutive wildcard characters at pos 2",
        ),
        (r#"{"$or": {}}"#, "It must be an Array followed with $or."),
        (
            r#"{"$or": [{"a": [1]}]}"#,
            "There must have at least 2 Objects in $or relationship.",
        ),
        (
            r#"{"$or": [1, 2]}"#,
            "Only JSON object is allowed in array of $or relationship.",
        ),
        (
            r#"{"$or": [{"prefix": [1]}, {"a": [1]}]}"#,
            "prefix is Ruler reserved fieldName which cannot be used inside $or.",
        ),
        (
            r#"{"a" 1}"#,
            "Unexpected character ('1' (code 49)): was expecting a colon",
        ),
        (r#"{"a": [x]}"#, "Unrecognized token 'x': was expecting"),
        (r#"{"a": ["#, "Unexpected end-of-input"),
        ("", "Unexpected end-of-input"),
    ] {
        let found = reason(pattern);
        assert!(found.starts_with(expected), "{pattern}: {found}");
    }
}

#[test]
fn too_many_ways_to_match_are_refused() {
    let or = |n: usize| format!(r#""x{n}": {{"$or": [{{"a": [1]}}, {{"b": [1]}}]}}"#);
    let many: Vec<_> = (0..12).map(or).collect();
    assert!(reason(&format!("{{{}}}", many.join(","))).starts_with("Rule is too complex"));
    let wildcards = format!(r#"{{"a": [{{"wildcard": "{}"}}]}}"#, "*a".repeat(25));
    assert!(reason(&wildcards).starts_with("Rule is too complex"));
}
