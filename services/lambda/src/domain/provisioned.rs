//! Provisioned concurrency: how much a version or an alias is to have ready, and how far it is.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html>

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::alias::Routing;
use super::version::VersionId;
use crate::generated::ProvisionedConcurrencyStatusEnum as Status;

/// The configuration of a published version or of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// Environments.
    pub requested: u32,
    pub last_modified: Timestamp,
}

/// How far the environments of a configuration are, over all versions that have a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub allocated: u32,
    pub available: u32,
    /// Why some could not be made, in Lambda's words.
    pub failure: Option<String>,
}

impl Progress {
    pub fn status(&self, requested: u32) -> Status {
        if self.allocated >= requested {
            Status::Ready
        } else if self.failure.is_some() {
            Status::Failed
        } else {
            Status::InProgress
        }
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            allocated: self.allocated + other.allocated,
            available: self.available + other.available,
            failure: self.failure.or(other.failure),
        }
    }
}

impl Routing {
    /// How many of `requested` environments each version of an alias has. They follow the weight,
    /// as the invocations do; that they follow it is documented, how they are rounded is not.
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_PutProvisionedConcurrencyConfig.html>
    pub fn shares(&self, requested: u32) -> impl Iterator<Item = (VersionId, u32)> {
        let additional = self.additional.map(|additional| {
            let share = (f64::from(requested) * additional.weight).round() as u32;
            let version = VersionId::Published(additional.version);
            (version, share.min(requested))
        });
        let rest = requested - additional.map_or(0, |(_, share)| share);
        std::iter::once((self.version, rest)).chain(additional)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alias::Additional;

    fn shares(requested: u32, weight: Option<f64>) -> Vec<u32> {
        let additional = weight.map(|weight| Additional { version: 2, weight });
        let routing = Routing::with(VersionId::Published(1), additional).unwrap();
        routing.shares(requested).map(|(_, share)| share).collect()
    }

    #[test]
    fn the_environments_of_an_alias_follow_its_weight() {
        assert_eq!(shares(5, None), [5]);
        assert_eq!(shares(10, Some(0.2)), [8, 2]);
        assert_eq!(shares(1, Some(0.2)), [1, 0]);
        assert_eq!(shares(3, Some(1.0)), [0, 3]);
        assert_eq!(shares(7, Some(0.0)), [7, 0]);
    }

    #[test]
    fn a_configuration_is_ready_once_all_are_allocated() {
        let progress = |allocated, failure: Option<&str>| Progress {
            allocated,
            available: 0,
            failure: failure.map(str::to_owned),
        };
        assert_eq!(progress(1, None).status(2), Status::InProgress);
        assert_eq!(progress(1, Some("why")).status(2), Status::Failed);
        assert_eq!(progress(2, None).status(2), Status::Ready);
        let both = progress(1, None).and(progress(2, Some("why")));
        assert_eq!(both, progress(3, Some("why")));
    }
}
