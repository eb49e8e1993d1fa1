//! AddPermission and RemovePermission.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::settings::update;
use crate::Sqs;
use crate::domain::permission;
use crate::generated::{AddPermissionRequest, RemovePermissionRequest};

pub async fn add_permission(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: AddPermissionRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let arn = queue.arn.clone();
    update(&sqs, queue, |record| {
        let policy = permission::add(
            record.attributes.policy.as_deref(),
            &arn,
            &input.label,
            &input.aws_account_ids,
            &input.actions,
        )?;
        record.attributes.policy = Some(policy);
        Ok(())
    })
    .await?;
    Ok(Unit {})
}

pub async fn remove_permission(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: RemovePermissionRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    update(&sqs, queue, |record| {
        let policy = record.attributes.policy.as_deref();
        record.attributes.policy = permission::remove(policy, &input.label)?;
        Ok(())
    })
    .await?;
    Ok(Unit {})
}
