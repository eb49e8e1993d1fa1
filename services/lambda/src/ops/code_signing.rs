//! CreateCodeSigningConfig, UpdateCodeSigningConfig, GetCodeSigningConfig, ListCodeSigningConfigs,
//! DeleteCodeSigningConfig.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning-configure-api.html>

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};

use super::place;
use crate::code_signing::CodeSigningRecord;
use crate::domain::function_name::Place;
use crate::domain::marker::{MAX_PAGE, PageRequest};
use crate::domain::random_name::random_name;
use crate::domain::tags;
use crate::generated::{
    AllowedPublishers, CodeSigningConfig, CodeSigningPolicies, CodeSigningPolicy,
    CreateCodeSigningConfigRequest, CreateCodeSigningConfigResponse,
    DeleteCodeSigningConfigRequest, DeleteCodeSigningConfigResponse, GetCodeSigningConfigRequest,
    GetCodeSigningConfigResponse, ListCodeSigningConfigsRequest, ListCodeSigningConfigsResponse,
    ListFunctionsByCodeSigningConfigRequest, ListFunctionsByCodeSigningConfigResponse,
    UpdateCodeSigningConfigRequest, UpdateCodeSigningConfigResponse,
};
use crate::{Lambda, error};

/// Characters of an id after its prefix.
const ID_LENGTH: usize = 17;

pub async fn create_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CreateCodeSigningConfigRequest,
) -> Result<CreateCodeSigningConfigResponse, ServiceError> {
    let Place { account, region } = place(&context);
    let record = CodeSigningRecord {
        account,
        region,
        id: format!("csc-{}", random_name(ID_LENGTH)),
        description: input.description.unwrap_or_default(),
        publishers: publishers(input.allowed_publishers)?,
        enforces: enforces(input.code_signing_policies).unwrap_or(false),
        tags: tags::with(&BTreeMap::new(), input.tags.unwrap_or_default())?,
        last_modified: lambda.clock.now(),
    };
    let unchanging = lambda.code_signing.hold().await;
    lambda.code_signing.put(&unchanging, record.clone()).await?;
    Ok(CreateCodeSigningConfigResponse {
        code_signing_config: shown(&record),
    })
}

pub async fn update_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateCodeSigningConfigRequest,
) -> Result<UpdateCodeSigningConfigResponse, ServiceError> {
    let unchanging = lambda.code_signing.hold().await;
    let mut record = lambda.code_signing_config(&context, &input.code_signing_config_arn)?;
    if let Some(description) = input.description {
        record.description = description;
    }
    if let Some(allowed) = input.allowed_publishers {
        record.publishers = publishers(allowed)?;
    }
    if let Some(enforces) = enforces(input.code_signing_policies) {
        record.enforces = enforces;
    }
    record.last_modified = lambda.clock.now();
    lambda.code_signing.put(&unchanging, record.clone()).await?;
    Ok(UpdateCodeSigningConfigResponse {
        code_signing_config: shown(&record),
    })
}

pub async fn get_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetCodeSigningConfigRequest,
) -> Result<GetCodeSigningConfigResponse, ServiceError> {
    let record = lambda.code_signing_config(&context, &input.code_signing_config_arn)?;
    Ok(GetCodeSigningConfigResponse {
        code_signing_config: shown(&record),
    })
}

pub async fn list_code_signing_configs(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListCodeSigningConfigsRequest,
) -> Result<ListCodeSigningConfigsResponse, ServiceError> {
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let here = place(&context);
    let configs = lambda.code_signing.list(&here, page.after.as_deref());
    let (configs, next_marker) = page.cut(configs, CodeSigningRecord::arn);
    Ok(ListCodeSigningConfigsResponse {
        next_marker,
        code_signing_configs: Some(configs.iter().map(shown).collect()),
    })
}

pub async fn delete_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteCodeSigningConfigRequest,
) -> Result<DeleteCodeSigningConfigResponse, ServiceError> {
    let unchanging = lambda.code_signing.hold().await;
    let record = lambda.code_signing_config(&context, &input.code_signing_config_arn)?;
    if !lambda.functions_signed_by(&record).is_empty() {
        return Err(error::conflict(
            "Cannot delete the code signing configuration because it is in use by one or more \
             functions.",
        ));
    }
    lambda.code_signing.delete(&unchanging, &record).await?;
    Ok(DeleteCodeSigningConfigResponse {})
}

pub async fn list_functions_by_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListFunctionsByCodeSigningConfigRequest,
) -> Result<ListFunctionsByCodeSigningConfigResponse, ServiceError> {
    let record = lambda.code_signing_config(&context, &input.code_signing_config_arn)?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let mut arns = lambda.functions_signed_by(&record);
    arns.retain(|arn| page.after.as_ref().is_none_or(|after| arn > after));
    let (arns, next_marker) = page.cut(arns, String::clone);
    Ok(ListFunctionsByCodeSigningConfigResponse {
        next_marker,
        function_arns: Some(arns),
    })
}

impl Lambda {
    fn code_signing_config(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<CodeSigningRecord, ServiceError> {
        let found = self.code_signing.find(arn, &place(context));
        found.ok_or_else(|| {
            error::not_found(format!(
                "The Lambda code signing configuration {arn} can not be found."
            ))
        })
    }

    /// ARNs of the functions that have a configuration, by name.
    fn functions_signed_by(&self, config: &CodeSigningRecord) -> Vec<String> {
        let arn = config.arn();
        let all = self
            .functions
            .list(&config.place(), Bound::Unbounded, usize::MAX);
        all.iter()
            .filter(|it| it.record.attached.code_signing_config.as_ref() == Some(&arn))
            .map(|function| function.record.arn().to_string())
            .collect()
    }
}

/// Signer's profile versions. That they exist nobody here can tell.
fn publishers(allowed: AllowedPublishers) -> Result<Vec<String>, ServiceError> {
    let arns = allowed.signing_profile_version_arns;
    let is_profile = |text: &String| {
        text.parse::<Arn>().is_ok_and(|arn| {
            arn.service == "signer" && arn.resource.starts_with("/signing-profiles/")
        })
    };
    match arns.iter().find(|arn| !is_profile(arn)) {
        None => Ok(arns),
        Some(other) => Err(error::invalid_parameter(format!(
            "{other} is not the ARN of a signing profile version."
        ))),
    }
}

fn enforces(policies: Option<CodeSigningPolicies>) -> Option<bool> {
    let policy = policies?.untrusted_artifact_on_deployment?;
    Some(policy == CodeSigningPolicy::Enforce)
}

fn shown(record: &CodeSigningRecord) -> CodeSigningConfig {
    let policy = if record.enforces {
        CodeSigningPolicy::Enforce
    } else {
        CodeSigningPolicy::Warn
    };
    CodeSigningConfig {
        code_signing_config_id: record.id.clone(),
        code_signing_config_arn: record.arn(),
        description: Some(record.description.clone()),
        allowed_publishers: AllowedPublishers {
            signing_profile_version_arns: record.publishers.clone(),
        },
        code_signing_policies: CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(policy),
        },
        last_modified: record.last_modified.lambda_date(),
    }
}
