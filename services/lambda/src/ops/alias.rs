//! CreateAlias, GetAlias, ListAliases, UpdateAlias, DeleteAlias.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{function_named, provisioned_concurrency, revision};
use crate::domain::alias::Routing;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::marker::PageRequest;
use crate::domain::version::VersionId;
use crate::function::{Alias, Function, check_revision};
use crate::generated::{
    AliasConfiguration, CreateAliasRequest, DeleteAliasRequest, GetAliasRequest,
    ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};
use crate::records::AliasRecord;
use crate::{Lambda, error};

/// As many as MaxItems may ask for.
const MAX_PAGE: usize = 10_000;

pub async fn create_alias(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CreateAliasRequest,
) -> Result<AliasConfiguration, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let version = version(&name, &input.function_version)?;
    lambda
        .functions
        .get(&qualified(&name, &version.to_string()))?;
    let changing = lambda.functions.change(&name.place).await;
    let function = changing.get(&name)?;
    check_exists(&function, &name, version)?;
    let record = AliasRecord {
        account: name.place.account,
        region: name.place.region.clone(),
        function: name.name.clone(),
        name: input.name,
        description: input.description.unwrap_or_default(),
        routing: Routing::of(version, input.routing_config.as_ref())?,
        policy: Vec::new(),
        provisioned: None,
        revision_id: revision(),
    };
    if function.aliases.contains_key(&record.name) {
        return Err(error::conflict(format!(
            "Alias already exists: {}",
            record.arn()
        )));
    }
    check_routing(&function, &name, &record.routing)?;
    let answer = shown(&record);
    changing.put_alias(&function, record).await?;
    Ok(answer)
}

pub async fn get_alias(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetAliasRequest,
) -> Result<AliasConfiguration, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    match function.aliases.get(&input.name) {
        Some(alias) => Ok(shown(&alias.record)),
        None => Err(error::alias_not_found(&qualified(&name, &input.name).arn())),
    }
}

pub async fn list_aliases(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListAliasesRequest,
) -> Result<ListAliasesResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let version = match &input.function_version {
        Some(text) => Some(version(&name, text)?),
        None => None,
    };
    let fits = |alias: &Alias| {
        version.is_none_or(|version| alias.record.routing.versions().any(|it| it == version))
    };
    let aliases = function.aliases.values().filter(|alias| {
        let name = alias.record.name.as_str();
        page.after.as_deref().is_none_or(|after| name > after) && fits(alias)
    });
    let aliases = aliases.take(page.limit + 1).collect();
    let (aliases, next_marker) = page.cut(aliases, |alias| alias.record.name.clone());
    Ok(ListAliasesResponse {
        next_marker,
        aliases: Some(aliases.iter().map(|alias| shown(&alias.record)).collect()),
    })
}

pub async fn update_alias(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateAliasRequest,
) -> Result<AliasConfiguration, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    lambda.functions.get(&name)?;
    let changing = lambda.functions.change(&name.place).await;
    let function = changing.get(&name)?;
    let Some(before) = function.aliases.get(&input.name) else {
        let arn = qualified(&name, &input.name).arn();
        return Err(error::no_alias_to_update(&arn));
    };
    let before = &before.record;
    check_revision(input.revision_id.as_deref(), &before.revision_id)?;
    let version = match &input.function_version {
        Some(text) => {
            let version = version(&name, text)?;
            check_exists(&function, &name, version)?;
            version
        }
        None => before.routing.version,
    };
    let routing = match &input.routing_config {
        Some(config) => Routing::of(version, Some(config))?,
        None => Routing::with(version, before.routing.additional)?,
    };
    check_routing(&function, &name, &routing)?;
    if before.provisioned.is_some() {
        provisioned_concurrency::check_alias(&function, &before.name, &routing)?;
    }
    let record = AliasRecord {
        routing,
        description: input
            .description
            .unwrap_or_else(|| before.description.clone()),
        revision_id: revision(),
        ..before.clone()
    };
    let answer = shown(&record);
    let is_provisioned = record.provisioned.is_some();
    changing.put_alias(&function, record).await?;
    if is_provisioned {
        lambda.provisioning.follow(&function);
    }
    Ok(answer)
}

/// As on Lambda, there being no such alias is no error.
pub async fn delete_alias(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteAliasRequest,
) -> Result<Unit, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    lambda.functions.get(&name)?;
    let changing = lambda.functions.change(&name.place).await;
    let function = changing.get(&name)?;
    if let Some(alias) = function.aliases.get(&input.name) {
        changing.delete_alias(&function, alias).await?;
        if alias.record.provisioned.is_some() {
            lambda.provisioning.follow(&function);
        }
    }
    Ok(Unit {})
}

fn qualified(name: &FunctionName, qualifier: &str) -> FunctionName {
    FunctionName {
        qualifier: Some(Qualifier::parse(qualifier)),
        ..name.clone()
    }
}

fn version(name: &FunctionName, text: &str) -> Result<VersionId, ServiceError> {
    text.parse()
        .map_err(|_| error::function_not_found(&qualified(name, text).arn()))
}

fn check_exists(
    function: &Function,
    name: &FunctionName,
    version: VersionId,
) -> Result<(), ServiceError> {
    match function.version(version) {
        Some(_) => Ok(()),
        None => Err(error::function_not_found(
            &qualified(name, &version.to_string()).arn(),
        )),
    }
}

/// The versions exist and may stand in for each other.
fn check_routing(
    function: &Function,
    name: &FunctionName,
    routing: &Routing,
) -> Result<(), ServiceError> {
    let mut role = None;
    for version in routing.versions() {
        check_exists(function, name, version)?;
        let found = function.version(version);
        let this = found.map(|version| &version.record.settings.role);
        if role.is_some() && role != this {
            return Err(error::invalid_parameter(
                "Specified versions must be associated with the same execution role",
            ));
        }
        role = this;
    }
    Ok(())
}

fn shown(record: &AliasRecord) -> AliasConfiguration {
    AliasConfiguration {
        alias_arn: Some(record.arn().to_string()),
        name: Some(record.name.clone()),
        function_version: Some(record.routing.version.to_string()),
        description: Some(record.description.clone()),
        routing_config: record.routing.config(),
        revision_id: Some(record.revision_id.clone()),
    }
}
