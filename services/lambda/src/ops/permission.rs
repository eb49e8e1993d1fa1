//! AddPermission, RemovePermission, GetPolicy.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{named, revision};
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::permission::{self, Statement};
use crate::functions::Function;
use crate::generated::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse,
    RemovePermissionRequest,
};
use crate::records::FunctionRecord;
use crate::{Lambda, error};

pub async fn add_permission(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    existing(&lambda, &name)?;
    let statement = Statement::of(&input, &name.arn())?;
    let shown = statement.json();
    change(&lambda, &name, input.revision_id.as_deref(), |record| {
        permission::added(&record.policy, statement)
    })
    .await?;
    Ok(AddPermissionResponse {
        statement: Some(shown),
    })
}

pub async fn remove_permission(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: RemovePermissionRequest,
) -> Result<Unit, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    if lambda.functions.get(&whole(&name)).is_err() {
        return Err(error::not_found(format!(
            "No policy found for: {}",
            name.arn()
        )));
    }
    existing(&lambda, &name)?;
    change(&lambda, &name, input.revision_id.as_deref(), |record| {
        permission::removed(&record.policy, &input.statement_id)
    })
    .await?;
    Ok(Unit {})
}

pub async fn get_policy(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetPolicyRequest,
) -> Result<GetPolicyResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let function = lambda.functions.get(&whole(&name))?;
    let record = &function.record;
    if name.qualifier.is_some() || record.policy.is_empty() {
        return Err(error::no_such_resource());
    }
    Ok(GetPolicyResponse {
        policy: Some(permission::policy(&record.policy)),
        revision_id: Some(record.revision_id.clone()),
    })
}

/// The function, if the name may have a policy: `$LATEST` by that name may not.
fn existing(lambda: &Lambda, name: &FunctionName) -> Result<Arc<Function>, ServiceError> {
    let function = lambda.functions.get(&whole(name))?;
    match &name.qualifier {
        None => Ok(function),
        Some(Qualifier::Latest) => Err(error::invalid_parameter(
            "We currently do not support adding policies for $LATEST.",
        )),
        Some(Qualifier::Version(_)) => Err(error::function_not_found(&name.arn())),
        Some(Qualifier::Alias(_)) => Err(error::alias_not_found(&name.arn())),
    }
}

fn whole(name: &FunctionName) -> FunctionName {
    FunctionName {
        qualifier: None,
        ..name.clone()
    }
}

async fn change(
    lambda: &Lambda,
    name: &FunctionName,
    revision_id: Option<&str>,
    change: impl FnOnce(&FunctionRecord) -> Result<Vec<Statement>, ServiceError>,
) -> Result<(), ServiceError> {
    let changing = lambda.functions.change(&name.place).await;
    let before = changing.get(name)?;
    before.check_revision(revision_id)?;
    let record = FunctionRecord {
        policy: change(&before.record)?,
        revision_id: revision(),
        ..before.record.clone()
    };
    changing.put(record).await.map(|_| ())
}
