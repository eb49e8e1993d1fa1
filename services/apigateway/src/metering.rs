//! What API keys may use of their plans: throttles (token buckets) and quotas (counts by day).
//!
//! Counts are written a moment after they change, and at the end; a crash loses that moment.

use std::collections::{BTreeMap, HashMap, HashSet};

use base::Timestamp;
use parking_lot::Mutex;
use proxy::throttle::{Buckets, Limit};
use serde::{Deserialize, Serialize};
use service::ServiceError;
use store::{Batch, Durability, Store, StoreError, Table};

use crate::error;
use crate::generated::{QuotaPeriodType, QuotaSettings, ThrottleSettings};
use crate::records::Place;

/// Key: account, region, plan, key.
const USAGE: Table<KeyUsage> = Table::new("apigateway.usage", 1);

/// A day, counted from the first of 1970, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub i64);

const DAY_SECONDS: i64 = 86_400;
/// As long as AWS shows usage.
const KEPT_DAYS: i64 = 90;

impl Day {
    pub fn of(at: Timestamp) -> Self {
        Self(at.seconds().div_euclid(DAY_SECONDS))
    }

    /// Of `2026-11-23`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 10 {
            return None;
        }
        Timestamp::parse_iso8601(&format!("{text}T00:00:00Z")).map(Self::of)
    }

    fn date(self) -> String {
        let at = Timestamp::from_millis(self.0 * DAY_SECONDS * 1000);
        at.iso8601_seconds()[..10].to_owned()
    }

    /// The first day of the period it is in. Weeks begin on Sunday.
    fn period_start(self, period: QuotaPeriodType) -> Self {
        match period {
            QuotaPeriodType::Day => self,
            // The first of 1970 was a Thursday.
            QuotaPeriodType::Week => Self(self.0 - (self.0 + 4).rem_euclid(7)),
            QuotaPeriodType::Month => {
                let date = self.date();
                let of_month: i64 = date[8..].parse().unwrap_or(1);
                Self(self.0 - of_month + 1)
            }
        }
    }
}

/// What a key has used of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyUsage {
    days: BTreeMap<i64, i64>,
    /// A period's first day, and what it was given beside its quota.
    granted: Option<(i64, i64)>,
    /// The first day that it was used.
    first: Option<i64>,
}

impl KeyUsage {
    pub fn used_on(&self, day: Day) -> i64 {
        self.days.get(&day.0).copied().unwrap_or_default()
    }

    /// What is left of the quota at the end of a day; without a quota, nothing is counted down.
    pub fn remaining(&self, quota: Option<&QuotaSettings>, day: Day) -> i64 {
        let Some(quota) = quota else {
            return 0;
        };
        let start = day.period_start(quota.period.unwrap_or_default());
        let used: i64 = self.days.range(start.0..=day.0).map(|(_, used)| used).sum();
        let granted = match self.granted {
            Some((period, granted)) if period == start.0 => granted,
            _ => 0,
        };
        // The offset counts in the period that a key begins in.
        let is_first = self.first.is_none_or(|first| first >= start.0);
        let offset = if is_first {
            quota.offset.unwrap_or(0)
        } else {
            0
        };
        let limit = i64::from(quota.limit.unwrap_or(0)) - i64::from(offset) + granted;
        (limit - used).max(0)
    }
}

/// A key in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Metered {
    place: Place,
    plan: String,
    key: String,
}

impl Metered {
    fn key(&self) -> ((&str, &str), &str, &str) {
        (self.place.key(), &self.plan, &self.key)
    }
}

#[derive(Debug, Default)]
pub struct Meter {
    counts: Mutex<HashMap<Metered, KeyUsage>>,
    dirty: Mutex<HashSet<Metered>>,
    buckets: Buckets<String>,
}

impl Meter {
    /// What was counted before.
    pub async fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let mut counts = HashMap::new();
        let mut after = None;
        loop {
            let page = USAGE.scan(store, (), after.as_ref(), 1_000).await?;
            for row in page.rows {
                let mut parts = row.key.reader();
                let metered = Metered {
                    place: Place::read(&mut parts)?,
                    plan: parts.text()?,
                    key: parts.text()?,
                };
                counts.insert(metered, row.value);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(Self {
            counts: Mutex::new(counts),
            ..Self::default()
        })
    }

    pub fn usage(&self, place: &Place, plan: &str, key: &str) -> Option<KeyUsage> {
        self.counts.lock().get(&metered(place, plan, key)).cloned()
    }

    /// Counts a request, if the quota has one left.
    pub fn count(
        &self,
        place: &Place,
        plan: &str,
        key: &str,
        quota: Option<&QuotaSettings>,
        now: Timestamp,
    ) -> bool {
        let metered = metered(place, plan, key);
        let day = Day::of(now);
        let mut counts = self.counts.lock();
        let usage = counts.entry(metered.clone()).or_default();
        if quota.is_some() && usage.remaining(quota, day) == 0 {
            return false;
        }
        usage.first.get_or_insert(day.0);
        *usage.days.entry(day.0).or_default() += 1;
        usage.days = usage.days.split_off(&(day.0 - KEPT_DAYS));
        drop(counts);
        self.dirty.lock().insert(metered);
        true
    }

    /// Makes so many requests what is left of the present period.
    pub fn grant(
        &self,
        place: &Place,
        plan: &str,
        key: &str,
        quota: &QuotaSettings,
        today: Day,
        remaining: i64,
    ) -> Metered {
        let metered = metered(place, plan, key);
        let mut counts = self.counts.lock();
        let usage = counts.entry(metered.clone()).or_default();
        let start = today.period_start(quota.period.unwrap_or_default());
        let used: i64 = usage
            .days
            .range(start.0..=today.0)
            .map(|(_, used)| used)
            .sum();
        usage.first.get_or_insert(today.0);
        usage.granted = Some((start.0, 0));
        let offset = usage
            .first
            .filter(|first| *first >= start.0)
            .and(quota.offset)
            .unwrap_or(0);
        let limit = i64::from(quota.limit.unwrap_or(0)) - i64::from(offset);
        usage.granted = Some((start.0, remaining + used - limit));
        metered
    }

    /// Writes one count, durably.
    pub async fn save(&self, store: &dyn Store, metered: Metered) -> Result<(), ServiceError> {
        let usage = self
            .counts
            .lock()
            .get(&metered)
            .cloned()
            .unwrap_or_default();
        let mut batch = Batch::new();
        let put = USAGE.put(&mut batch, metered.key(), &usage);
        let saved = match put {
            Ok(()) => store.commit(batch).await,
            Err(error) => Err(error),
        };
        saved.map_err(|error| error::unavailable(&error))
    }

    /// Writes what has changed.
    pub async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        let dirty = std::mem::take(&mut *self.dirty.lock());
        if dirty.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.durability(Durability::Lazy);
        for metered in dirty {
            let usage = self.counts.lock().get(&metered).cloned();
            if let Some(usage) = usage {
                USAGE.put(&mut batch, metered.key(), &usage)?;
            }
        }
        store.commit(batch).await
    }

    /// Takes a token of the bucket of that name, if it has one. A limit that is not set, or is
    /// negative, does not hold anybody.
    pub fn takes(&self, name: &str, throttle: &ThrottleSettings, now: Timestamp) -> bool {
        let rate = throttle.rate_limit.filter(|rate| *rate >= 0.0);
        let burst = throttle
            .burst_limit
            .filter(|burst| *burst >= 0)
            .map(f64::from);
        if rate.is_none() && burst.is_none() {
            return true;
        }
        // Without a burst, a second's worth; without a rate, it fills at once.
        let limit = Limit {
            rate: rate.unwrap_or(f64::MAX),
            burst: burst.unwrap_or_else(|| rate.unwrap_or(1.0).max(1.0)),
        };
        self.buckets.take(name.to_owned(), limit, now)
    }
}

fn metered(place: &Place, plan: &str, key: &str) -> Metered {
    Metered {
        place: place.clone(),
        plan: plan.to_owned(),
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{AccountId, Region};

    fn place() -> Place {
        Place {
            account: AccountId::DEFAULT,
            region: Region::us_east_1(),
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_iso8601(text).unwrap()
    }

    #[test]
    fn quotas_by_period() {
        let meter = Meter::default();
        let quota = |limit, period| QuotaSettings {
            limit: Some(limit),
            offset: None,
            period: Some(period),
        };
        let month = quota(2, QuotaPeriodType::Month);
        let takes = |now| meter.count(&place(), "p", "k", Some(&month), at(now));
        assert!(takes("2026-11-01T00:00:00Z"));
        assert!(takes("2026-11-30T23:59:59Z"));
        assert!(!takes("2026-11-30T23:59:59Z"));
        assert!(takes("2026-12-01T00:00:00Z"));
        let today = Day::of(at("2026-12-02T00:00:00Z"));
        meter.grant(&place(), "p", "k", &month, today, 5);
        let usage = meter.usage(&place(), "p", "k").unwrap();
        assert_eq!(usage.remaining(Some(&month), today), 5);
        // 2026-11-29 is a Sunday.
        let sunday = Day::parse("2026-11-29").unwrap();
        assert_eq!(sunday.period_start(QuotaPeriodType::Week), sunday);
        assert_eq!(
            Day(sunday.0 + 6).period_start(QuotaPeriodType::Week),
            sunday
        );
    }

    #[test]
    fn buckets_fill_again() {
        let meter = Meter::default();
        let throttle = ThrottleSettings {
            burst_limit: Some(2),
            rate_limit: Some(1.0),
        };
        let takes = |now| meter.takes("b", &throttle, at(now));
        assert!(takes("2026-11-01T00:00:00Z"));
        assert!(takes("2026-11-01T00:00:00Z"));
        assert!(!takes("2026-11-01T00:00:00Z"));
        assert!(takes("2026-11-01T00:00:01Z"));
        assert!(!takes("2026-11-01T00:00:01Z"));
        let none = ThrottleSettings::default();
        assert!(meter.takes("c", &none, at("2026-11-01T00:00:00Z")));
    }
}
