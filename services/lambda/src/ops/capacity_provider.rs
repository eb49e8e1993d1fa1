//! CreateCapacityProvider, GetCapacityProvider, UpdateCapacityProvider, DeleteCapacityProvider,
//! ListCapacityProviders, ListFunctionVersionsByCapacityProvider.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html>

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};

use super::place;
use crate::capacity_providers::ProviderRecord;
use crate::domain::capacity_provider::{Instances, named, new_name};
use crate::domain::function_name::Place;
use crate::domain::marker::{self, MAX_PAGE, PageRequest};
use crate::domain::tags;
use crate::domain::version::VersionId;
use crate::function::{Function, Version};
use crate::generated::{
    CapacityProvider, CapacityProviderState, CreateCapacityProviderRequest,
    CreateCapacityProviderResponse, DeleteCapacityProviderRequest, DeleteCapacityProviderResponse,
    FunctionVersionsByCapacityProviderListItem, GetCapacityProviderRequest,
    GetCapacityProviderResponse, ListCapacityProvidersRequest, ListCapacityProvidersResponse,
    ListFunctionVersionsByCapacityProviderRequest, ListFunctionVersionsByCapacityProviderResponse,
    UpdateCapacityProviderRequest, UpdateCapacityProviderResponse,
};
use crate::{Lambda, answer, error};

/// Of one account, and versions of one provider.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-quotas.html>
const MOST_PROVIDERS: usize = 1_000;
const MOST_VERSIONS: usize = 100;

pub async fn create_capacity_provider(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CreateCapacityProviderRequest,
) -> Result<CreateCapacityProviderResponse, ServiceError> {
    let here = place(&context);
    let name = new_name(&input.capacity_provider_name, &here)?;
    let instances = Instances::of_new(&input)?;
    let arn = here.capacity_provider_arn(&name);
    lambda.check_role(&instances.role, &arn, &here).await?;
    let tags = tags::with(&BTreeMap::new(), input.tags.unwrap_or_default())?;
    let unchanging = lambda.capacity_providers.hold().await;
    if lambda.capacity_providers.get(&arn, &here).is_ok() {
        return Err(error::conflict(format!(
            "Capacity provider already exist: {name}"
        )));
    }
    if lambda.capacity_providers.count(here.account) >= MOST_PROVIDERS {
        return Err(error::too_many_capacity_providers());
    }
    let record = ProviderRecord {
        account: here.account,
        region: here.region,
        name,
        instances,
        tags,
        last_modified: lambda.clock.now(),
    };
    let record = lambda.capacity_providers.put(&unchanging, record).await?;
    Ok(CreateCapacityProviderResponse {
        // By the time it is read it is Active.
        capacity_provider: shown(&record, CapacityProviderState::Pending),
    })
}

pub async fn get_capacity_provider(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetCapacityProviderRequest,
) -> Result<GetCapacityProviderResponse, ServiceError> {
    let record = find(&lambda, &context, &input.capacity_provider_name)?;
    Ok(GetCapacityProviderResponse {
        capacity_provider: shown(&record, CapacityProviderState::Active),
    })
}

pub async fn update_capacity_provider(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateCapacityProviderRequest,
) -> Result<UpdateCapacityProviderResponse, ServiceError> {
    let unchanging = lambda.capacity_providers.hold().await;
    let before = find(&lambda, &context, &input.capacity_provider_name)?;
    let record = ProviderRecord {
        instances: before.instances.clone().updated(&input)?,
        last_modified: lambda.clock.now(),
        ..ProviderRecord::clone(&before)
    };
    let record = lambda.capacity_providers.put(&unchanging, record).await?;
    Ok(UpdateCapacityProviderResponse {
        capacity_provider: shown(&record, CapacityProviderState::Active),
    })
}

pub async fn delete_capacity_provider(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteCapacityProviderRequest,
) -> Result<DeleteCapacityProviderResponse, ServiceError> {
    let unchanging = lambda.capacity_providers.hold().await;
    let record = find(&lambda, &context, &input.capacity_provider_name)?;
    let arn = record.arn();
    if lambda.functions_on(&record).any(|it| uses(&it, &arn)) {
        return Err(error::conflict(format!(
            "The capacity provider {arn} can't be deleted because it is in use by one or more \
             functions."
        )));
    }
    lambda
        .capacity_providers
        .delete(&unchanging, &record)
        .await?;
    Ok(DeleteCapacityProviderResponse {
        capacity_provider: shown(&record, CapacityProviderState::Deleting),
    })
}

pub async fn list_capacity_providers(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListCapacityProvidersRequest,
) -> Result<ListCapacityProvidersResponse, ServiceError> {
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let active = CapacityProviderState::Active;
    let providers = match input.state {
        // Whatever is there is Active.
        Some(state) if state != active => Vec::new(),
        _ => {
            let here = place(&context);
            lambda.capacity_providers.list(&here, page.after.as_deref())
        }
    };
    let (providers, next_marker) = page.cut(providers, |provider| provider.name.clone());
    Ok(ListCapacityProvidersResponse {
        capacity_providers: providers.iter().map(|it| shown(it, active)).collect(),
        next_marker,
    })
}

pub async fn list_function_versions_by_capacity_provider(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListFunctionVersionsByCapacityProviderRequest,
) -> Result<ListFunctionVersionsByCapacityProviderResponse, ServiceError> {
    let record = find(&lambda, &context, &input.capacity_provider_name)?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let after: Option<(&str, VersionId)> = match page.after.as_deref() {
        Some(text) => {
            let (name, version) = text.split_once(':').ok_or_else(marker::invalid)?;
            Some((name, version.parse().map_err(|_| marker::invalid())?))
        }
        None => None,
    };
    let arn = record.arn();
    let versions = lambda.versions_on(&record, &arn).filter(|version| {
        let version = &version.record;
        after.is_none_or(|after| (version.name.as_str(), version.version) > after)
    });
    let versions = versions.take(page.limit + 1).collect();
    let (versions, next_marker) = page.cut(versions, |version| {
        format!("{}:{}", version.record.name, version.record.version)
    });
    let item = |version: &Arc<Version>| FunctionVersionsByCapacityProviderListItem {
        function_arn: version.record.arn().to_string(),
        state: answer::state(version),
    };
    Ok(ListFunctionVersionsByCapacityProviderResponse {
        capacity_provider_arn: arn.to_string(),
        function_versions: versions.iter().map(item).collect(),
        next_marker,
    })
}

impl Lambda {
    /// Refuses a function, or another version of one, that its capacity provider cannot take. Whoever
    /// asks holds the providers until the function is there.
    pub(crate) fn check_capacity(
        &self,
        provider: &Arn,
        place: &Place,
        architecture: &str,
        publishes: bool,
    ) -> Result<(), ServiceError> {
        let record = self.capacity_providers.get(provider, place)?;
        let theirs = &record.instances.architecture;
        if theirs != architecture {
            return Err(error::invalid_parameter(format!(
                "The function's architecture {architecture} doesn't match the capacity \
                 provider's architecture {theirs}."
            )));
        }
        if publishes && self.versions_on(&record, provider).count() >= MOST_VERSIONS {
            return Err(error::too_many_versions_of_capacity_provider());
        }
        Ok(())
    }

    /// The functions of a provider's account and region, by name.
    fn functions_on(&self, record: &ProviderRecord) -> impl Iterator<Item = Arc<Function>> {
        let all = self
            .functions
            .list(&record.place(), Bound::Unbounded, usize::MAX);
        all.into_iter()
    }

    /// The published versions that run on a provider, by name and version.
    fn versions_on(
        &self,
        record: &ProviderRecord,
        arn: &Arn,
    ) -> impl Iterator<Item = Arc<Version>> {
        self.functions_on(record)
            .flat_map(|function| function.versions.values().cloned().collect::<Vec<_>>())
            .filter(move |version| is_on(version, arn))
    }
}

fn uses(function: &Function, provider: &Arn) -> bool {
    function
        .all_versions()
        .any(|version| is_on(version, provider))
}

fn is_on(version: &Version, provider: &Arn) -> bool {
    let capacity = version.record.settings.capacity.as_ref();
    capacity.is_some_and(|capacity| capacity.provider == *provider)
}

fn find(
    lambda: &Lambda,
    context: &RequestContext,
    name: &str,
) -> Result<Arc<ProviderRecord>, ServiceError> {
    let here = place(context);
    lambda.capacity_providers.get(&named(name, &here)?, &here)
}

fn shown(record: &ProviderRecord, state: CapacityProviderState) -> CapacityProvider {
    let instances = &record.instances;
    CapacityProvider {
        capacity_provider_arn: record.arn().to_string(),
        state,
        vpc_config: instances.shown_network(),
        permissions_config: instances.shown_permissions(),
        instance_requirements: Some(instances.shown_requirements()),
        capacity_provider_scaling_config: Some(instances.shown_scaling()),
        kms_key_arn: instances.kms_key_arn.clone(),
        last_modified: Some(record.last_modified.lambda_date()),
        propagate_tags: instances.shown_propagated(),
        telemetry_config: instances.shown_telemetry(&record.name),
    }
}
