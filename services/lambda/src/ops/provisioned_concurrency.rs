//! PutProvisionedConcurrencyConfig, GetProvisionedConcurrencyConfig,
//! ListProvisionedConcurrencyConfigs, DeleteProvisionedConcurrencyConfig.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::concurrency::LEAST_UNRESERVED;
use super::{function_named, named};
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::marker::{self, MAX_PAGE, PageRequest};
use crate::domain::provisioned::Provisioned;
use crate::domain::version::VersionId;
use crate::domain::{alias::Routing, capacity, snap_start, tenancy};
use crate::function::Function;
use crate::functions::Changing;
use crate::generated::{
    DeleteProvisionedConcurrencyConfigRequest, GetProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigResponse, ListProvisionedConcurrencyConfigsRequest,
    ListProvisionedConcurrencyConfigsResponse, ProvisionedConcurrencyConfigListItem,
    ProvisionedConcurrencyStatusEnum as Status, PutProvisionedConcurrencyConfigRequest,
    PutProvisionedConcurrencyConfigResponse,
};
use crate::records::{AliasRecord, VersionRecord};
use crate::{Lambda, error};

/// What may be provisioned. Versions come before aliases, as in lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Version(u64),
    Alias(String),
}

pub async fn put_provisioned_concurrency_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutProvisionedConcurrencyConfigRequest,
) -> Result<PutProvisionedConcurrencyConfigResponse, ServiceError> {
    let name = named(&context, &input.function_name, Some(&input.qualifier))?;
    let subject = Subject::of(&name)?.ok_or_else(error::unpublished_not_provisioned)?;
    subject.find(&*lambda.functions.get(&name)?, &name)?;
    let requested = input.provisioned_concurrent_executions.unsigned_abs();
    let changing = lambda.functions.change(&name.place).await;
    let function = changing.get(&name)?;
    let (routing, before) = subject.find(&function, &name)?;
    tenancy::refuse(&function.record, "Provisioned Concurrency")?;
    check_subject(&function, &subject, &routing)?;
    let own = before.map_or(0, |before| before.requested);
    check_room(&lambda, &changing, &function, own, requested)?;
    let provisioned = Provisioned {
        requested,
        last_modified: lambda.clock.now(),
    };
    subject.put(&changing, &function, Some(provisioned)).await?;
    let progress = lambda
        .provisioning
        .progress(&function, routing.shares(requested));
    lambda.provisioning.follow(&function);
    Ok(PutProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(requested.cast_signed()),
        allocated_provisioned_concurrent_executions: Some(progress.allocated.cast_signed()),
        available_provisioned_concurrent_executions: Some(progress.available.cast_signed()),
        status: Some(Status::InProgress),
        status_reason: None,
        last_modified: Some(provisioned.last_modified.lambda_date()),
    })
}

pub async fn get_provisioned_concurrency_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetProvisionedConcurrencyConfigRequest,
) -> Result<GetProvisionedConcurrencyConfigResponse, ServiceError> {
    let name = named(&context, &input.function_name, Some(&input.qualifier))?;
    let subject = Subject::of(&name)?.ok_or_else(error::neither_version_nor_alias)?;
    let function = lambda.functions.get(&name)?;
    let (routing, provisioned) = subject.find(&function, &name)?;
    let provisioned = provisioned.ok_or_else(error::no_provisioned_concurrency)?;
    let shown = shown(&lambda, &function, &subject, &routing, provisioned);
    Ok(GetProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: shown
            .requested_provisioned_concurrent_executions,
        available_provisioned_concurrent_executions: shown
            .available_provisioned_concurrent_executions,
        allocated_provisioned_concurrent_executions: shown
            .allocated_provisioned_concurrent_executions,
        status: shown.status,
        status_reason: shown.status_reason,
        last_modified: shown.last_modified,
    })
}

pub async fn list_provisioned_concurrency_configs(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListProvisionedConcurrencyConfigsRequest,
) -> Result<ListProvisionedConcurrencyConfigsResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let after = match page.after.as_deref() {
        Some(text) => Some(Subject::parse(&Qualifier::parse(text)).ok_or_else(marker::invalid)?),
        None => None,
    };
    let versions = function.versions.values().filter_map(|version| {
        let version = &version.record;
        Some((
            Subject::Version(version.version.number()?),
            routing_of(version),
            version.provisioned?,
        ))
    });
    let aliases = function.aliases.iter().filter_map(|(name, alias)| {
        let alias = &alias.record;
        Some((
            Subject::Alias(name.clone()),
            alias.routing.clone(),
            alias.provisioned?,
        ))
    });
    let configs = versions
        .chain(aliases)
        .filter(|(subject, ..)| after.as_ref().is_none_or(|after| subject > after))
        .take(page.limit + 1)
        .collect();
    let (configs, next_marker) = page.cut(configs, |(subject, ..)| subject.qualifier());
    let shown = configs.iter().map(|(subject, routing, provisioned)| {
        shown(&lambda, &function, subject, routing, *provisioned)
    });
    Ok(ListProvisionedConcurrencyConfigsResponse {
        provisioned_concurrency_configs: Some(shown.collect()),
        next_marker,
    })
}

/// As on Lambda, there being no configuration is no error.
pub async fn delete_provisioned_concurrency_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteProvisionedConcurrencyConfigRequest,
) -> Result<Unit, ServiceError> {
    let name = named(&context, &input.function_name, Some(&input.qualifier))?;
    let subject = Subject::of(&name)?.ok_or_else(error::neither_version_nor_alias)?;
    subject.find(&*lambda.functions.get(&name)?, &name)?;
    let changing = lambda.functions.change(&name.place).await;
    let function = changing.get(&name)?;
    let (routing, before) = subject.find(&function, &name)?;
    if before.is_some() {
        if routing.additional.is_some() {
            return Err(error::weights_and_provisioned());
        }
        subject.put(&changing, &function, None).await?;
        lambda.provisioning.follow(&function);
    }
    Ok(Unit {})
}

impl Subject {
    /// `None` of `$LATEST`, written out or not.
    fn of(name: &FunctionName) -> Result<Option<Self>, ServiceError> {
        let missing = || error::function_not_found(&name.arn());
        match &name.qualifier {
            None | Some(Qualifier::Latest) => Ok(None),
            Some(qualifier) => Self::parse(qualifier).map(Some).ok_or_else(missing),
        }
    }

    fn parse(qualifier: &Qualifier) -> Option<Self> {
        match qualifier {
            Qualifier::Latest => None,
            Qualifier::Version(text) => match text.parse() {
                Ok(VersionId::Published(number)) => Some(Self::Version(number)),
                _ => None,
            },
            Qualifier::Alias(name) => Some(Self::Alias(name.clone())),
        }
    }

    fn qualifier(&self) -> String {
        match self {
            Self::Version(number) => number.to_string(),
            Self::Alias(name) => name.clone(),
        }
    }

    /// Where it leads, and its configuration.
    fn find(
        &self,
        function: &Function,
        name: &FunctionName,
    ) -> Result<(Routing, Option<Provisioned>), ServiceError> {
        match self {
            Self::Version(number) => {
                let version = function.version(VersionId::Published(*number));
                let version = version.ok_or_else(|| error::function_not_found(&name.arn()))?;
                Ok((routing_of(&version.record), version.record.provisioned))
            }
            Self::Alias(alias) => {
                let alias = function.aliases.get(alias);
                let alias = alias.ok_or_else(|| error::alias_not_found(&name.arn()))?;
                Ok((alias.record.routing.clone(), alias.record.provisioned))
            }
        }
    }

    async fn put(
        &self,
        changing: &Changing,
        function: &Function,
        provisioned: Option<Provisioned>,
    ) -> Result<(), ServiceError> {
        if let Self::Version(number) = self
            && let Some(version) = function.version(VersionId::Published(*number))
        {
            let record = VersionRecord {
                provisioned,
                ..version.record.clone()
            };
            return changing.put_version(function, record).await;
        }
        if let Self::Alias(name) = self
            && let Some(alias) = function.aliases.get(name)
        {
            let record = AliasRecord {
                provisioned,
                ..alias.record.clone()
            };
            return changing.put_alias(function, record).await;
        }
        Ok(())
    }
}

fn routing_of(version: &VersionRecord) -> Routing {
    Routing {
        version: version.version,
        additional: None,
    }
}

fn check_subject(
    function: &Function,
    subject: &Subject,
    routing: &Routing,
) -> Result<(), ServiceError> {
    if routing.additional.is_some() {
        return Err(error::weights_and_provisioned());
    }
    match subject {
        Subject::Alias(name) => check_alias(function, name, routing),
        Subject::Version(_) => {
            check_versions(function, routing)?;
            if provisioned_aliases(function).any(|(_, leads)| leads == routing.version) {
                return Err(error::conflict(
                    "Version is pointed by a Provisioned Concurrency alias",
                ));
            }
            Ok(())
        }
    }
}

/// Whether an alias with provisioned concurrency may lead there. Each version has one
/// configuration, its own or that of an alias.
pub fn check_alias(function: &Function, name: &str, routing: &Routing) -> Result<(), ServiceError> {
    check_versions(function, routing)?;
    let is_taken = |version: VersionId| {
        let own = function.version(version);
        own.is_some_and(|own| own.record.provisioned.is_some())
            || provisioned_aliases(function).any(|(other, leads)| other != name && leads == version)
    };
    if routing.versions().any(is_taken) {
        return Err(error::conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already \
             Provisioned version",
        ));
    }
    Ok(())
}

fn check_versions(function: &Function, routing: &Routing) -> Result<(), ServiceError> {
    for version in routing.versions() {
        if version == VersionId::Latest {
            return Err(error::unpublished_not_provisioned());
        }
        let version = function.version(version);
        if version.is_some_and(|it| it.snap_starts()) {
            return Err(snap_start::unsupported("Provisioned Concurrency"));
        }
        if version.is_some_and(|it| it.is_managed()) {
            return Err(capacity::unsupported("Provisioned Concurrency"));
        }
    }
    Ok(())
}

/// Each with every version it leads to.
fn provisioned_aliases(function: &Function) -> impl Iterator<Item = (&str, VersionId)> {
    let aliases = function.aliases.values().map(|alias| &alias.record);
    aliases
        .filter(|alias| alias.provisioned.is_some())
        .flat_map(|alias| alias.routing.versions().map(|it| (alias.name.as_str(), it)))
}

/// Whether `requested` environments fit in the place of `own`.
fn check_room(
    lambda: &Lambda,
    changing: &Changing,
    function: &Function,
    own: u32,
    requested: u32,
) -> Result<(), ServiceError> {
    let others = function.provisioned() - own;
    if let Some(reserved) = function.record.reserved_concurrency {
        if u64::from(others) + u64::from(requested) > u64::from(reserved) {
            return Err(error::invalid_parameter(
                "Requested Provisioned Concurrency should not be greater than the \
                 reservedConcurrentExecution for function",
            ));
        }
        return Ok(());
    }
    let set_aside = changing.set_aside() - u64::from(own);
    let unreserved = u64::from(lambda.limits.concurrency).saturating_sub(set_aside);
    if u64::from(requested) > unreserved {
        return Err(error::invalid_parameter(format!(
            "Specified ConcurrentExecutions for function is greater than account's unreserved \
             concurrency [{unreserved}]."
        )));
    }
    if unreserved - u64::from(requested) < LEAST_UNRESERVED {
        return Err(error::invalid_parameter(format!(
            "Specified ConcurrentExecutions for function decreases account's \
             UnreservedConcurrentExecution below its minimum value of [{LEAST_UNRESERVED}]."
        )));
    }
    Ok(())
}

fn shown(
    lambda: &Lambda,
    function: &Function,
    subject: &Subject,
    routing: &Routing,
    provisioned: Provisioned,
) -> ProvisionedConcurrencyConfigListItem {
    let requested = provisioned.requested;
    let progress = lambda
        .provisioning
        .progress(function, routing.shares(requested));
    let status = progress.status(requested);
    let qualified = format!("{}:{}", function.record.name, subject.qualifier());
    ProvisionedConcurrencyConfigListItem {
        function_arn: Some(function.record.place().function_arn(&qualified).to_string()),
        requested_provisioned_concurrent_executions: Some(requested.cast_signed()),
        available_provisioned_concurrent_executions: Some(progress.available.cast_signed()),
        allocated_provisioned_concurrent_executions: Some(progress.allocated.cast_signed()),
        status_reason: progress.failure.filter(|_| status == Status::Failed),
        status: Some(status),
        last_modified: Some(provisioned.last_modified.lambda_date()),
    }
}
