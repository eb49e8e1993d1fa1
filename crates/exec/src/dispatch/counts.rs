//! The arithmetic of an account's concurrency. Every rule is here, and no lock.
//!
//! An account's concurrency is what functions have reserved, what is provisioned for functions
//! that have reserved nothing, and the rest, which is anybody's. Provisioned concurrency of a
//! function with a reservation is part of it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base::Timestamp;

use super::rate::Rate;
use crate::error::ThrottleReason;
use crate::function::FunctionKey;

/// Functions that are counted before those at rest are forgotten.
const FEW: usize = 64;

/// One account in one region.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Concurrency that functions have set aside together.
    pub(super) reserved: u32,
    /// Concurrency provisioned for functions that have reserved nothing.
    provisioned: u32,
    /// Invocations under way, of every kind.
    in_use: u32,
    /// Those among them that use what is anybody's.
    unreserved_in_use: u32,
    functions: HashMap<String, Function>,
    /// At how many functions those at rest are looked for next.
    forget_at: usize,
}

#[derive(Debug, Default)]
struct Function {
    in_use: u32,
    /// What it has set aside, as its last invocation said.
    reserved: Option<u32>,
    provisioned: BTreeMap<String, Provisioned>,
    invocations: Rate,
    starts: Rate,
}

/// A version that environments are kept ready for.
#[derive(Debug, Default)]
struct Provisioned {
    count: u32,
    in_use: u32,
}

/// Which concurrency an invocation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Reserved,
    Provisioned,
    Unreserved,
}

impl Counts {
    /// Counts an invocation in, if it fits; returns which concurrency it uses. `rate` is how many
    /// may begin in which time.
    pub(super) fn enter(
        &mut self,
        key: &FunctionKey,
        limit: u32,
        rate: Option<(u64, Duration)>,
        now: Timestamp,
    ) -> Result<Place, ThrottleReason> {
        let function = function(&mut self.functions, &key.name);
        let reserved = function.reserved;
        if reserved.is_some_and(|reserved| function.in_use >= reserved) {
            return Err(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded);
        }
        let place = if reserved.is_some() {
            Place::Reserved
        } else if function.has_provisioned(key) {
            Place::Provisioned
        } else {
            Place::Unreserved
        };
        let unreserved = limit
            .saturating_sub(self.reserved)
            .saturating_sub(self.provisioned);
        // Where a reservation is new, others may still use what it took.
        let full = self.in_use >= limit;
        if full || place == Place::Unreserved && self.unreserved_in_use >= unreserved {
            return Err(ThrottleReason::ConcurrentInvocationLimitExceeded);
        }
        if let Some((burst, period)) = rate
            && !function.invocations.take(burst, period, now)
        {
            // AWS documents the rate, and not that this is its reason; the names say it.
            // <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
            return Err(match reserved {
                Some(_) => ThrottleReason::ReservedFunctionInvocationRateLimitExceeded,
                None => ThrottleReason::FunctionInvocationRateLimitExceeded,
            });
        }
        self.in_use += 1;
        self.unreserved_in_use += u32::from(place == Place::Unreserved);
        function.in_use += 1;
        if place == Place::Provisioned {
            function.provisioned_of(key).in_use += 1;
        }
        Ok(place)
    }

    pub(super) fn leave(&mut self, key: &FunctionKey, place: Place) {
        self.in_use -= 1;
        self.unreserved_in_use -= u32::from(place == Place::Unreserved);
        let function = function(&mut self.functions, &key.name);
        function.in_use -= 1;
        if place == Place::Provisioned {
            let version = function.provisioned_of(key);
            version.in_use -= 1;
            if version.is_over() {
                function.provisioned.remove(&key.version);
            }
        }
    }

    /// A function has set aside this much, or nothing any more.
    pub(super) fn note_reserved(&mut self, name: &str, reserved: Option<u32>, now: Timestamp) {
        match self.functions.get_mut(name) {
            Some(function) if function.reserved == reserved => {}
            Some(function) => {
                function.reserved = reserved;
                self.sum_provisioned();
            }
            None => {
                self.forget_those_at_rest(now);
                function(&mut self.functions, name).reserved = reserved;
            }
        }
    }

    pub(super) fn set_provisioned(&mut self, key: &FunctionKey, count: u32) {
        let function = function(&mut self.functions, &key.name);
        let version = function.provisioned_of(key);
        version.count = count;
        if version.is_over() {
            function.provisioned.remove(&key.version);
        }
        self.sum_provisioned();
    }

    /// AWS documents that what exceeds the scaling rate is throttled, not with which reason. What
    /// the function lacks is concurrency, so it is the reason of that.
    pub(super) fn take_start(
        &mut self,
        name: &str,
        burst: u64,
        period: Duration,
        now: Timestamp,
    ) -> Result<(), ThrottleReason> {
        let function = function(&mut self.functions, name);
        if function.starts.take(burst, period, now) {
            return Ok(());
        }
        Err(match function.reserved {
            Some(_) => ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
            None => ThrottleReason::ConcurrentInvocationLimitExceeded,
        })
    }

    pub(super) fn put_back_start(&mut self, name: &str, burst: u64, period: Duration) {
        let function = function(&mut self.functions, name);
        function.starts.put_back(burst, period);
    }

    #[cfg(test)]
    pub(super) fn functions(&self) -> usize {
        self.functions.len()
    }

    fn sum_provisioned(&mut self) {
        let unreserved = self.functions.values().filter(|one| one.reserved.is_none());
        let counts = unreserved.flat_map(|one| one.provisioned.values());
        self.provisioned = counts.map(|version| version.count).sum();
    }

    /// Otherwise functions that were deleted would be counted for ever.
    fn forget_those_at_rest(&mut self, now: Timestamp) {
        if self.functions.len() < self.forget_at.max(FEW) {
            return;
        }
        self.functions
            .retain(|_, function| !function.is_at_rest(now));
        self.forget_at = self.functions.len() * 2;
    }
}

fn function<'a>(functions: &'a mut HashMap<String, Function>, name: &str) -> &'a mut Function {
    if !functions.contains_key(name) {
        functions.insert(name.to_owned(), Function::default());
    }
    functions.get_mut(name).expect("it is there by now")
}

impl Function {
    fn has_provisioned(&self, key: &FunctionKey) -> bool {
        let version = self.provisioned.get(&key.version);
        version.is_some_and(|version| version.in_use < version.count)
    }

    fn provisioned_of(&mut self, key: &FunctionKey) -> &mut Provisioned {
        self.provisioned.entry(key.version.clone()).or_default()
    }

    fn is_at_rest(&self, now: Timestamp) -> bool {
        self.in_use == 0
            && self.provisioned.is_empty()
            && self.invocations.is_full(now)
            && self.starts.is_full(now)
    }
}

impl Provisioned {
    fn is_over(&self) -> bool {
        self.count == 0 && self.in_use == 0
    }
}
