//! Platform applications: CreatePlatformApplication, DeletePlatformApplication,
//! GetPlatformApplicationAttributes, SetPlatformApplicationAttributes, ListPlatformApplications.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region};
use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Unit;

use super::State;
use crate::domain::page;
use crate::error;
use crate::generated as g;
use crate::records::{APPLICATIONS, Application, DEVICES};

const PLATFORMS: [&str; 9] = [
    "ADM",
    "APNS",
    "APNS_SANDBOX",
    "APNS_VOIP",
    "APNS_VOIP_SANDBOX",
    "BAIDU",
    "GCM",
    "MPNS",
    "WNS",
];
/// What nobody is shown again.
const SECRET: [&str; 2] = ["PlatformCredential", "PlatformPrincipal"];

#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationId {
    pub account: AccountId,
    pub region: Region,
    pub platform: String,
    pub name: String,
}

impl ApplicationId {
    pub fn key(&self) -> (&str, &str, &str, &str) {
        (
            self.account.as_str(),
            self.region.as_str(),
            &self.platform,
            &self.name,
        )
    }

    pub fn arn(&self) -> String {
        let resource = format!("app/{}/{}", self.platform, self.name);
        Arn::regional("sns", &self.region, self.account, resource).to_string()
    }

    /// Reads an ARN whose resource begins with `kind`; also what stands behind the name.
    pub fn parse(text: &str, kind: &str) -> Option<(Self, Option<String>)> {
        let arn: Arn = text.parse().ok()?;
        let mut parts = arn
            .resource
            .strip_prefix(kind)?
            .strip_prefix('/')?
            .split('/');
        let id = Self {
            account: arn.account_id()?,
            region: arn.region()?,
            platform: parts.next()?.to_owned(),
            name: parts.next()?.to_owned(),
        };
        let rest = parts.next().map(str::to_owned);
        (arn.service == "sns" && parts.next().is_none()).then_some((id, rest))
    }
}

/// The application of the caller that an ARN names.
pub async fn find(
    sns: &State,
    context: &RequestContext,
    text: &str,
) -> Result<(ApplicationId, Application), ServiceError> {
    let parsed = ApplicationId::parse(text, "app").filter(|(_, rest)| rest.is_none());
    let Some((id, _)) = parsed else {
        return Err(error::invalid("PlatformApplicationArn"));
    };
    if id.account != context.account {
        return Err(error::not_authorized(
            "GetPlatformApplicationAttributes",
            text,
        ));
    }
    let found = APPLICATIONS
        .get(&*sns.store, id.key())
        .await
        .map_err(|error| error::unavailable(&error))?;
    Ok((id, found.ok_or_else(error::application_not_found)?))
}

async fn save(
    sns: &State,
    id: &ApplicationId,
    application: &Application,
) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let put = APPLICATIONS.put(&mut batch, id.key(), application);
    sns.commit(put.map(|()| batch)).await
}

pub async fn create(
    sns: State,
    context: RequestContext,
    input: g::CreatePlatformApplicationInput,
) -> Result<g::CreatePlatformApplicationResponse, ServiceError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !PLATFORMS.contains(&input.platform.as_str()) {
        return Err(error::invalid(format!(
            "Platform Reason: {} is not supported",
            input.platform
        )));
    }
    if input.name.is_empty() || input.name.len() > 256 || !input.name.chars().all(legal) {
        return Err(error::invalid("Name"));
    }
    if !input.attributes.contains_key("PlatformCredential") {
        return Err(error::invalid(
            "Attributes Reason: Platform credential is a required attribute",
        ));
    }
    let id = ApplicationId {
        account: context.account,
        region: context.region.clone(),
        platform: input.platform,
        name: input.name,
    };
    let _one_writer = sns.writer.lock().await;
    let application = Application {
        attributes: input.attributes,
    };
    match find(&sns, &context, &id.arn()).await {
        Ok((_, existing)) if existing != application => {
            return Err(error::invalid(
                "This application already exists with different attributes",
            ));
        }
        _ => save(&sns, &id, &application).await?,
    }
    Ok(g::CreatePlatformApplicationResponse {
        platform_application_arn: Some(id.arn()),
    })
}

/// With its devices. One that is not there is no error.
pub async fn delete(
    sns: State,
    context: RequestContext,
    input: g::DeletePlatformApplicationInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let arn = &input.platform_application_arn;
    if let Ok((id, _)) = find(&sns, &context, arn).await {
        let mut batch = Batch::new();
        APPLICATIONS.delete(&mut batch, id.key());
        DEVICES.delete_prefix(&mut batch, id.key());
        sns.commit(Ok(batch)).await?;
    }
    Ok(Unit {})
}

fn shown(application: Application) -> BTreeMap<String, String> {
    let mut shown = application.attributes;
    shown.retain(|name, _| !SECRET.contains(&name.as_str()));
    shown.insert("Enabled".to_owned(), "true".to_owned());
    shown
}

pub async fn get_attributes(
    sns: State,
    context: RequestContext,
    input: g::GetPlatformApplicationAttributesInput,
) -> Result<g::GetPlatformApplicationAttributesResponse, ServiceError> {
    let (_, found) = find(&sns, &context, &input.platform_application_arn).await?;
    Ok(g::GetPlatformApplicationAttributesResponse {
        attributes: Some(shown(found)),
    })
}

pub async fn set_attributes(
    sns: State,
    context: RequestContext,
    input: g::SetPlatformApplicationAttributesInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let (id, mut found) = find(&sns, &context, &input.platform_application_arn).await?;
    found.attributes.extend(input.attributes);
    save(&sns, &id, &found).await?;
    Ok(Unit {})
}

pub async fn list(
    sns: State,
    context: RequestContext,
    input: g::ListPlatformApplicationsInput,
) -> Result<g::ListPlatformApplicationsResponse, ServiceError> {
    let own = (context.account.as_str(), context.region.as_str());
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = APPLICATIONS
            .scan(&*sns.store, own, after.as_ref(), 500)
            .await
            .map_err(|error| error::unavailable(&error))?;
        for row in page.rows {
            let mut parts = row.key.reader();
            let mut text = || parts.text().map_err(|error| error::unavailable(&error));
            let (_, _, platform, name) = (text()?, text()?, text()?, text()?);
            let id = ApplicationId {
                account: context.account,
                region: context.region.clone(),
                platform,
                name,
            };
            all.push((format!("{}\0{}", id.platform, id.name), (id, row.value)));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (page, next_token) = page::cut(all, input.next_token.as_deref())?;
    let described = page
        .into_iter()
        .map(|(_, (id, one))| g::PlatformApplication {
            platform_application_arn: Some(id.arn()),
            attributes: Some(shown(one)),
        });
    Ok(g::ListPlatformApplicationsResponse {
        platform_applications: Some(described.collect()),
        next_token,
    })
}
