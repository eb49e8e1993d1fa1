//! Fills a table with what objects of a bucket hold.

use base::Arn;
use serde_json::json;
use service::ServiceError;
use store::Batch;
use wire::Value;

use super::bucket::import_log_group;
use super::copy::lazy;
use super::write::check_item;
use crate::DynamoDb;
use crate::archive::{ArchiveName, IMPORTS, Import, Kind, Progress};
use crate::domain::table::Definition;
use crate::domain::value::{Item, item_size};
use crate::domain::{codec, import};
use crate::error::store_failed;
use crate::records::{Erasure, Place, TABLES, item_key};

/// Items stored at once.
const STEP: usize = 100;
/// Errors that are logged; all are counted.
const MOST_LOGGED: usize = 1_000;

impl DynamoDb {
    /// Reads the objects, and gives the batch that says what has come of it, and whether there is a
    /// table now.
    pub async fn import(&self, name: &ArchiveName) -> Result<(Batch, bool), ServiceError> {
        let known = IMPORTS.get(&*self.store, name.key()).await;
        let Some(mut record) = known.map_err(store_failed)? else {
            return Ok((Batch::new(), false));
        };
        let definition = record.definition.clone();
        // What an interrupted attempt left may be of objects that have changed since.
        self.erase_range(&Place::Table(definition.id).all())
            .await
            .map_err(store_failed)?;
        (record.errors, record.imported) = (0, 0);
        (record.processed, record.processed_bytes) = (0, 0);
        let mut problems = Vec::new();
        let read = self
            .read_objects(name, &mut record, &definition, &mut problems)
            .await;
        self.log_problems(name, &problems).await;
        let is_loaded = read.is_ok();
        let mut batch = match read {
            Ok(()) => {
                record.progress = match record.errors {
                    0 => Progress::Completed,
                    _ => some_items_failed(),
                };
                self.loaded(&name.table).await?
            }
            Err(error) if error.is_server_fault() => return Err(error),
            Err(error) => {
                record.progress = Progress::Failed {
                    code: format!("S3{}", error.code),
                    message: error.message,
                };
                let mut batch = Batch::new();
                TABLES.delete(&mut batch, name.table.key());
                let erasure = Erasure {
                    tables: vec![definition.id],
                    ..Erasure::default()
                };
                self.plan_erasure(&mut batch, &erasure)
                    .map_err(store_failed)?;
                batch
            }
        };
        record.ended_at = Some(self.clock.now());
        IMPORTS
            .put(&mut batch, name.key(), &record)
            .map_err(store_failed)?;
        Ok((batch, is_loaded))
    }

    async fn read_objects(
        &self,
        name: &ArchiveName,
        record: &mut Import,
        definition: &Definition,
        problems: &mut Vec<String>,
    ) -> Result<(), ServiceError> {
        let source = record.bucket.clone();
        let bucket = self.bucket(&source, record.bucket_owner.as_deref(), &name.table);
        let prefix = record.prefix.clone().unwrap_or_default();
        let mut token = None;
        loop {
            let listed = bucket.list(&prefix, token).await?;
            for key in listed.keys {
                let object = bucket.get(&key).await?;
                let attributes = &definition.attributes;
                let mut items =
                    import::items(object, record.is_gzip, &record.format, attributes).enumerate();
                loop {
                    let mut batch = lazy();
                    let mut any = false;
                    for (at, read) in items.by_ref().take(STEP) {
                        any = true;
                        record.processed += 1;
                        let stored = read.and_then(|item| store(&mut batch, definition, &item));
                        match stored {
                            Ok(bytes) => {
                                record.imported += 1;
                                record.processed_bytes += bytes;
                            }
                            Err(problem) => {
                                record.errors += 1;
                                if problems.len() < MOST_LOGGED {
                                    problems.push(shown(name, &source, &key, at, &problem));
                                }
                            }
                        }
                    }
                    if !any {
                        break;
                    }
                    self.store.commit(batch).await.map_err(store_failed)?;
                }
            }
            token = listed.next;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// Logs what could not be imported, as far as there is a way to.
    async fn log_problems(&self, name: &ArchiveName, problems: &[String]) {
        if problems.is_empty() {
            return;
        }
        let Arn { resource, .. } = import_log_group(&name.table);
        let group = resource
            .trim_start_matches("log-group:")
            .trim_end_matches(":*");
        let group = || Some(("logGroupName", Value::Str(group.to_owned())));
        let stream = || Some(("logStreamName", Value::Str(format!("{}/errors", name.id))));
        let now = self.clock.now().millis();
        let events = problems.iter().map(|problem| {
            Value::of_members([
                Some(("timestamp", Value::Int(now))),
                Some(("message", Value::Str(problem.clone()))),
            ])
        });
        let events = Some(("logEvents", Value::List(events.collect())));
        for (operation, input) in [
            ("CreateLogGroup", Value::of_members([group()])),
            ("CreateLogStream", Value::of_members([group(), stream()])),
            (
                "PutLogEvents",
                Value::of_members([group(), stream(), events]),
            ),
        ] {
            let context = self.context_of(&name.table);
            if let Err(error) = self.api.call("logs", operation, context, input).await
                && !error.code.contains("AlreadyExists")
            {
                tracing::warn!(%error, operation, "dynamodb: an import's errors are not logged");
                return;
            }
        }
    }
}

/// An import with bad items has failed, and its table has the others.
fn some_items_failed() -> Progress {
    Progress::Failed {
        code: "ItemValidationError".to_owned(),
        message:
            "Some of the items failed validation checks. Please refer to CloudWatch error logs \
                  for more details."
                .to_owned(),
    }
}

/// Adds an item, and says how long it is.
fn store(batch: &mut Batch, definition: &Definition, item: &Item) -> Result<i64, String> {
    let key = definition
        .keys
        .of_item(item)
        .map_err(|invalid| invalid.message)?;
    check_item(definition, item).map_err(|invalid| invalid.message)?;
    batch.put(item_key(definition.id, &key), codec::encode(item));
    Ok(item_size(item) as i64)
}

fn shown(name: &ArchiveName, bucket: &str, key: &str, index: usize, problem: &str) -> String {
    json!({
        "itemS3Pointer": {"bucket": bucket, "key": key, "itemIndex": index},
        "importArn": name.arn(Kind::Import),
        "errorMessages": [problem],
    })
    .to_string()
}
