//! What an invocation of a durable function answers.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::records::Failure;

/// What the function says of its execution.
#[derive(Debug, PartialEq)]
pub enum Output {
    Succeeded(Option<String>),
    Failed(Failure),
    /// It waits.
    Pending,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    status: Option<String>,
    result: Option<String>,
    error: Option<Error>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    #[serde(rename = "ErrorMessage")]
    message: Option<String>,
    #[serde(rename = "ErrorType")]
    kind: Option<String>,
    #[serde(rename = "ErrorData")]
    data: Option<String>,
    #[serde(rename = "StackTrace")]
    stack_trace: Option<Vec<String>>,
}

impl Output {
    /// # Errors
    /// What is wrong with it, in Lambda's words.
    pub fn parse(payload: &[u8]) -> Result<Self, &'static str> {
        let invalid = "Invalid Status in invocation output.";
        let answer: Answer = serde_json::from_slice(payload).map_err(|_| invalid)?;
        match answer.status.as_deref() {
            Some("SUCCEEDED") if answer.error.is_some() => {
                Err("Cannot provide an Error for SUCCEEDED status.")
            }
            Some("SUCCEEDED") => Ok(Self::Succeeded(answer.result)),
            Some("FAILED") if answer.result.is_some() => {
                Err("Cannot provide a Result for FAILED status.")
            }
            Some("FAILED") => {
                let error = answer.error.unwrap_or_default();
                Ok(Self::Failed(Failure {
                    message: error.message,
                    kind: error.kind,
                    data: error.data,
                    stack_trace: error.stack_trace,
                }))
            }
            Some("PENDING") => Ok(Self::Pending),
            _ => Err(invalid),
        }
    }
}

/// What a function that failed has said, which need not be a document.
pub fn failure(document: &[u8]) -> Failure {
    let parsed: Option<Json> = serde_json::from_slice(document).ok();
    let text = |member: &str| {
        let member = parsed.as_ref()?.get(member)?;
        member.as_str().map(str::to_owned)
    };
    let trace = ["stackTrace", "trace"]
        .iter()
        .find_map(|member| parsed.as_ref()?.get(member)?.as_array());
    let line = |line: &Json| {
        line.as_str()
            .map_or_else(|| line.to_string(), str::to_owned)
    };
    let message = text("errorMessage");
    Failure {
        message: message.or_else(|| Some(String::from_utf8_lossy(document).into_owned())),
        kind: text("errorType"),
        data: None,
        stack_trace: trace.map(|lines| lines.iter().map(line).collect()),
    }
}

/// The document that a caller gets of an execution that has failed.
pub fn error_document(failure: &Failure) -> String {
    let mut document = json!({});
    let members = [
        ("errorMessage", failure.message.clone().map(Json::String)),
        ("errorType", failure.kind.clone().map(Json::String)),
        ("errorData", failure.data.clone().map(Json::String)),
        ("stackTrace", failure.stack_trace.clone().map(Json::from)),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            document[name] = value;
        }
    }
    document.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_are_one_of_three() {
        let parse = |text: &str| Output::parse(text.as_bytes());
        assert_eq!(
            parse(r#"{"Status":"SUCCEEDED","Result":"1"}"#),
            Ok(Output::Succeeded(Some("1".to_owned())))
        );
        assert_eq!(parse(r#"{"Status":"PENDING"}"#), Ok(Output::Pending));
        assert_eq!(
            parse(r#"{"Status":"FAILED","Error":{"ErrorType":"E"}}"#),
            Ok(Output::Failed(Failure {
                kind: Some("E".to_owned()),
                ..Failure::default()
            }))
        );
        for (text, wrong) in [
            ("1", "Invalid Status in invocation output."),
            (
                r#"{"Status":"DONE"}"#,
                "Invalid Status in invocation output.",
            ),
            (
                r#"{"Status":"SUCCEEDED","Error":{}}"#,
                "Cannot provide an Error for SUCCEEDED status.",
            ),
            (
                r#"{"Status":"FAILED","Result":"1"}"#,
                "Cannot provide a Result for FAILED status.",
            ),
        ] {
            assert_eq!(parse(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn what_a_runtime_reports_is_an_error_object() {
        let document = br#"{"errorMessage":"no","errorType":"E","stackTrace":["a",["b"]]}"#;
        let failure = failure(document);
        assert_eq!(failure.kind.as_deref(), Some("E"));
        assert_eq!(failure.stack_trace.as_ref().unwrap().len(), 2);
        assert!(error_document(&failure).contains("\"errorMessage\":\"no\""));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "\\{(\"(Status|Result|Error|errorMessage|trace)\":(\"[A-Z]{0,9}\"|1|\\[1\\]|\\{\\}|null),?){0,4}\\}",
        ) {
            for input in [&bytes[..], text.as_bytes()] {
                let _ = Output::parse(input);
                let _ = error_document(&failure(input));
            }
        }
    }
}
