//! UpdateContinuousBackups and DescribeContinuousBackups.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html>

use std::sync::Arc;

use base::Timestamp;
use service::{RequestContext, ServiceError};

use super::backups::no_table;
use crate::DynamoDb;
use crate::domain::table::{Definition, Recovery};
use crate::error;
use crate::generated::{
    ContinuousBackupsDescription, ContinuousBackupsStatus, DescribeContinuousBackupsInput,
    DescribeContinuousBackupsOutput, PointInTimeRecoveryDescription, PointInTimeRecoveryStatus,
    UpdateContinuousBackupsInput, UpdateContinuousBackupsOutput,
};

/// How long changes are kept where nothing else is said.
const DAYS: u32 = 35;

/// From here on every change is kept, or none is.
pub async fn update_continuous_backups(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: UpdateContinuousBackupsInput,
) -> Result<UpdateContinuousBackupsOutput, ServiceError> {
    let asked = input.point_in_time_recovery_specification;
    let days = asked
        .recovery_period_in_days
        .and_then(|days| u32::try_from(days).ok());
    if days.is_some() && !asked.point_in_time_recovery_enabled {
        return Err(error::invalid(
            "RecoveryPeriodInDays can only be set when point in time recovery is enabled",
        ));
    }
    let mut changing = dynamodb
        .changing(&context, &input.table_name)
        .await
        .map_err(|error| no_table(error, &input.table_name))?;
    let now = dynamodb.clock.now();
    let arn = changing.table.name.arn().to_string();
    let definition = &mut changing.definition;
    let mut erases = false;
    if asked.point_in_time_recovery_enabled {
        definition.logged();
        let old = definition.recovery;
        definition.recovery = Some(Recovery {
            since: old.map_or(now, |recovery| recovery.since),
            days: days.unwrap_or_else(|| old.map_or(DAYS, |recovery| recovery.days)),
        });
    } else {
        definition.recovery = None;
        // A copy that is being made ends the log itself.
        if !dynamodb.is_in_use(&arn)
            && let Some(log) = definition.log.take()
        {
            dynamodb.end_log(&mut changing.batch, log)?;
            erases = true;
        }
    }
    changing.save(&dynamodb).await?;
    if erases {
        dynamodb.erase();
    }
    Ok(UpdateContinuousBackupsOutput {
        continuous_backups_description: Some(describe(&changing.definition, now)),
    })
}

pub async fn describe_continuous_backups(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DescribeContinuousBackupsInput,
) -> Result<DescribeContinuousBackupsOutput, ServiceError> {
    let (_, definition) = dynamodb
        .named_table(&context, &input.table_name)
        .map_err(|error| no_table(error, &input.table_name))?;
    Ok(DescribeContinuousBackupsOutput {
        continuous_backups_description: Some(describe(&definition, dynamodb.clock.now())),
    })
}

fn describe(definition: &Definition, now: Timestamp) -> ContinuousBackupsDescription {
    let recovery = match definition.recovery {
        None => PointInTimeRecoveryDescription {
            point_in_time_recovery_status: Some(PointInTimeRecoveryStatus::Disabled),
            ..PointInTimeRecoveryDescription::default()
        },
        Some(recovery) => PointInTimeRecoveryDescription {
            point_in_time_recovery_status: Some(PointInTimeRecoveryStatus::Enabled),
            recovery_period_in_days: i32::try_from(recovery.days).ok(),
            earliest_restorable_date_time: Some(recovery.earliest(now)),
            latest_restorable_date_time: Some(now),
        },
    };
    ContinuousBackupsDescription {
        continuous_backups_status: ContinuousBackupsStatus::Enabled,
        point_in_time_recovery_description: Some(recovery),
    }
}
