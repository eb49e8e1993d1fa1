//! CreateBackup, DescribeBackup, ListBackups and DeleteBackup.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateBackup.html>

use std::sync::Arc;

use base::Timestamp;
use service::{RequestContext, ServiceError};
use store::{Batch, Key};

use super::tables::{
    billing_mode, encryption, key_elements, on_demand, projection, stream_specification, table_name,
};
use super::time_to_live;
use crate::DynamoDb;
use crate::archive::{ArchiveName, BACKUPS, Backup, Job, Kind};
use crate::domain::table::Throughput;
use crate::engine::rand_id;
use crate::error::{self, store_failed};
use crate::generated::{
    BackupDescription, BackupDetails, BackupStatus, BackupSummary, BackupType, BackupTypeFilter,
    CreateBackupInput, CreateBackupOutput, DeleteBackupInput, DeleteBackupOutput,
    DescribeBackupInput, DescribeBackupOutput, GlobalSecondaryIndexInfo, ListBackupsInput,
    ListBackupsOutput, LocalSecondaryIndexInfo, ProvisionedThroughput, SourceTableDetails,
    SourceTableFeatureDetails,
};
use crate::records::Erasure;

const PAGE: usize = 100;

/// Of the table as it is now: what is written from here on is not in it.
pub async fn create_backup(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: CreateBackupInput,
) -> Result<CreateBackupOutput, ServiceError> {
    let mut changing = dynamodb
        .changing(&context, &input.table_name)
        .await
        .map_err(|error| no_table(error, &input.table_name))?;
    let now = dynamodb.clock.now();
    changing.definition.logged();
    let first = dynamodb.sequence.next(now);
    let moment = changing.definition.moment(first);
    let name = ArchiveName::new(changing.table.name.clone(), now);
    let sizes = changing.table.sizes.lock().sizes.clone();
    let backup = Backup {
        name: input.backup_name,
        definition: changing.definition.clone(),
        rows: rand_id(),
        is_complete: false,
        expires_at: None,
        created_at: now,
        items: sizes.items.max(0),
        bytes: sizes.bytes.max(0),
    };
    BACKUPS
        .put(&mut changing.batch, name.key(), &backup)
        .map_err(store_failed)?;
    let job = Job::Backup {
        backup: name.clone(),
        moment,
    };
    let id = dynamodb.plan(&mut changing.batch, &job)?;
    changing.save(&dynamodb).await?;
    dynamodb.begin(id, job);
    Ok(CreateBackupOutput {
        backup_details: Some(details(&name, &backup)),
    })
}

/// The error that these operations have for a table that is not there.
pub fn no_table(error: ServiceError, name: &str) -> ServiceError {
    match error.code.as_ref() {
        "ResourceNotFoundException" => error::no_such_table(name),
        "ResourceInUseException" => ServiceError::bad_request("TableInUseException", error.message),
        _ => error,
    }
}

pub async fn describe_backup(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DescribeBackupInput,
) -> Result<DescribeBackupOutput, ServiceError> {
    let (name, backup) = dynamodb.backup(&context, &input.backup_arn).await?;
    Ok(DescribeBackupOutput {
        backup_description: Some(describe(&name, &backup)),
    })
}

pub async fn delete_backup(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DeleteBackupInput,
) -> Result<DeleteBackupOutput, ServiceError> {
    let _deciding = dynamodb.deciding.lock().await;
    let (name, backup) = dynamodb.backup(&context, &input.backup_arn).await?;
    if !backup.is_complete || dynamodb.is_in_use(&input.backup_arn) {
        return Err(error::backup_in_use(&input.backup_arn));
    }
    let mut batch = Batch::new();
    BACKUPS.delete(&mut batch, name.key());
    let erasure = Erasure {
        tables: vec![backup.rows],
        ..Erasure::default()
    };
    dynamodb
        .plan_erasure(&mut batch, &erasure)
        .map_err(store_failed)?;
    dynamodb.store.commit(batch).await.map_err(store_failed)?;
    dynamodb.erase();
    let mut description = describe(&name, &backup);
    if let Some(details) = &mut description.backup_details {
        details.backup_status = BackupStatus::Deleted;
    }
    Ok(DeleteBackupOutput {
        backup_description: Some(description),
    })
}

pub async fn list_backups(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ListBackupsInput,
) -> Result<ListBackupsOutput, ServiceError> {
    let limit = input
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let prefix = match &input.table_name {
        Some(given) => table_name(&context, given)?.key(),
        None => Key::of((context.account.as_str(), context.region.as_str())),
    };
    let mut after = match &input.exclusive_start_backup_arn {
        None => None,
        Some(arn) => {
            let name = ArchiveName::parse(Kind::Backup, arn);
            let invalid = || error::invalid(format!("Invalid ExclusiveStartBackupArn: {arn}"));
            Some(name.ok_or_else(invalid)?.key())
        }
    };
    let asked = input.backup_type.unwrap_or(BackupTypeFilter::All);
    let lower = input.time_range_lower_bound.unwrap_or_default();
    let upper = input
        .time_range_upper_bound
        .unwrap_or(Timestamp::from_millis(i64::MAX));
    let is_asked = |backup: &Backup| {
        let kind = match asked {
            BackupTypeFilter::All => true,
            BackupTypeFilter::User => backup.expires_at.is_none(),
            BackupTypeFilter::System => backup.expires_at.is_some(),
            BackupTypeFilter::AwsBackup => false,
        };
        kind && lower <= backup.created_at && backup.created_at < upper
    };
    let mut found = Vec::new();
    loop {
        let page = BACKUPS
            .scan(&*dynamodb.store, &prefix, after.as_ref(), PAGE)
            .await
            .map_err(store_failed)?;
        for row in page.rows.into_iter().filter(|row| is_asked(&row.value)) {
            let name = ArchiveName::from_key(&row.key).map_err(store_failed)?;
            found.push(summary(&name, &row.value));
        }
        after = page.next;
        if after.is_none() || found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let last = last.and_then(|summary| summary.backup_arn.clone());
    Ok(ListBackupsOutput {
        backup_summaries: Some(found),
        last_evaluated_backup_arn: last,
    })
}

impl DynamoDb {
    /// The backup of an ARN.
    pub async fn backup(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<(ArchiveName, Backup), ServiceError> {
        let name = ArchiveName::parse(Kind::Backup, arn)
            .ok_or_else(|| error::invalid(format!("Invalid BackupArn: {arn}")))?;
        let missing = || error::no_such_backup(arn);
        if name.table.account != context.account {
            return Err(missing());
        }
        let backup = BACKUPS.get(&*self.store, name.key()).await;
        Ok((name, backup.map_err(store_failed)?.ok_or_else(missing)?))
    }
}

fn kind(backup: &Backup) -> BackupType {
    if backup.expires_at.is_some() {
        BackupType::System
    } else {
        BackupType::User
    }
}

fn status(backup: &Backup) -> BackupStatus {
    if backup.is_complete {
        BackupStatus::Available
    } else {
        BackupStatus::Creating
    }
}

fn details(name: &ArchiveName, backup: &Backup) -> BackupDetails {
    BackupDetails {
        backup_arn: name.arn(Kind::Backup),
        backup_name: backup.name.clone(),
        backup_size_bytes: Some(backup.bytes),
        backup_status: status(backup),
        backup_type: kind(backup),
        backup_creation_date_time: backup.created_at,
        backup_expiry_date_time: backup.expires_at,
    }
}

fn summary(name: &ArchiveName, backup: &Backup) -> BackupSummary {
    BackupSummary {
        table_name: Some(name.table.name.clone()),
        table_id: Some(backup.definition.uuid.clone()),
        table_arn: Some(name.table.arn().to_string()),
        backup_arn: Some(name.arn(Kind::Backup)),
        backup_name: Some(backup.name.clone()),
        backup_creation_date_time: Some(backup.created_at),
        backup_expiry_date_time: backup.expires_at,
        backup_status: Some(status(backup)),
        backup_type: Some(kind(backup)),
        backup_size_bytes: Some(backup.bytes),
    }
}

pub fn units(throughput: &Throughput) -> ProvisionedThroughput {
    ProvisionedThroughput {
        read_capacity_units: throughput.read,
        write_capacity_units: throughput.write,
    }
}

fn describe(name: &ArchiveName, backup: &Backup) -> BackupDescription {
    let definition = &backup.definition;
    let (local, global): (Vec<_>, Vec<_>) =
        definition.indexes.iter().partition(|index| index.local);
    let local = local.into_iter().map(|index| LocalSecondaryIndexInfo {
        index_name: Some(index.name.clone()),
        key_schema: Some(key_elements(&index.keys)),
        projection: Some(projection(&index.projection)),
    });
    let global = global.into_iter().map(|index| GlobalSecondaryIndexInfo {
        index_name: Some(index.name.clone()),
        key_schema: Some(key_elements(&index.keys)),
        projection: Some(projection(&index.projection)),
        provisioned_throughput: Some(units(&index.throughput)),
        on_demand_throughput: index.on_demand_limits.map(on_demand),
    });
    BackupDescription {
        backup_details: Some(details(name, backup)),
        source_table_details: Some(SourceTableDetails {
            table_name: name.table.name.clone(),
            table_id: definition.uuid.clone(),
            table_arn: Some(name.table.arn().to_string()),
            table_size_bytes: Some(backup.bytes),
            key_schema: key_elements(&definition.keys),
            table_creation_date_time: definition.created_at,
            provisioned_throughput: units(&definition.throughput),
            on_demand_throughput: definition.on_demand_limits.map(on_demand),
            item_count: Some(backup.items),
            billing_mode: Some(billing_mode(definition)),
        }),
        source_table_feature_details: Some(SourceTableFeatureDetails {
            local_secondary_indexes: Some(local.collect()),
            global_secondary_indexes: Some(global.collect()),
            stream_description: stream_specification(definition),
            time_to_live_description: Some(time_to_live::describe(definition)),
            sse_description: encryption(&name.table, definition),
            ..SourceTableFeatureDetails::default()
        }),
    }
}
