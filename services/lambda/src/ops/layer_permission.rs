//! AddLayerVersionPermission, RemoveLayerVersionPermission, GetLayerVersionPolicy.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_AddLayerVersionPermission.html>

use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::layer::{layer_named, own};
use super::revision;
use crate::domain::layer::{self, LayerName};
use crate::domain::permission::{self, Statement};
use crate::generated::{
    AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse, AddPermissionRequest,
    GetLayerVersionPolicyRequest, GetLayerVersionPolicyResponse,
    RemoveLayerVersionPermissionRequest,
};
use crate::records::layer::LayerVersionRecord;
use crate::{Lambda, error};

pub async fn add_layer_version_permission(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: AddLayerVersionPermissionRequest,
) -> Result<AddLayerVersionPermissionResponse, ServiceError> {
    let action = "lambda:AddLayerVersionPermission";
    let named = Named::of(&context, &input.layer_name, input.version_number, action)?;
    let wanted = AddPermissionRequest {
        statement_id: input.statement_id,
        action: input.action,
        principal: input.principal,
        principal_org_id: input.organization_id,
        ..AddPermissionRequest::default()
    };
    let statement = Statement::of(&wanted, &named.arn)?;
    let shown = statement.json();
    let after = change(&lambda, &named, input.revision_id.as_deref(), |before| {
        permission::added(before, statement)
    });
    Ok(AddLayerVersionPermissionResponse {
        revision_id: Some(after.await?),
        statement: Some(shown),
    })
}

pub async fn remove_layer_version_permission(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: RemoveLayerVersionPermissionRequest,
) -> Result<Unit, ServiceError> {
    let action = "lambda:RemoveLayerVersionPermission";
    let named = Named::of(&context, &input.layer_name, input.version_number, action)?;
    change(&lambda, &named, input.revision_id.as_deref(), |before| {
        permission::removed(before, &input.statement_id)
    })
    .await?;
    Ok(Unit {})
}

pub async fn get_layer_version_policy(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetLayerVersionPolicyRequest,
) -> Result<GetLayerVersionPolicyResponse, ServiceError> {
    let action = "lambda:GetLayerVersionPolicy";
    let named = Named::of(&context, &input.layer_name, input.version_number, action)?;
    let version = existing(&lambda, &named)?;
    if version.policy.is_empty() {
        return Err(permission::no_policy());
    }
    Ok(GetLayerVersionPolicyResponse {
        policy: Some(permission::policy(&version.policy)),
        revision_id: Some(version.revision_id.clone()),
    })
}

/// A version of a layer of the caller's own.
struct Named {
    layer: LayerName,
    version: u64,
    arn: Arn,
}

impl Named {
    fn of(
        context: &RequestContext,
        name: &str,
        number: i64,
        action: &str,
    ) -> Result<Self, ServiceError> {
        let layer = layer_named(context, name);
        let arn = layer.version_arn(number);
        own(context, &layer, action, || arn.clone())?;
        let version = layer::version(number)?;
        Ok(Self {
            layer,
            version,
            arn,
        })
    }
}

fn existing(lambda: &Lambda, named: &Named) -> Result<Arc<LayerVersionRecord>, ServiceError> {
    let found = lambda.layers.version(&named.layer, named.version);
    found.ok_or_else(|| error::not_found(error::layer_version_missing(&named.arn)))
}

/// Changes the policy; returns its new revision.
async fn change(
    lambda: &Lambda,
    named: &Named,
    revision_id: Option<&str>,
    change: impl FnOnce(&[Statement]) -> Result<Vec<Statement>, ServiceError>,
) -> Result<String, ServiceError> {
    let changing = lambda.layers.change().await;
    let before = existing(lambda, named)?;
    if revision_id.is_some_and(|given| given != before.revision_id) {
        return Err(error::stale_layer_policy());
    }
    let record = LayerVersionRecord {
        policy: change(&before.policy)?,
        revision_id: revision(),
        ..LayerVersionRecord::clone(&before)
    };
    let after = record.revision_id.clone();
    changing.put(record).await?;
    Ok(after)
}
