//! Token buckets: so many requests a second, and so many at once.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html>

use std::collections::HashMap;
use std::hash::Hash;

use base::Timestamp;
use parking_lot::Mutex;

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Requests a second, over time.
    pub rate: f64,
    /// Requests at once, the size of the bucket.
    pub burst: f64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// A bucket for each key.
#[derive(Debug)]
pub struct Buckets<K>(Mutex<HashMap<K, Bucket>>);

/// Buckets kept at most; those that are full again go first.
const MOST: usize = 100_000;

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Takes a token; `false` if there is none.
    pub fn take(&self, key: K, limit: Limit, now: Timestamp) -> bool {
        let mut buckets = self.0.lock();
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| now.since(bucket.at).as_secs() < 60);
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: limit.burst,
            at: now,
        });
        let passed = now.since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * limit.rate).min(limit.burst);
        bucket.at = now.max(bucket.at);
        let has_one = bucket.tokens >= 1.0;
        if has_one {
            bucket.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::default();
        let limit = Limit {
            rate: 2.0,
            burst: 3.0,
        };
        let at = |millis| Timestamp::from_millis(millis);
        let taken = |now| buckets.take("k", limit, at(now));
        assert!((0..3).all(|_| taken(0)));
        assert!(!taken(0) && !taken(400));
        assert!(taken(500) && !taken(500));
        assert!(taken(60_000) && taken(60_000) && taken(60_000) && !taken(60_000));
        assert!(buckets.take("other", limit, at(0)));
        let nothing = Limit {
            rate: 0.0,
            burst: 0.0,
        };
        assert!(!buckets.take("none", nothing, at(0)));
    }
}
