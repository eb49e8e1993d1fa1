//! The events that a function gets for a request: payload formats 1.0 and 2.0.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>

use http::header::COOKIE;
use serde_json::{Map, Value, json};

use crate::request::{
    Incoming, access_log_time, as_text, cookies, event_body, joined_header, lossy, parameters,
};

/// The members that say which API, stage and route a request came to.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    pub account_id: &'a str,
    pub api_id: &'a str,
    pub stage: &'a str,
    pub path_parameters: Option<Map<String, Value>>,
    pub stage_variables: Option<Map<String, Value>>,
    /// What an authorizer said, in the words of the format.
    pub authorizer: Option<Value>,
}

/// What only format 1.0 tells.
#[derive(Clone, Debug, Default)]
pub struct Resource<'a> {
    /// `1.0` for HTTP APIs; REST APIs say nothing.
    pub version: Option<&'a str>,
    /// The resource's path, with its variables: `/pets/{id}`.
    pub path: &'a str,
    pub id: Option<&'a str>,
    /// The path with the stage, as `requestContext.path` tells it.
    pub full_path: &'a str,
    pub extended_request_id: &'a str,
    /// Members of `requestContext.identity` that are known, instead of null.
    pub identity: Map<String, Value>,
    /// The body as text, where the caller knows better than the media type does.
    pub body: BodyForm<'a>,
}

/// How an event carries the body.
#[derive(Clone, Copy, Debug, Default)]
pub enum BodyForm<'a> {
    /// As text where the media type is one of text, else in base64.
    #[default]
    ByMediaType,
    Text(&'a str),
    Base64,
}

/// Format 2.0.
pub fn v2(incoming: &Incoming<'_>, place: &Place<'_>, route_key: &str) -> Value {
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": incoming.path,
        "rawQueryString": incoming.query,
        "headers": joined_headers(incoming),
        "requestContext": context_v2(incoming, place, route_key),
        "isBase64Encoded": false,
    });
    let cookies = cookies(incoming.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let parameters: Map<String, Value> = parameters(incoming.query)
        .into_iter()
        .map(|(name, values)| (name, Value::from(values.join(","))))
        .collect();
    if !parameters.is_empty() {
        event["queryStringParameters"] = Value::Object(parameters);
    }
    if let Some(parameters) = &place.path_parameters {
        event["pathParameters"] = Value::Object(parameters.clone());
    }
    if let Some(variables) = &place.stage_variables {
        event["stageVariables"] = Value::Object(variables.clone());
    }
    if !incoming.body.is_empty() {
        let text = as_text(incoming.headers, incoming.body);
        let (body, is_base64) = event_body(text, incoming.body);
        event["body"] = Value::String(body);
        event["isBase64Encoded"] = Value::Bool(is_base64);
    }
    event
}

/// `requestContext` of format 2.0; authorizers get it as well.
pub fn context_v2(incoming: &Incoming<'_>, place: &Place<'_>, route_key: &str) -> Value {
    let mut context = json!({
        "accountId": place.account_id,
        "apiId": place.api_id,
        "domainName": incoming.domain_name,
        "domainPrefix": prefix(incoming.domain_name),
        "http": {
            "method": incoming.method,
            "path": incoming.path,
            "protocol": incoming.protocol(),
            "sourceIp": incoming.source_ip,
            "userAgent": incoming.user_agent(),
        },
        "requestId": incoming.request_id,
        "routeKey": route_key,
        "stage": place.stage,
        "time": access_log_time(incoming.at),
        "timeEpoch": incoming.at.millis(),
    });
    if let Some(authorizer) = &place.authorizer {
        context["authorizer"] = authorizer.clone();
    }
    context
}

/// Format 1.0.
pub fn v1(incoming: &Incoming<'_>, place: &Place<'_>, resource: &Resource<'_>) -> Value {
    let text = match resource.body {
        BodyForm::ByMediaType => as_text(incoming.headers, incoming.body),
        BodyForm::Text(text) => Some(text),
        BodyForm::Base64 => None,
    };
    let (body, is_base64) = match incoming.body {
        [] => (Value::Null, false),
        bytes => {
            let (body, is_base64) = event_body(text, bytes);
            (Value::String(body), is_base64)
        }
    };
    let mut event = json!({
        "resource": resource.path,
        "path": incoming.path,
        "httpMethod": incoming.method,
        "requestContext": context_v1(incoming, place, resource),
        "pathParameters": place.path_parameters,
        "stageVariables": place.stage_variables,
        "body": body,
        "isBase64Encoded": is_base64,
    });
    if let Some(version) = resource.version {
        event["version"] = json!(version);
    }
    add_values_v1(&mut event, incoming);
    event
}

/// Headers and query of format 1.0, each with its last value and with all.
pub fn add_values_v1(event: &mut Value, incoming: &Incoming<'_>) {
    let (mut headers, mut all_headers) = (Map::new(), Map::new());
    for name in incoming.headers.keys() {
        let values = incoming.headers.get_all(name).iter();
        let values: Vec<String> = values.map(|value| lossy(value.as_bytes())).collect();
        headers.insert(name.to_string(), json!(values.last()));
        all_headers.insert(name.to_string(), json!(values));
    }
    let (mut query, mut all_query) = (Map::new(), Map::new());
    for (name, values) in parameters(incoming.query) {
        query.insert(name.clone(), json!(values.last()));
        all_query.insert(name, json!(values));
    }
    event["headers"] = Value::Object(headers);
    event["multiValueHeaders"] = Value::Object(all_headers);
    event["queryStringParameters"] = unless_empty(query);
    event["multiValueQueryStringParameters"] = unless_empty(all_query);
}

/// `requestContext` of format 1.0; authorizers get it as well.
pub fn context_v1(incoming: &Incoming<'_>, place: &Place<'_>, resource: &Resource<'_>) -> Value {
    let mut identity = json!({
        "accessKey": null,
        "accountId": null,
        "caller": null,
        "cognitoAuthenticationProvider": null,
        "cognitoAuthenticationType": null,
        "cognitoIdentityId": null,
        "cognitoIdentityPoolId": null,
        "principalOrgId": null,
        "sourceIp": incoming.source_ip,
        "user": null,
        "userAgent": incoming.user_agent(),
        "userArn": null,
    });
    for (name, value) in &resource.identity {
        identity[name] = value.clone();
    }
    let mut context = json!({
        "accountId": place.account_id,
        "apiId": place.api_id,
        "domainName": incoming.domain_name,
        "domainPrefix": prefix(incoming.domain_name),
        "extendedRequestId": resource.extended_request_id,
        "httpMethod": incoming.method,
        "identity": identity,
        "path": resource.full_path,
        "protocol": incoming.protocol(),
        "requestId": incoming.request_id,
        "requestTime": access_log_time(incoming.at),
        "requestTimeEpoch": incoming.at.millis(),
        "resourceId": resource.id,
        "resourcePath": resource.path,
        "stage": place.stage,
    });
    if let Some(authorizer) = &place.authorizer {
        context["authorizer"] = authorizer.clone();
    }
    context
}

/// Names in lowercase, the values of one name joined by commas; cookies stand on their own.
pub fn joined_headers(incoming: &Incoming<'_>) -> Map<String, Value> {
    let names = incoming.headers.keys().filter(|name| **name != COOKIE);
    let joined = names.filter_map(|name| {
        let value = joined_header(incoming.headers, name.as_str())?;
        Some((name.to_string(), Value::String(value)))
    });
    joined.collect()
}

fn unless_empty(map: Map<String, Value>) -> Value {
    if map.is_empty() {
        Value::Null
    } else {
        Value::Object(map)
    }
}

fn prefix(domain: &str) -> &str {
    domain.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use http::{HeaderMap, Version};

    use super::*;

    fn incoming(headers: &HeaderMap) -> Incoming<'_> {
        Incoming {
            method: "POST",
            path: "/pets/7",
            query: "a=1&a=2",
            version: Version::HTTP_11,
            headers,
            body: b"hi",
            source_ip: "192.0.2.1",
            domain_name: "abc.execute-api.us-east-1.localhost",
            request_id: "r",
            at: Timestamp::from_millis(0),
        }
    }

    fn place() -> Place<'static> {
        let mut parameters = Map::new();
        parameters.insert("id".to_owned(), json!("7"));
        Place {
            account_id: "000000000000",
            api_id: "abc",
            stage: "dev",
            path_parameters: Some(parameters),
            stage_variables: None,
            authorizer: None,
        }
    }

    #[test]
    fn format_2_joins_what_repeats() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", "1".parse().unwrap());
        headers.append("x-a", "2".parse().unwrap());
        headers.append("cookie", "c=1; d=2".parse().unwrap());
        let event = v2(&incoming(&headers), &place(), "POST /pets/{id}");
        assert_eq!(event["headers"], json!({"x-a": "1,2"}));
        assert_eq!(event["cookies"], json!(["c=1", "d=2"]));
        assert_eq!(event["queryStringParameters"], json!({"a": "1,2"}));
        assert_eq!(event["pathParameters"], json!({"id": "7"}));
        assert_eq!(event["body"], "hi");
        assert_eq!(event["requestContext"]["domainPrefix"], "abc");
        assert!(event.get("stageVariables").is_none());
    }

    #[test]
    fn format_1_has_the_last_value_and_all() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", "1".parse().unwrap());
        headers.append("x-a", "2".parse().unwrap());
        let resource = Resource {
            version: Some("1.0"),
            path: "/pets/{id}",
            full_path: "/dev/pets/7",
            ..Resource::default()
        };
        let event = v1(&incoming(&headers), &place(), &resource);
        assert_eq!(event["headers"], json!({"x-a": "2"}));
        assert_eq!(event["multiValueHeaders"], json!({"x-a": ["1", "2"]}));
        assert_eq!(event["queryStringParameters"], json!({"a": "2"}));
        assert_eq!(event["stageVariables"], Value::Null);
        assert_eq!(event["requestContext"]["path"], "/dev/pets/7");
        assert_eq!(event["requestContext"]["identity"]["sourceIp"], "192.0.2.1");
    }
}
