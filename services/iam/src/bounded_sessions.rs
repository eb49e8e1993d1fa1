//! The session policies of sessions now in use.
//!
//! A call's context names its session but not what bounds it, and AssumeRole must not let a session
//! out of its bounds. Whoever calls with a session has been looked up by its token just before, so
//! that is when its bounds are noted. Two sessions of one name are bounded by both their policies.

use std::collections::{BTreeSet, HashMap};

use base::Timestamp;
use parking_lot::Mutex;

/// Policies by session ARN. Holds no more than the bounded sessions used since they last expired.
#[derive(Debug, Default)]
pub struct BoundedSessions(Mutex<HashMap<String, Bounds>>);

#[derive(Debug, Default)]
struct Bounds {
    last_expiry: Timestamp,
    policies: BTreeSet<String>,
}

impl BoundedSessions {
    pub fn note(&self, arn: String, policy: &str, expiry: Timestamp, now: Timestamp) {
        let mut sessions = self.0.lock();
        if !sessions.contains_key(&arn) {
            sessions.retain(|_, bounds| bounds.last_expiry > now);
        }
        let bounds = sessions.entry(arn).or_default();
        bounds.last_expiry = bounds.last_expiry.max(expiry);
        if !bounds.policies.contains(policy) {
            bounds.policies.insert(policy.to_owned());
        }
    }

    pub fn of(&self, arn: &str) -> Vec<String> {
        let sessions = self.0.lock();
        sessions
            .get(arn)
            .map(|b| b.policies.iter().cloned().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_last_as_long_as_a_session_of_that_name() {
        let at = Timestamp::from_millis;
        let sessions = BoundedSessions::default();
        sessions.note("a".to_owned(), "p", at(10), at(0));
        sessions.note("a".to_owned(), "q", at(5), at(0));
        assert_eq!(sessions.of("a"), ["p", "q"]);
        sessions.note("b".to_owned(), "p", at(20), at(9));
        assert_eq!(sessions.of("a").len(), 2);
        sessions.note("c".to_owned(), "p", at(20), at(10));
        assert!(sessions.of("a").is_empty());
        assert_eq!(sessions.of("b"), ["p"]);
    }
}
