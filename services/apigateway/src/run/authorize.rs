//! Who may call: the API's own policy, and what its Lambda authorizers say. Signatures (AWS_IAM) the
//! gateway has judged before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::policy::{self, Caller, Context, Decision, Document, Policies, PolicyKind};
use base::RequestId;
use proxy::authorizer::{CacheKey, Grant};
use proxy::event::BodyForm;
use proxy::{event, invoke};
use serde_json::{Value as Json, json};

use crate::generated::{AuthorizerType, GatewayResponseType as Kind};
use crate::run::call::Call;
use crate::run::refusal::Refusal;
use crate::run::{context, mapping};
use crate::{ApiGateway, g};

/// Authorizers are given less time than integrations.
const WITHIN: Duration = Duration::from_secs(29);

/// Condition keys of a request, beside the caller's.
pub fn conditions(call: &Call) -> Context {
    Context::new().with("aws:SourceIp", call.source_ip.as_str())
}

/// Where policies count, an API that has one lets in whom it names. Of those who signed the gateway
/// has judged.
pub fn resource_policy(service: &ApiGateway, call: &Call) -> Result<(), Refusal> {
    let Some(text) = &call.deployed.snapshot.info.policy else {
        return Ok(());
    };
    if !service.enforces_policies || call.principal.is_some() || call.is_test {
        return Ok(());
    }
    let arn = call
        .deployed
        .method_arn(&call.http_method, &call.path)
        .to_string();
    let denied = || {
        Err(Refusal::new(
            Kind::AccessDenied,
            format!(
                "User: anonymous is not authorized to perform: execute-api:Invoke on resource: {}",
                masked(&arn)
            ),
        ))
    };
    // `execute-api:/stage/GET/path` stands for this API's own ARN.
    let place = &call.deployed.place;
    let own = invoke::execute_arn(&place.region, place.account, &call.deployed.api_id, "", "");
    let own = own.to_string();
    let text = text.replace("execute-api:/", &format!("{}/", own.trim_end_matches('/')));
    let Ok(document) = Document::parse(&text, PolicyKind::Resource) else {
        tracing::warn!(
            api = call.deployed.api_id,
            "an API's policy cannot be read; nobody is let in"
        );
        return denied();
    };
    let caller = Caller::Anonymous;
    let mut keys = conditions(call);
    keys.insert_caller(&caller);
    let request = policy::Request {
        caller,
        action: "execute-api:Invoke",
        resource: &arn,
        resource_account: place.account,
        context: &keys,
    };
    let policies = Policies {
        resource: Some(&document),
        ..Policies::default()
    };
    match policy::evaluate(&request, &policies) {
        Decision::Allowed => Ok(()),
        _ => denied(),
    }
}

/// AWS hides most of the account in its words.
fn masked(arn: &str) -> String {
    let mut parts: Vec<String> = arn.splitn(6, ':').map(str::to_owned).collect();
    if let Some(account) = parts.get_mut(4)
        && account.len() == 12
    {
        account.replace_range(..8, "********");
    }
    parts.join(":")
}

/// Asks the method's authorizer, if it has one.
pub async fn authorize(service: &ApiGateway, call: &mut Call) -> Result<(), Refusal> {
    if call.is_test || call.method().authorization_type.as_deref() != Some("CUSTOM") {
        return Ok(());
    }
    let authorizers = &call.deployed.snapshot.authorizers;
    let id = call.method().authorizer_id.as_deref().unwrap_or_default();
    let Some(authorizer) = authorizers.get(id).map(Arc::clone) else {
        return Err(failure(Kind::AuthorizerConfigurationError));
    };
    let identity = identity(call, &authorizer)?;
    let key = CacheKey {
        api: call.deployed.api_id.clone(),
        stage: call.deployed.stage_name.clone(),
        authorizer: id.to_owned(),
        identity: identity.clone(),
    };
    let began = Instant::now();
    let ttl = authorizer.authorizer_result_ttl_in_seconds.unwrap_or(300);
    let ttl = Duration::from_secs(u64::try_from(ttl).unwrap_or_default());
    // Without a source there is nothing to tell callers apart by.
    let is_cached = !ttl.is_zero() && !identity.is_empty();
    let known = is_cached
        .then(|| service.authorizations.get(&key, call.at))
        .flatten();
    let grant = if let Some(grant) = known {
        grant
    } else {
        let payload = payload(call, &authorizer, &identity);
        let result = ask(service, call, &authorizer, &payload).await?;
        let grant = Grant::of_policy(&result).map_err(|why| {
            tracing::warn!(api = call.deployed.api_id, %why, "an authorizer's result is none");
            failure(Kind::AuthorizerConfigurationError)
        })?;
        let grant = Arc::new(grant);
        if is_cached {
            let kept = Arc::clone(&grant);
            service.authorizations.put(key, kept, ttl, call.at);
        }
        grant
    };
    let arn = call.deployed.method_arn(&call.http_method, &call.path);
    if !grant.allows(&arn, call.deployed.place.account, &conditions(call)) {
        return Err(Refusal::new(
            Kind::AccessDenied,
            "User is not authorized to access this resource",
        ));
    }
    call.authorizer_latency = began.elapsed().as_millis();
    call.authorizer = Some(grant);
    Ok(())
}

pub fn failure(kind: Kind) -> Refusal {
    Refusal {
        message: None,
        ..Refusal::new(kind, "")
    }
}

/// What tells callers apart: the values of the identity sources, each of which must be there.
pub fn identity(call: &Call, authorizer: &g::Authorizer) -> Result<Vec<String>, Refusal> {
    let unauthorized = || Refusal::new(Kind::Unauthorized, "Unauthorized");
    let told = context::of(call);
    let sources = authorizer.identity_source.as_deref().unwrap_or_default();
    let sources = sources
        .split(',')
        .map(str::trim)
        .filter(|source| !source.is_empty());
    let values: Option<Vec<String>> = sources
        .map(|source| mapping::of_request(call, &told, source).filter(|value| !value.is_empty()))
        .collect();
    let values = values.ok_or_else(unauthorized)?;
    if authorizer.r#type.unwrap_or_default() == AuthorizerType::Token
        && let Some(pattern) = &authorizer.identity_validation_expression
    {
        let pattern = regex::Regex::new(&format!("^(?:{pattern})$"));
        let pattern = pattern.map_err(|_| failure(Kind::AuthorizerConfigurationError))?;
        if !values.iter().all(|value| pattern.is_match(value)) {
            return Err(unauthorized());
        }
    }
    Ok(values)
}

/// The authorizer's event.
pub fn payload(call: &Call, authorizer: &g::Authorizer, identity: &[String]) -> Json {
    let arn = call
        .deployed
        .method_arn(&call.http_method, &call.path)
        .to_string();
    if authorizer.r#type.unwrap_or_default() == AuthorizerType::Token {
        return json!({
            "type": "TOKEN",
            "methodArn": arn,
            "authorizationToken": identity.first(),
        });
    }
    let mut event = json!({
        "type": "REQUEST",
        "methodArn": arn,
        "resource": call.resource.path,
        "path": call.event_path,
        "httpMethod": call.http_method,
        "pathParameters": call.path_parameters.iter().collect::<std::collections::BTreeMap<_, _>>(),
        "stageVariables": call.deployed.variables,
        "requestContext": context::request_context(call),
    });
    context::with_event(call, BodyForm::Base64, |incoming, _, _| {
        event::add_values_v1(&mut event, incoming);
    });
    for name in ["queryStringParameters", "multiValueQueryStringParameters"] {
        if event[name].is_null() {
            event[name] = json!({});
        }
    }
    context::retitle(&mut event);
    event
}

/// Calls the authorizer's function.
pub async fn ask(
    service: &ApiGateway,
    call: &Call,
    authorizer: &g::Authorizer,
    payload: &Json,
) -> Result<Vec<u8>, Refusal> {
    let api = &call.deployed.api_id;
    let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
    let uri = call.deployed.with_variables(uri);
    let Some(function) = invoke::function_arn(&uri) else {
        tracing::warn!(api, uri, "an authorizer names no function");
        return Err(failure(Kind::AuthorizerConfigurationError));
    };
    let place = &call.deployed.place;
    let id = authorizer.id.as_deref().unwrap_or_default();
    let source = invoke::execute_arn(&place.region, place.account, api, "authorizers", id);
    let invocation = invoke::invoke(
        &*service.invoker,
        invoke::Call {
            function,
            payload,
            source,
            account: place.account,
            region: place.region.clone(),
            request_id: RequestId::random(),
            at: call.at,
            trace: call.trace.clone(),
        },
    );
    let failed = || failure(Kind::AuthorizerFailure);
    let invocation = tokio::time::timeout(WITHIN, invocation).await;
    let invocation = invocation.map_err(|_| failed())?.map_err(|error| {
        tracing::warn!(api, %error, "an authorizer was not run");
        failure(Kind::AuthorizerConfigurationError)
    })?;
    if invocation.function_error.is_none() {
        return Ok(invocation.payload.to_vec());
    }
    // A function says no to everybody by failing with this word.
    let error: Json = serde_json::from_slice(&invocation.payload).unwrap_or_default();
    if error["errorMessage"].as_str() == Some("Unauthorized") {
        return Err(Refusal::new(Kind::Unauthorized, "Unauthorized"));
    }
    Err(failed())
}
