//! ExportTableToPointInTime, DescribeExport and ListExports.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html>

use std::sync::Arc;
use std::time::Duration;

use service::{RequestContext, ServiceError};
use store::Batch;

use super::archives::{self, Wanted, client_token, failure};
use super::backups::no_table;
use super::transact_write_items::digest;
use crate::DynamoDb;
use crate::archive::{ArchiveName, EXPORTS, Export, Increment, Job, Kind, Progress};
use crate::engine::{all_under, rand_id};
use crate::error::{self, store_failed};
use crate::generated::{
    DescribeExportInput, DescribeExportOutput, ExportDescription, ExportFormat, ExportStatus,
    ExportSummary, ExportTableToPointInTimeInput, ExportTableToPointInTimeOutput, ExportType,
    ExportViewType, IncrementalExportSpecification, ListExportsInput, ListExportsOutput,
    S3SseAlgorithm,
};

/// How long a client token means the same export.
const TOKEN_LIVES: Duration = Duration::from_hours(8);
const SHORTEST: Duration = Duration::from_mins(15);
const LONGEST: Duration = Duration::from_hours(24);

/// Goes on behind; whether the bucket takes it shows when the export is described.
pub async fn export_table_to_point_in_time(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ExportTableToPointInTimeInput,
) -> Result<ExportTableToPointInTimeOutput, ServiceError> {
    let operation = "ExportTableToPointInTime's";
    if input.export_format == Some(ExportFormat::Ion) {
        return Err(ServiceError::not_implemented(operation, "ExportFormat ION"));
    }
    if input.filter_specification.is_some() {
        return Err(ServiceError::not_implemented(
            operation,
            "FilterSpecification",
        ));
    }
    let digest = digest(&input);
    let deciding = dynamodb.deciding.lock().await;
    let (table, definition) = dynamodb
        .named_table(&context, &input.table_arn)
        .map_err(|error| no_table(error, &input.table_arn))?;
    let now = dynamodb.clock.now();
    let token = client_token(input.client_token, digest);
    if let Some(token) = &token {
        let exports = all_under(&EXPORTS, &*dynamodb.store, table.name.key());
        for (key, export) in exports.await.map_err(store_failed)? {
            let Some(known) = export.token.as_ref().filter(|it| it.token == token.token) else {
                continue;
            };
            if now.since(export.started_at) > TOKEN_LIVES {
                continue;
            }
            if known.digest != token.digest {
                return Err(ServiceError::bad_request(
                    "ExportConflictException",
                    "An export with the same client token and other parameters is there already",
                ));
            }
            let name = ArchiveName::from_key(&key).map_err(store_failed)?;
            return Ok(ExportTableToPointInTimeOutput {
                export_description: Some(describe(&name, &export)),
            });
        }
    }
    let incremental = input.export_type == Some(ExportType::IncrementalExport);
    let increment = increment(
        incremental,
        input.incremental_export_specification.as_ref(),
        now,
    )?;
    let at = match &increment {
        Some((_, until)) => *until,
        None => input.export_time.unwrap_or(now),
    };
    let out_of_range = || {
        ServiceError::bad_request(
            "InvalidExportTimeException",
            "The export time must be between EarliestRestorableDateTime and \
             LatestRestorableDateTime",
        )
    };
    let alone = table.close().await;
    let (at, moment) = dynamodb.moment_of(&table.name, &definition, at, out_of_range())?;
    let increment = increment.map(|(increment, _)| increment);
    if let (Some(increment), Some(recovery)) = (increment, definition.recovery)
        && increment.from.seconds() < recovery.earliest(now).seconds()
    {
        return Err(out_of_range());
    }
    let name = ArchiveName::new(table.name.clone(), now);
    let export = Export {
        progress: Progress::UnderWay,
        started_at: now,
        ended_at: None,
        table_uuid: definition.uuid.clone(),
        token,
        bucket: input.s3_bucket,
        bucket_owner: input.s3_bucket_owner,
        prefix: input.s3_prefix.filter(|prefix| !prefix.is_empty()),
        encryption: input.s3_sse_algorithm.map(|it| it.as_str().to_owned()),
        encryption_key: input.s3_sse_kms_key_id,
        at,
        increment,
        items: 0,
        bytes: 0,
        manifest: None,
    };
    let mut batch = Batch::new();
    EXPORTS
        .put(&mut batch, name.key(), &export)
        .map_err(store_failed)?;
    let job = Job::Export {
        export: name.clone(),
        moment,
        scratch: rand_id(),
    };
    let id = dynamodb.plan(&mut batch, &job)?;
    dynamodb.store.commit(batch).await.map_err(store_failed)?;
    dynamodb.begin(id, job);
    drop((alone, deciding));
    Ok(ExportTableToPointInTimeOutput {
        export_description: Some(describe(&name, &export)),
    })
}

/// What an incremental export is about, and until when.
fn increment(
    incremental: bool,
    given: Option<&IncrementalExportSpecification>,
    now: base::Timestamp,
) -> Result<Option<(Increment, base::Timestamp)>, ServiceError> {
    let given = match (incremental, given) {
        (false, None) => return Ok(None),
        (false, Some(_)) => {
            return Err(error::invalid(
                "IncrementalExportSpecification can only be given with ExportType \
                 INCREMENTAL_EXPORT",
            ));
        }
        (true, None) => {
            return Err(error::invalid(
                "IncrementalExportSpecification is required with ExportType INCREMENTAL_EXPORT",
            ));
        }
        (true, Some(given)) => given,
    };
    let from = given
        .export_from_time
        .ok_or_else(|| error::invalid("ExportFromTime is required for an incremental export"))?;
    let until = given.export_to_time.unwrap_or(now);
    if until < from + SHORTEST || until > from + LONGEST {
        return Err(error::invalid(
            "The period between ExportFromTime and ExportToTime must be between 15 minutes and 24 \
             hours",
        ));
    }
    let view = given.export_view_type;
    let with_old_images = view != Some(ExportViewType::NewImage);
    Ok(Some((
        Increment {
            from,
            with_old_images,
        },
        until,
    )))
}

pub async fn describe_export(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DescribeExportInput,
) -> Result<DescribeExportOutput, ServiceError> {
    let kept = (EXPORTS, Kind::Export);
    let (name, export) = archives::find(&dynamodb, &context, kept, &input.export_arn).await?;
    Ok(DescribeExportOutput {
        export_description: Some(describe(&name, &export)),
    })
}

pub async fn list_exports(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ListExportsInput,
) -> Result<ListExportsOutput, ServiceError> {
    let wanted = Wanted {
        table_arn: input.table_arn,
        most: input.max_results,
        token: input.next_token,
    };
    let (exports, next_token) = archives::list(&dynamodb, &context, EXPORTS, wanted).await?;
    let summaries = exports.iter().map(|(name, export)| ExportSummary {
        export_arn: Some(name.arn(Kind::Export)),
        export_status: Some(status(&export.progress)),
        export_type: Some(kind(export)),
    });
    Ok(ListExportsOutput {
        export_summaries: Some(summaries.collect()),
        next_token,
    })
}

fn kind(export: &Export) -> ExportType {
    if export.increment.is_some() {
        ExportType::IncrementalExport
    } else {
        ExportType::FullExport
    }
}

fn status(progress: &Progress) -> ExportStatus {
    match progress {
        Progress::UnderWay => ExportStatus::InProgress,
        Progress::Completed => ExportStatus::Completed,
        Progress::Failed { .. } => ExportStatus::Failed,
    }
}

fn describe(name: &ArchiveName, export: &Export) -> ExportDescription {
    let (failure_code, failure_message) = failure(&export.progress);
    let sse = |name: &String| match name.as_str() {
        "KMS" => S3SseAlgorithm::Kms,
        _ => S3SseAlgorithm::Aes256,
    };
    let period = export
        .increment
        .map(|increment| IncrementalExportSpecification {
            export_from_time: Some(increment.from),
            export_to_time: Some(export.at),
            export_view_type: Some(if increment.with_old_images {
                ExportViewType::NewAndOldImages
            } else {
                ExportViewType::NewImage
            }),
        });
    ExportDescription {
        export_arn: Some(name.arn(Kind::Export)),
        export_status: Some(status(&export.progress)),
        start_time: Some(export.started_at),
        end_time: export.ended_at,
        export_manifest: export.manifest.clone(),
        table_arn: Some(name.table.arn().to_string()),
        table_id: Some(export.table_uuid.clone()),
        export_time: export.increment.is_none().then_some(export.at),
        client_token: export.token.as_ref().map(|token| token.token.clone()),
        s3_bucket: Some(export.bucket.clone()),
        s3_bucket_owner: export.bucket_owner.clone(),
        s3_prefix: export.prefix.clone(),
        s3_sse_algorithm: export.encryption.as_ref().map(sse),
        s3_sse_kms_key_id: export.encryption_key.clone(),
        failure_code,
        failure_message,
        export_format: Some(ExportFormat::DynamodbJson),
        billed_size_bytes: Some(export.bytes),
        item_count: Some(export.items),
        export_type: Some(kind(export)),
        incremental_export_specification: period,
        filter_specification: None,
    }
}
