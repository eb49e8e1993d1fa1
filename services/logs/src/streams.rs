//! Writing events, and the stream records that go with them.

use std::sync::Arc;

use base::{AccountId, Region, Timestamp};
use service::ports::{LogLine, LogStream};
use store::{Batch, Durability, StoreError};

use crate::Logs;
use crate::domain::batch::EVENT_OVERHEAD;
use crate::records::{EVENTS, GROUPS, Group, Moment, STREAMS, Stream, group_key, stream_key};
use crate::subscriptions::Subscribed;

/// Where events go.
#[derive(Clone, Copy)]
pub(crate) struct StreamName<'a> {
    pub account: &'a AccountId,
    pub region: &'a Region,
    pub group: &'a str,
    pub stream: &'a str,
}

impl<'a> StreamName<'a> {
    fn key(&self) -> (&'a str, &'a str, &'a str, &'a str) {
        stream_key(self.account, self.region, self.group, self.stream)
    }
}

impl Logs {
    /// Takes environments' lines. All streams are written at once, so that one commit of the store
    /// takes them together; lines that cannot be stored are lost.
    pub(crate) async fn append_arrivals(
        &self,
        arrivals: impl IntoIterator<Item = (Arc<LogStream>, Vec<LogLine>)>,
    ) {
        let _one_writer = self.writer.lock().await;
        let appended = arrivals.into_iter().map(async |(stream, lines)| {
            if let Err(error) = self.append_lines(&stream, lines).await {
                tracing::warn!(%error, group = stream.group, "store log lines; they are lost");
            }
        });
        futures::future::join_all(appended).await;
    }

    /// Takes an environment's lines; makes the group and the stream if they are new. For the one
    /// writer.
    async fn append_lines(&self, to: &LogStream, lines: Vec<LogLine>) -> Result<(), StoreError> {
        let name = StreamName {
            account: &to.account,
            region: &to.region,
            group: &to.group,
            stream: &to.name,
        };
        let now = self.clock.now();
        let mut batch = Batch::new();
        // Log lines are not acknowledged to anyone, so they may ride with the next sync.
        batch.durability(Durability::Lazy);
        let group = group_key(name.account, name.region, name.group);
        if GROUPS.get(&self.store, group).await?.is_none() {
            GROUPS.put(&mut batch, group, &Group::created_at(now))?;
        }
        let stream = STREAMS
            .get(&self.store, name.key())
            .await?
            .unwrap_or_else(|| Stream::created_at(lines.first().map_or(now, |line| line.at)));
        let events = lines.into_iter().map(|line| (line.at, line.message));
        self.put_events(batch, name, stream, events, now).await?;
        Ok(())
    }

    /// Takes the events of PutLogEvents into a stream that exists.
    ///
    /// Returns the sequence number of the next event, or `None`, having written nothing, if the
    /// stream does not exist.
    pub(crate) async fn append_events(
        &self,
        name: StreamName<'_>,
        events: impl Iterator<Item = (Timestamp, String)> + Send,
    ) -> Result<Option<u64>, StoreError> {
        let _one_writer = self.writer.lock().await;
        let Some(stream) = STREAMS.get(&self.store, name.key()).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        let next = self.put_events(Batch::new(), name, stream, events, now);
        next.await.map(Some)
    }

    /// Commits events with what else is in the batch and with what subscribers get of them; returns
    /// the sequence number of the next event.
    async fn put_events(
        &self,
        mut batch: Batch,
        name: StreamName<'_>,
        stream: Stream,
        events: impl Iterator<Item = (Timestamp, String)> + Send,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut subscribed = Subscribed::new(name, &self.subscriptions);
        let next = put_events(&mut batch, name, stream, events, &mut subscribed, now)?;
        let parcels = self.deliveries.stage(&mut batch, subscribed.parcels(now))?;
        self.store.commit(batch).await?;
        parcels.send_off();
        Ok(next)
    }
}

fn put_events(
    batch: &mut Batch,
    name: StreamName<'_>,
    mut stream: Stream,
    events: impl Iterator<Item = (Timestamp, String)>,
    subscribed: &mut Subscribed<'_>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut put = |(at, first): (u64, u64), moment: &Moment| {
        let (account, region, group, stream) = name.key();
        EVENTS.put(batch, (account, region, group, stream, at, first), moment)
    };
    let mut open: Option<((u64, u64), Moment)> = None;
    for (at, message) in events {
        stream.stored_bytes += (message.len() + EVENT_OVERHEAD) as u64;
        stream.first_event = Some(stream.first_event.map_or(at, |first| first.min(at)));
        stream.last_event = Some(stream.last_event.map_or(at, |last| last.max(at)));
        let instant = u64::try_from(at.millis()).unwrap_or(0);
        subscribed.offer(instant, stream.next_sequence, &message);
        let refused = match &mut open {
            Some((first, moment)) if first.0 == instant => moment.push(message).err(),
            _ => Some(message),
        };
        if let Some(message) = refused {
            let moment = Moment::of(message, now);
            if let Some((first, whole)) = open.replace(((instant, stream.next_sequence), moment)) {
                put(first, &whole)?;
            }
        }
        stream.next_sequence += 1;
    }
    if let Some((first, moment)) = open {
        put(first, &moment)?;
    }
    stream.last_ingestion = Some(now);
    STREAMS.put(batch, name.key(), &stream)?;
    Ok(stream.next_sequence)
}
