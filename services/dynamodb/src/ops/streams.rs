//! Streams as the operations see them: their ARNs, their one shard, and iterators through it.

use base::{Arn, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use service::ServiceError;
use store::Batch;

use crate::DynamoDb;
use crate::domain::table::{Definition, Stream, View};
use crate::engine::rand_id;
use crate::error::{self, store_failed};
use crate::records::{STREAMS, StreamRecord, TableName};

/// A stream by what its ARN says.
pub struct StreamName {
    pub table: TableName,
    pub label: String,
}

impl StreamName {
    /// From `arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE/stream/LABEL`.
    pub fn parse(arn: &str) -> Result<Self, ServiceError> {
        let invalid = || error::invalid(format!("Invalid StreamArn: {arn}"));
        let parsed: Arn = arn.parse().map_err(|_| invalid())?;
        let (table, label) = parsed
            .resource
            .strip_prefix("table/")
            .and_then(|rest| rest.split_once("/stream/"))
            .filter(|_| parsed.service == "dynamodb")
            .ok_or_else(invalid)?;
        let account = parsed.account_id().ok_or_else(invalid)?;
        Ok(Self {
            table: TableName {
                account,
                region: parsed.region().ok_or_else(invalid)?,
                name: table.to_owned(),
            },
            label: label.to_owned(),
        })
    }

    pub fn arn(&self) -> String {
        self.table.stream_arn(&self.label)
    }
}

pub fn no_such_stream(arn: &str) -> ServiceError {
    error::not_found(format!(
        "Requested resource not found: Stream: {arn} not found"
    ))
}

/// A page's length, which the service bounds and its model does not.
pub fn page(limit: Option<i32>, most: usize) -> Result<usize, ServiceError> {
    let wanted = limit.map_or(Some(most), |limit| usize::try_from(limit).ok());
    wanted.filter(|wanted| *wanted <= most).ok_or_else(|| {
        error::invalid(format!(
            "1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: Member \
             must have value less than or equal to {most}",
            limit.unwrap_or_default()
        ))
    })
}

/// A stream has one shard, from its beginning to its end.
pub fn shard_id(stream: &StreamRecord) -> String {
    let time = stream.created_at.millis();
    format!("shardId-{time:020}-{:08x}", stream.id as u32)
}

/// How long an iterator can be used.
const ITERATOR_LIVES: std::time::Duration = std::time::Duration::from_mins(15);

/// Where in a stream a reader is.
pub struct Iterator {
    pub arn: String,
    /// The next sequence number to read.
    pub position: u64,
}

impl Iterator {
    /// As clients carry it. Nothing in it is trusted: it names a stream, which its reader must own.
    pub fn encode(&self, now: Timestamp) -> String {
        let text = format!("{}|{}|{}", self.position, now.millis(), self.arn);
        format!("{}|1|{}", self.arn, URL_SAFE_NO_PAD.encode(text))
    }

    pub fn decode(text: &str, now: Timestamp) -> Result<Self, ServiceError> {
        let invalid = || error::invalid("Invalid ShardIterator");
        let coded = text.rsplit('|').next().ok_or_else(invalid)?;
        let bytes = URL_SAFE_NO_PAD.decode(coded).map_err(|_| invalid())?;
        let text = String::from_utf8(bytes).map_err(|_| invalid())?;
        let mut parts = text.splitn(3, '|');
        let mut next = || parts.next().ok_or_else(invalid);
        let position = next()?.parse().map_err(|_| invalid())?;
        let made: i64 = next()?.parse().map_err(|_| invalid())?;
        if now.since(Timestamp::from_millis(made)) > ITERATOR_LIVES {
            return Err(error::expired_iterator());
        }
        Ok(Self {
            arn: next()?.to_owned(),
            position,
        })
    }
}

/// The ARN of the stream that an iterator reads.
pub fn stream_of_iterator(iterator: &str) -> Option<String> {
    Iterator::decode(iterator, Timestamp::default())
        .ok()
        .map(|iterator| iterator.arn)
}

impl DynamoDb {
    pub async fn stream(&self, arn: &str) -> Result<(StreamName, StreamRecord), ServiceError> {
        let name = StreamName::parse(arn)?;
        let key = (name.table.key(), name.label.as_str());
        let record = STREAMS.get(&*self.store, key).await.map_err(store_failed)?;
        let record = record.ok_or_else(|| no_such_stream(arn))?;
        Ok((name, record))
    }

    /// Gives a table a stream, whose record goes into the same batch as the table's.
    pub fn start_stream(
        &self,
        table: &TableName,
        definition: &mut Definition,
        view: View,
        batch: &mut Batch,
    ) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let label = now.iso8601_millis().trim_end_matches('Z').to_owned();
        let record = StreamRecord {
            id: rand_id(),
            view,
            created_at: now,
            keys: definition.keys.clone(),
            first: self.sequence.next(now),
            ended: None,
        };
        STREAMS
            .put(batch, (table.key(), label.as_str()), &record)
            .map_err(store_failed)?;
        definition.stream = Some(Stream {
            id: record.id,
            label: label.clone(),
            view,
        });
        definition.stream_label = Some(label);
        Ok(())
    }

    /// Ends a table's stream, if it has one. It can be read for another day.
    pub async fn end_stream(
        &self,
        table: &TableName,
        definition: &mut Definition,
        batch: &mut Batch,
    ) -> Result<(), ServiceError> {
        let Some(stream) = definition.stream.take() else {
            return Ok(());
        };
        let key = (table.key(), stream.label.as_str());
        let record = STREAMS
            .get(&*self.store, &key)
            .await
            .map_err(store_failed)?;
        if let Some(mut record) = record {
            let now = self.clock.now();
            record.ended = Some((self.sequence.next(now), now));
            STREAMS.put(batch, &key, &record).map_err(store_failed)?;
        }
        Ok(())
    }
}
