//! AddPermission, RemovePermission, GetPolicy.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{named, revision};
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::permission::{self, Statement};
use crate::function::{Function, check_revision};
use crate::generated::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse,
    RemovePermissionRequest,
};
use crate::records::{AliasRecord, FunctionRecord, VersionRecord};
use crate::target::Target;
use crate::{Lambda, error};

pub async fn add_permission(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    existing(lambda.functions.get(&name.whole())?, &name)?;
    let statement = Statement::of(&input, &name.arn())?;
    let shown = statement.json();
    change(&lambda, &name, input.revision_id.as_deref(), |before| {
        permission::added(before, statement)
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
    let Ok(function) = lambda.functions.get(&name) else {
        return Err(error::not_found(format!(
            "No policy found for: {}",
            name.arn()
        )));
    };
    existing(function, &name)?;
    change(&lambda, &name, input.revision_id.as_deref(), |before| {
        permission::removed(before, &input.statement_id)
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
    let function = lambda.functions.get(&name.whole())?;
    let target = Target::of(function, &name).ok_or_else(error::no_such_resource)?;
    let statements = target.statements();
    if statements.is_empty() {
        return Err(error::no_such_resource());
    }
    Ok(GetPolicyResponse {
        policy: Some(permission::policy(statements)),
        revision_id: Some(target.revision_id().to_owned()),
    })
}

/// What the name leads to, if that may have a policy: `$LATEST` by that name may not.
pub fn existing(function: Arc<Function>, name: &FunctionName) -> Result<Target, ServiceError> {
    if name.qualifier == Some(Qualifier::Latest) {
        return Err(error::invalid_parameter(
            "We currently do not support adding policies for $LATEST.",
        ));
    }
    Target::of(function, name).ok_or_else(|| match &name.qualifier {
        Some(Qualifier::Alias(_)) => error::alias_not_found(&name.arn()),
        _ => error::function_not_found(&name.arn()),
    })
}

/// Changes the policy of exactly what is named: the function, a version, or an alias.
pub async fn change(
    lambda: &Lambda,
    name: &FunctionName,
    revision_id: Option<&str>,
    change: impl FnOnce(&[Statement]) -> Result<Vec<Statement>, ServiceError>,
) -> Result<(), ServiceError> {
    let changing = lambda.functions.change(&name.place).await;
    let target = existing(changing.get(name)?, name)?;
    check_revision(revision_id, target.revision_id())?;
    let policy = change(target.statements())?;
    let function = &target.function;
    if let Some(alias) = &target.alias {
        let record = AliasRecord {
            policy,
            revision_id: revision(),
            ..alias.record.clone()
        };
        return changing.put_alias(function, record).await;
    }
    if name.qualifier.is_some() {
        let record = VersionRecord {
            policy,
            revision_id: revision(),
            ..target.version.record.clone()
        };
        return changing.put_version(function, record).await;
    }
    let record = FunctionRecord {
        policy,
        revision_id: revision(),
        ..function.record.clone()
    };
    changing.put(record).await.map(|_| ())
}
