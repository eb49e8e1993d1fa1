//! What a function says about the messages of its batch, with `ReportBatchItemFailures`.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>

use std::collections::HashSet;

use serde_json::Value;

/// Which messages of a batch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failures {
    None,
    /// These, by message id; the others are done.
    Some(HashSet<String>),
    /// All: the answer cannot be trusted.
    All,
}

/// Reads a function's answer. Nothing at all, `null`, and an answer without failures mean that all
/// went well. Anything malformed, an empty id or an id that is not in the batch fail the batch.
pub fn parse<'a>(payload: &[u8], batch: impl Iterator<Item = &'a str>) -> Failures {
    if payload.iter().all(u8::is_ascii_whitespace) {
        return Failures::None;
    }
    let items = match serde_json::from_slice(payload) {
        Ok(Value::Null) => return Failures::None,
        Ok(Value::Object(mut answer)) => match answer.remove("batchItemFailures") {
            None | Some(Value::Null) => return Failures::None,
            Some(Value::Array(items)) => items,
            Some(_) => return Failures::All,
        },
        _ => return Failures::All,
    };
    let known: HashSet<&str> = batch.collect();
    let failed: Option<HashSet<String>> = items
        .iter()
        .map(|item| {
            let id = item.get("itemIdentifier")?.as_str()?;
            known.contains(id).then(|| id.to_owned())
        })
        .collect();
    match failed {
        None => Failures::All,
        Some(failed) if failed.is_empty() => Failures::None,
        Some(failed) => Failures::Some(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(payload: &str) -> Failures {
        parse(payload.as_bytes(), ["a", "b", "c"].into_iter())
    }

    #[test]
    fn success() {
        for payload in [
            "",
            "null",
            "{}",
            r#"{"batchItemFailures": []}"#,
            r#"{"batchItemFailures": null}"#,
            r#"{"statusCode": 200}"#,
        ] {
            assert_eq!(parsed(payload), Failures::None, "{payload}");
        }
    }

    #[test]
    fn some_failed() {
        let payload =
            r#"{"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "a"}]}"#;
        let expected = ["a", "c"].map(str::to_owned).into();
        assert_eq!(parsed(payload), Failures::Some(expected));
    }

    #[test]
    fn what_cannot_be_trusted_fails_the_batch() {
        for payload in [
            "{",
            "7",
            r#""fine""#,
            "[]",
            r#"{"batchItemFailures": {}}"#,
            r#"{"batchItemFailures": ["a"]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": null}]}"#,
            r#"{"batchItemFailures": [{"id": "a"}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "x"}]}"#,
        ] {
            assert_eq!(parsed(payload), Failures::All, "{payload}");
        }
    }
}
