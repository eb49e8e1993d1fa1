//! Policy texts: checked, measured, encoded, joined.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>

use auth::policy::{Document, PolicyKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use service::ServiceError;

use crate::error;

/// Characters of a managed policy, white space apart.
pub const MAX_MANAGED: usize = 6_144;
/// Characters of a role's trust policy, white space apart.
pub const MAX_TRUST: usize = 2_048;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Checks a policy that is attached to identities.
pub fn check_identity(document: &str) -> Result<(), ServiceError> {
    Document::parse(document, PolicyKind::Identity).map_err(error::malformed_policy)?;
    Ok(())
}

/// Checks a customer-managed policy.
pub fn check_managed(document: &str) -> Result<(), ServiceError> {
    check_identity(document)?;
    if Document::quota_length(document) > MAX_MANAGED {
        return Err(error::quota("PolicySize", MAX_MANAGED));
    }
    Ok(())
}

/// Checks a role's trust policy.
pub fn check_trust(document: &str) -> Result<(), ServiceError> {
    Document::parse(document, PolicyKind::Trust).map_err(error::malformed_policy)?;
    if Document::quota_length(document) > MAX_TRUST {
        return Err(error::quota("ACLSizePerRole", MAX_TRUST));
    }
    Ok(())
}

/// A document as IAM's answers carry it: percent-encoded after RFC 3986.
pub fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

/// One document with the statements of all: session policies bound a session together. Texts that
/// are not policies are left out, and so grant nothing.
pub fn union<'a>(documents: impl IntoIterator<Item = &'a str>) -> String {
    let mut statements = Vec::new();
    for document in documents {
        match serde_json::from_str(document).map(|mut value: Value| value["Statement"].take()) {
            Ok(Value::Array(more)) => statements.extend(more),
            Ok(one @ Value::Object(_)) => statements.push(one),
            _ => {}
        }
    }
    // Sids need only be unique in the policy they came from.
    for statement in &mut statements {
        if let Some(statement) = statement.as_object_mut() {
            statement.remove("Sid");
        }
    }
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_encoded_as_iam_does() {
        assert_eq!(
            encoded(r#"{"A": "*/~"}"#),
            "%7B%22A%22%3A%20%22%2A%2F~%22%7D"
        );
    }

    #[test]
    fn a_union_is_a_policy() {
        let one = r#"{"Version":"2012-10-17","Statement":
            {"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        let many = r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"a","Effect":"Allow","Action":"sqs:*","Resource":"*"}]}"#;
        let whole = union([one, many]);
        check_identity(&whole).unwrap();
        assert!(whole.contains("s3:*") && whole.contains("sqs:*"));
    }

    #[test]
    fn sizes_are_counted_without_white_space() {
        let policy = |resources: usize| {
            let arns = vec!["arn:aws:s3:::0123456789"; resources];
            json!({"Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": arns}]})
        };
        let error = check_managed(&policy(300).to_string()).unwrap_err();
        assert_eq!(error.message, "Cannot exceed quota for PolicySize: 6144");
        let spacious = serde_json::to_string_pretty(&policy(200)).unwrap();
        assert!(spacious.len() > MAX_MANAGED);
        check_managed(&spacious).unwrap();
    }
}
