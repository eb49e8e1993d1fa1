//! ImportTable, DescribeImport and ListImports.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ImportTable.html>

use std::sync::Arc;
use std::time::Duration;

use service::{RequestContext, ServiceError};
use store::Batch;

use super::archives::{self, Wanted, client_token, failure};
use super::backups::units;
use super::tables::{
    attribute_definitions, billing_mode, key_elements, on_demand, projection, table_name,
};
use super::transact_write_items::digest;
use crate::DynamoDb;
use crate::archive::{ArchiveName, Format, IMPORTS, Import, Job, Kind, Progress};
use crate::domain::table::Definition;
use crate::domain::table_rules;
use crate::engine::{Table, all_under, import_log_group, rand_id};
use crate::error::{self, store_failed};
use crate::generated::{
    CreateTableInput, CsvOptions, DescribeImportInput, DescribeImportOutput, GlobalSecondaryIndex,
    ImportStatus, ImportSummary, ImportTableDescription, ImportTableInput, ImportTableOutput,
    InputCompressionType, InputFormat, InputFormatOptions, ListImportsInput, ListImportsOutput,
    S3BucketSource, SSESpecification, TableCreationParameters,
};
use crate::records::{Sizes, TABLES};

/// How long a client token means the same import.
const TOKEN_LIVES: Duration = Duration::from_hours(8);

/// Makes a table, which can be used once all objects have been read.
pub async fn import_table(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ImportTableInput,
) -> Result<ImportTableOutput, ServiceError> {
    let digest = digest(&input);
    let format = format(&input)?;
    let wanted = input.table_creation_parameters;
    if wanted.vector_indexes.is_some() {
        return Err(ServiceError::not_implemented(
            "ImportTable's",
            "VectorIndexes",
        ));
    }
    let target = table_name(&context, &wanted.table_name)?;
    let now = dynamodb.clock.now();
    let create = CreateTableInput {
        table_name: wanted.table_name,
        attribute_definitions: Some(wanted.attribute_definitions),
        key_schema: Some(wanted.key_schema),
        billing_mode: wanted.billing_mode,
        provisioned_throughput: wanted.provisioned_throughput,
        on_demand_throughput: wanted.on_demand_throughput,
        sse_specification: wanted.sse_specification,
        global_secondary_indexes: wanted.global_secondary_indexes,
        ..CreateTableInput::default()
    };
    let uuid = uuid::Uuid::new_v4().to_string();
    let mut definition = table_rules::create(create, now, uuid, rand_id)?;
    definition.loading = true;
    for index in &mut definition.indexes {
        index.backfilling = true;
    }
    let _deciding = dynamodb.deciding.lock().await;
    let token = client_token(input.client_token, digest);
    if let Some(token) = &token {
        let imports = all_under(&IMPORTS, &*dynamodb.store, target.key());
        for (key, import) in imports.await.map_err(store_failed)? {
            let known = import.token.as_ref().filter(|it| it.token == token.token);
            let Some(known) = known.filter(|_| now.since(import.started_at) <= TOKEN_LIVES) else {
                continue;
            };
            if known.digest != token.digest {
                return Err(ServiceError::bad_request(
                    "ImportConflictException",
                    "An import with the same client token and other parameters is there already",
                ));
            }
            let name = ArchiveName::from_key(&key).map_err(store_failed)?;
            return Ok(ImportTableOutput {
                import_table_description: describe(&name, &import),
            });
        }
    }
    if dynamodb.tables.get(&target).is_some() {
        return Err(error::in_use(format!(
            "Table already exists: {}",
            target.name
        )));
    }
    let name = ArchiveName::new(target.clone(), now);
    let source = input.s3_bucket_source;
    let import = Import {
        progress: Progress::UnderWay,
        started_at: now,
        ended_at: None,
        token,
        definition: definition.clone(),
        bucket: source.s3_bucket,
        bucket_owner: source.s3_bucket_owner,
        prefix: source.s3_key_prefix.filter(|prefix| !prefix.is_empty()),
        format,
        is_gzip: input.input_compression_type == Some(InputCompressionType::Gzip),
        errors: 0,
        processed: 0,
        processed_bytes: 0,
        imported: 0,
    };
    let mut batch = Batch::new();
    TABLES
        .put(&mut batch, target.key(), &definition)
        .and_then(|()| IMPORTS.put(&mut batch, name.key(), &import))
        .map_err(store_failed)?;
    let job = Job::Import {
        import: name.clone(),
    };
    let id = dynamodb.plan(&mut batch, &job)?;
    dynamodb.store.commit(batch).await.map_err(store_failed)?;
    let table = Table::new(target, definition, Sizes::default());
    dynamodb.tables.insert(table);
    dynamodb.begin(id, job);
    Ok(ImportTableOutput {
        import_table_description: describe(&name, &import),
    })
}

fn format(input: &ImportTableInput) -> Result<Format, ServiceError> {
    let absent = |what| Err(ServiceError::not_implemented("ImportTable's", what));
    if input.input_compression_type == Some(InputCompressionType::Zstd) {
        return absent("InputCompressionType ZSTD");
    }
    let csv = input
        .input_format_options
        .as_ref()
        .and_then(|options| options.csv.as_ref());
    match (input.input_format, csv) {
        (InputFormat::Ion, _) => absent("InputFormat ION"),
        (InputFormat::DynamodbJson, Some(_)) => Err(error::invalid(
            "InputFormatOptions.Csv can only be given with InputFormat CSV",
        )),
        (InputFormat::DynamodbJson, None) => Ok(Format::Json),
        (InputFormat::Csv, options) => Ok(Format::Csv {
            delimiter: options.and_then(|it| it.delimiter.as_ref()?.chars().next()),
            columns: options.and_then(|it| it.header_list.clone()),
        }),
    }
}

pub async fn describe_import(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DescribeImportInput,
) -> Result<DescribeImportOutput, ServiceError> {
    let kept = (IMPORTS, Kind::Import);
    let (name, import) = archives::find(&dynamodb, &context, kept, &input.import_arn).await?;
    Ok(DescribeImportOutput {
        import_table_description: describe(&name, &import),
    })
}

pub async fn list_imports(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ListImportsInput,
) -> Result<ListImportsOutput, ServiceError> {
    let wanted = Wanted {
        table_arn: input.table_arn,
        most: input.page_size,
        token: input.next_token,
    };
    let (imports, next_token) = archives::list(&dynamodb, &context, IMPORTS, wanted).await?;
    let summaries = imports.iter().map(|(name, import)| {
        let described = describe(name, import);
        ImportSummary {
            import_arn: described.import_arn,
            import_status: described.import_status,
            table_arn: described.table_arn,
            s3_bucket_source: described.s3_bucket_source,
            cloud_watch_log_group_arn: described.cloud_watch_log_group_arn,
            input_format: described.input_format,
            start_time: described.start_time,
            end_time: described.end_time,
        }
    });
    Ok(ListImportsOutput {
        import_summary_list: Some(summaries.collect()),
        next_token,
    })
}

fn describe(name: &ArchiveName, import: &Import) -> ImportTableDescription {
    let (failure_code, failure_message) = failure(&import.progress);
    let (input_format, input_format_options) = match &import.format {
        Format::Json => (InputFormat::DynamodbJson, None),
        Format::Csv { delimiter, columns } => {
            let csv = CsvOptions {
                delimiter: delimiter.map(String::from),
                header_list: columns.clone(),
            };
            let is_given = delimiter.is_some() || columns.is_some();
            let options = InputFormatOptions { csv: Some(csv) };
            (InputFormat::Csv, is_given.then_some(options))
        }
    };
    let definition = &import.definition;
    ImportTableDescription {
        import_arn: Some(name.arn(Kind::Import)),
        import_status: Some(match import.progress {
            Progress::UnderWay => ImportStatus::InProgress,
            Progress::Completed => ImportStatus::Completed,
            Progress::Failed { .. } => ImportStatus::Failed,
        }),
        table_arn: Some(name.table.arn().to_string()),
        table_id: Some(definition.uuid.clone()),
        client_token: import.token.as_ref().map(|token| token.token.clone()),
        s3_bucket_source: Some(S3BucketSource {
            s3_bucket_owner: import.bucket_owner.clone(),
            s3_bucket: import.bucket.clone(),
            s3_key_prefix: import.prefix.clone(),
        }),
        error_count: Some(import.errors),
        cloud_watch_log_group_arn: Some(import_log_group(&name.table).to_string()),
        input_format: Some(input_format),
        input_format_options,
        input_compression_type: Some(if import.is_gzip {
            InputCompressionType::Gzip
        } else {
            InputCompressionType::None
        }),
        table_creation_parameters: Some(parameters(name, definition)),
        start_time: Some(import.started_at),
        end_time: import.ended_at,
        processed_size_bytes: Some(import.processed_bytes),
        processed_item_count: Some(import.processed),
        imported_item_count: Some(import.imported),
        failure_code,
        failure_message,
    }
}

fn parameters(name: &ArchiveName, definition: &Definition) -> TableCreationParameters {
    let provisioned = |throughput| (!definition.on_demand).then(|| units(throughput));
    let indexes = definition.indexes.iter().map(|index| GlobalSecondaryIndex {
        index_name: index.name.clone(),
        key_schema: key_elements(&index.keys),
        projection: projection(&index.projection),
        provisioned_throughput: provisioned(&index.throughput),
        on_demand_throughput: index.on_demand_limits.map(on_demand),
        warm_throughput: None,
    });
    let indexes: Vec<_> = indexes.collect();
    TableCreationParameters {
        table_name: name.table.name.clone(),
        attribute_definitions: attribute_definitions(&definition.attributes),
        key_schema: key_elements(&definition.keys),
        billing_mode: Some(billing_mode(definition)),
        provisioned_throughput: provisioned(&definition.throughput),
        on_demand_throughput: definition.on_demand_limits.map(on_demand),
        sse_specification: definition
            .encryption_key
            .clone()
            .map(|key| SSESpecification {
                enabled: Some(true),
                kms_master_key_id: Some(key),
                ..SSESpecification::default()
            }),
        global_secondary_indexes: (!indexes.is_empty()).then_some(indexes),
        vector_indexes: None,
    }
}
