//! The policy of a form: what its fields and its file may be.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use std::ops::RangeInclusive;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use serde_json::Value;

use crate::error::Error;

/// Fields that a policy need not mention.
const FREE: [&str; 6] = [
    "policy",
    "x-amz-signature",
    "signature",
    "awsaccesskeyid",
    "file",
    "x-amz-security-token",
];

#[derive(Debug)]
pub struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Condition {
    Equal { field: String, value: String },
    StartsWith { field: String, prefix: String },
    Length(RangeInclusive<u64>),
}

impl Policy {
    /// # Errors
    /// `InvalidPolicyDocument`.
    pub fn parse(encoded: &str) -> Result<Self, Error> {
        let invalid = |why: &str| {
            Error::bad_request("InvalidPolicyDocument", format!("Invalid Policy: {why}"))
        };
        let bytes = BASE64
            .decode(encoded.trim())
            .map_err(|_| invalid("Invalid Base64."))?;
        let document: Value =
            serde_json::from_slice(&bytes).map_err(|_| invalid("Invalid JSON."))?;
        let expiration = document
            .get("expiration")
            .and_then(Value::as_str)
            .ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration = Timestamp::parse_iso8601(expiration)
            .ok_or_else(|| invalid(&format!("Invalid 'expiration' value: '{expiration}'")))?;
        let conditions = document
            .get("conditions")
            .and_then(Value::as_array)
            .ok_or_else(|| invalid("Policy missing conditions."))?;
        let mut read = Vec::new();
        for condition in conditions {
            match condition {
                Value::Object(fields) => {
                    for (field, value) in fields {
                        let value = value.as_str().ok_or_else(|| {
                            invalid("Invalid Simple-Condition: value must be a string.")
                        })?;
                        read.push(Condition::Equal {
                            field: field.to_ascii_lowercase(),
                            value: value.to_owned(),
                        });
                    }
                }
                Value::Array(parts) => {
                    let condition = Condition::of_list(parts);
                    read.push(condition.ok_or_else(|| invalid("Invalid Condition."))?);
                }
                _ => return Err(invalid("Invalid Condition.")),
            }
        }
        Ok(Self {
            expiration,
            conditions: read,
        })
    }

    /// Checks everything but the file's length, which it gives the bounds of.
    ///
    /// # Errors
    /// `AccessDenied` for what is over, what does not hold, and what is not mentioned.
    pub fn check(
        &self,
        fields: &[(String, String)],
        bucket: &str,
        now: Timestamp,
    ) -> Result<RangeInclusive<u64>, Error> {
        if self.expiration <= now {
            return Err(denied("Policy expired."));
        }
        let value = |field: &str| match field {
            "bucket" => Some(bucket),
            _ => fields
                .iter()
                .find(|(name, _)| name == field)
                .map(|(_, value)| value.as_str()),
        };
        let mut length = 0..=u64::MAX;
        for condition in &self.conditions {
            match condition {
                Condition::Length(range) => length = range.clone(),
                condition if condition.holds(&value) => {}
                condition => {
                    let text = condition.text();
                    return Err(denied(&format!("Policy Condition failed: {text}")));
                }
            }
        }
        let is_mentioned = |name: &str| {
            FREE.contains(&name)
                || name.starts_with("x-ignore-")
                || self
                    .conditions
                    .iter()
                    .any(|condition| condition.is_about(name))
        };
        match fields.iter().find(|(name, _)| !is_mentioned(name)) {
            Some((name, _)) => Err(denied(&format!("Extra input fields: {name}"))),
            None => Ok(length),
        }
    }
}

fn denied(why: &str) -> Error {
    let message = format!("Invalid according to Policy: {why}");
    Error::new("AccessDenied", StatusCode::FORBIDDEN, message)
}

impl Condition {
    fn of_list(parts: &[Value]) -> Option<Self> {
        let [operator, first, second] = parts else {
            return None;
        };
        let operator = operator.as_str()?.to_ascii_lowercase();
        if operator == "content-length-range" {
            let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
            return Some(Self::Length(number(first)?..=number(second)?));
        }
        let field = first.as_str()?.strip_prefix('$')?.to_ascii_lowercase();
        let text = second.as_str()?.to_owned();
        match operator.as_str() {
            "eq" => Some(Self::Equal { field, value: text }),
            "starts-with" => Some(Self::StartsWith {
                field,
                prefix: text,
            }),
            _ => None,
        }
    }

    fn holds<'a>(&self, value: &impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::Equal {
                field,
                value: expected,
            } => value(field).unwrap_or_default() == expected,
            Self::StartsWith { field, prefix } => {
                let value = value(field).unwrap_or_default();
                // A list of content types begins so with each of them.
                if field == "content-type" {
                    return value.split(',').all(|one| one.starts_with(prefix.as_str()));
                }
                value.starts_with(prefix.as_str())
            }
            Self::Length(_) => true,
        }
    }

    fn is_about(&self, name: &str) -> bool {
        match self {
            Self::Equal { field, .. } | Self::StartsWith { field, .. } => field == name,
            Self::Length(_) => false,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Equal { field, value } => format!("[\"eq\", \"${field}\", \"{value}\"]"),
            Self::StartsWith { field, prefix } => {
                format!("[\"starts-with\", \"${field}\", \"{prefix}\"]")
            }
            Self::Length(range) => {
                format!(
                    "[\"content-length-range\", {}, {}]",
                    range.start(),
                    range.end()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_466_144_123);

    fn policy(conditions: &Value) -> Policy {
        let document = json!({"expiration": "2026-11-24T00:00:00.000Z", "conditions": conditions});
        Policy::parse(&BASE64.encode(document.to_string())).unwrap()
    }

    fn check(conditions: &Value, fields: &[(&str, &str)]) -> Result<RangeInclusive<u64>, String> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        policy(conditions)
            .check(&fields, "b", NOW)
            .map_err(|error| error.into_service_error().message)
    }

    #[test]
    fn conditions() {
        let all = json!([
            {"bucket": "b"},
            ["starts-with", "$key", "user/"],
            ["eq", "$acl", "private"],
            ["content-length-range", 1, "10"],
        ]);
        let fine = [
            ("key", "user/x"),
            ("acl", "private"),
            ("x-ignore-me", "1"),
            ("policy", ""),
        ];
        assert_eq!(check(&all, &fine).unwrap(), 1..=10);
        let wrong = check(&all, &[("key", "other"), ("acl", "private")]).unwrap_err();
        assert!(
            wrong.ends_with("[\"starts-with\", \"$key\", \"user/\"]"),
            "{wrong}"
        );
        let extra = check(&all, &[fine[0], fine[1], ("x-amz-meta-a", "1")]).unwrap_err();
        assert!(
            extra.ends_with("Extra input fields: x-amz-meta-a"),
            "{extra}"
        );
        assert!(check(&json!([{"bucket": "other"}]), &[]).is_err());
        let types = json!([["starts-with", "$Content-Type", "image/"]]);
        assert!(check(&types, &[("content-type", "image/png,image/gif")]).is_ok());
        assert!(check(&types, &[("content-type", "image/png,text/html")]).is_err());
    }

    #[test]
    fn a_policy_is_over_when_it_says() {
        let document = json!({"expiration": "2026-11-23T00:00:00Z", "conditions": []});
        let policy = Policy::parse(&BASE64.encode(document.to_string())).unwrap();
        assert!(policy.check(&[], "b", NOW).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Policy::parse(&text);
            let _ = Policy::parse(&BASE64.encode(text));
        }
    }
}
