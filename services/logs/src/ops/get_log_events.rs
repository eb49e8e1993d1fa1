//! GetLogEvents: one stream, page by page, either way.

use service::{RequestContext, ServiceError};
use store::{Key, Row, StoreError};

use super::State;
use crate::domain::batch::{EVENT_OVERHEAD, MAX_BATCH_BYTES};
use crate::domain::page::{Direction, StreamToken};
use crate::error;
use crate::generated::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use crate::groups::group_name;
use crate::records::{EVENTS, Event, STREAMS, first_position, key_before, stream_key};

const MAX_EVENTS: usize = 10_000;
/// Records read at once.
const CHUNK: usize = 1_000;

/// Half-open range of instants, in milliseconds.
#[derive(Clone, Copy)]
struct Window {
    start: u64,
    end: u64,
}

pub async fn answer(
    logs: State,
    context: RequestContext,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse, ServiceError> {
    let group = group_name(
        &context,
        input.log_group_name,
        input.log_group_identifier.as_deref(),
    )?;
    let mut window = Window {
        start: input
            .start_time
            .and_then(|at| u64::try_from(at).ok())
            .unwrap_or(0),
        end: input
            .end_time
            .and_then(|at| u64::try_from(at).ok())
            .unwrap_or(u64::MAX),
    };
    let expired = logs
        .group(&context, &group)
        .await?
        .oldest_kept(context.received_at);
    if let Some(kept) = expired.and_then(|at| u64::try_from(at.millis()).ok()) {
        window.start = window.start.max(kept);
    }
    let key = stream_key(
        &context.account,
        &context.region,
        &group,
        &input.log_stream_name,
    );
    let stream = STREAMS
        .get(&logs.store, key)
        .await
        .map_err(|error| error::unavailable(&error))?;
    if stream.is_none() {
        return Err(error::stream_not_found());
    }
    let given = input.next_token.as_deref().map(|token| {
        StreamToken::decode(token)
            .ok_or_else(|| error::invalid_parameter("The specified nextToken is invalid."))
    });
    let given = given.transpose()?;
    let token = given.unwrap_or_else(|| {
        window.first_token(match input.start_from_head {
            Some(true) => Direction::Forward,
            _ => Direction::Backward,
        })
    });
    let limit = usize::try_from(input.limit.unwrap_or(10_000)).unwrap_or(MAX_EVENTS);
    let found = read(&logs, key, token, window, limit.min(MAX_EVENTS))
        .await
        .map_err(|error| error::unavailable(&error))?;
    let edge = |position: Option<&Found>, direction| {
        // Where nothing was found, whoever follows a stream from here gets what comes later.
        let here = given.unwrap_or_else(|| window.first_token(direction));
        let (at, sequence) = position.map_or((here.at, here.sequence), |one| one.position);
        StreamToken {
            direction,
            at,
            sequence,
        }
        .encode()
    };
    Ok(GetLogEventsResponse {
        next_forward_token: Some(edge(found.last(), Direction::Forward)),
        next_backward_token: Some(edge(found.first(), Direction::Backward)),
        events: Some(found.into_iter().map(Found::output).collect()),
    })
}

struct Found {
    position: (u64, u64),
    event: Event,
}

impl Found {
    fn output(self) -> OutputLogEvent {
        OutputLogEvent {
            timestamp: i64::try_from(self.position.0).ok(),
            message: Some(self.event.message),
            ingestion_time: Some(self.event.ingested.millis()),
        }
    }
}

impl Window {
    /// Where a reading without a token begins: before the first event going forward, after the
    /// last going backward.
    fn first_token(self, direction: Direction) -> StreamToken {
        let before_start = || {
            self.start
                .checked_sub(1)
                .map_or((0, 0), |before| (before, u64::MAX))
        };
        let (at, sequence) = match direction {
            Direction::Forward => before_start(),
            Direction::Backward => (self.end, 0),
        };
        StreamToken {
            direction,
            at,
            sequence,
        }
    }
}

/// The events past the token within the window, oldest first, up to `limit` of them and 1 MB.
async fn read(
    logs: &State,
    stream: (&str, &str, &str, &str),
    token: StreamToken,
    window: Window,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let (account, region, group, name) = stream;
    let forward = token.direction == Direction::Forward;
    let here = (token.at, token.sequence);
    let mut after = if forward {
        key_before(stream, here)
    } else {
        Some(Key::of((account, region, group, name, here.0, here.1)))
    };
    let is_past_token = |position| match token.direction {
        // The least of all positions is the token of a reading from the beginning.
        Direction::Forward => position > here || here == (0, 0),
        Direction::Backward => position < here,
    };
    let (mut found, mut bytes) = (Vec::new(), 0);
    'pages: loop {
        let chunk = CHUNK.min(limit - found.len());
        let page = if forward {
            EVENTS
                .scan(&logs.store, stream, after.as_ref(), chunk)
                .await?
        } else {
            EVENTS
                .scan_reversed(&logs.store, stream, after.as_ref(), chunk)
                .await?
        };
        for Row { key, value, .. } in page.rows {
            let first = first_position(&key)?;
            let past = match token.direction {
                Direction::Forward => first.0 >= window.end,
                Direction::Backward => first.0 < window.start,
            };
            if past {
                break 'pages;
            }
            let events = value.into_events(first);
            let events: Vec<_> = match token.direction {
                Direction::Forward => events.collect(),
                Direction::Backward => events.rev().collect(),
            };
            for (position, event) in events {
                if found.len() == limit {
                    break 'pages;
                }
                if !is_past_token(position) {
                    continue;
                }
                bytes += event.message.len() + EVENT_OVERHEAD;
                if bytes > MAX_BATCH_BYTES && !found.is_empty() {
                    break 'pages;
                }
                if (window.start..window.end).contains(&position.0) {
                    found.push(Found { position, event });
                }
            }
        }
        match page.next {
            Some(next) if found.len() < limit => after = Some(next),
            _ => break,
        }
    }
    if !forward {
        found.reverse();
    }
    Ok(found)
}
