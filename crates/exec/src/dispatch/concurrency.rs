//! How many invocations may be under way at once.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base::{AccountId, Region};
use parking_lot::Mutex;

use crate::error::{InvokeError, ThrottleReason};
use crate::function::FunctionKey;

/// The limits of every account and region.
#[derive(Debug)]
pub(crate) struct Concurrency {
    limit: u32,
    accounts: Mutex<HashMap<(AccountId, Region), Arc<Account>>>,
}

#[derive(Debug, Default)]
struct Account {
    /// Invocations of functions that have no concurrency of their own.
    unreserved: AtomicU32,
    /// Concurrency set aside for others.
    reserved: AtomicU32,
    functions: Mutex<HashMap<String, Arc<AtomicU32>>>,
}

/// What counts a function's invocations, over all its versions.
#[derive(Clone, Debug)]
pub(crate) struct Gauges {
    limit: u32,
    account: Arc<Account>,
    function: Arc<AtomicU32>,
}

/// An invocation under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    gauges: Gauges,
    reserved: bool,
}

impl Concurrency {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            accounts: Mutex::default(),
        }
    }

    /// Sets how much of an account's concurrency its functions have set aside together.
    pub(crate) fn set_reserved(&self, account: AccountId, region: &Region, total: u32) {
        self.account(account, region)
            .reserved
            .store(total, Ordering::Relaxed);
    }

    pub(crate) fn gauges(&self, function: &FunctionKey) -> Gauges {
        let account = self.account(function.account, &function.region);
        let function = Arc::clone(
            account
                .functions
                .lock()
                .entry(function.name.clone())
                .or_default(),
        );
        Gauges {
            limit: self.limit,
            account,
            function,
        }
    }

    fn account(&self, account: AccountId, region: &Region) -> Arc<Account> {
        let mut accounts = self.accounts.lock();
        Arc::clone(accounts.entry((account, region.clone())).or_default())
    }
}

impl Gauges {
    /// Counts an invocation in, if it fits.
    pub(crate) fn enter(&self, reserved: Option<u32>) -> Result<Slot, InvokeError> {
        let (gauge, limit, reason) = match reserved {
            Some(reserved) => (
                self.function.as_ref(),
                reserved,
                ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
            ),
            None => (
                &self.account.unreserved,
                self.limit
                    .saturating_sub(self.account.reserved.load(Ordering::Relaxed)),
                ThrottleReason::ConcurrentInvocationLimitExceeded,
            ),
        };
        if gauge.fetch_add(1, Ordering::AcqRel) >= limit {
            gauge.fetch_sub(1, Ordering::AcqRel);
            return Err(InvokeError::Throttled { reason });
        }
        Ok(Slot {
            gauges: self.clone(),
            reserved: reserved.is_some(),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let gauge = if self.reserved {
            self.gauges.function.as_ref()
        } else {
            &self.gauges.account.unreserved
        };
        gauge.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, version: &str) -> FunctionKey {
        FunctionKey {
            account: AccountId::DEFAULT,
            region: Region::us_east_1(),
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }

    fn reason(refused: Result<Slot, InvokeError>) -> ThrottleReason {
        match refused {
            Err(InvokeError::Throttled { reason }) => reason,
            other => panic!("expected to be throttled, got {other:?}"),
        }
    }

    #[test]
    fn reserved_concurrency_counts_all_versions_and_leaves_the_rest_to_others() {
        let concurrency = Concurrency::new(3);
        concurrency.set_reserved(AccountId::DEFAULT, &Region::us_east_1(), 1);
        let latest = concurrency.gauges(&key("own", "$LATEST"));
        let first = concurrency.gauges(&key("own", "1"));
        let slot = latest.enter(Some(1)).unwrap();
        assert_eq!(
            reason(first.enter(Some(1))),
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded
        );
        let other = concurrency.gauges(&key("other", "$LATEST"));
        let _others = (other.enter(None).unwrap(), other.enter(None).unwrap());
        assert_eq!(
            reason(other.enter(None)),
            ThrottleReason::ConcurrentInvocationLimitExceeded
        );
        drop(slot);
        assert!(first.enter(Some(1)).is_ok());
        assert!(latest.enter(Some(0)).is_err());
    }
}
