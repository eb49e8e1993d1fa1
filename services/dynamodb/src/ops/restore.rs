//! RestoreTableFromBackup and RestoreTableToPointInTime.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableToPointInTime.html>

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use service::{RequestContext, ServiceError};
use store::Batch;

use super::backups::no_table;
use super::tables::{describe, table_name};
use crate::DynamoDb;
use crate::archive::{Job, Moment};
use crate::domain::table::{Definition, Index, Restored, Throughput};
use crate::domain::{Invalid, table_rules};
use crate::engine::{Sequence, Table, rand_id};
use crate::error::{self, store_failed};
use crate::generated::{
    BillingMode, GlobalSecondaryIndex, LocalSecondaryIndex, OnDemandThroughput,
    ProvisionedThroughput, RestoreTableFromBackupInput, RestoreTableFromBackupOutput,
    RestoreTableToPointInTimeInput, RestoreTableToPointInTimeOutput, SSESpecification,
    TableDescription, TableStatus,
};
use crate::records::{Sizes, TABLES, TableName};

/// What the new table has otherwise than the old one.
struct Overrides {
    billing: Option<BillingMode>,
    global: Option<Vec<GlobalSecondaryIndex>>,
    local: Option<Vec<LocalSecondaryIndex>>,
    throughput: Option<ProvisionedThroughput>,
    on_demand: Option<OnDemandThroughput>,
    encryption: Option<SSESpecification>,
}

/// An input of either operation, whose members have the same names.
macro_rules! overrides {
    ($input:ident, $operation:literal) => {{
        if $input.vector_index_override.is_some() {
            return Err(ServiceError::not_implemented(
                concat!($operation, "'s"),
                "VectorIndexOverride",
            ));
        }
        Overrides {
            billing: $input.billing_mode_override,
            global: $input.global_secondary_index_override,
            local: $input.local_secondary_index_override,
            throughput: $input.provisioned_throughput_override,
            on_demand: $input.on_demand_throughput_override,
            encryption: $input.sse_specification_override,
        }
    }};
}

/// The table cannot be used before all of it is there.
pub async fn restore_table_from_backup(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: RestoreTableFromBackupInput,
) -> Result<RestoreTableFromBackupOutput, ServiceError> {
    let overrides = overrides!(input, "RestoreTableFromBackup");
    let target = table_name(&context, &input.target_table_name)?;
    let _deciding = dynamodb.deciding.lock().await;
    let (name, backup) = dynamodb.backup(&context, &input.backup_arn).await?;
    if !backup.is_complete {
        return Err(error::backup_in_use(&input.backup_arn));
    }
    let restored = Restored {
        backup: Some(input.backup_arn.clone()),
        table: name.table.arn().to_string(),
        at: backup.created_at,
    };
    let moment = Moment {
        items: backup.rows,
        keys: backup.definition.keys.clone(),
        undo: None,
    };
    let job = Job::Restore {
        target: target.clone(),
        source: input.backup_arn,
        table: None,
        moment,
    };
    let old = &backup.definition;
    let description = dynamodb
        .restore(target, old, overrides, restored, job, Batch::new())
        .await?;
    Ok(RestoreTableFromBackupOutput {
        table_description: Some(description),
    })
}

pub async fn restore_table_to_point_in_time(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: RestoreTableToPointInTimeInput,
) -> Result<RestoreTableToPointInTimeOutput, ServiceError> {
    let overrides = overrides!(input, "RestoreTableToPointInTime");
    let target = table_name(&context, &input.target_table_name)?;
    let source = input.source_table_arn.or(input.source_table_name);
    let source = source.ok_or_else(|| {
        error::invalid("Either SourceTableArn or SourceTableName must be specified")
    })?;
    let _deciding = dynamodb.deciding.lock().await;
    let (table, old) = dynamodb
        .named_table(&context, &source)
        .map_err(|error| no_table(error, &source))?;
    let name = table.name.clone();
    let now = dynamodb.clock.now();
    let asked = match (input.use_latest_restorable_time, input.restore_date_time) {
        (Some(true), Some(_)) | (None | Some(false), None) => {
            return Err(error::invalid(
                "One of RestoreDateTime or UseLatestRestorableTime must be specified, and not both",
            ));
        }
        (Some(true), None) => now,
        (_, Some(at)) => at,
    };
    // What is being written is either in the moment, whole, or comes after it.
    let _alone = table.close().await;
    let out_of_range = ServiceError::bad_request(
        "InvalidRestoreTimeException",
        "RestoreDateTime must be between EarliestRestorableDateTime and LatestRestorableDateTime",
    );
    let (at, moment) = dynamodb.moment_of(&name, &old, asked, out_of_range)?;
    let arn = name.arn().to_string();
    let restored = Restored {
        backup: None,
        table: arn.clone(),
        at,
    };
    let job = Job::Restore {
        target: target.clone(),
        source: arn,
        table: Some(name),
        moment,
    };
    let description = dynamodb
        .restore(target, &old, overrides, restored, job, Batch::new())
        .await?;
    Ok(RestoreTableToPointInTimeOutput {
        table_description: Some(description),
    })
}

impl DynamoDb {
    /// The moment of a time at which a table's items are known: from the earliest that is kept to
    /// now. Nothing is being written to the table.
    pub fn moment_of(
        &self,
        name: &TableName,
        definition: &Definition,
        at: Timestamp,
        out_of_range: ServiceError,
    ) -> Result<(Timestamp, Moment), ServiceError> {
        let now = self.clock.now();
        let recovery = definition
            .recovery
            .ok_or_else(|| error::no_recovery(&name.name))?;
        // Clients know the first moment by the second.
        let first = recovery.earliest(now);
        if at.seconds() < first.seconds() || at > now {
            return Err(out_of_range);
        }
        let at = at.max(first);
        let first_after = if at < now {
            Sequence::at(at + Duration::from_millis(1))
        } else {
            self.sequence.next(now)
        };
        Ok((at, definition.moment(first_after)))
    }

    async fn restore(
        self: &Arc<Self>,
        target: TableName,
        old: &Definition,
        overrides: Overrides,
        restored: Restored,
        job: Job,
        mut batch: Batch,
    ) -> Result<TableDescription, ServiceError> {
        let mut definition = old.renewed(self.clock.now(), rand_id);
        definition.restored = Some(restored);
        overrides.apply(&mut definition)?;
        if self.tables.get(&target).is_some() {
            return Err(error::table_exists(&target.name));
        }
        TABLES
            .put(&mut batch, target.key(), &definition)
            .map_err(store_failed)?;
        let id = self.plan(&mut batch, &job)?;
        self.store.commit(batch).await.map_err(store_failed)?;
        let table = Table::new(target, definition.clone(), Sizes::default());
        self.tables.insert(Arc::clone(&table));
        self.begin(id, job);
        Ok(describe(&table, &definition, TableStatus::Creating))
    }
}

impl Overrides {
    fn apply(self, definition: &mut Definition) -> Result<(), Invalid> {
        let on_demand = match self.billing {
            Some(mode) => mode == BillingMode::PayPerRequest,
            None => definition.on_demand,
        };
        if on_demand {
            table_rules::throughput(self.throughput.as_ref(), true)?;
            definition.throughput = Throughput::default();
            definition.on_demand_since = Some(definition.created_at);
        } else if self.throughput.is_some() || definition.on_demand {
            definition.throughput = table_rules::throughput(self.throughput.as_ref(), false)?;
        }
        definition.on_demand = on_demand;
        if let Some(limits) = &self.on_demand {
            definition.on_demand_limits = Some(table_rules::on_demand_limits(limits));
        }
        if let Some(sse) = self.encryption {
            definition.encryption_key = table_rules::encryption_key(sse);
        }
        let attributes = definition.attributes.clone();
        let keys = definition.keys.clone();
        let table = definition.throughput.clone();
        let (locals, globals): (Vec<_>, Vec<_>) =
            definition.indexes.drain(..).partition(|index| index.local);
        definition.indexes = match self.local {
            None => locals,
            Some(given) => {
                let built = given
                    .into_iter()
                    .map(|index| table_rules::local_index(index, &keys, &attributes, rand_id()));
                some_of(built, &locals)?
            }
        };
        definition.indexes.extend(match self.global {
            None => globals
                .into_iter()
                .map(|index| with_throughput(index, on_demand, &table))
                .collect(),
            Some(given) => {
                let built = given.into_iter().map(|index| {
                    table_rules::global_index(index, &attributes, on_demand, rand_id())
                });
                some_of(built, &globals)?
            }
        });
        table_rules::check_indexes(&definition.indexes)?;
        definition.forget_unused_attributes();
        Ok(())
    }
}

/// An index that is taken over has what its table has, where its own does not fit the billing mode.
fn with_throughput(mut index: Index, on_demand: bool, table: &Throughput) -> Index {
    if on_demand {
        index.throughput = Throughput::default();
    } else if index.throughput.read == 0 {
        index.throughput = table.clone();
    }
    index
}

/// Indexes that are among those of the old table.
fn some_of(
    built: impl Iterator<Item = Result<Index, Invalid>>,
    old: &[Index],
) -> Result<Vec<Index>, Invalid> {
    built
        .map(|index| {
            let mut index = index?;
            let is_known = old.iter().any(|known| {
                known.name == index.name
                    && known.keys == index.keys
                    && known.projection == index.projection
            });
            if !is_known {
                return Err(Invalid::parameter(format!(
                    "The index {} is not one of the source table",
                    index.name
                )));
            }
            index.backfilling = true;
            Ok(index)
        })
        .collect()
}
