//! Writes an export: its data files, and the manifests that list them.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html>

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use service::ServiceError;
use store::{Batch, Reader as _, Scan};

use super::bucket::Bucket;
use super::copy::lazy;
use super::sequence::Sequence;
use crate::DynamoDb;
use crate::archive::{ArchiveName, EXPORTS, Export, Increment, Kind, Moment, Progress};
use crate::domain::stream::Record;
use crate::domain::value::{Item, item_size};
use crate::domain::{codec, json};
use crate::error::store_failed;
use crate::records::{Place, changes, item_key};

const STEP: usize = 100;
/// A data file holds about so many bytes, before they are compressed.
const FILE_BYTES: usize = 32 << 20;

/// A data file as the manifest lists it.
struct File {
    items: i64,
    md5: String,
    etag: String,
    key: String,
}

impl DynamoDb {
    /// Writes the export, and gives the batch that says what has come of it.
    pub async fn export(
        &self,
        name: &ArchiveName,
        moment: &Moment,
        scratch: u64,
    ) -> Result<Batch, ServiceError> {
        let known = EXPORTS.get(&*self.store, name.key()).await;
        let Some(mut export) = known.map_err(store_failed)? else {
            return Ok(Batch::new());
        };
        match self.write_export(&mut export, name, moment, scratch).await {
            Ok(()) => export.progress = Progress::Completed,
            Err(error) if error.is_server_fault() => return Err(error),
            Err(error) => {
                export.progress = Progress::Failed {
                    code: format!("S3{}", error.code),
                    message: error.message,
                }
            }
        }
        export.ended_at = Some(self.clock.now());
        let mut batch = Batch::new();
        EXPORTS
            .put(&mut batch, name.key(), &export)
            .map_err(store_failed)?;
        Ok(batch)
    }

    async fn write_export(
        &self,
        export: &mut Export,
        name: &ArchiveName,
        moment: &Moment,
        scratch: u64,
    ) -> Result<(), ServiceError> {
        let target = export.bucket.clone();
        let bucket = self.bucket(&target, export.bucket_owner.as_deref(), &name.table);
        let root = match &export.prefix {
            Some(prefix) => format!("{}/AWSDynamoDB", prefix.trim_end_matches('/')),
            None => "AWSDynamoDB".to_owned(),
        };
        let folder = format!("{root}/{}", name.id);
        bucket
            .put(&format!("{folder}/_started"), Bytes::new())
            .await?;
        let data = match export.increment {
            None => {
                self.copy(moment, scratch).await?;
                format!("{folder}/data")
            }
            Some(increment) => {
                self.gather(moment, increment, scratch).await?;
                format!("{root}/data")
            }
        };
        let files = self.write_files(&bucket, &data, export, scratch).await?;
        let manifest = format!("{folder}/manifest-files.json");
        let mut list = String::new();
        for file in &files {
            let line = json!({
                "itemCount": file.items, "md5Checksum": file.md5, "etag": file.etag,
                "dataFileS3Key": file.key,
            });
            list.push_str(&line.to_string());
            list.push('\n');
        }
        put_checked(&bucket, &manifest, list.into()).await?;
        let now = self.clock.now();
        let summary = summary(export, name, &manifest, now);
        let manifest = format!("{folder}/manifest-summary.json");
        put_checked(&bucket, &manifest, summary.to_string().into()).await?;
        export.manifest = Some(manifest);
        Ok(())
    }

    /// Puts under `scratch`, for each item that changed, its first image and its last.
    async fn gather(
        &self,
        moment: &Moment,
        increment: Increment,
        scratch: u64,
    ) -> Result<(), ServiceError> {
        let Some((log, until)) = moment.undo else {
            return Ok(());
        };
        self.erase_range(&Place::Table(scratch).all())
            .await
            .map_err(store_failed)?;
        let mut scan = changes(log, Sequence::at(increment.from), until);
        loop {
            // One by one, since a later change of an item finds what an earlier one left.
            let rows = self.read(&scan).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            scan = scan.after(last.key.clone());
            for row in rows {
                let item = codec::decode(row.value).map_err(store_failed)?;
                let mut change = Record::from_item(item).map_err(store_failed)?;
                let place = item_key(scratch, &moment.keys.of_item(&change.keys)?);
                if let Some(earlier) = self.item(place.as_bytes()).await? {
                    change.old = Record::from_item(earlier).map_err(store_failed)?.old;
                }
                let mut batch = lazy();
                batch.put(place, codec::encode(&change.into_item()));
                self.store.commit(batch).await.map_err(store_failed)?;
            }
        }
    }

    async fn read(&self, scan: &Scan) -> Result<Vec<store::Entry>, ServiceError> {
        let step = scan.clone().limit(STEP);
        self.store.scan(step).await.map_err(store_failed)
    }

    async fn write_files(
        &self,
        bucket: &Bucket<'_>,
        folder: &str,
        export: &mut Export,
        scratch: u64,
    ) -> Result<Vec<File>, ServiceError> {
        (export.items, export.bytes) = (0, 0);
        let mut files = Vec::new();
        let mut page = Page::default();
        let mut scan = Place::Table(scratch).all();
        loop {
            let rows = self.read(&scan).await?;
            let Some(last) = rows.last() else { break };
            scan = scan.after(last.key.clone());
            for row in rows {
                let item = codec::decode(row.value).map_err(store_failed)?;
                let size = item_size(&item);
                let Some(line) = line(item, export.increment)? else {
                    continue;
                };
                page.add(&line);
                export.items += 1;
                export.bytes += size as i64;
            }
            if page.bytes >= FILE_BYTES {
                let full = std::mem::take(&mut page);
                files.push(full.put(bucket, folder).await?);
            }
        }
        if page.items > 0 || files.is_empty() {
            files.push(page.put(bucket, folder).await?);
        }
        Ok(files)
    }
}

/// A data file that is being filled.
struct Page {
    items: i64,
    bytes: usize,
    gzip: GzEncoder<Vec<u8>>,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            items: 0,
            bytes: 0,
            gzip: GzEncoder::new(Vec::new(), Compression::fast()),
        }
    }
}

impl Page {
    fn add(&mut self, line: &Value) {
        let text = format!("{line}\n");
        self.items += 1;
        self.bytes += text.len();
        self.gzip
            .write_all(text.as_bytes())
            .expect("memory takes what is written to it");
    }

    async fn put(self, bucket: &Bucket<'_>, folder: &str) -> Result<File, ServiceError> {
        let body = self
            .gzip
            .finish()
            .expect("memory takes what is written to it");
        let md5 = Md5::digest(&body);
        // Named by content, so that an export that is begun again overwrites what it wrote.
        let key = format!("{folder}/{}.json.gz", &hex::encode(md5)[..26]);
        bucket.put(&key, body.into()).await?;
        Ok(File {
            items: self.items,
            md5: STANDARD.encode(md5),
            etag: hex::encode(md5),
            key,
        })
    }
}

/// What a data file says of an item; `None` if an item came and went between.
fn line(item: Item, increment: Option<Increment>) -> Result<Option<Value>, ServiceError> {
    let Some(increment) = increment else {
        return Ok(Some(json!({"Item": json::write(&item)})));
    };
    let change = Record::from_item(item).map_err(store_failed)?;
    if change.old.is_none() && change.new.is_none() {
        return Ok(None);
    }
    let micros = (change.at.millis() * 1_000).to_string();
    let mut line = json!({
        "Metadata": {"WriteTimestampMicros": {"N": micros}},
        "Keys": json::write(&change.keys),
    });
    if let Some(old) = change.old.filter(|_| increment.with_old_images) {
        line["OldImage"] = json::write(&old);
    }
    if let Some(new) = change.new {
        line["NewImage"] = json::write(&new);
    }
    Ok(Some(line))
}

fn summary(export: &Export, name: &ArchiveName, files: &str, now: base::Timestamp) -> Value {
    let mut summary = json!({
        "version": "2020-06-30",
        "exportArn": name.arn(Kind::Export),
        "startTime": export.started_at.iso8601_millis(),
        "endTime": now.iso8601_millis(),
        "tableArn": name.table.arn().to_string(),
        "tableId": export.table_uuid,
        "s3Bucket": export.bucket,
        "s3Prefix": export.prefix,
        "s3SseAlgorithm": export.encryption.as_deref().unwrap_or("AES256"),
        "s3SseKmsKeyId": export.encryption_key,
        "manifestFilesS3Key": files,
        "billedSizeBytes": export.bytes,
        "itemCount": export.items,
        "outputFormat": "DYNAMODB_JSON",
    });
    match export.increment {
        None => {
            summary["exportTime"] = export.at.iso8601_millis().into();
            summary["exportType"] = "FULL_EXPORT".into();
        }
        Some(increment) => {
            summary["version"] = "2023-08-01".into();
            summary["exportFromTime"] = increment.from.iso8601_millis().into();
            summary["exportToTime"] = export.at.iso8601_millis().into();
            summary["exportType"] = "INCREMENTAL_EXPORT".into();
            summary["outputView"] = if increment.with_old_images {
                "NEW_AND_OLD_IMAGES".into()
            } else {
                "NEW_IMAGE".into()
            };
        }
    }
    summary
}

/// Puts a manifest, and the checksum that goes with it.
async fn put_checked(bucket: &Bucket<'_>, key: &str, body: Bytes) -> Result<(), ServiceError> {
    let checksum = STANDARD.encode(Md5::digest(&body));
    bucket.put(key, body).await?;
    let key = key.replace(".json", ".checksum");
    bucket.put(&key, checksum.into()).await
}
