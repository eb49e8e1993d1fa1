//! An instant in milliseconds, and the forms AWS writes it in.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::macros::format_description;

/// Milliseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const ISO_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const ISO_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Seconds since the epoch with the milliseconds as fraction, as awsJson writes instants.
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// From fractional epoch seconds; out-of-range values saturate.
    pub fn from_seconds_f64(seconds: f64) -> Self {
        Self((seconds * 1000.0).round() as i64)
    }

    /// Time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `Mon, 23 Nov 2026 20:35:44 GMT`, as HTTP headers carry it.
    pub fn http_date(self) -> String {
        self.format(HTTP_DATE)
    }

    /// `2026-11-23T20:35:44.123Z`, as XML bodies and events carry it.
    pub fn iso8601_millis(self) -> String {
        self.format(ISO_MILLIS)
    }

    /// `2026-11-23T20:35:44Z`, as the query protocol carries it.
    pub fn iso8601_seconds(self) -> String {
        self.format(ISO_SECONDS)
    }

    /// Lambda's `LastModified`: `2026-11-23T20:35:44.123+0000`.
    pub fn lambda_date(self) -> String {
        let mut text = self.iso8601_millis();
        text.truncate(text.len() - 1);
        text + "+0000"
    }

    /// Reads RFC 3339 / ISO 8601; `None` if it is not that.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .map(Self::from_datetime)
    }

    /// Reads an HTTP date; `None` if it is not that.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc2822)
            .ok()
            .map(Self::from_datetime)
    }

    pub fn from_datetime(at: OffsetDateTime) -> Self {
        Self((at.unix_timestamp_nanos() / 1_000_000) as i64)
    }

    /// As a calendar date and time in UTC; instants beyond year 9999 saturate.
    pub fn datetime(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(time::macros::datetime!(9999-12-31 23:59:59.999 UTC))
    }

    fn format(self, items: &[BorrowedFormatItem<'_>]) -> String {
        self.datetime()
            .format(&items)
            .expect("a UTC instant has every component these formats use")
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_instant() {
        let at = Timestamp::from_millis(1_795_466_144_123);
        assert_eq!(at.iso8601_millis(), "2026-11-23T20:35:44.123Z");
        assert_eq!(at.iso8601_seconds(), "2026-11-23T20:35:44Z");
        assert_eq!(at.lambda_date(), "2026-11-23T20:35:44.123+0000");
        assert_eq!(at.http_date(), "Mon, 23 Nov 2026 20:35:44 GMT");
        assert_eq!(
            Timestamp::parse_iso8601("2026-11-23T20:35:44.123Z"),
            Some(at)
        );
        let whole = Timestamp::from_millis(1_795_466_144_000);
        assert_eq!(Timestamp::parse_http_date(&at.http_date()), Some(whole));
        assert_eq!(Timestamp::from_seconds_f64(at.as_seconds_f64()), at);
    }

    #[test]
    fn arithmetic_saturates() {
        let at = Timestamp::from_millis(1_000);
        assert_eq!(at.since(Timestamp::from_millis(2_000)), Duration::ZERO);
        assert_eq!((at + Duration::from_secs(1)).millis(), 2_000);
        assert!(
            Timestamp::from_millis(i64::MAX)
                .iso8601_millis()
                .starts_with("9999-12-31")
        );
    }
}
