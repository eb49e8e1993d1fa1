//! Finding the table that a request names, and describing it.

use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};
use store::Batch;
use tokio::sync::{MutexGuard, OwnedRwLockWriteGuard};

use crate::domain::key::{KeyAttribute, KeyKind, KeySchema};
use crate::domain::table::{Definition, Index, OnDemandLimits, Projection, Throughput, View};
use crate::engine::Table;
use crate::error::store_failed;
use crate::generated::{
    self as api, AttributeDefinition, BillingMode, BillingModeSummary,
    GlobalSecondaryIndexDescription, IndexStatus, KeySchemaElement, KeyType,
    LocalSecondaryIndexDescription, ProjectionType, ProvisionedThroughputDescription,
    RestoreSummary, SSEDescription, SSEStatus, SSEType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TableClass, TableClassSummary, TableDescription, TableStatus,
};
use crate::records::{TABLES, TableName};
use crate::{DynamoDb, error};

/// The table a request names, by its name or ARN.
pub fn table_name(context: &RequestContext, given: &str) -> Result<TableName, ServiceError> {
    let (account, region, name) = if given.starts_with("arn:") {
        let arn: Arn = given.parse().map_err(|_| invalid_arn(given))?;
        let name = arn
            .resource
            .strip_prefix("table/")
            .ok_or_else(|| invalid_arn(given))?;
        let account = arn.account_id().ok_or_else(|| invalid_arn(given))?;
        let region = arn.region().ok_or_else(|| invalid_arn(given))?;
        (account, region, name.to_owned())
    } else {
        (context.account, context.region.clone(), given.to_owned())
    };
    if !(3..=255).contains(&name.len()) {
        return Err(error::invalid(
            "TableName must be at least 3 characters long and at most 255 characters long",
        ));
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !name.bytes().all(is_part) {
        return Err(error::invalid(format!(
            "1 validation error detected: Value '{name}' at 'tableName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )));
    }
    Ok(TableName {
        account,
        region,
        name,
    })
}

fn invalid_arn(given: &str) -> ServiceError {
    error::invalid(format!("Invalid table ARN: {given}"))
}

impl DynamoDb {
    /// The table that an operation on items is about.
    pub fn table(
        &self,
        context: &RequestContext,
        given: &str,
    ) -> Result<(Arc<Table>, Arc<Definition>), ServiceError> {
        let name = table_name(context, given)?;
        self.known_table(&name)
            .filter(|(_, definition)| !definition.loading)
            .ok_or_else(error::resource_not_found)
    }

    fn known_table(&self, name: &TableName) -> Option<(Arc<Table>, Arc<Definition>)> {
        let table = self.tables.get(name)?;
        let definition = table.definition()?;
        Some((table, definition))
    }

    /// The table that an operation on tables is about.
    pub fn named_table(
        &self,
        context: &RequestContext,
        given: &str,
    ) -> Result<(Arc<Table>, Arc<Definition>), ServiceError> {
        let name = table_name(context, given)?;
        self.known_table(&name)
            .ok_or_else(|| error::table_not_found(&name.name))
    }

    /// The same for a change of the table.
    pub async fn changing(
        &self,
        context: &RequestContext,
        given: &str,
    ) -> Result<Changing<'_>, ServiceError> {
        let deciding = self.deciding.lock().await;
        let (table, _) = self.named_table(context, given)?;
        let alone = table.close().await;
        let (_, definition) = self.named_table(context, given)?;
        if definition.loading {
            return Err(error::still_in_use("created", &table.name.name));
        }
        Ok(Changing {
            definition: (*definition).clone(),
            batch: Batch::new(),
            table,
            _deciding: deciding,
            _alone: alone,
        })
    }
}

/// A table whose definition is about to change: meanwhile nothing is written to it, and no other
/// definition changes.
pub struct Changing<'a> {
    pub table: Arc<Table>,
    /// As it is now, to be made what it is to be.
    pub definition: Definition,
    /// What else becomes durable with it.
    pub batch: Batch,
    _deciding: MutexGuard<'a, ()>,
    _alone: OwnedRwLockWriteGuard<()>,
}

impl Changing<'_> {
    /// Makes the change durable, then the table's.
    pub async fn save(&mut self, dynamodb: &DynamoDb) -> Result<(), ServiceError> {
        let mut batch = std::mem::take(&mut self.batch);
        TABLES
            .put(&mut batch, self.table.name.key(), &self.definition)
            .map_err(store_failed)?;
        dynamodb.store.commit(batch).await.map_err(store_failed)?;
        self.table.set_definition(Some(self.definition.clone()));
        Ok(())
    }
}

pub fn describe(table: &Table, definition: &Definition, status: TableStatus) -> TableDescription {
    let name = &table.name;
    let arn = name.arn().to_string();
    // After a crash the counts may lack what was added last, and not what is removed since.
    let sizes = table.sizes.lock().sizes.clone();
    let mut local = Vec::new();
    let mut global = Vec::new();
    for index in &definition.indexes {
        let (items, bytes) = sizes.indexes.get(&index.id).copied().unwrap_or_default();
        let index_arn = Some(format!("{arn}/index/{}", index.name));
        if index.local {
            local.push(LocalSecondaryIndexDescription {
                index_name: Some(index.name.clone()),
                key_schema: Some(key_elements(&index.keys)),
                projection: Some(projection(&index.projection)),
                index_size_bytes: Some(bytes.max(0)),
                item_count: Some(items.max(0)),
                index_arn,
            });
        } else {
            global.push(GlobalSecondaryIndexDescription {
                index_name: Some(index.name.clone()),
                key_schema: Some(key_elements(&index.keys)),
                projection: Some(projection(&index.projection)),
                index_status: Some(index_status(index, status)),
                backfilling: index.backfilling.then_some(true),
                provisioned_throughput: Some(throughput(&index.throughput)),
                index_size_bytes: Some(bytes.max(0)),
                item_count: Some(items.max(0)),
                index_arn,
                on_demand_throughput: index.on_demand_limits.map(on_demand),
                warm_throughput: None,
            });
        }
    }
    let status = match status {
        TableStatus::Active if definition.loading => TableStatus::Creating,
        TableStatus::Active if definition.indexes.iter().any(|index| index.backfilling) => {
            TableStatus::Updating
        }
        status => status,
    };
    TableDescription {
        attribute_definitions: Some(attribute_definitions(&definition.attributes)),
        table_name: Some(name.name.clone()),
        key_schema: Some(key_elements(&definition.keys)),
        table_status: Some(status),
        creation_date_time: Some(definition.created_at),
        provisioned_throughput: Some(throughput(&definition.throughput)),
        table_size_bytes: Some(sizes.bytes.max(0)),
        item_count: Some(sizes.items.max(0)),
        table_id: Some(definition.uuid.clone()),
        billing_mode_summary: billing(definition),
        local_secondary_indexes: (!local.is_empty()).then_some(local),
        global_secondary_indexes: (!global.is_empty()).then_some(global),
        stream_specification: stream_specification(definition),
        latest_stream_arn: definition
            .stream_label
            .as_ref()
            .map(|label| name.stream_arn(label)),
        latest_stream_label: definition.stream_label.clone(),
        sse_description: encryption(name, definition),
        table_class_summary: definition.class.map(|class| TableClassSummary {
            table_class: Some(if class.infrequent_access {
                TableClass::StandardInfrequentAccess
            } else {
                TableClass::Standard
            }),
            last_update_date_time: class.changed_at,
        }),
        deletion_protection_enabled: Some(definition.deletion_protection),
        on_demand_throughput: definition.on_demand_limits.map(on_demand),
        table_arn: Some(arn),
        restore_summary: definition.restored.as_ref().map(|restored| RestoreSummary {
            source_backup_arn: restored.backup.clone(),
            source_table_arn: Some(restored.table.clone()),
            restore_date_time: restored.at,
            restore_in_progress: definition.loading,
        }),
        ..TableDescription::default()
    }
}

pub fn stream_specification(definition: &Definition) -> Option<StreamSpecification> {
    let stream = definition.stream.as_ref()?;
    Some(StreamSpecification {
        stream_enabled: true,
        stream_view_type: Some(view_type(stream.view)),
    })
}

pub fn encryption(table: &TableName, definition: &Definition) -> Option<SSEDescription> {
    let key = definition.encryption_key.as_ref()?;
    Some(SSEDescription {
        status: Some(SSEStatus::Enabled),
        sse_type: Some(SSEType::Kms),
        kms_master_key_arn: Some(key_arn(table, key)),
        inaccessible_encryption_date_time: None,
    })
}

fn index_status(index: &Index, table: TableStatus) -> IndexStatus {
    match table {
        TableStatus::Creating => IndexStatus::Creating,
        TableStatus::Deleting => IndexStatus::Deleting,
        _ if index.backfilling => IndexStatus::Creating,
        _ => IndexStatus::Active,
    }
}

fn key_arn(table: &TableName, key: &str) -> String {
    if key.starts_with("arn:") {
        return key.to_owned();
    }
    let resource = if key.starts_with("alias/") {
        key.to_owned()
    } else {
        format!("key/{key}")
    };
    Arn::regional("kms", &table.region, table.account, resource).to_string()
}

fn billing(definition: &Definition) -> Option<BillingModeSummary> {
    if !definition.on_demand && definition.on_demand_since.is_none() {
        return None;
    }
    Some(BillingModeSummary {
        billing_mode: Some(billing_mode(definition)),
        last_update_to_pay_per_request_date_time: definition.on_demand_since,
    })
}

pub fn billing_mode(definition: &Definition) -> BillingMode {
    if definition.on_demand {
        BillingMode::PayPerRequest
    } else {
        BillingMode::Provisioned
    }
}

fn throughput(throughput: &Throughput) -> ProvisionedThroughputDescription {
    let Throughput {
        read,
        write,
        increased_at,
        decreased_at,
    } = throughput;
    ProvisionedThroughputDescription {
        last_increase_date_time: *increased_at,
        last_decrease_date_time: *decreased_at,
        number_of_decreases_today: Some(0),
        read_capacity_units: Some(*read),
        write_capacity_units: Some(*write),
    }
}

pub fn on_demand(limits: OnDemandLimits) -> api::OnDemandThroughput {
    api::OnDemandThroughput {
        max_read_request_units: limits.read,
        max_write_request_units: limits.write,
    }
}

pub fn attribute_definitions(attributes: &[KeyAttribute]) -> Vec<AttributeDefinition> {
    let definition = |attribute: &KeyAttribute| AttributeDefinition {
        attribute_name: attribute.name.clone(),
        attribute_type: match attribute.kind {
            KeyKind::S => ScalarAttributeType::S,
            KeyKind::N => ScalarAttributeType::N,
            KeyKind::B => ScalarAttributeType::B,
        },
    };
    attributes.iter().map(definition).collect()
}

pub fn key_elements(keys: &KeySchema) -> Vec<KeySchemaElement> {
    let element = |key_type| {
        move |attribute: &KeyAttribute| KeySchemaElement {
            attribute_name: attribute.name.clone(),
            key_type,
        }
    };
    keys.hash_attributes()
        .map(element(KeyType::Hash))
        .chain(keys.range_attributes().map(element(KeyType::Range)))
        .collect()
}

pub fn projection(projection: &Projection) -> api::Projection {
    let (kind, names) = match projection {
        Projection::All => (ProjectionType::All, None),
        Projection::KeysOnly => (ProjectionType::KeysOnly, None),
        Projection::Include(names) => (ProjectionType::Include, Some(names.clone())),
    };
    api::Projection {
        projection_type: Some(kind),
        non_key_attributes: names,
    }
}

pub fn view_type(view: View) -> StreamViewType {
    match view {
        View::Keys => StreamViewType::KeysOnly,
        View::New => StreamViewType::NewImage,
        View::Old => StreamViewType::OldImage,
        View::Both => StreamViewType::NewAndOldImages,
    }
}
