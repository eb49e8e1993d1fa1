//! What a function's environment variables may be.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::collections::BTreeMap;

use service::ServiceError;

use crate::error;

/// All names and values together, as JSON, in bytes.
const MAX_BYTES: usize = 4_096;

/// Lambda sets these itself. The model's pattern keeps out names that begin with an underscore.
const RESERVED: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

pub fn check(variables: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED.contains(name))
        .collect();
    if !reserved.is_empty() {
        return Err(error::invalid_parameter(format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided contains reserved keys that are currently not supported \
             for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = serde_json::to_string(variables).expect("a map of text is JSON");
    if measured.len() > MAX_BYTES {
        return Err(error::invalid_parameter(format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn reserved_names_are_listed() {
        let error = check(&of(&[
            ("STAGE", "x"),
            ("AWS_REGION", "x"),
            ("LAMBDA_TASK_ROOT", "/"),
        ]))
        .unwrap_err();
        assert!(
            error
                .message
                .ends_with("used in this request: AWS_REGION, LAMBDA_TASK_ROOT"),
            "{error}"
        );
    }

    #[test]
    fn four_kilobytes_fit_and_one_byte_more_does_not() {
        // {"LARGE":"…"} takes 12 bytes besides the value.
        assert!(check(&of(&[("LARGE", &"x".repeat(4_096 - 12))])).is_ok());
        let error = check(&of(&[("LARGE", &"x".repeat(4_096 - 11))])).unwrap_err();
        assert!(
            error.message.contains("String measured: {\"LARGE\":\"xx"),
            "{error}"
        );
    }
}
