//! StartReplay, CancelReplay, DescribeReplay, ListReplays.

use service::{RequestContext, ServiceError};
use store::Batch;

use super::State;
use crate::directory::name_of;
use crate::domain::{names, page};
use crate::error;
use crate::generated as g;
use crate::records::{Named, REPLAYS, Replay};
use crate::replay::put;

async fn find(events: &State, name: &Named) -> Result<Replay, ServiceError> {
    REPLAYS
        .get(&*events.store, name.key())
        .await
        .map_err(|error| error::unavailable(&error))?
        .ok_or_else(|| error::not_found(format!("Replay {} does not exist.", name.name)))
}

async fn save(events: &State, name: &Named, replay: &Replay) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let staged = put(&mut batch, name, replay);
    events.commit(staged.map(|()| batch)).await
}

pub async fn start(
    events: State,
    context: RequestContext,
    input: g::StartReplayRequest,
) -> Result<g::StartReplayResponse, ServiceError> {
    if names::of_arn(&input.destination.arn, "event-bus").is_none() {
        return Err(error::validation(
            "Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.",
        ));
    }
    events.own_bus(&context, Some(&input.destination.arn))?;
    if input.event_end_time <= input.event_start_time {
        return Err(error::validation(
            "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
        ));
    }
    let source = names::of_arn(&input.event_source_arn, "archive").ok_or_else(|| {
        error::validation(
            "Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.",
        )
    })?;
    let archive = Some(&source)
        .filter(|name| name.account == context.account)
        .and_then(|name| events.directory.archive(name))
        .ok_or_else(|| {
            error::validation(format!(
                "Parameter EventSourceArn is not valid. Reason: Archive {} does not exist.",
                source.name
            ))
        })?;
    if archive.record.source != input.destination.arn {
        return Err(error::validation(
            "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not \
             permitted.",
        ));
    }
    let _one_writer = events.writer.lock().await;
    let name = names::own(&context, &input.replay_name);
    if find(&events, &name).await.is_ok() {
        return Err(error::exists(format!(
            "Replay {} already exists.",
            name.name
        )));
    }
    let now = events.clock.now();
    let replay = Replay {
        source: input.event_source_arn,
        destination: input.destination.arn,
        filter: input.destination.filter_arns.unwrap_or_default(),
        description: input.description,
        from: input.event_start_time,
        until: input.event_end_time,
        state: "STARTING".to_owned(),
        last_replayed: None,
        started: now,
        ended: None,
    };
    save(&events, &name, &replay).await?;
    let arn = name.arn("replay").to_string();
    events.replay(name);
    Ok(g::StartReplayResponse {
        replay_arn: Some(arn),
        state: Some(g::ReplayState::Starting),
        state_reason: None,
        replay_start_time: Some(now),
    })
}

pub async fn cancel(
    events: State,
    context: RequestContext,
    input: g::CancelReplayRequest,
) -> Result<g::CancelReplayResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let name = names::own(&context, &input.replay_name);
    let mut replay = find(&events, &name).await?;
    if !["STARTING", "RUNNING"].contains(&replay.state.as_str()) {
        return Err(error::illegal_status(format!(
            "Replay {} is not in a valid state for this operation.",
            name.name
        )));
    }
    "CANCELLED".clone_into(&mut replay.state);
    replay.ended = Some(events.clock.now());
    save(&events, &name, &replay).await?;
    Ok(g::CancelReplayResponse {
        replay_arn: Some(name.arn("replay").to_string()),
        state: g::ReplayState::parse(&replay.state),
        state_reason: None,
    })
}

pub async fn describe(
    events: State,
    context: RequestContext,
    input: g::DescribeReplayRequest,
) -> Result<g::DescribeReplayResponse, ServiceError> {
    let name = names::own(&context, &input.replay_name);
    let replay = find(&events, &name).await?;
    Ok(g::DescribeReplayResponse {
        replay_arn: Some(name.arn("replay").to_string()),
        replay_name: Some(name.name),
        description: replay.description,
        state: g::ReplayState::parse(&replay.state),
        state_reason: None,
        event_source_arn: Some(replay.source),
        destination: Some(g::ReplayDestination {
            arn: replay.destination,
            filter_arns: (!replay.filter.is_empty()).then_some(replay.filter),
        }),
        event_start_time: Some(replay.from),
        event_end_time: Some(replay.until),
        event_last_replayed_time: replay.last_replayed,
        replay_start_time: Some(replay.started),
        replay_end_time: replay.ended,
    })
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListReplaysRequest,
) -> Result<g::ListReplaysResponse, ServiceError> {
    page::check_filters(
        "ListReplays",
        input.state.is_some(),
        input.event_source_arn.is_some(),
        input.name_prefix.is_some(),
    )?;
    let prefix = input.name_prefix.unwrap_or_default();
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let like = (context.account.as_str(), context.region.as_str());
        let page = REPLAYS
            .scan(&*events.store, like, after.as_ref(), 500)
            .await
            .map_err(|error| error::unavailable(&error))?;
        for row in page.rows {
            let (name, _) = name_of(&row.key).map_err(|error| error::unavailable(&error))?;
            found.push((name.name, row.value));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    found.retain(|(name, replay)| {
        name.starts_with(&prefix)
            && input
                .state
                .is_none_or(|state| state.as_str() == replay.state)
            && input
                .event_source_arn
                .as_ref()
                .is_none_or(|source| *source == replay.source)
    });
    let (page, next_token) = page::cut(found, input.next_token.as_deref(), input.limit)?;
    let shown = page.into_iter().map(|(name, replay)| g::Replay {
        replay_name: Some(name),
        event_source_arn: Some(replay.source),
        state: g::ReplayState::parse(&replay.state),
        state_reason: None,
        event_start_time: Some(replay.from),
        event_end_time: Some(replay.until),
        event_last_replayed_time: replay.last_replayed,
        replay_start_time: Some(replay.started),
        replay_end_time: replay.ended,
    });
    Ok(g::ListReplaysResponse {
        replays: Some(shown.collect()),
        next_token,
    })
}
