//! How many invocations may be under way at once, how many may begin in a second, and how fast a
//! function may get more environments.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html>

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Region, Timestamp};
use parking_lot::Mutex;

use super::counts::{Counts, Place};
use crate::config::ExecConfig;
use crate::error::InvokeError;
use crate::function::FunctionKey;

/// The period of the scaling rate.
const SCALING_PERIOD: Duration = Duration::from_secs(10);
/// The period of the invocation rate.
const INVOCATION_PERIOD: Duration = Duration::from_secs(1);

/// What every account and region may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    concurrency: u32,
    scaling_rate: u32,
    invocation_rate: u32,
}

/// The limits of every account and region.
#[derive(Debug)]
pub(crate) struct Concurrency {
    limits: Limits,
    accounts: Mutex<HashMap<(AccountId, Region), Arc<Account>>>,
}

/// One lock for all counts of an account, held for some additions: only so are the limits exact
/// while reservations change, and reached whatever comes at once.
#[derive(Debug)]
struct Account {
    limits: Limits,
    counts: Mutex<Counts>,
}

/// What counts the invocations of a function version.
#[derive(Clone, Debug)]
pub(crate) struct Gauges {
    account: Arc<Account>,
    function: Arc<FunctionKey>,
}

/// An invocation under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    gauges: Gauges,
    place: Place,
}

impl Limits {
    pub(crate) fn new(config: &ExecConfig) -> Self {
        Self {
            concurrency: config.account_concurrency,
            scaling_rate: config.scaling_rate,
            invocation_rate: config.invocation_rate,
        }
    }
}

impl Concurrency {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            accounts: Mutex::default(),
        }
    }

    /// Sets how much of an account's concurrency its functions have set aside together.
    pub(crate) fn set_reserved(&self, account: AccountId, region: &Region, total: u32) {
        self.account(account, region).counts.lock().reserved = total;
    }

    pub(crate) fn gauges(&self, function: &FunctionKey) -> Gauges {
        Gauges {
            account: self.account(function.account, &function.region),
            function: Arc::new(function.clone()),
        }
    }

    fn account(&self, account: AccountId, region: &Region) -> Arc<Account> {
        let mut accounts = self.accounts.lock();
        let place = (account, region.clone());
        let new = || {
            Arc::new(Account {
                limits: self.limits,
                counts: Mutex::default(),
            })
        };
        Arc::clone(accounts.entry(place).or_insert_with(new))
    }
}

impl Gauges {
    /// Counts an invocation in, if it fits. `reserved` is what its function has set aside;
    /// `has_rate` says whether the invocation rate counts it, as it does not those that are
    /// asynchronous.
    pub(crate) fn enter(
        &self,
        reserved: Option<u32>,
        has_rate: bool,
        now: Timestamp,
    ) -> Result<Slot, InvokeError> {
        let limits = self.account.limits;
        let rate = (has_rate && limits.invocation_rate > 0).then(|| {
            let concurrency = reserved.unwrap_or(limits.concurrency);
            let burst = u64::from(concurrency) * u64::from(limits.invocation_rate);
            (burst, INVOCATION_PERIOD)
        });
        let mut counts = self.account.counts.lock();
        counts.note_reserved(&self.function.name, reserved, now);
        let place = counts
            .enter(&self.function, limits.concurrency, rate, now)
            .map_err(|reason| InvokeError::Throttled { reason })?;
        drop(counts);
        Ok(Slot {
            gauges: self.clone(),
            place,
        })
    }

    /// Whether the function may have another environment now.
    pub(crate) fn take_start(&self, now: Timestamp) -> Result<(), InvokeError> {
        let burst = u64::from(self.account.limits.scaling_rate);
        if burst == 0 {
            return Ok(());
        }
        let mut counts = self.account.counts.lock();
        counts
            .take_start(&self.function.name, burst, SCALING_PERIOD, now)
            .map_err(|reason| InvokeError::Throttled { reason })
    }

    /// Gives back the right to an environment that was not made.
    pub(crate) fn put_back_start(&self) {
        let burst = u64::from(self.account.limits.scaling_rate);
        let mut counts = self.account.counts.lock();
        counts.put_back_start(&self.function.name, burst, SCALING_PERIOD);
    }

    #[cfg(test)]
    pub(super) fn counted_functions(&self) -> usize {
        self.account.counts.lock().functions()
    }

    /// Sets aside concurrency for the environments that are kept ready for this version.
    pub(crate) fn set_provisioned(&self, count: u32) {
        let mut counts = self.account.counts.lock();
        counts.set_provisioned(&self.function, count);
    }

    /// What the function has set aside; each invocation says it, too.
    pub(super) fn note_reserved(&self, reserved: Option<u32>, now: Timestamp) {
        let mut counts = self.account.counts.lock();
        counts.note_reserved(&self.function.name, reserved, now);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Gauges { account, function } = &self.gauges;
        account.counts.lock().leave(function, self.place);
    }
}
