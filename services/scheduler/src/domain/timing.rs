//! When a schedule is due, between its start and its end.

use std::time::Duration;

use base::Timestamp;
use jiff::tz::TimeZone;
use routing::schedule::{Schedule as Expression, zone};
use service::ServiceError;

use crate::error;
use crate::records::{Schedule, Settings};

/// The expression and the zone, which have been checked.
fn parsed(settings: &Settings) -> Option<(Expression, TimeZone)> {
    Some((
        Expression::parse(&settings.expression)?,
        zone(&settings.time_zone)?,
    ))
}

/// How far in the past a new schedule may start.
const PAST_START: Duration = Duration::from_mins(5);

/// What recurs may not start long ago; what happens once has no start.
pub fn check_start(settings: &Settings, now: Timestamp) -> Result<(), ServiceError> {
    let recurs = parsed(settings).is_some_and(|(each, _)| !matches!(each, Expression::At(_)));
    if recurs && settings.start.is_some_and(|start| start < now - PAST_START) {
        return Err(error::validation(
            "The StartDate you specify cannot be earlier than 5 minutes ago.",
        ));
    }
    Ok(())
}

/// The first time of a schedule made or changed now. A rate begins at once.
pub fn first(settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    if !settings.enabled {
        return None;
    }
    let (expression, zone) = parsed(settings)?;
    let begin = settings.start.map_or(now, |start| start.max(now));
    let first = match &expression {
        Expression::At(_) => return expression.once(&zone).filter(|at| *at >= now),
        Expression::Rate { .. } => match settings.start {
            // Of a start that is past the rhythm counts.
            Some(start) if start < now => expression.next(now, start, &zone)?,
            _ => begin,
        },
        Expression::Cron(_) => expression.next(begin - Duration::from_millis(1), begin, &zone)?,
    };
    within(settings, first)
}

/// The time after `last`, and after now: what was missed happens once.
pub fn next(schedule: &Schedule, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let settings = &schedule.settings;
    let (expression, zone) = parsed(settings)?;
    if matches!(expression, Expression::At(_)) {
        return None;
    }
    within(settings, expression.next(last.max(now), last, &zone)?)
}

fn within(settings: &Settings, at: Timestamp) -> Option<Timestamp> {
    settings.end.is_none_or(|end| at <= end).then_some(at)
}

/// When the target is called: at any time of the flexible window, if there is one.
pub fn due(settings: &Settings, next: Timestamp, random: f64) -> Timestamp {
    let minutes = settings.window_minutes.unwrap_or(0);
    let window = Duration::from_mins(u64::try_from(minutes).unwrap_or(0));
    next + window.mul_f64(random.clamp(0.0, 1.0))
}
