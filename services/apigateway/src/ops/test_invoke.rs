//! TestInvokeMethod, TestInvokeAuthorizer: trials of what is not deployed.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{RequestId, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version};
use proxy::request;
use serde_json::Value as Json;
use service::{RequestContext, ServiceError};

use super::State;
use super::methods::find;
use crate::error::{bad_request, not_found};
use crate::g;
use crate::records::{Api, Place};
use crate::run::call::{Call, Log};
use crate::run::find::Deployed;
use crate::run::router::Matched;
use crate::run::{self, authorize, endpoint};

const STAGE: &str = "test-invoke-stage";

/// What a trial says of its request.
struct Trial {
    path_with_query: Option<String>,
    body: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    stage_variables: Option<BTreeMap<String, String>>,
}

fn headers(trial: &Trial) -> Result<HeaderMap, ServiceError> {
    let mut headers = HeaderMap::new();
    let many = trial.multi_value_headers.iter().flatten();
    let many = many.flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    for (name, value) in trial.headers.iter().flatten().chain(many) {
        let invalid = |_| bad_request(format!("Invalid header specified: {name}"));
        let parsed = HeaderName::try_from(name.as_str())
            .map_err(|_| bad_request(format!("Invalid header specified: {name}")))?;
        headers.append(parsed, HeaderValue::from_str(value).map_err(invalid)?);
    }
    Ok(headers)
}

/// A request to what an API is now.
fn call(
    api: &Api,
    api_id: &str,
    context: &RequestContext,
    matched: Matched,
    http_method: &str,
    trial: Trial,
) -> Result<Call, ServiceError> {
    let headers = headers(&trial)?;
    let stage = Arc::new(g::Stage {
        stage_name: Some(STAGE.to_owned()),
        variables: trial.stage_variables.clone(),
        ..g::Stage::default()
    });
    let snapshot = Arc::new(api.snapshot());
    let deployed = Deployed::new(Place::of(context), api_id, &stage, &snapshot, None);
    let own_path = matched.resource.path.clone().unwrap_or_default();
    let given = trial.path_with_query.unwrap_or_default();
    let (path, query) = given.split_once('?').unwrap_or((&given, ""));
    let path = if path.is_empty() {
        own_path
    } else {
        path.to_owned()
    };
    let key = endpoint::method_key(&matched, http_method);
    Ok(Call {
        deployed: Arc::new(deployed),
        method_key: key.unwrap_or_default(),
        resource: matched.resource,
        http_method: http_method.to_owned(),
        event_path: path.clone(),
        full_path: path.clone(),
        path,
        query: query.to_owned(),
        version: Version::HTTP_11,
        headers,
        path_parameters: matched.parameters,
        body: Bytes::from(trial.body.unwrap_or_default()),
        source_ip: "test-invoke-source-ip".to_owned(),
        domain_name: "testPrefix.testDomainName".to_owned(),
        request_id: RequestId::random(),
        extended_request_id: endpoint::extended_id(),
        at: context.received_at,
        trace: None,
        principal: Some(context.principal.clone()),
        authorizer: None,
        authorizer_latency: 0,
        api_key: None,
        reach: api.reach.and(context.reach),
        is_test: true,
        log: Log::kept(),
    })
}

pub async fn method(
    service: State,
    context: RequestContext,
    input: g::TestInvokeMethodRequest,
) -> Result<g::TestInvokeMethodResponse, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    find(&api, &input.resource_id, &input.http_method)?;
    let Some(resource) = api.resources.get(&input.resource_id) else {
        return Err(not_found("Invalid Resource identifier specified"));
    };
    let trial = Trial {
        path_with_query: input.path_with_query_string,
        body: input.body,
        headers: input.headers,
        multi_value_headers: input.multi_value_headers,
        stage_variables: input.stage_variables,
    };
    let given = trial.path_with_query.clone().unwrap_or_default();
    let path = given.split('?').next().unwrap_or_default();
    // The path is matched against this resource alone.
    let router = run::router::Router::new(std::iter::once(resource));
    let matched = router.find(path).unwrap_or_else(|| Matched {
        resource: Arc::clone(resource),
        parameters: indexmap::IndexMap::new(),
    });
    let mut call = call(
        &api,
        &input.rest_api_id,
        &context,
        matched,
        &input.http_method,
        trial,
    )?;
    begin(&call);
    let response = match run::answer(&service, &mut call).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(&call),
    };
    let (status, now) = (response.status().as_u16(), service.clock.now());
    call.log.line(|| {
        format!(
            "Method response body after transformations: {}",
            request::lossy(response.body())
        )
    });
    call.log
        .line(|| format!("Method response headers: {:?}", multi(&response)));
    if response.status().is_server_error() {
        call.log.line(|| "Execution failed".to_owned());
    } else {
        call.log
            .line(|| "Successfully completed execution".to_owned());
    }
    call.log
        .line(|| format!("Method completed with status: {status}"));
    let many = multi(&response);
    let one = many
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())));
    Ok(g::TestInvokeMethodResponse {
        status: Some(status.into()),
        body: Some(request::lossy(response.body())),
        headers: Some(one.collect()),
        multi_value_headers: Some(many),
        log: Some(written(&call, context.received_at)),
        latency: Some(millis(now, context.received_at)),
    })
}

fn begin(call: &Call) {
    let log = &call.log;
    log.line(|| format!("Starting execution for request: {}", call.request_id));
    let resource = call.resource.path.as_deref().unwrap_or_default();
    log.line(|| {
        format!(
            "HTTP Method: {}, Resource Path: {resource}",
            call.http_method
        )
    });
    log.line(|| format!("Method request path: {:?}", call.path_parameters));
    log.line(|| format!("Method request query string: {}", call.query));
    log.line(|| {
        format!(
            "Method request body before transformations: {}",
            request::lossy(&call.body)
        )
    });
}

fn multi(response: &Response<Bytes>) -> BTreeMap<String, Vec<String>> {
    let headers = response.headers();
    let all = headers.keys().map(|name| {
        let values = headers.get_all(name).iter();
        let values = values
            .map(|value| request::lossy(value.as_bytes()))
            .collect();
        // As clients see them after AWS's front end.
        (title(name.as_str()), values)
    });
    all.collect()
}

fn title(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let mut letters = part.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    parts.collect::<Vec<_>>().join("-")
}

fn millis(now: Timestamp, began: Timestamp) -> i64 {
    i64::try_from(now.since(began).as_millis()).unwrap_or(i64::MAX)
}

/// `Sun Nov 29 04:13:56 UTC 2026 : line`.
fn written(call: &Call, at: Timestamp) -> String {
    let date = at.http_date();
    let parts: Vec<&str> = date
        .split([' ', ','])
        .filter(|part| !part.is_empty())
        .collect();
    let at = match parts[..] {
        [weekday, day, month, year, time, _] => {
            format!("{weekday} {month} {day} {time} UTC {year}")
        }
        _ => date.clone(),
    };
    let lines = call.log.lines();
    let lines = lines.iter().map(|line| format!("{at} : {line}\n"));
    let head = format!("Execution log for request {}\n", call.request_id);
    std::iter::once(head).chain(lines).collect()
}

pub async fn authorizer(
    service: State,
    context: RequestContext,
    input: g::TestInvokeAuthorizerRequest,
) -> Result<g::TestInvokeAuthorizerResponse, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let Some(authorizer) = api.authorizers.get(&input.authorizer_id) else {
        return Err(not_found("Invalid Authorizer identifier specified"));
    };
    let root = api
        .info
        .root_resource_id
        .as_deref()
        .and_then(|id| api.resources.get(id));
    let matched = Matched {
        resource: root.map(Arc::clone).unwrap_or_default(),
        parameters: indexmap::IndexMap::new(),
    };
    let trial = Trial {
        path_with_query: input.path_with_query_string,
        body: input.body,
        headers: input.headers,
        multi_value_headers: input.multi_value_headers,
        stage_variables: input.stage_variables,
    };
    let call = call(&api, &input.rest_api_id, &context, matched, "GET", trial)?;
    call.log
        .line(|| format!("Starting authorizer: {}", input.authorizer_id));
    let asked = async {
        let identity = authorize::identity(&call, authorizer)?;
        let payload = authorize::payload(&call, authorizer, &identity);
        authorize::ask(&service, &call, authorizer, &payload).await
    };
    let said = asked.await;
    let mut answer = g::TestInvokeAuthorizerResponse::default();
    match said {
        Ok(result) => {
            let said: Json = serde_json::from_slice(&result).unwrap_or_default();
            let is_one = proxy::authorizer::Grant::of_policy(&result).is_ok();
            answer.client_status = Some(if is_one { 200 } else { 500 });
            answer.principal_id = said["principalId"].as_str().map(str::to_owned);
            answer.policy = said.get("policyDocument").map(Json::to_string);
            answer.claims = said["context"].as_object().map(|context| {
                let members = context.iter();
                members
                    .map(|(name, value)| (name.clone(), crate::openapi::text(value)))
                    .collect()
            });
            call.log.line(|| {
                format!(
                    "Authorizer result body before parsing: {}",
                    request::lossy(&result)
                )
            });
        }
        Err(refusal) => {
            let status = refusal.response(&call).status().as_u16();
            answer.client_status = Some(status.into());
            call.log.line(|| {
                refusal
                    .message
                    .clone()
                    .unwrap_or_else(|| "Execution failed".to_owned())
            });
        }
    }
    answer.log = Some(written(&call, context.received_at));
    answer.latency = Some(millis(service.clock.now(), context.received_at));
    Ok(answer)
}
