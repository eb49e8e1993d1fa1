//! PutRetentionPolicy, DeleteRetentionPolicy.

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::State;
use crate::error;
use crate::generated::{DeleteRetentionPolicyRequest, PutRetentionPolicyRequest};

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

pub async fn put(
    logs: State,
    context: RequestContext,
    input: PutRetentionPolicyRequest,
) -> Result<Unit, ServiceError> {
    let days = u32::try_from(input.retention_in_days)
        .ok()
        .filter(|days| DAYS.contains(days));
    let Some(days) = days else {
        return Err(error::invalid_parameter(format!(
            "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: {DAYS:?}",
            input.retention_in_days
        )));
    };
    let _one_writer = logs.writer.lock().await;
    let mut group = logs.group(&context, &input.log_group_name).await?;
    group.retention_days = Some(days);
    logs.put_group(&context, &input.log_group_name, &group)
        .await?;
    Ok(Unit {})
}

pub async fn delete(
    logs: State,
    context: RequestContext,
    input: DeleteRetentionPolicyRequest,
) -> Result<Unit, ServiceError> {
    let _one_writer = logs.writer.lock().await;
    let mut group = logs.group(&context, &input.log_group_name).await?;
    group.retention_days = None;
    logs.put_group(&context, &input.log_group_name, &group)
        .await?;
    Ok(Unit {})
}
