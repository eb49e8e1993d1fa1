//! AWS's six fields: minutes, hours, day of month, month, day of week, year.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>

use base::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const FIRST_YEAR: i64 = 1970;
const LAST_YEAR: i64 = 2199;

/// A parsed cron expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron {
    minutes: Vec<bool>,
    hours: Vec<bool>,
    months: Vec<bool>,
    years: Vec<bool>,
    day: Day,
}

/// Which days of a month. AWS takes either field; the other is `?`.
#[derive(Clone, Debug, PartialEq)]
enum Day {
    OfMonth(Vec<OfMonth>),
    OfWeek(Vec<OfWeek>),
}

#[derive(Clone, Debug, PartialEq)]
enum OfMonth {
    Days(Vec<bool>),
    /// `L`
    Last,
    /// `15W`: the weekday nearest to the day.
    Nearest(i8),
    /// `LW`
    LastWeekday,
}

#[derive(Clone, Debug, PartialEq)]
enum OfWeek {
    /// By number, Sunday is 1.
    Days(Vec<bool>),
    /// `5L`: the month's last of that day.
    Last(i64),
    /// `3#2`: the month's second of that day.
    Nth(i64, i64),
}

impl Cron {
    /// Reads what stands between the parentheses.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields.try_into().ok()?;
        let day = match (of_month, of_week) {
            ("?", "?") => return None,
            (days, "?") => Day::OfMonth(list(days, of_month_item)?),
            ("?", days) => Day::OfWeek(list(days, of_week_item)?),
            _ => return None,
        };
        Some(Self {
            minutes: set(minutes, 0, 59, &[])?,
            hours: set(hours, 0, 23, &[])?,
            months: set(months, 1, 12, &MONTHS)?,
            years: set(years, FIRST_YEAR, LAST_YEAR, &[])?,
            day,
        })
    }

    /// The first match after an instant, by the clock of a zone. A time that the clock skips in
    /// spring does not happen, and one that it shows twice in autumn happens once.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let begin = jiff::Timestamp::from_millisecond(after.millis()).ok()?;
        let mut date = zone.to_datetime(begin).date();
        // What the clock shows for the second time today may have begun yesterday.
        date = date.yesterday().unwrap_or(date);
        let last = Date::new(LAST_YEAR as i16, 12, 31).ok()?;
        while date <= last {
            if !has(&self.years, i64::from(date.year()) - FIRST_YEAR) {
                date = Date::new(date.year() + 1, 1, 1).ok()?;
                continue;
            }
            if !has(&self.months, i64::from(date.month()) - 1) {
                date = date.last_of_month().tomorrow().ok()?;
                continue;
            }
            if self.day.is(date)
                && let Some(found) = self.on(date, after, zone)
            {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn on(&self, date: Date, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // Clocks are set back by an hour or two: the first by the clock need not be the first.
        let times = members(&self.hours)
            .flat_map(|hour| members(&self.minutes).map(move |minute| (hour, minute)));
        times
            .filter_map(|(hour, minute)| {
                let time = Time::new(hour as i8, minute as i8, 0, 0).ok()?;
                let shown = zone.to_ambiguous_zoned_datetime(date.to_datetime(time));
                if matches!(shown.offset(), AmbiguousOffset::Gap { .. }) {
                    return None;
                }
                let instant = shown.earlier().ok()?.timestamp().as_millisecond();
                Some(Timestamp::from_millis(instant)).filter(|at| *at > after)
            })
            .min()
    }
}

impl Day {
    fn is(&self, date: Date) -> bool {
        match self {
            Self::OfMonth(any) => any.iter().any(|one| one.is(date)),
            Self::OfWeek(any) => any.iter().any(|one| one.is(date)),
        }
    }
}

impl OfMonth {
    fn is(&self, date: Date) -> bool {
        let last = date.last_of_month();
        match self {
            Self::Days(days) => has(days, i64::from(date.day()) - 1),
            Self::Last => date == last,
            Self::Nearest(day) => {
                Date::new(date.year(), date.month(), *day).is_ok_and(|day| nearest(day) == date)
            }
            Self::LastWeekday => nearest(last) == date,
        }
    }
}

/// The weekday nearest to a day, in the same month.
fn nearest(day: Date) -> Date {
    let moved = match weekday(day) {
        7 if day.day() > 1 => day.yesterday(),
        7 => day.tomorrow().and_then(Date::tomorrow),
        1 if day < day.last_of_month() => day.tomorrow(),
        1 => day.yesterday().and_then(Date::yesterday),
        _ => Ok(day),
    };
    moved.unwrap_or(day)
}

impl OfWeek {
    fn is(&self, date: Date) -> bool {
        let weekday = weekday(date);
        match self {
            Self::Days(days) => has(days, weekday - 1),
            Self::Last(day) => weekday == *day && date.day() > date.days_in_month() - 7,
            Self::Nth(day, nth) => weekday == *day && i64::from(date.day() - 1) / 7 + 1 == *nth,
        }
    }
}

/// Sunday is 1.
fn weekday(date: Date) -> i64 {
    i64::from(date.weekday().to_sunday_one_offset())
}

fn has(set: &[bool], at: i64) -> bool {
    usize::try_from(at).is_ok_and(|at| set.get(at).copied().unwrap_or(false))
}

fn members(set: &[bool]) -> impl Iterator<Item = usize> {
    set.iter()
        .enumerate()
        .filter_map(|(at, is_in)| is_in.then_some(at))
}

fn list<T>(text: &str, item: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(item).collect()
}

fn of_month_item(text: &str) -> Option<OfMonth> {
    match text {
        "L" => Some(OfMonth::Last),
        "LW" => Some(OfMonth::LastWeekday),
        _ => match text.strip_suffix('W') {
            Some(day) => {
                let day = number(day, 1, 31, &[])?;
                Some(OfMonth::Nearest(i8::try_from(day).ok()?))
            }
            None => set(text, 1, 31, &[]).map(OfMonth::Days),
        },
    }
}

fn of_week_item(text: &str) -> Option<OfWeek> {
    if text == "L" {
        return Some(OfWeek::Last(7));
    }
    if let Some((day, nth)) = text.split_once('#') {
        let day = number(day, 1, 7, &WEEKDAYS)?;
        return Some(OfWeek::Nth(day, number(nth, 1, 5, &[])?));
    }
    if let Some(day) = text.strip_suffix('L') {
        return number(day, 1, 7, &WEEKDAYS).map(OfWeek::Last);
    }
    set(text, 1, 7, &WEEKDAYS).map(OfWeek::Days)
}

/// Lists, ranges and steps as the set of what they allow, from `low` on.
fn set(text: &str, low: i64, high: i64, names: &[&str]) -> Option<Vec<bool>> {
    let mut allowed = vec![false; usize::try_from(high - low + 1).ok()?];
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(number(step, 1, high.max(1), &[])?)),
            None => (item, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (
                number(from, low, high, names)?,
                number(to, low, high, names)?,
            ),
            None => {
                let from = number(range, low, high, names)?;
                (from, if step.is_some() { high } else { from })
            }
        };
        // A range may go round: FRI-MON.
        let length = if to >= from {
            to - from
        } else {
            to - from + (high - low + 1)
        };
        let mut at = 0;
        while at <= length {
            let value = (from - low + at) % (high - low + 1);
            allowed[usize::try_from(value).ok()?] = true;
            at += step.unwrap_or(1);
        }
    }
    Some(allowed)
}

fn number(text: &str, low: i64, high: i64, names: &[&str]) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    if let Some(at) = names.iter().position(|name| *name == upper) {
        return Some(low + i64::try_from(at).ok()?);
    }
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse()
        .ok()
        .filter(|number| (low..=high).contains(number))
}
