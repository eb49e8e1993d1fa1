//! PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: a policy as a whole.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_PutResourcePolicy.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::named;
use super::permission::{change, existing};
use crate::domain::permission;
use crate::generated::{
    DeleteResourcePolicyRequest, GetResourcePolicyRequest, GetResourcePolicyResponse,
    PutResourcePolicyRequest, PutResourcePolicyResponse,
};
use crate::{Lambda, error};

pub async fn put_resource_policy(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutResourcePolicyRequest,
) -> Result<PutResourcePolicyResponse, ServiceError> {
    let name = named(&context, &input.resource_arn, None)?;
    existing(lambda.functions.get(&name.whole())?, &name)?;
    let statements = permission::given(&input.policy, &name.arn())?;
    change(&lambda, &name, input.revision_id.as_deref(), |_| {
        Ok(statements)
    })
    .await?;
    let target = existing(lambda.functions.get(&name.whole())?, &name)?;
    Ok(PutResourcePolicyResponse {
        policy: Some(permission::policy(target.statements())),
        revision_id: Some(target.revision_id().to_owned()),
    })
}

pub async fn get_resource_policy(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetResourcePolicyRequest,
) -> Result<GetResourcePolicyResponse, ServiceError> {
    let name = named(&context, &input.resource_arn, None)?;
    let target = existing(lambda.functions.get(&name.whole())?, &name)?;
    let statements = target.statements();
    if statements.is_empty() {
        return Err(error::no_such_resource());
    }
    Ok(GetResourcePolicyResponse {
        policy: Some(permission::policy(statements)),
        revision_id: Some(target.revision_id().to_owned()),
    })
}

pub async fn delete_resource_policy(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteResourcePolicyRequest,
) -> Result<Unit, ServiceError> {
    let name = named(&context, &input.resource_arn, None)?;
    existing(lambda.functions.get(&name.whole())?, &name)?;
    change(&lambda, &name, input.revision_id.as_deref(), |before| {
        if before.is_empty() {
            return Err(error::no_such_resource());
        }
        Ok(Vec::new())
    })
    .await?;
    Ok(Unit {})
}
