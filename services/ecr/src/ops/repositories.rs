//! CreateRepository, DeleteRepository, DescribeRepositories, and what can be set of one.

use service::{RequestContext, ServiceError};
use store::Batch;

use super::tags::{check_tags, of};
use super::{State, cut, repository};
use crate::domain::mutability::Mutability;
use crate::error;
use crate::generated as g;
use crate::layers;
use crate::records::{IMAGES, LAYERS, REPOSITORIES, Repository, RepositoryId, TAGS};

const MAX_EXCLUSIONS: usize = 5;

pub async fn create(
    ecr: State,
    context: RequestContext,
    input: g::CreateRepositoryRequest,
) -> Result<g::CreateRepositoryResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let tags = of(input.tags.unwrap_or_default());
    check_tags(&tags)?;
    let encryption = input.encryption_configuration.unwrap_or_default();
    if encryption.kms_key.is_some() && encryption.encryption_type == g::EncryptionType::Aes256 {
        return Err(error::invalid(
            "encryptionConfiguration",
            "kmsKey is only valid for the encryption types KMS and KMS_DSSE",
        ));
    }
    let record = Repository {
        created: ecr.clock.now(),
        mutability: mutability(
            input.image_tag_mutability,
            input.image_tag_mutability_exclusion_filters,
        )?,
        scan_on_push: scans(input.image_scanning_configuration.as_ref()),
        encryption: encryption.encryption_type.as_str().to_owned(),
        kms_key: encryption.kms_key,
        policy: None,
        tags,
    };
    let _one_writer = ecr.writer.lock().await;
    if ecr.repositories.with(&id, |_| ()).is_some() {
        return Err(error::repository_exists(&id));
    }
    let mut batch = Batch::new();
    let put = REPOSITORIES.put(&mut batch, id.key(), &record);
    ecr.commit(put.map(|()| batch)).await?;
    let shown = shown(&ecr, &context, &id, &record);
    ecr.repositories.insert(id, record);
    Ok(g::CreateRepositoryResponse {
        repository: Some(shown),
    })
}

/// With `force`, images and all.
pub async fn delete(
    ecr: State,
    context: RequestContext,
    input: g::DeleteRepositoryRequest,
) -> Result<g::DeleteRepositoryResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let _one_writer = ecr.writer.lock().await;
    let (record, is_empty) = ecr.with(&id, |it| (it.record.clone(), it.images.is_empty()))?;
    if !is_empty && input.force != Some(true) {
        return Err(error::repository_not_empty(&id));
    }
    let mut batch = Batch::new();
    REPOSITORIES.delete(&mut batch, id.key());
    IMAGES.delete_prefix(&mut batch, id.key());
    TAGS.delete_prefix(&mut batch, id.key());
    LAYERS.delete_prefix(&mut batch, id.key());
    ecr.commit(Ok(batch)).await?;
    ecr.uploads.remove_all(&id);
    let unused = ecr.repositories.remove(&id);
    layers::delete(&ecr, unused).await;
    Ok(g::DeleteRepositoryResponse {
        repository: Some(shown(&ecr, &context, &id, &record)),
    })
}

pub async fn describe(
    ecr: State,
    context: RequestContext,
    input: g::DescribeRepositoriesRequest,
) -> Result<g::DescribeRepositoriesResponse, ServiceError> {
    let registry = input.registry_id.as_deref();
    if let Some(names) = input.repository_names.filter(|names| !names.is_empty()) {
        if input.next_token.is_some() || input.max_results.is_some() {
            return Err(error::invalid_parameter(
                "Invalid parameter: nextToken and maxResults cannot be used with repositoryNames",
            ));
        }
        let described = names.iter().map(|name| {
            let id = repository(&context, registry, name);
            ecr.with(&id, |it| shown(&ecr, &context, &id, &it.record))
        });
        return Ok(g::DescribeRepositoriesResponse {
            repositories: Some(described.collect::<Result<_, _>>()?),
            next_token: None,
        });
    }
    let own = repository(&context, registry, "");
    let all = ecr.repositories.list(
        |id| id.account == own.account && id.region == own.region,
        |id, it| shown(&ecr, &context, id, &it.record),
    );
    let (page, next_token) = cut(all, input.next_token.as_deref(), input.max_results)?;
    Ok(g::DescribeRepositoriesResponse {
        repositories: Some(page.into_iter().map(|(_, shown)| shown).collect()),
        next_token,
    })
}

/// There is no replication to describe.
pub async fn describe_registry(
    _: State,
    context: RequestContext,
    _: g::DescribeRegistryRequest,
) -> Result<g::DescribeRegistryResponse, ServiceError> {
    Ok(g::DescribeRegistryResponse {
        registry_id: Some(context.account.to_string()),
        replication_configuration: Some(g::ReplicationConfiguration { rules: Vec::new() }),
    })
}

pub async fn put_mutability(
    ecr: State,
    context: RequestContext,
    input: g::PutImageTagMutabilityRequest,
) -> Result<g::PutImageTagMutabilityResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let asked = input.image_tag_mutability;
    let wanted = mutability(
        Some(asked),
        input.image_tag_mutability_exclusion_filters.clone(),
    )?;
    let _one_writer = ecr.writer.lock().await;
    let record = ecr.with(&id, |it| it.record.clone())?;
    let record = Repository {
        mutability: wanted,
        ..record
    };
    ecr.set(&id, record).await?;
    Ok(g::PutImageTagMutabilityResponse {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name),
        image_tag_mutability: Some(asked),
        image_tag_mutability_exclusion_filters: input.image_tag_mutability_exclusion_filters,
    })
}

/// What is set is kept and shown; nothing scans.
pub async fn put_scanning(
    ecr: State,
    context: RequestContext,
    input: g::PutImageScanningConfigurationRequest,
) -> Result<g::PutImageScanningConfigurationResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let scan_on_push = scans(Some(&input.image_scanning_configuration));
    let _one_writer = ecr.writer.lock().await;
    let record = ecr.with(&id, |it| it.record.clone())?;
    let record = Repository {
        scan_on_push,
        ..record
    };
    ecr.set(&id, record).await?;
    Ok(g::PutImageScanningConfigurationResponse {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name),
        image_scanning_configuration: Some(input.image_scanning_configuration),
    })
}

fn scans(given: Option<&g::ImageScanningConfiguration>) -> bool {
    given.and_then(|given| given.scan_on_push).unwrap_or(false)
}

fn mutability(
    asked: Option<g::ImageTagMutability>,
    exclusions: Option<Vec<g::ImageTagMutabilityExclusionFilter>>,
) -> Result<Mutability, ServiceError> {
    use g::ImageTagMutability::{Immutable, ImmutableWithExclusion, Mutable, MutableWithExclusion};
    let asked = asked.unwrap_or(Mutable);
    let exclusions = exclusions.unwrap_or_default();
    let takes_exclusions = matches!(asked, ImmutableWithExclusion | MutableWithExclusion);
    if exclusions.is_empty() == takes_exclusions || exclusions.len() > MAX_EXCLUSIONS {
        return Err(error::invalid(
            "imageTagMutabilityExclusionFilters",
            format_args!(
                "1 to {MAX_EXCLUSIONS} filters for {} and {}, none for the others",
                ImmutableWithExclusion.as_str(),
                MutableWithExclusion.as_str()
            ),
        ));
    }
    Ok(Mutability {
        is_immutable: matches!(asked, Immutable | ImmutableWithExclusion),
        exclusions: exclusions.into_iter().map(|it| it.filter).collect(),
    })
}

fn shown(
    ecr: &State,
    context: &RequestContext,
    id: &RepositoryId,
    record: &Repository,
) -> g::Repository {
    let Mutability {
        is_immutable,
        exclusions,
    } = &record.mutability;
    let mutability = match (is_immutable, exclusions.is_empty()) {
        (true, true) => g::ImageTagMutability::Immutable,
        (true, false) => g::ImageTagMutability::ImmutableWithExclusion,
        (false, true) => g::ImageTagMutability::Mutable,
        (false, false) => g::ImageTagMutability::MutableWithExclusion,
    };
    let filters = exclusions
        .iter()
        .map(|filter| g::ImageTagMutabilityExclusionFilter {
            filter_type: g::ImageTagMutabilityExclusionFilterType::Wildcard,
            filter: filter.clone(),
        });
    let filters: Vec<_> = filters.collect();
    let host = ecr.registry_host(context, id);
    g::Repository {
        repository_arn: Some(id.arn().to_string()),
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name.clone()),
        repository_uri: Some(format!("{host}/{}", id.name)),
        created_at: Some(record.created),
        image_tag_mutability: Some(mutability),
        image_tag_mutability_exclusion_filters: Some(filters).filter(|it| !it.is_empty()),
        image_scanning_configuration: Some(g::ImageScanningConfiguration {
            scan_on_push: Some(record.scan_on_push),
        }),
        encryption_configuration: Some(g::EncryptionConfiguration {
            encryption_type: g::EncryptionType::parse(&record.encryption).unwrap_or_default(),
            kms_key: record.kms_key.clone(),
        }),
    }
}
