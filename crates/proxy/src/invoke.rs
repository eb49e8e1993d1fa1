//! The functions of integrations and authorizers: whom a URI names, and calls in API Gateway's name.

use base::{AccountId, Arn, Region, RequestId, Timestamp};
use bytes::Bytes;
use serde_json::{Map, Value};
use service::ports::{Invocation, InvokeRequest, Invoker};
use service::{Principal, RequestContext, ServiceError};

/// Who calls functions of APIs.
pub const API_GATEWAY: &str = "apigateway.amazonaws.com";

/// One call.
pub struct Call<'a> {
    pub function: Arn,
    pub payload: &'a Value,
    /// The request that it is for: `arn:aws:execute-api:…`, which a function's policy may name.
    pub source: Arn,
    pub account: AccountId,
    pub region: Region,
    pub request_id: RequestId,
    pub at: Timestamp,
    pub trace: Option<String>,
}

/// Calls a function and waits.
///
/// # Errors
/// What Invoke answers: no such function, throttled, not allowed.
pub async fn invoke(invoker: &dyn Invoker, call: Call<'_>) -> Result<Invocation, ServiceError> {
    let principal = Principal::Service {
        name: API_GATEWAY,
        source_arn: Some(call.source),
        source_account: Some(call.account),
    };
    let mut context = RequestContext::internal(principal, call.account, call.region, call.at);
    // Each call is an invocation of its own, also of an authorizer and its integration.
    context.request_id = call.request_id;
    context.trace = call.trace;
    let request = InvokeRequest {
        function: call.function,
        payload: Bytes::from(call.payload.to_string()),
        context,
    };
    invoker.invoke(request).await
}

/// The function that an integration's or authorizer's URI names: by its ARN, or within
/// `arn:aws:apigateway:<region>:lambda:path/2015-03-31/functions/<arn>/invocations`.
pub fn function_arn(uri: &str) -> Option<Arn> {
    let arn = match uri.split_once("/functions/") {
        Some((_, rest)) => rest.strip_suffix("/invocations")?,
        None => uri,
    };
    let arn: Arn = arn.parse().ok()?;
    let is_function = arn.service == "lambda" && arn.resource.starts_with("function:");
    is_function.then_some(arn)
}

/// `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<rest>`.
pub fn execute_arn(region: &Region, account: AccountId, api: &str, stage: &str, rest: &str) -> Arn {
    Arn::regional(
        "execute-api",
        region,
        account,
        format!("{api}/{stage}/{rest}"),
    )
}

/// Puts the stage's variables in for `${stageVariables.name}`; unknown ones are empty.
pub fn with_stage_variables(text: &str, variables: &Map<String, Value>) -> String {
    const OPEN: &str = "${stageVariables.";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let after = &after[OPEN.len()..];
        let Some(end) = after.find('}') else {
            out.push_str(OPEN);
            rest = after;
            continue;
        };
        let value = variables.get(&after[..end]).and_then(Value::as_str);
        out.push_str(value.unwrap_or_default());
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_in_two_ways() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
        let uri = format!(
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        );
        for text in [arn, &uri] {
            assert_eq!(function_arn(text).unwrap().to_string(), arn);
        }
        for other in [
            "",
            "arn:aws:sqs:us-east-1:000000000000:q",
            "https://example.com/functions/x",
        ] {
            assert_eq!(function_arn(other), None, "{other}");
        }
    }

    #[test]
    fn stage_variables_are_put_in() {
        let mut variables = Map::new();
        variables.insert("f".to_owned(), "hello".into());
        let text = |given| with_stage_variables(given, &variables);
        assert_eq!(text("a:${stageVariables.f}:b"), "a:hello:b");
        assert_eq!(text("${stageVariables.x}"), "");
        assert_eq!(text("${stageVariables.f"), "${stageVariables.f");
    }
}
