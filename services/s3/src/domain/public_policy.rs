//! Whether a bucket policy lets in anybody.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use serde_json::Value;

/// Condition keys that, set to fixed values, say who may come.
const NARROWING: [&str; 13] = [
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Of a policy that was accepted; one that does not parse lets nobody in.
pub fn is_public(policy: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(policy) else {
        return false;
    };
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    statements.iter().any(lets_anybody_in)
}

fn lets_anybody_in(statement: &Value) -> bool {
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let anybody = statement.get("NotPrincipal").is_some()
        || statement.get("Principal").is_some_and(names_anybody);
    allows && anybody && !statement.get("Condition").is_some_and(narrows)
}

fn names_anybody(principal: &Value) -> bool {
    match principal {
        Value::String(name) => name == "*",
        Value::Array(names) => names.iter().any(names_anybody),
        Value::Object(kinds) => kinds.get("AWS").is_some_and(names_anybody),
        _ => false,
    }
}

/// One condition on a fixed value is enough: all of them must hold.
fn narrows(condition: &Value) -> bool {
    let Value::Object(operators) = condition else {
        return false;
    };
    operators.iter().any(|(operator, keys)| {
        let Value::Object(keys) = keys else {
            return false;
        };
        let is_positive = !operator.contains("Not") && !operator.ends_with("IfExists");
        is_positive
            && keys.iter().any(|(key, values)| {
                NARROWING.contains(&key.to_ascii_lowercase().as_str()) && are_fixed(values)
            })
    })
}

fn are_fixed(values: &Value) -> bool {
    match values {
        Value::String(value) => {
            !value.contains(['*', '?', '$']) && value != "0.0.0.0/0" && value != "::/0"
        }
        Value::Array(values) => !values.is_empty() && values.iter().all(are_fixed),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_let_in() {
        let public = |principal: Value, condition: Value| {
            let statement = json!({
                "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::b/*", "Condition": condition,
            });
            is_public(&json!({ "Statement": [statement] }).to_string())
        };
        assert!(public(json!("*"), json!({})));
        assert!(public(json!({"AWS": ["*"]}), json!({})));
        assert!(!public(
            json!({"AWS": "arn:aws:iam::123456789012:root"}),
            json!({})
        ));
        let ip = |ip: &str| json!({"IpAddress": {"aws:SourceIp": [ip]}});
        assert!(!public(json!("*"), ip("10.0.0.0/8")));
        assert!(public(json!("*"), ip("0.0.0.0/0")));
        assert!(public(
            json!("*"),
            json!({"StringLike": {"aws:PrincipalArn": "arn:*"}})
        ));
        assert!(public(
            json!("*"),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}})
        ));
        assert!(!is_public("nonsense"));
        let deny = json!({"Statement": {"Effect": "Deny", "Principal": "*"}});
        assert!(!is_public(&deny.to_string()));
    }
}
