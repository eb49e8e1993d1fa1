//! CreateApiDestination, UpdateApiDestination, DescribeApiDestination, ListApiDestinations,
//! DeleteApiDestination.

use service::{RequestContext, ServiceError};
use store::Batch;

use super::State;
use crate::domain::connection::check_url;
use crate::domain::{names, page};
use crate::error;
use crate::generated as g;
use crate::records::{API_DESTINATIONS, ApiDestination, CONNECTIONS, Named};

/// Requests a second where nothing else is said.
const RATE: i32 = 300;
const KIND: &str = "api-destination";

async fn find(
    events: &State,
    context: &RequestContext,
    name: &str,
) -> Result<(Named, ApiDestination), ServiceError> {
    let named = names::own(context, name);
    let found = API_DESTINATIONS.get(&*events.store, named.key()).await;
    let found = found.map_err(|error| error::unavailable(&error))?;
    let missing = || error::not_found(format!("An api-destination '{name}' does not exist."));
    Ok((named, found.ok_or_else(missing)?))
}

async fn save(events: &State, name: &Named, record: ApiDestination) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let put = API_DESTINATIONS.put(&mut batch, name.key(), &record);
    events.commit(put.map(|()| batch)).await?;
    let arn = name.arn_with_id(KIND, &record.id);
    events.directory.put_rate(arn, record.rate);
    Ok(())
}

/// The connection must be the caller's.
async fn check_connection(
    events: &State,
    context: &RequestContext,
    arn: &str,
) -> Result<(), ServiceError> {
    let missing = || error::not_found(format!("Connection '{arn}' does not exist."));
    let name = names::of_arn_with_id(arn, "connection").ok_or_else(missing)?;
    let found = CONNECTIONS.get(&*events.store, name.key()).await;
    let found = found.map_err(|error| error::unavailable(&error))?;
    let is_it = found.is_some_and(|it| name.arn_with_id("connection", &it.id) == arn);
    if is_it && name.account == context.account {
        return Ok(());
    }
    Err(missing())
}

async fn state(events: &State, record: &ApiDestination) -> Option<g::ApiDestinationState> {
    let connection = match names::of_arn_with_id(&record.connection, "connection") {
        Some(name) => CONNECTIONS.get(&*events.store, name.key()).await.ok()?,
        None => None,
    };
    let is_active = connection.is_some_and(|it| it.state == "AUTHORIZED");
    Some(if is_active {
        g::ApiDestinationState::Active
    } else {
        g::ApiDestinationState::Inactive
    })
}

pub async fn create(
    events: State,
    context: RequestContext,
    input: g::CreateApiDestinationRequest,
) -> Result<g::CreateApiDestinationResponse, ServiceError> {
    check_url(&input.invocation_endpoint)?;
    let _one_writer = events.writer.lock().await;
    check_connection(&events, &context, &input.connection_arn).await?;
    if find(&events, &context, &input.name).await.is_ok() {
        let message = format!("An api-destination '{}' already exists.", input.name);
        return Err(error::exists(message));
    }
    let now = events.clock.now();
    let name = names::own(&context, &input.name);
    let record = ApiDestination {
        id: uuid::Uuid::new_v4().to_string(),
        description: input.description,
        connection: input.connection_arn,
        endpoint: input.invocation_endpoint,
        method: input.http_method.as_str().to_owned(),
        rate: input.invocation_rate_limit_per_second.unwrap_or(RATE),
        created: now,
        modified: now,
        reach: context.reach,
    };
    let answer = g::CreateApiDestinationResponse {
        api_destination_arn: Some(name.arn_with_id(KIND, &record.id)),
        api_destination_state: state(&events, &record).await,
        creation_time: Some(now),
        last_modified_time: Some(now),
    };
    save(&events, &name, record).await?;
    Ok(answer)
}

pub async fn update(
    events: State,
    context: RequestContext,
    input: g::UpdateApiDestinationRequest,
) -> Result<g::UpdateApiDestinationResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (name, mut record) = find(&events, &context, &input.name).await?;
    if let Some(url) = input.invocation_endpoint {
        check_url(&url)?;
        record.endpoint = url;
    }
    if let Some(connection) = input.connection_arn {
        check_connection(&events, &context, &connection).await?;
        record.connection = connection;
    }
    if let Some(method) = input.http_method {
        method.as_str().clone_into(&mut record.method);
    }
    let rate = input.invocation_rate_limit_per_second;
    record.rate = rate.unwrap_or(record.rate);
    record.description = input.description.or(record.description);
    record.modified = events.clock.now();
    record.reach = record.reach.and(context.reach);
    let answer = g::UpdateApiDestinationResponse {
        api_destination_arn: Some(name.arn_with_id(KIND, &record.id)),
        api_destination_state: state(&events, &record).await,
        creation_time: Some(record.created),
        last_modified_time: Some(record.modified),
    };
    save(&events, &name, record).await?;
    Ok(answer)
}

pub async fn describe(
    events: State,
    context: RequestContext,
    input: g::DescribeApiDestinationRequest,
) -> Result<g::DescribeApiDestinationResponse, ServiceError> {
    let (name, record) = find(&events, &context, &input.name).await?;
    let shown = shown(&events, name, record.clone()).await;
    Ok(g::DescribeApiDestinationResponse {
        api_destination_arn: shown.api_destination_arn,
        name: shown.name,
        description: record.description,
        api_destination_state: shown.api_destination_state,
        connection_arn: shown.connection_arn,
        invocation_endpoint: shown.invocation_endpoint,
        http_method: shown.http_method,
        invocation_rate_limit_per_second: shown.invocation_rate_limit_per_second,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
    })
}

async fn shown(events: &State, name: Named, record: ApiDestination) -> g::ApiDestination {
    g::ApiDestination {
        api_destination_arn: Some(name.arn_with_id(KIND, &record.id)),
        name: Some(name.name),
        api_destination_state: state(events, &record).await,
        connection_arn: Some(record.connection),
        invocation_endpoint: Some(record.endpoint),
        http_method: Some(match record.method.as_str() {
            "GET" => g::ApiDestinationHttpMethod::Get,
            "HEAD" => g::ApiDestinationHttpMethod::Head,
            "OPTIONS" => g::ApiDestinationHttpMethod::Options,
            "PUT" => g::ApiDestinationHttpMethod::Put,
            "PATCH" => g::ApiDestinationHttpMethod::Patch,
            "DELETE" => g::ApiDestinationHttpMethod::Delete,
            _ => g::ApiDestinationHttpMethod::Post,
        }),
        invocation_rate_limit_per_second: Some(record.rate),
        creation_time: Some(record.created),
        last_modified_time: Some(record.modified),
    }
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListApiDestinationsRequest,
) -> Result<g::ListApiDestinationsResponse, ServiceError> {
    let prefix = input.name_prefix.unwrap_or_default();
    let all = events.own_records(&API_DESTINATIONS, &context).await?;
    let wanted = all.into_iter().filter(|(name, record)| {
        let of = input.connection_arn.as_ref();
        name.name.starts_with(&prefix) && of.is_none_or(|arn| *arn == record.connection)
    });
    let keyed = wanted.map(|(name, record)| (name.name.clone(), (name, record)));
    let (page, next_token) = page::cut(keyed, input.next_token.as_deref(), input.limit)?;
    let mut destinations = Vec::with_capacity(page.len());
    for (_, (name, record)) in page {
        destinations.push(shown(&events, name, record).await);
    }
    Ok(g::ListApiDestinationsResponse {
        api_destinations: Some(destinations),
        next_token,
    })
}

pub async fn delete(
    events: State,
    context: RequestContext,
    input: g::DeleteApiDestinationRequest,
) -> Result<g::DeleteApiDestinationResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (name, _) = find(&events, &context, &input.name).await?;
    let mut batch = Batch::new();
    API_DESTINATIONS.delete(&mut batch, name.key());
    events.commit(Ok(batch)).await?;
    Ok(g::DeleteApiDestinationResponse {})
}
