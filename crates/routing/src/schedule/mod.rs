//! Schedule expressions, and what is due next.
//!
//! `rate(5 minutes)`, `cron(0 12 ? * MON-FRI *)`, `at(2026-11-29T12:00:00)`.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

mod agenda;
mod cron;

use base::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use agenda::Agenda;
pub use cron::Cron;

/// When something is to happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Once.
    At(DateTime),
    Rate {
        millis: i64,
    },
    Cron(Cron),
}

/// The zone with this name of the IANA's database, if there is one.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

impl Schedule {
    /// Reads an expression; `None` if it is none.
    pub fn parse(expression: &str) -> Option<Self> {
        let (kind, rest) = expression.split_once('(')?;
        let inside = rest.strip_suffix(')')?;
        match kind {
            "rate" => rate(inside),
            "cron" => Cron::parse(inside).map(Self::Cron),
            "at" => at(inside).map(Self::At),
            _ => None,
        }
    }

    /// The first time after `after`. A rate counts from `anchor`.
    pub fn next(&self, after: Timestamp, anchor: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::At(once) => instant(*once, zone).filter(|at| *at > after),
            Self::Rate { millis } => {
                let since = after.millis().saturating_sub(anchor.millis()).max(0);
                let begun = since / millis + 1;
                let next = anchor.millis().checked_add(begun.checked_mul(*millis)?)?;
                Some(Timestamp::from_millis(next))
            }
            Self::Cron(cron) => cron.next(after, zone),
        }
    }

    /// When it happens, if it happens once.
    pub fn once(&self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::At(once) => instant(*once, zone),
            _ => None,
        }
    }
}

/// What a clock on the wall shows, as an instant: of two the first, and of none the one that the
/// clock shows instead.
fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let found = zone.to_ambiguous_zoned_datetime(local).compatible().ok()?;
    Some(Timestamp::from_millis(found.timestamp().as_millisecond()))
}

fn rate(inside: &str) -> Option<Schedule> {
    let (count, unit) = inside.split_once(' ')?;
    if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: i64 = count.parse().ok().filter(|count| *count > 0)?;
    let (name, is_plural) = match unit.strip_suffix('s') {
        Some(name) => (name, true),
        None => (unit, false),
    };
    if is_plural == (count == 1) {
        return None;
    }
    let minutes = match name {
        "minute" => 1,
        "hour" => 60,
        "day" => 24 * 60,
        _ => return None,
    };
    let millis = count.checked_mul(minutes)?.checked_mul(60_000)?;
    Some(Schedule::Rate { millis })
}

fn at(inside: &str) -> Option<DateTime> {
    let is_plain = inside.len() == "2026-11-29T12:00:00".len();
    inside.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests;
