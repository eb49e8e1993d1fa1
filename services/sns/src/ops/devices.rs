//! Endpoints of platform applications: CreatePlatformEndpoint, DeleteEndpoint,
//! GetEndpointAttributes, SetEndpointAttributes, ListEndpointsByPlatformApplication.

use base::Arn;
use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Unit;

use super::State;
use super::applications::{self, ApplicationId};
use crate::domain::page;
use crate::error;
use crate::generated as g;
use crate::records::{DEVICES, Device};

#[derive(Clone, Debug, PartialEq)]
pub struct DeviceId {
    pub application: ApplicationId,
    pub id: String,
}

impl DeviceId {
    fn key(&self) -> ((&str, &str, &str, &str), &str) {
        (self.application.key(), &self.id)
    }

    pub fn arn(&self) -> String {
        let ApplicationId {
            account,
            region,
            platform,
            name,
        } = &self.application;
        let resource = format!("endpoint/{platform}/{name}/{}", self.id);
        Arn::regional("sns", region, *account, resource).to_string()
    }
}

/// Whether an ARN is a device's, and which.
pub fn of_arn(text: &str) -> Option<DeviceId> {
    let (application, id) = ApplicationId::parse(text, "endpoint")?;
    Some(DeviceId {
        application,
        id: id?,
    })
}

pub async fn find(
    sns: &State,
    context: &RequestContext,
    id: &DeviceId,
) -> Result<Device, ServiceError> {
    if id.application.account != context.account {
        return Err(error::not_authorized("GetEndpointAttributes", &id.arn()));
    }
    let found = DEVICES
        .get(&*sns.store, id.key())
        .await
        .map_err(|error| error::unavailable(&error))?;
    found.ok_or_else(error::endpoint_not_found)
}

fn parsed(text: &str) -> Result<DeviceId, ServiceError> {
    of_arn(text).ok_or_else(|| error::invalid("EndpointArn"))
}

async fn save(sns: &State, id: &DeviceId, device: &Device) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let put = DEVICES.put(&mut batch, id.key(), device);
    sns.commit(put.map(|()| batch)).await
}

async fn all(sns: &State, of: &ApplicationId) -> Result<Vec<(DeviceId, Device)>, ServiceError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = DEVICES
            .scan(&*sns.store, of.key(), after.as_ref(), 500)
            .await
            .map_err(|error| error::unavailable(&error))?;
        for row in page.rows {
            let mut parts = row.key.reader();
            let mut id = String::new();
            // Account, region, platform and name come first.
            for _ in 0..5 {
                id = parts.text().map_err(|error| error::unavailable(&error))?;
            }
            let id = DeviceId {
                application: of.clone(),
                id,
            };
            all.push((id, row.value));
        }
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

pub async fn create(
    sns: State,
    context: RequestContext,
    input: g::CreatePlatformEndpointInput,
) -> Result<g::CreateEndpointResponse, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let arn = &input.platform_application_arn;
    let (application, _) = applications::find(&sns, &context, arn).await?;
    if input.token.is_empty() {
        return Err(error::invalid("Token"));
    }
    let mut attributes = input.attributes.unwrap_or_default();
    if let Some(text) = input.custom_user_data {
        attributes.insert("CustomUserData".to_owned(), text);
    }
    attributes
        .entry("Enabled".to_owned())
        .or_insert("true".to_owned());
    attributes.insert("Token".to_owned(), input.token);
    let device = Device { attributes };
    let others = all(&sns, &application).await?;
    let same_token = |(_, other): &&(DeviceId, Device)| {
        other.attributes.get("Token") == device.attributes.get("Token")
    };
    let id = match others.iter().find(same_token) {
        Some((id, existing)) if *existing == device => id.clone(),
        Some((id, _)) => {
            return Err(error::invalid(format!(
                "Token Reason: Endpoint {} already exists with the same Token, but different \
                 attributes.",
                id.arn()
            )));
        }
        None => {
            let id = DeviceId {
                application,
                id: uuid::Uuid::new_v4().to_string(),
            };
            save(&sns, &id, &device).await?;
            id
        }
    };
    Ok(g::CreateEndpointResponse {
        endpoint_arn: Some(id.arn()),
    })
}

/// One that is not there is no error.
pub async fn delete(
    sns: State,
    context: RequestContext,
    input: g::DeleteEndpointInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let id = parsed(&input.endpoint_arn)?;
    if id.application.account != context.account {
        return Err(error::not_authorized("DeleteEndpoint", &input.endpoint_arn));
    }
    let mut batch = Batch::new();
    DEVICES.delete(&mut batch, id.key());
    sns.commit(Ok(batch)).await?;
    Ok(Unit {})
}

pub async fn get_attributes(
    sns: State,
    context: RequestContext,
    input: g::GetEndpointAttributesInput,
) -> Result<g::GetEndpointAttributesResponse, ServiceError> {
    let found = find(&sns, &context, &parsed(&input.endpoint_arn)?).await?;
    Ok(g::GetEndpointAttributesResponse {
        attributes: Some(found.attributes),
    })
}

pub async fn set_attributes(
    sns: State,
    context: RequestContext,
    input: g::SetEndpointAttributesInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let id = parsed(&input.endpoint_arn)?;
    let mut device = find(&sns, &context, &id).await?;
    device.attributes.extend(input.attributes);
    save(&sns, &id, &device).await?;
    Ok(Unit {})
}

pub async fn list(
    sns: State,
    context: RequestContext,
    input: g::ListEndpointsByPlatformApplicationInput,
) -> Result<g::ListEndpointsByPlatformApplicationResponse, ServiceError> {
    let arn = &input.platform_application_arn;
    let (application, _) = applications::find(&sns, &context, arn).await?;
    let all = all(&sns, &application).await?;
    let keyed = all.into_iter().map(|(id, one)| (id.id.clone(), (id, one)));
    let (page, next_token) = page::cut(keyed, input.next_token.as_deref())?;
    let described = page.into_iter().map(|(_, (id, one))| g::Endpoint {
        endpoint_arn: Some(id.arn()),
        attributes: Some(one.attributes),
    });
    Ok(g::ListEndpointsByPlatformApplicationResponse {
        endpoints: Some(described.collect()),
        next_token,
    })
}
