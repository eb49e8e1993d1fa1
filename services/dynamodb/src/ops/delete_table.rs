//! DeleteTable.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html>

use std::sync::Arc;
use std::time::Duration;

use service::{RequestContext, ServiceError};
use store::Batch;

use super::tables::{Changing, describe};
use crate::DynamoDb;
use crate::archive::{ArchiveName, BACKUPS, Backup};
use crate::domain::table::Definition;
use crate::engine::Table;
use crate::error::{self, store_failed};
use crate::generated::{DeleteTableInput, DeleteTableOutput, TableStatus};
use crate::records::{Erasure, SIZES, TABLES};

/// How long the backup of a deleted table is kept.
const KEPT: Duration = Duration::from_hours(35 * 24);

/// The table is gone with the answer; its rows go after it.
pub async fn delete_table(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DeleteTableInput,
) -> Result<DeleteTableOutput, ServiceError> {
    let mut changing = dynamodb.changing(&context, &input.table_name).await?;
    let Changing {
        table,
        definition,
        batch,
        ..
    } = &mut changing;
    if definition.deletion_protection {
        return Err(error::invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable \
             deletion protection first.",
        ));
    }
    if dynamodb.is_in_use(&table.name.arn().to_string()) {
        return Err(error::still_in_use("copied", &table.name.name));
    }
    let description = describe(table, definition, TableStatus::Deleting);
    TABLES.delete(batch, table.name.key());
    dynamodb.end_stream(&table.name, definition, batch).await?;
    let mut erasure = Erasure {
        tables: vec![definition.id],
        indexes: definition.indexes.iter().map(|index| index.id).collect(),
        expiries: definition.expiry.iter().map(|expiry| expiry.id).collect(),
        logs: definition.log.iter().map(|log| log.id).collect(),
    };
    if definition.recovery.is_some() {
        // The items stay where they are, as a backup's.
        erasure.tables.clear();
        keep(&dynamodb, table, definition, batch)?;
    }
    dynamodb
        .plan_erasure(batch, &erasure)
        .map_err(store_failed)?;
    let batch = std::mem::take(batch);
    dynamodb.store.commit(batch).await.map_err(store_failed)?;
    table.set_definition(None);
    dynamodb.tables.remove(&table.name);
    dynamodb.erase();
    Ok(DeleteTableOutput {
        table_description: Some(description),
    })
}

/// A table with point-in-time recovery leaves a backup of the system's.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html>
fn keep(
    dynamodb: &DynamoDb,
    table: &Table,
    definition: &Definition,
    batch: &mut Batch,
) -> Result<(), ServiceError> {
    let now = dynamodb.clock.now();
    let sizes = table.sizes.lock().sizes.clone();
    let backup = Backup {
        name: format!("{}$DeletedTableBackup", table.name.name),
        definition: definition.clone(),
        rows: definition.id,
        is_complete: true,
        expires_at: Some(now + KEPT),
        created_at: now,
        items: sizes.items.max(0),
        bytes: sizes.bytes.max(0),
    };
    SIZES.delete(batch, definition.id);
    let name = ArchiveName::new(table.name.clone(), now);
    BACKUPS
        .put(batch, name.key(), &backup)
        .map_err(store_failed)
}
