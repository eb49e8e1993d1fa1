//! CreateApi, GetApi, GetApis, UpdateApi, DeleteApi, DeleteCorsConfiguration.

use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Value;

use super::{Answer, State, nothing, paged_as, text};
use crate::change::{Change, fresh_id};
use crate::directory::Api;
use crate::domain::validation;
use crate::records::{
    APIS, AUTHORIZERS, ApiRecord, DEFAULT_ROUTE, DEFAULT_STAGE, DEPLOYMENTS, HTTP,
    INTEGRATION_RESPONSES, INTEGRATIONS, Integration, MODELS, ROUTE_RESPONSES, ROUTES, Route,
    RouteSettings, STAGES, Stage, Texts,
};
use crate::{ApiGatewayV2, error, shape};

const HTTP_SELECTION: &str = "$request.method $request.path";
const KEY_SELECTION: &str = "$request.header.x-api-key";
/// The timeout of an integration, where nobody says.
const TIMEOUT: i64 = 30_000;

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let target = shape::take_text(&mut members, "Target");
    let route_key = shape::take_text(&mut members, "RouteKey");
    let credentials = shape::take_text(&mut members, "CredentialsArn");
    let mut record: ApiRecord = shape::record(members)?;
    complete(&state, &mut record)?;
    validation::api(&record)?;
    let mut change = state.begin(&context, record.clone()).await;
    check_free(&state, &record.api_id)?;
    change.put_api(record)?;
    if !target.is_empty() {
        let key = Some(route_key).filter(|key| !key.is_empty());
        quick_create(&state, &mut change, &target, key, &credentials)?;
    }
    let api = change.commit().await?;
    Ok(shown(&state, &context, &api))
}

/// What a new API has beside what its maker says.
pub fn complete(state: &ApiGatewayV2, record: &mut ApiRecord) -> Result<(), ServiceError> {
    record.api_id = chosen_id(record)?.unwrap_or_else(|| fresh_id(10));
    record.created_date = state.clock.now();
    if record.protocol_type == HTTP && record.route_selection_expression.is_empty() {
        HTTP_SELECTION.clone_into(&mut record.route_selection_expression);
    }
    let key = &mut record.api_key_selection_expression;
    key.get_or_insert_with(|| KEY_SELECTION.to_owned());
    let kind = &mut record.ip_address_type;
    kind.get_or_insert_with(|| "ipv4".to_owned());
    Ok(())
}

/// The id that a tag asks for, as LocalStack's clients do.
fn chosen_id(record: &ApiRecord) -> Result<Option<String>, ServiceError> {
    let Some(id) = record
        .tags
        .as_ref()
        .and_then(|tags| tags.get("_custom_id_"))
    else {
        return Ok(None);
    };
    let is_label = (1..=63).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.starts_with('-')
        && !id.ends_with('-');
    if is_label {
        return Ok(Some(id.clone()));
    }
    Err(error::bad_request(format!(
        "The tag _custom_id_ has {id}, which is no label of a host name in lowercase"
    )))
}

/// Ids are of hosts, so that no two APIs of any account have the same.
pub fn check_free(state: &ApiGatewayV2, id: &str) -> Result<(), ServiceError> {
    match state.directory.api(id) {
        Some(_) => Err(error::conflict(format!(
            "An API with the id {id} already exists"
        ))),
        None => Ok(()),
    }
}

/// An integration, a route to it, and a stage that deploys by itself.
fn quick_create(
    state: &ApiGatewayV2,
    change: &mut Change<'_>,
    target: &str,
    route_key: Option<String>,
    credentials: &str,
) -> Result<(), ServiceError> {
    if change.api.record.protocol_type != HTTP {
        return Err(error::bad_request(
            "Target is only supported with HTTP protocol APIs",
        ));
    }
    let is_function = target.starts_with("arn:");
    let integration = Integration {
        integration_id: fresh_id(7),
        integration_type: if is_function {
            "AWS_PROXY"
        } else {
            "HTTP_PROXY"
        }
        .to_owned(),
        integration_uri: Some(target.to_owned()),
        integration_method: Some(if is_function { "POST" } else { "ANY" }.to_owned()),
        payload_format_version: Some(if is_function { "2.0" } else { "1.0" }.to_owned()),
        connection_type: Some("INTERNET".to_owned()),
        credentials_arn: Some(credentials.to_owned()).filter(|arn| !arn.is_empty()),
        timeout_in_millis: TIMEOUT,
        api_gateway_managed: Some(true),
        ..Integration::default()
    };
    validation::integration(&change.api, &integration)?;
    let integration = change.put(integration)?;
    let route = Route {
        route_id: fresh_id(7),
        route_key: route_key.unwrap_or_else(|| DEFAULT_ROUTE.to_owned()),
        target: Some(format!("integrations/{}", integration.integration_id)),
        authorization_type: "NONE".to_owned(),
        api_gateway_managed: Some(true),
        ..Route::default()
    };
    validation::route(&change.api, &route)?;
    change.put(route)?;
    let now = state.clock.now();
    change.put(Stage {
        stage_name: DEFAULT_STAGE.to_owned(),
        auto_deploy: true,
        created_date: now,
        last_updated_date: now,
        api_gateway_managed: Some(true),
        tags: Some(Texts::new()),
        default_route_settings: RouteSettings::of_new_stage(RouteSettings::default()),
        ..Stage::default()
    })?;
    Ok(())
}

/// An API as it is answered, with where it is reached.
pub fn shown(state: &ApiGatewayV2, context: &RequestContext, api: &Api) -> Value {
    let authority = context.authority().unwrap_or(&state.authority);
    let port = authority.rsplit_once(':').map_or("4566", |(_, port)| port);
    let scheme = if api.record.protocol_type == HTTP {
        "http"
    } else {
        "ws"
    };
    let endpoint = format!(
        "{scheme}://{}.execute-api.{}.localhost:{port}",
        api.id(),
        api.region
    );
    let mut record = api.record.clone();
    record.tags.get_or_insert_default();
    shape::shown_with(&record, "ApiEndpoint", Value::Str(endpoint))
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let api = state.api(&context, text(&input, "ApiId"))?;
    Ok(shown(&state, &context, &api))
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    let mut apis: Vec<_> = {
        let apis = state.directory.apis.read();
        let own = apis
            .values()
            .filter(|api| api.account == context.account && api.region == context.region);
        own.map(|api| (api.id().to_owned(), api.clone())).collect()
    };
    apis.sort_by(|(one, _), (other, _)| one.cmp(other));
    paged_as(&input, apis, |api| shown(&state, &context, &api))
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let id = shape::take_text(&mut members, "ApiId");
    let target = shape::take_text(&mut members, "Target");
    let route_key = shape::take_text(&mut members, "RouteKey");
    let credentials = shape::take_text(&mut members, "CredentialsArn");
    let mut change = state.change(&context, &id).await?;
    let record: ApiRecord = shape::changed(&change.api.record, members, &[])?;
    validation::api(&record)?;
    change.put_api(record)?;
    if !(target.is_empty() && route_key.is_empty() && credentials.is_empty()) {
        update_quick(&mut change, &target, &route_key, &credentials)?;
    }
    let api = change.commit().await?;
    Ok(shown(&state, &context, &api))
}

/// Changes what quick create made.
fn update_quick(
    change: &mut Change<'_>,
    target: &str,
    route_key: &str,
    credentials: &str,
) -> Result<(), ServiceError> {
    let managed = |flag: Option<bool>| flag == Some(true);
    let refused = || {
        error::bad_request(
            "Target, RouteKey and CredentialsArn can be updated only for APIs made by quick create",
        )
    };
    let mut integrations = change.api.integrations.values();
    let integration = integrations.find(|it| managed(it.api_gateway_managed));
    let mut integration = (**integration.ok_or_else(refused)?).clone();
    let mut routes = change.api.routes.values();
    let route = routes.find(|it| managed(it.api_gateway_managed));
    let mut route = (**route.ok_or_else(refused)?).clone();
    if !target.is_empty() {
        integration.integration_uri = Some(target.to_owned());
    }
    if !credentials.is_empty() {
        integration.credentials_arn = Some(credentials.to_owned());
    }
    if !route_key.is_empty() {
        route_key.clone_into(&mut route.route_key);
    }
    validation::integration(&change.api, &integration)?;
    change.put(integration)?;
    validation::route(&change.api, &route)?;
    change.put(route)?;
    Ok(())
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let _alone = state.writer.lock().await;
    let api = state.api(&context, text(&input, "ApiId"))?;
    let id = api.id();
    let is_mapped = state.directory.domains.read().values().any(|domain| {
        let mut mappings = domain.record.mappings.values();
        mappings.any(|mapping| mapping.api_id == id)
    });
    if is_mapped {
        return Err(error::bad_request(
            "Deleting an API that has API mappings is not allowed: delete them first",
        ));
    }
    let mut batch = Batch::new();
    APIS.delete(&mut batch, api.key());
    ROUTES.delete_prefix(&mut batch, id);
    INTEGRATIONS.delete_prefix(&mut batch, id);
    INTEGRATION_RESPONSES.delete_prefix(&mut batch, id);
    ROUTE_RESPONSES.delete_prefix(&mut batch, id);
    AUTHORIZERS.delete_prefix(&mut batch, id);
    MODELS.delete_prefix(&mut batch, id);
    STAGES.delete_prefix(&mut batch, id);
    DEPLOYMENTS.delete_prefix(&mut batch, id);
    state.commit(Ok(batch)).await?;
    state.directory.apis.write().remove(id);
    state.plane.forget(id);
    Ok(nothing())
}

pub async fn delete_cors(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let record = ApiRecord {
        cors_configuration: None,
        ..change.api.record.clone()
    };
    change.put_api(record)?;
    change.commit().await?;
    Ok(nothing())
}
