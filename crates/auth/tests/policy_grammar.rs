//! Which texts are policies, and IAM's words for those that are not.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use auth::policy::{Document, PolicyKind};
use proptest::prelude::*;
use serde_json::{Value, json};

fn refused(policy: &Value, kind: PolicyKind) -> String {
    Document::parse(&policy.to_string(), kind).unwrap_err().0
}

fn identity(statement: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statement})
}

#[test]
fn statements_may_be_one_or_many_and_lists_single() {
    let one = json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"});
    for statement in [
        one.clone(),
        json!([one, {"Effect": "Deny", "NotAction": ["s3:*"],
        "NotResource": ["arn:aws:s3:::b"], "Condition": {"Bool": {"aws:SecureTransport": false}}}]),
    ] {
        Document::parse(&identity(&statement).to_string(), PolicyKind::Identity).unwrap();
    }
}

#[test]
fn identity_policies_are_refused_in_iams_words() {
    let statement = |statement: Value| refused(&identity(&statement), PolicyKind::Identity);
    assert_eq!(
        Document::parse("{", PolicyKind::Identity).unwrap_err().0,
        "This policy contains invalid Json"
    );
    assert_eq!(
        refused(&json!([]), PolicyKind::Identity),
        "Syntax errors in policy."
    );
    assert_eq!(
        refused(
            &json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}),
            PolicyKind::Identity
        ),
        "Policy document must be version 2012-10-17 or greater."
    );
    for (json, message) in [
        (
            json!({"Effect": "allow", "Action": "*", "Resource": "*"}),
            "Syntax errors in policy.",
        ),
        (
            json!({"Effect": "Allow", "Resource": "*"}),
            "Policy statement must contain actions.",
        ),
        (
            json!({"Effect": "Allow", "Action": "*"}),
            "Policy statement must contain resources.",
        ),
        (
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}),
            "Policy document should not specify a principal.",
        ),
        (
            json!({"Effect": "Allow", "Action": "GetObject", "Resource": "*"}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            json!({"Effect": "Allow", "Action": "s3:a:b", "Resource": "*"}),
            "Actions/Condition can contain only one colon.",
        ),
        (
            json!({"Effect": "Allow", "Action": "s3:*", "Resource": "bucket"}),
            "Resource bucket must be in ARN format or \"*\".",
        ),
        (
            json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:xx:s3:::b"}),
            "Partition \"xx\" is not valid for resource \"arn:xx:s3:::b\".",
        ),
        (
            json!({"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}),
            "Syntax errors in policy.",
        ),
        (
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Hm": 1}),
            "Unknown field Hm",
        ),
        (
            json!({"Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {"StringIs": {"a": "b"}}}),
            "Invalid Condition type : StringIs.",
        ),
        (
            json!([{"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"}]),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ] {
        assert_eq!(statement(json), message);
    }
}

#[test]
fn trust_policies_name_principals_and_sts_actions_only() {
    let lambda = json!({"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"}});
    Document::parse(&identity(&lambda).to_string(), PolicyKind::Trust).unwrap();
    let refuse = |change: &str, to: Value| {
        let mut statement = lambda.clone();
        if to.is_null() {
            statement.as_object_mut().unwrap().remove(change);
        } else {
            statement[change] = to;
        }
        refused(&identity(&statement), PolicyKind::Trust)
    };
    assert_eq!(
        refuse("Resource", json!("*")),
        "Has prohibited field Resource"
    );
    assert_eq!(
        refuse("Principal", Value::Null),
        "Missing required field Principal"
    );
    assert_eq!(
        refuse("Action", json!("s3:GetObject")),
        "AssumeRole policy may only specify STS AssumeRole actions."
    );
    assert_eq!(
        refuse("Principal", json!({"AWS": "arn:aws:iam::bob"})),
        "Invalid principal in policy: \"AWS\":\"arn:aws:iam::bob\""
    );
    assert_eq!(
        refuse("Principal", json!({"Service": "lambda"})),
        "Invalid principal in policy: \"Service\":\"lambda\""
    );
}

#[test]
fn white_space_does_not_count() {
    assert_eq!(Document::quota_length("{ \"a\" :\n\t\"é\" }"), 9);
}

proptest! {
    #[test]
    fn any_text_parses_or_not(text in "\\PC{0,80}") {
        let _ = Document::parse(&text, PolicyKind::Identity);
    }

    #[test]
    fn any_json_of_the_right_shape_parses_or_not(
        effect in "Allow|Deny|x",
        action in "\\PC{0,8}(:\\PC{0,8})?",
        resource in "arn:\\PC{0,20}|\\*",
        operator in "(ForAllValues:)?(StringLike|Null|DateLessThan|IpAddress|x)(IfExists)?",
        value in "\\PC{0,9}",
        kind in 0..3,
    ) {
        let kind = [PolicyKind::Identity, PolicyKind::Trust, PolicyKind::Resource][kind as usize];
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": effect,
            "Action": [action], "Resource": resource, "Condition": {operator: {"aws:x": [value]}}}]});
        let _ = Document::parse(&policy.to_string(), kind);
    }
}
