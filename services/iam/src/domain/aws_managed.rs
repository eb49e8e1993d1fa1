//! The policies AWS itself manages, `arn:aws:iam::aws:policy/…`: those that functions and the
//! people around them commonly attach, from `aws_managed.json` beside this file.
//!
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ids;

/// All of them by ARN.
pub static POLICIES: LazyLock<BTreeMap<String, AwsPolicy>> = LazyLock::new(load);

/// When the table says each was made: IAM answers with an instant, and one is as good as another.
pub const CREATED: Timestamp = Timestamp::from_millis(1_423_248_060_000);

#[derive(Debug)]
pub struct AwsPolicy {
    pub name: String,
    pub path: String,
    pub id: String,
    pub description: String,
    /// Of its only version, `v1`.
    pub document: String,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    path: String,
    description: String,
    statements: Vec<Value>,
}

fn load() -> BTreeMap<String, AwsPolicy> {
    let rows: Vec<Row> = serde_json::from_str(include_str!("aws_managed.json"))
        .expect("the table is part of the binary and tested");
    rows.into_iter()
        .map(|row| {
            (
                format!("arn:aws:iam::aws:policy{}{}", row.path, row.name),
                row.into(),
            )
        })
        .collect()
}

impl From<Row> for AwsPolicy {
    fn from(row: Row) -> Self {
        let document = json!({"Version": "2012-10-17", "Statement": row.statements});
        Self {
            id: ids::stable_id(ids::MANAGED_POLICY, &row.name),
            name: row.name,
            path: row.path,
            description: row.description,
            document: document.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::check_managed;

    #[test]
    fn every_row_is_a_policy() {
        assert!(POLICIES.len() > 30);
        for policy in POLICIES.values() {
            check_managed(&policy.document).unwrap_or_else(|error| panic!("{policy:?}: {error}"));
        }
        let basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        assert!(POLICIES[basic].document.contains("logs:PutLogEvents"));
    }
}
