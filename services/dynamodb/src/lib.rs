//! Amazon DynamoDB, and DynamoDB Streams.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html>
//!
//! Why it stands on the store rather than on another's engine:
//! `docs/decisions/0014-dynamodb-engine.md`.

mod archive;
mod domain;
mod engine;
mod error;
pub mod generated;
pub mod generated_dynamodbstreams;
mod ops;
mod records;
mod service_impl;
mod signals;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use base::Clock;
use generated as api;
use generated_dynamodbstreams as streams_api;
use service::ports::ApiCaller;
use service::{Operation, Service, operation};
use store::{Reader as _, Store, StoreError};
use tokio::sync::{Mutex, Notify};

use engine::{Locks, Sequence, Tables, Throttle};

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// Host and port for callers that did not come over HTTP.
    pub authority: String,
    /// The way to buckets and log groups.
    pub api: Arc<dyn ApiCaller>,
    /// Whether requests beyond a table's capacity are refused.
    pub throttles: bool,
}

/// What the operations work on.
pub struct DynamoDb {
    store: Arc<dyn Store>,
    clock: Clock,
    authority: String,
    tables: Tables,
    locks: Arc<Locks>,
    sequence: Arc<Sequence>,
    /// One at a time changes which tables there are.
    deciding: Mutex<()>,
    erasing: Mutex<()>,
    api: Arc<dyn ApiCaller>,
    throttle: Option<Throttle>,
    /// How many jobs need what an ARN names.
    in_use: parking_lot::Mutex<HashMap<String, usize>>,
    /// When the next item expires, in milliseconds since the epoch.
    next_expiry: AtomicI64,
    wake_expiry: Arc<Notify>,
}

/// Opens the service on a store.
pub async fn service(config: Config) -> Result<Arc<DynamoDb>, StoreError> {
    let Config {
        store,
        clock,
        authority,
        api,
        throttles,
    } = config;
    let tables = Tables::open(&*store).await?;
    let sequence = Arc::new(Sequence::default());
    for (_, stream) in engine::all(&records::STREAMS, &*store).await? {
        let last = records::changes(stream.id, 0, u64::MAX).reversed().limit(1);
        if let Some(row) = store.scan(last).await?.first() {
            sequence.start_after(records::sequence_of(&row.key)?);
        }
        sequence.start_after(stream.first.max(stream.ended.map_or(0, |(last, _)| last)));
    }
    for table in tables.all() {
        if let Some(log) = table.definition().and_then(|definition| definition.log) {
            let last = records::changes(log.id, 0, u64::MAX).reversed().limit(1);
            if let Some(row) = store.scan(last).await?.first() {
                sequence.start_after(records::sequence_of(&row.key)?);
            }
        }
    }
    let dynamodb = Arc::new(DynamoDb {
        store,
        clock: clock.clone(),
        authority,
        tables,
        locks: Locks::new(),
        sequence,
        deciding: Mutex::default(),
        erasing: Mutex::default(),
        api,
        throttle: throttles.then(Throttle::default),
        in_use: parking_lot::Mutex::default(),
        next_expiry: AtomicI64::new(i64::MAX),
        wake_expiry: Arc::default(),
    });
    let weak = Arc::downgrade(&dynamodb);
    let wake = Arc::clone(&dynamodb.wake_expiry);
    tokio::spawn(engine::expire_forever(weak.clone(), clock.clone(), wake));
    tokio::spawn(engine::keep_up(weak, clock));
    dynamodb.resume_backfills();
    dynamodb.erase();
    Ok(dynamodb)
}

impl DynamoDb {
    /// Writes what is only written now and then.
    pub async fn end(&self) {
        if let Err(error) = self.write_sizes().await {
            tracing::error!(%error, "dynamodb: sizes could not be written");
        }
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        // The task that waits for the next expiry finds the service gone.
        self.wake_expiry.notify_one();
    }
}

/// The DynamoDB API, for the gateway.
pub fn endpoint(dynamodb: &Arc<DynamoDb>) -> Arc<dyn Service> {
    Arc::new(service_impl::DynamoDbService(Arc::clone(dynamodb)))
}

/// The DynamoDB Streams API, for the gateway.
pub fn streams_endpoint(dynamodb: &Arc<DynamoDb>) -> Arc<dyn Service> {
    Arc::new(service_impl::StreamsService(Arc::clone(dynamodb)))
}

/// What the DynamoDB API answers.
pub static OPERATIONS: &[Operation<DynamoDb>] = &[
    operation!(api::BatchExecuteStatement => ops::batch_execute_statement),
    operation!(api::BatchGetItem => ops::batch_get_item),
    operation!(api::BatchWriteItem => ops::batch_write_item),
    operation!(api::CreateBackup => ops::create_backup),
    operation!(api::CreateTable => ops::create_table),
    operation!(api::DeleteBackup => ops::delete_backup),
    operation!(api::DeleteItem => ops::delete_item),
    operation!(api::DeleteResourcePolicy => ops::delete_resource_policy),
    operation!(api::DeleteTable => ops::delete_table),
    operation!(api::DescribeBackup => ops::describe_backup),
    operation!(api::DescribeContinuousBackups => ops::describe_continuous_backups),
    operation!(api::DescribeContributorInsights => ops::describe_contributor_insights),
    operation!(api::DescribeEndpoints => ops::describe_endpoints),
    operation!(api::DescribeExport => ops::describe_export),
    operation!(api::DescribeImport => ops::describe_import),
    operation!(api::DescribeLimits => ops::describe_limits),
    operation!(api::DescribeTable => ops::describe_table),
    operation!(api::DescribeTimeToLive => ops::describe_time_to_live),
    operation!(api::ExecuteStatement => ops::execute_statement),
    operation!(api::ExecuteTransaction => ops::execute_transaction),
    operation!(api::ExportTableToPointInTime => ops::export_table_to_point_in_time),
    operation!(api::GetItem => ops::get_item),
    operation!(api::GetResourcePolicy => ops::get_resource_policy),
    operation!(api::ImportTable => ops::import_table),
    operation!(api::ListBackups => ops::list_backups),
    operation!(api::ListContributorInsights => ops::list_contributor_insights),
    operation!(api::ListExports => ops::list_exports),
    operation!(api::ListImports => ops::list_imports),
    operation!(api::ListTables => ops::list_tables),
    operation!(api::ListTagsOfResource => ops::list_tags_of_resource),
    operation!(api::PutItem => ops::put_item),
    operation!(api::PutResourcePolicy => ops::put_resource_policy),
    operation!(api::Query => ops::query),
    operation!(api::RestoreTableFromBackup => ops::restore_table_from_backup),
    operation!(api::RestoreTableToPointInTime => ops::restore_table_to_point_in_time),
    operation!(api::Scan => ops::scan),
    operation!(api::TagResource => ops::tag_resource),
    operation!(api::TransactGetItems => ops::transact_get_items),
    operation!(api::TransactWriteItems => ops::transact_write_items),
    operation!(api::UntagResource => ops::untag_resource),
    operation!(api::UpdateContinuousBackups => ops::update_continuous_backups),
    operation!(api::UpdateContributorInsights => ops::update_contributor_insights),
    operation!(api::UpdateItem => ops::update_item),
    operation!(api::UpdateTable => ops::update_table),
    operation!(api::UpdateTimeToLive => ops::update_time_to_live),
];

/// What the DynamoDB Streams API answers.
pub static STREAMS_OPERATIONS: &[Operation<DynamoDb>] = &[
    operation!(streams_api::DescribeStream => ops::describe_stream),
    operation!(streams_api::GetRecords => ops::get_records),
    operation!(streams_api::GetShardIterator => ops::get_shard_iterator),
    operation!(streams_api::ListStreams => ops::list_streams),
];
