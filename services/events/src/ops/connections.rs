//! CreateConnection, UpdateConnection, DescribeConnection, ListConnections, DeauthorizeConnection,
//! DeleteConnection.

use service::{RequestContext, ServiceError};
use store::Batch;

use super::State;
use crate::domain::connection::{Authorization, Parameters};
use crate::domain::{names, page};
use crate::error;
use crate::generated as g;
use crate::records::{CONNECTIONS, Connection, Named};

async fn find(
    events: &State,
    context: &RequestContext,
    name: &str,
) -> Result<(Named, Connection), ServiceError> {
    let named = names::own(context, name);
    let found = CONNECTIONS.get(&*events.store, named.key()).await;
    let found = found.map_err(|error| error::unavailable(&error))?;
    let missing = || error::not_found(format!("Connection '{name}' does not exist."));
    Ok((named, found.ok_or_else(missing)?))
}

async fn save(events: &State, name: &Named, record: &Connection) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let put = CONNECTIONS.put(&mut batch, name.key(), record);
    events.commit(put.map(|()| batch)).await
}

/// Only within private networks, which are not here.
fn refuse_connectivity(given: bool) -> Result<(), ServiceError> {
    if given {
        let name = "connectivity parameters";
        return Err(ServiceError::not_implemented("EventBridge's", name));
    }
    Ok(())
}

/// What a connection is at first: only a token has to be asked for.
fn first_state(authorization: &Authorization) -> String {
    match authorization {
        Authorization::OAuth { .. } => "AUTHORIZING".to_owned(),
        _ => "AUTHORIZED".to_owned(),
    }
}

fn state(record: &Connection) -> g::ConnectionState {
    match record.state.as_str() {
        "AUTHORIZED" => g::ConnectionState::Authorized,
        "AUTHORIZING" => g::ConnectionState::Authorizing,
        _ => g::ConnectionState::Deauthorized,
    }
}

pub async fn create(
    events: State,
    context: RequestContext,
    input: g::CreateConnectionRequest,
) -> Result<g::CreateConnectionResponse, ServiceError> {
    let given = input.auth_parameters;
    let private = given.connectivity_parameters.is_some();
    refuse_connectivity(private || input.invocation_connectivity_parameters.is_some())?;
    let parameters = Parameters::of(given.invocation_http_parameters);
    let basic = given.basic_auth_parameters;
    let key = given.api_key_auth_parameters;
    let oauth = given.o_auth_parameters;
    let given = g::UpdateConnectionAuthRequestParameters {
        basic_auth_parameters: basic.map(|one| g::UpdateConnectionBasicAuthRequestParameters {
            username: Some(one.username),
            password: Some(one.password),
        }),
        api_key_auth_parameters: key.map(|one| g::UpdateConnectionApiKeyAuthRequestParameters {
            api_key_name: Some(one.api_key_name),
            api_key_value: Some(one.api_key_value),
        }),
        o_auth_parameters: oauth.map(|one| g::UpdateConnectionOAuthRequestParameters {
            client_parameters: Some(g::UpdateConnectionOAuthClientRequestParameters {
                client_id: Some(one.client_parameters.client_id),
                client_secret: Some(one.client_parameters.client_secret),
            }),
            authorization_endpoint: Some(one.authorization_endpoint),
            http_method: Some(one.http_method),
            o_auth_http_parameters: one.o_auth_http_parameters,
        }),
        ..g::UpdateConnectionAuthRequestParameters::default()
    };
    let authorization = Authorization::of(input.authorization_type, given, None)?;
    let _one_writer = events.writer.lock().await;
    if find(&events, &context, &input.name).await.is_ok() {
        let message = format!("Connection {} already exists.", input.name);
        return Err(error::exists(message));
    }
    let now = events.clock.now();
    let name = names::own(&context, &input.name);
    let record = Connection {
        id: uuid::Uuid::new_v4().to_string(),
        description: input.description,
        state: first_state(&authorization),
        reason: None,
        authorization,
        parameters,
        kms_key: input.kms_key_identifier,
        created: now,
        modified: now,
        authorized: Some(now),
        reach: context.reach,
    };
    save(&events, &name, &record).await?;
    let answer = g::CreateConnectionResponse {
        connection_arn: Some(name.arn_with_id("connection", &record.id)),
        connection_state: Some(state(&record)),
        creation_time: Some(now),
        last_modified_time: Some(now),
    };
    events.authorize(name, record);
    Ok(answer)
}

pub async fn update(
    events: State,
    context: RequestContext,
    input: g::UpdateConnectionRequest,
) -> Result<g::UpdateConnectionResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (name, mut record) = find(&events, &context, &input.name).await?;
    let mut given = input.auth_parameters.unwrap_or_default();
    let private = given.connectivity_parameters.is_some();
    refuse_connectivity(private || input.invocation_connectivity_parameters.is_some())?;
    if let Some(parameters) = given.invocation_http_parameters.take() {
        record.parameters = Parameters::of(Some(parameters));
    }
    let kind = input
        .authorization_type
        .unwrap_or(record.authorization.kind());
    record.authorization = Authorization::of(kind, given, Some(&record.authorization))?;
    record.state = first_state(&record.authorization);
    record.reason = None;
    record.description = input.description.or(record.description);
    record.kms_key = input.kms_key_identifier.or(record.kms_key);
    record.modified = events.clock.now();
    record.reach = record.reach.and(context.reach);
    save(&events, &name, &record).await?;
    let answer = g::UpdateConnectionResponse {
        connection_arn: Some(name.arn_with_id("connection", &record.id)),
        connection_state: Some(state(&record)),
        creation_time: Some(record.created),
        last_modified_time: Some(record.modified),
        last_authorized_time: record.authorized,
    };
    events.authorize(name, record);
    Ok(answer)
}

pub async fn describe(
    events: State,
    context: RequestContext,
    input: g::DescribeConnectionRequest,
) -> Result<g::DescribeConnectionResponse, ServiceError> {
    let (name, record) = find(&events, &context, &input.name).await?;
    let mut shown = record.authorization.shown();
    shown.invocation_http_parameters = record.parameters.shown();
    Ok(g::DescribeConnectionResponse {
        connection_arn: Some(name.arn_with_id("connection", &record.id)),
        name: Some(name.name),
        connection_state: Some(state(&record)),
        state_reason: record.reason,
        authorization_type: Some(record.authorization.kind()),
        description: record.description,
        kms_key_identifier: record.kms_key,
        auth_parameters: Some(shown),
        creation_time: Some(record.created),
        last_modified_time: Some(record.modified),
        last_authorized_time: record.authorized,
        ..g::DescribeConnectionResponse::default()
    })
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListConnectionsRequest,
) -> Result<g::ListConnectionsResponse, ServiceError> {
    let prefix = input.name_prefix.unwrap_or_default();
    let all = events.own_records(&CONNECTIONS, &context).await?;
    let wanted = all.into_iter().filter(|(name, record)| {
        let asked = input.connection_state;
        name.name.starts_with(&prefix) && asked.is_none_or(|asked| state(record) == asked)
    });
    let keyed = wanted.map(|(name, record)| (name.name.clone(), (name, record)));
    let (page, next_token) = page::cut(keyed, input.next_token.as_deref(), input.limit)?;
    let shown = page.into_iter().map(|(_, (name, record))| g::Connection {
        connection_arn: Some(name.arn_with_id("connection", &record.id)),
        connection_state: Some(state(&record)),
        name: Some(name.name),
        state_reason: record.reason,
        authorization_type: Some(record.authorization.kind()),
        creation_time: Some(record.created),
        last_modified_time: Some(record.modified),
        last_authorized_time: record.authorized,
    });
    Ok(g::ListConnectionsResponse {
        connections: Some(shown.collect()),
        next_token,
    })
}

/// Its destinations get nothing more until it is updated.
pub async fn deauthorize(
    events: State,
    context: RequestContext,
    input: g::DeauthorizeConnectionRequest,
) -> Result<g::DeauthorizeConnectionResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (name, mut record) = find(&events, &context, &input.name).await?;
    "DEAUTHORIZED".clone_into(&mut record.state);
    record.modified = events.clock.now();
    save(&events, &name, &record).await?;
    Ok(g::DeauthorizeConnectionResponse {
        connection_arn: Some(name.arn_with_id("connection", &record.id)),
        connection_state: Some(state(&record)),
        creation_time: Some(record.created),
        last_modified_time: Some(record.modified),
        last_authorized_time: record.authorized,
    })
}

pub async fn delete(
    events: State,
    context: RequestContext,
    input: g::DeleteConnectionRequest,
) -> Result<g::DeleteConnectionResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (name, record) = find(&events, &context, &input.name).await?;
    let mut batch = Batch::new();
    CONNECTIONS.delete(&mut batch, name.key());
    events.commit(Ok(batch)).await?;
    Ok(g::DeleteConnectionResponse {
        connection_arn: Some(name.arn_with_id("connection", &record.id)),
        connection_state: Some(g::ConnectionState::Deleting),
        creation_time: Some(record.created),
        last_modified_time: Some(record.modified),
        last_authorized_time: record.authorized,
    })
}
