//! What a function's result means as an HTTP response: payload formats 1.0 and 2.0.
//!
//! A malformed result is an error with the reason, which belongs into a log: clients get AWS's words
//! for it, a status and `Internal Server Error`.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html#http-api-develop-integrations-lambda.response>
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Map, Value};
use service::Body;

/// Why a result is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// How format 1.0 is read.
#[derive(Clone, Copy, Debug)]
pub struct RulesV1 {
    /// A REST API takes a result without one as 200; an HTTP API does not take it.
    pub needs_status: bool,
    /// REST APIs refuse members that the format does not have.
    pub refuses_others: bool,
    /// Whether `isBase64Encoded` is heard: a REST API decodes only the media types that it was told
    /// are binary.
    pub decodes: bool,
}

/// The members of format 1.0.
const KNOWN: [&str; 5] = [
    "isBase64Encoded",
    "statusCode",
    "headers",
    "multiValueHeaders",
    "body",
];

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The response that a result of format 2.0 asks for. A result without a status code is a JSON
/// document, sent as it is.
///
/// # Errors
/// If it has a status code and is malformed.
pub fn v2(result: Bytes) -> Result<Response<Bytes>, Malformed> {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(&result) else {
        return Ok(plain(result));
    };
    if !members.contains_key("statusCode") {
        return Ok(plain(result));
    }
    let mut response = Response::new(body(&members, true)?);
    let (status, headers) = head_v2(&members)?;
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Status and headers of format 2.0, cookies among them.
///
/// # Errors
/// If one of them is malformed.
pub fn head_v2(members: &Map<String, Value>) -> Result<(StatusCode, HeaderMap), Malformed> {
    let status = match members.get("statusCode") {
        Some(status) => status_code(status)?,
        None => StatusCode::OK,
    };
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, members.get("headers"))?;
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    let cookies = match members.get("cookies") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(cookies)) => cookies,
        Some(_) => return Err(Malformed::new("cookies is no list")),
    };
    for cookie in cookies {
        let cookie = cookie.as_str();
        let cookie = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok());
        let cookie = cookie.ok_or_else(|| Malformed::new("a cookie is no header value"))?;
        headers.append(SET_COOKIE, cookie);
    }
    Ok((status, headers))
}

/// The response that a result of format 1.0 asks for.
///
/// # Errors
/// If it is malformed.
pub fn v1(result: &[u8], rules: RulesV1) -> Result<Response<Bytes>, Malformed> {
    let members = match serde_json::from_slice(result) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return Err(Malformed::new("the result is no JSON object")),
        Err(error) => return Err(Malformed::new(format!("the result is no JSON: {error}"))),
    };
    let other = members.keys().find(|name| !KNOWN.contains(&name.as_str()));
    if let Some(other) = other.filter(|_| rules.refuses_others) {
        return Err(Malformed::new(format!("the format has no member {other}")));
    }
    let mut response = Response::new(body(&members, rules.decodes)?);
    *response.status_mut() = match members.get("statusCode") {
        None | Some(Value::Null) if rules.needs_status => {
            return Err(Malformed::new("statusCode is missing"));
        }
        None | Some(Value::Null) => StatusCode::OK,
        Some(status) => status_code(status)?,
    };
    let headers = response.headers_mut();
    add_headers(headers, members.get("headers"))?;
    add_multi_value_headers(headers, members.get("multiValueHeaders"))?;
    headers
        .entry(CONTENT_TYPE)
        .or_insert(if rules.needs_status {
            HeaderValue::from_static("text/plain;charset=UTF-8")
        } else {
            JSON
        });
    Ok(response)
}

fn plain(result: Bytes) -> Response<Bytes> {
    let mut response = Response::new(result);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn status_code(given: &Value) -> Result<StatusCode, Malformed> {
    let number = match given {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    // A status below 200 would announce another response after it.
    let number = number.and_then(|number| u16::try_from(number).ok());
    let number = number.filter(|number| (200..600).contains(number));
    number
        .and_then(|number| StatusCode::from_u16(number).ok())
        .ok_or_else(|| Malformed::new(format!("statusCode is {given}")))
}

fn members_of<'a>(
    given: Option<&'a Value>,
    what: &str,
) -> Result<Option<&'a Map<String, Value>>, Malformed> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(Malformed::new(format!("{what} is no JSON object"))),
    }
}

fn add_headers(headers: &mut HeaderMap, given: Option<&Value>) -> Result<(), Malformed> {
    for (name, value) in members_of(given, "headers")?.into_iter().flatten() {
        add_header(headers, name, value, false)?;
    }
    Ok(())
}

/// Where both tell of a header, the one with many values counts.
fn add_multi_value_headers(
    headers: &mut HeaderMap,
    given: Option<&Value>,
) -> Result<(), Malformed> {
    let lists = members_of(given, "multiValueHeaders")?;
    for (name, values) in lists.into_iter().flatten() {
        let values = match values {
            Value::Array(values) => values,
            Value::Null => continue,
            _ => {
                let why = format!("multiValueHeaders has no list for {name}");
                return Err(Malformed::new(why));
            }
        };
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            headers.remove(name);
        }
        for value in values {
            add_header(headers, name, value, true)?;
        }
    }
    Ok(())
}

fn add_header(
    headers: &mut HeaderMap,
    name: &str,
    value: &Value,
    is_one_of_many: bool,
) -> Result<(), Malformed> {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null => String::new(),
        _ => return Err(Malformed::new(format!("the header {name} is no text"))),
    };
    let parsed = HeaderName::try_from(name)
        .map_err(|_| Malformed::new(format!("{name:?} is no name of a header")))?;
    let value = HeaderValue::from_str(&value)
        .map_err(|_| Malformed::new(format!("the header {name} has no value that may be sent")))?;
    if is_of_the_connection(&parsed) {
        return Ok(());
    }
    if is_one_of_many {
        headers.append(parsed, value);
    } else {
        // Names that differ by case only are one header; the last counts.
        headers.insert(parsed, value);
    }
    Ok(())
}

/// What describes the connection or the framing is the server's to say, and no proxy passes it on.
pub fn is_of_the_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn body(members: &Map<String, Value>, decodes: bool) -> Result<Bytes, Malformed> {
    let is_base64 = match members.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is)) => *is,
        Some(Value::String(text)) => text == "true",
        Some(_) => return Err(Malformed::new("isBase64Encoded is no boolean")),
    };
    let text = match members.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(_) => return Err(Malformed::new("body is no string")),
    };
    if is_base64 && decodes {
        let decoded = STANDARD.decode(text.trim_end());
        return decoded
            .map(Bytes::from)
            .map_err(|error| Malformed::new(format!("body is no base64: {error}")));
    }
    Ok(Bytes::from(text.clone()))
}

/// A body of bytes at hand.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// API Gateway's own answers: `{"message":"Not Found"}`.
pub fn message(status: StatusCode, text: &str) -> Response<Body> {
    let body = serde_json::json!({ "message": text }).to_string();
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: RulesV1 = RulesV1 {
        needs_status: false,
        refuses_others: true,
        decodes: false,
    };
    const HTTP: RulesV1 = RulesV1 {
        needs_status: true,
        refuses_others: false,
        decodes: true,
    };

    fn of(result: &'static str) -> Result<Response<Bytes>, Malformed> {
        v2(Bytes::from_static(result.as_bytes()))
    }

    #[test]
    fn without_a_status_code_the_result_is_the_body() {
        for result in [r#""Hello""#, r#"{"message":"Hello"}"#, "[1]", "null"] {
            let response = of(result).unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.body(), result);
        }
    }

    #[test]
    fn with_one_it_says_everything() {
        let response = of(
            r#"{"statusCode":201,"headers":{"Content-Type":"image/png","x-n":1},
                "cookies":["a=1","b=2"],"body":"/wA=","isBase64Encoded":true}"#,
        )
        .unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["content-type"], "image/png");
        assert_eq!(response.headers()["x-n"], "1");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.body().as_ref(), b"\xff\0");
    }

    #[test]
    fn malformed_ones_are_no_response() {
        for result in [
            r#"{"statusCode":"x"}"#,
            r#"{"statusCode":100}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#,
            r#"{"statusCode":200,"body":"?","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"cookies":"a=1"}"#,
        ] {
            assert!(of(result).is_err(), "{result}");
        }
    }

    #[test]
    fn format_1_differs_between_rest_and_http() {
        let bare = br#"{"body":"hi"}"#;
        assert_eq!(v1(bare, REST).unwrap().status(), 200);
        assert!(v1(bare, HTTP).is_err());
        let other = br#"{"statusCode":200,"colour":"red"}"#;
        assert!(v1(other, REST).is_err());
        assert!(v1(other, HTTP).is_ok());
        let encoded = br#"{"statusCode":200,"body":"/wA=","isBase64Encoded":true}"#;
        assert_eq!(v1(encoded, REST).unwrap().body(), "/wA=");
        assert_eq!(v1(encoded, HTTP).unwrap().body().as_ref(), b"\xff\0");
        assert!(v1(b"\"hi\"", REST).is_err() && v1(b"", HTTP).is_err());
    }

    #[test]
    fn many_values_stand_above_one() {
        let result = br#"{"statusCode":200,"headers":{"X-A":"0","b":"1"},
            "multiValueHeaders":{"x-a":["1","2"]}}"#;
        let response = v1(result, HTTP).unwrap();
        let values: Vec<_> = response.headers().get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(response.headers()["b"], "1");
    }

    proptest::proptest! {
        #[test]
        fn any_result_is_read_without_a_panic(result: Vec<u8>) {
            let _ = v1(&result, REST);
            let _ = v1(&result, HTTP);
            let _ = v2(Bytes::from(result));
        }

        #[test]
        fn any_members_are_read_without_a_panic(
            status in proptest::prelude::any::<i64>(), name in ".{0,8}", value in ".{0,8}",
        ) {
            let result = serde_json::json!({
                "statusCode": status, "headers": {&name: value}, "cookies": [&value],
                "multiValueHeaders": {&name: [value]}, "body": value, "isBase64Encoded": true,
            });
            let result = result.to_string();
            let _ = v1(result.as_bytes(), HTTP);
            let _ = v2(Bytes::from(result));
        }
    }
}
