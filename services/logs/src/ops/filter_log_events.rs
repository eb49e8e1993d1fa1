//! FilterLogEvents: the streams of a group merged by time, and searched.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use service::{RequestContext, ServiceError};
use store::{Key, StoreError};

use super::State;
use crate::domain::batch::{EVENT_OVERHEAD, MAX_BATCH_BYTES};
use crate::domain::event_id::event_id;
use crate::domain::filter::FilterPattern;
use crate::domain::page;
use crate::error;
use crate::generated::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use crate::groups::group_name;
use crate::records::{EVENTS, Event, Stream, first_position, key_before, stream_key};

const MAX_EVENTS: usize = 10_000;
/// Events looked at for one answer; a rarer match takes several, as in AWS.
const MAX_SEARCHED: usize = 100_000;
/// Records of one stream read at once.
const CHUNK: usize = 256;

/// Where an event stands: instant, stream, sequence number.
type Position = (u64, String, u64);

/// The same as a number line that is read upwards, whichever way the search goes.
type Rank = (i128, String, i128);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    OldestFirst,
    LatestFirst,
}

impl Direction {
    fn rank(self, (at, stream, sequence): &Position) -> Rank {
        let (at, sequence) = (i128::from(*at), i128::from(*sequence));
        match self {
            Self::OldestFirst => (at, stream.clone(), sequence),
            Self::LatestFirst => (-at, stream.clone(), -sequence),
        }
    }
}

pub async fn answer(
    logs: State,
    context: RequestContext,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, ServiceError> {
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(error::invalid_parameter(
            "logStreamNames and logStreamNamePrefix are mutually exclusive.",
        ));
    }
    let pattern = FilterPattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|error| error::invalid_parameter(error.to_string()))?;
    let (direction, after) = match input.next_token.as_deref() {
        Some(token) => decode_token(token)
            .map(|(direction, position)| (direction, Some(position)))
            .ok_or_else(|| error::invalid_parameter("The specified nextToken is invalid."))?,
        None if input.start_from_head == Some(false) => (Direction::LatestFirst, None),
        None => (Direction::OldestFirst, None),
    };
    let group = group_name(
        &context,
        input.log_group_name,
        input.log_group_identifier.as_deref(),
    )?;
    let kept = logs
        .group(&context, &group)
        .await?
        .oldest_kept(context.received_at);
    let millis = |at: Option<i64>| at.and_then(|at| u64::try_from(at).ok());
    let oldest = kept
        .and_then(|at| u64::try_from(at.millis()).ok())
        .unwrap_or(0);
    let search = Search {
        logs: &logs,
        context: &context,
        group: &group,
        start: millis(input.start_time).unwrap_or(0).max(oldest),
        // The end is inclusive here, unlike in GetLogEvents.
        end: millis(input.end_time).unwrap_or(u64::MAX),
        direction,
        after,
    };
    let mut streams = logs.streams(&context, &group).await?;
    let exists = |wanted: &String| streams.iter().any(|(name, _)| name == wanted);
    if !input.log_stream_names.iter().flatten().all(exists) {
        return Err(error::stream_not_found());
    }
    streams.retain(|(name, stream)| {
        input
            .log_stream_names
            .as_ref()
            .is_none_or(|names| names.contains(name))
            && input
                .log_stream_name_prefix
                .as_ref()
                .is_none_or(|one| name.starts_with(one))
            && search.may_hold(stream)
    });
    let limit = usize::try_from(input.limit.unwrap_or(10_000)).unwrap_or(MAX_EVENTS);
    let (events, next) = search
        .run(streams, &pattern, limit.min(MAX_EVENTS))
        .await
        .map_err(|error| error::unavailable(&error))?;
    Ok(FilterLogEventsResponse {
        events: Some(events),
        searched_log_streams: Some(Vec::new()),
        next_token: next.map(|position| encode_token(direction, &position)),
    })
}

struct Search<'a> {
    logs: &'a State,
    context: &'a RequestContext,
    group: &'a str,
    start: u64,
    end: u64,
    direction: Direction,
    after: Option<Position>,
}

/// The first event of each stream that has one left, the next in order on top.
type Heads = BinaryHeap<Reverse<(Rank, Position, usize)>>;

/// The next events of one stream, read in chunks.
struct Cursor {
    ready: VecDeque<((u64, u64), Event)>,
    next: Option<Key>,
    exhausted: bool,
}

impl Search<'_> {
    fn may_hold(&self, stream: &Stream) -> bool {
        let millis = |at: base::Timestamp| u64::try_from(at.millis()).unwrap_or(0);
        let (Some(first), Some(last)) = (stream.first_event, stream.last_event) else {
            return false;
        };
        let (from, to) = self.window();
        millis(first) <= to && millis(last) >= from
    }

    /// The instants still to be searched, both inclusive.
    fn window(&self) -> (u64, u64) {
        match (&self.after, self.direction) {
            (None, _) => (self.start, self.end),
            (Some((at, ..)), Direction::OldestFirst) => (self.start.max(*at), self.end),
            (Some((at, ..)), Direction::LatestFirst) => (self.start, self.end.min(*at)),
        }
    }

    /// The matching events in order, and where to go on if the search did not reach its end.
    async fn run(
        &self,
        streams: Vec<(String, Stream)>,
        pattern: &FilterPattern,
        limit: usize,
    ) -> Result<(Vec<FilteredLogEvent>, Option<Position>), StoreError> {
        let mut cursors = Vec::with_capacity(streams.len());
        let mut heads = Heads::new();
        for (index, (name, _)) in streams.iter().enumerate() {
            let mut cursor = Cursor {
                ready: VecDeque::new(),
                next: None,
                exhausted: false,
            };
            self.fill(&mut cursor, name).await?;
            self.push_head(&mut heads, &cursor, name, index);
            cursors.push(cursor);
        }
        let (mut found, mut bytes, mut searched, mut last) = (Vec::new(), 0, 0, None);
        while let Some(Reverse((_, position, index))) = heads.pop() {
            if found.len() == limit || searched == MAX_SEARCHED {
                return Ok((found, last));
            }
            let cursor = &mut cursors[index];
            let Some((_, event)) = cursor.ready.pop_front() else {
                continue;
            };
            searched += 1;
            if pattern.matches(&event.message) {
                bytes += event.message.len() + EVENT_OVERHEAD;
                if bytes > MAX_BATCH_BYTES && !found.is_empty() {
                    return Ok((found, last));
                }
                found.push(output(&position, event));
            }
            let name = position.1.clone();
            last = Some(position);
            if cursor.ready.is_empty() {
                self.fill(cursor, &name).await?;
            }
            self.push_head(&mut heads, cursor, &name, index);
        }
        Ok((found, None))
    }

    /// Reads the stream's next chunk that has an event in the window past the token.
    async fn fill(&self, cursor: &mut Cursor, name: &str) -> Result<(), StoreError> {
        let context = self.context;
        let stream = stream_key(&context.account, &context.region, self.group, name);
        let (from, to) = self.window();
        let after = self
            .after
            .as_ref()
            .map(|position| self.direction.rank(position));
        while cursor.ready.is_empty() && !cursor.exhausted {
            let begin = cursor.next.take().or_else(|| self.first_key(stream));
            let (store, begin) = (&self.logs.store, begin.as_ref());
            let page = match self.direction {
                Direction::OldestFirst => EVENTS.scan(store, stream, begin, CHUNK).await?,
                Direction::LatestFirst => EVENTS.scan_reversed(store, stream, begin, CHUNK).await?,
            };
            cursor.exhausted = page.next.is_none();
            cursor.next = page.next;
            for row in page.rows {
                let first = first_position(&row.key)?;
                let at = first.0;
                let past = match self.direction {
                    Direction::OldestFirst => at > to,
                    Direction::LatestFirst => at < from,
                };
                if past {
                    cursor.exhausted = true;
                    break;
                }
                let is_new = |&((at, sequence), _): &((u64, u64), Event)| {
                    let rank = self.direction.rank(&(at, name.to_owned(), sequence));
                    (from..=to).contains(&at) && after.as_ref().is_none_or(|after| rank > *after)
                };
                let events = row.value.into_events(first).filter(is_new);
                match self.direction {
                    Direction::OldestFirst => cursor.ready.extend(events),
                    Direction::LatestFirst => cursor.ready.extend(events.rev()),
                }
            }
        }
        Ok(())
    }

    /// Just before the first event that can be wanted; `None` for the stream's own beginning.
    fn first_key(&self, stream: (&str, &str, &str, &str)) -> Option<Key> {
        let (from, to) = self.window();
        let begin = match self.direction {
            Direction::OldestFirst => from,
            Direction::LatestFirst => to.checked_add(1)?,
        };
        key_before(stream, (begin, 0))
    }

    fn push_head(&self, heads: &mut Heads, cursor: &Cursor, name: &str, index: usize) {
        if let Some(((at, sequence), _)) = cursor.ready.front() {
            let position = (*at, name.to_owned(), *sequence);
            heads.push(Reverse((self.direction.rank(&position), position, index)));
        }
    }
}

fn output(position: &Position, event: Event) -> FilteredLogEvent {
    let (at, stream, sequence) = position;
    FilteredLogEvent {
        log_stream_name: Some(stream.clone()),
        timestamp: i64::try_from(*at).ok(),
        message: Some(event.message),
        ingestion_time: Some(event.ingested.millis()),
        event_id: Some(event_id(*at, stream, *sequence)),
    }
}

fn encode_token(direction: Direction, (at, stream, sequence): &Position) -> String {
    let sign = if direction == Direction::OldestFirst {
        'f'
    } else {
        'b'
    };
    page::encode_text(&format!("{sign}/{at}/{sequence}/{stream}"))
}

fn decode_token(token: &str) -> Option<(Direction, Position)> {
    let text = page::decode_text(token)?;
    let mut parts = text.splitn(4, '/');
    let direction = match parts.next()? {
        "f" => Direction::OldestFirst,
        "b" => Direction::LatestFirst,
        _ => return None,
    };
    let (at, sequence) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((direction, (at, parts.next()?.to_owned(), sequence)))
}
