//! Capacity that runs out, where the server was told to enforce it.
//!
//! A table and each of its global indexes have a bucket for reads and one for writes. A request is
//! let in while something is left, and pays for what it turns out to cost; unused capacity is kept
//! for five minutes.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html>

use std::collections::HashMap;

use base::Timestamp;
use parking_lot::Mutex;
use service::ServiceError;

use crate::DynamoDb;
use crate::domain::capacity::Consumed;
use crate::domain::table::{Definition, Index, OnDemandLimits, Throughput};
use crate::error;

const BURST_SECONDS: f64 = 300.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    Read,
    Write,
}

/// What is left, by the id of a table or index.
#[derive(Default)]
pub struct Throttle {
    left: Mutex<HashMap<(u64, Way), Left>>,
}

struct Left {
    units: f64,
    at: Timestamp,
}

impl Throttle {
    /// Whether something is left of so many units a second.
    fn admits(&self, id: u64, way: Way, rate: f64, now: Timestamp) -> bool {
        let mut buckets = self.left.lock();
        let left = buckets.entry((id, way)).or_insert(Left {
            units: rate,
            at: now,
        });
        let gained = now.since(left.at).as_secs_f64() * rate;
        left.units = (left.units + gained).min(rate * BURST_SECONDS);
        left.at = now;
        left.units > 0.0
    }

    fn charge(&self, id: u64, way: Way, units: f64) {
        if let Some(left) = self.left.lock().get_mut(&(id, way)) {
            left.units -= units;
        }
    }
}

/// Units a second; `None` without a limit.
fn rate(
    on_demand: bool,
    throughput: &Throughput,
    limits: Option<OnDemandLimits>,
    way: Way,
) -> Option<f64> {
    let units = match (on_demand, way) {
        (false, Way::Read) => Some(throughput.read),
        (false, Way::Write) => Some(throughput.write),
        (true, Way::Read) => limits?.read,
        (true, Way::Write) => limits?.write,
    };
    units.map(|units| units as f64)
}

impl DynamoDb {
    /// Refuses a read of a table or of one of its indexes that has no capacity left.
    pub fn admit_read(
        &self,
        definition: &Definition,
        index: Option<&Index>,
    ) -> Result<(), ServiceError> {
        match index.filter(|index| !index.local) {
            Some(index) => self.admit_index(definition, index, Way::Read),
            None => self.admit_table(definition, Way::Read),
        }
    }

    /// Refuses a write that a table, or a global index of it, has no capacity left for.
    pub fn admit_write(&self, definition: &Definition) -> Result<(), ServiceError> {
        self.admit_table(definition, Way::Write)?;
        definition
            .indexes
            .iter()
            .filter(|index| !index.local)
            .try_for_each(|index| self.admit_index(definition, index, Way::Write))
    }

    fn admit_table(&self, definition: &Definition, way: Way) -> Result<(), ServiceError> {
        let Definition {
            on_demand,
            throughput,
            on_demand_limits,
            ..
        } = definition;
        let rate = rate(*on_demand, throughput, *on_demand_limits, way);
        if self.admits(definition.id, way, rate) {
            return Ok(());
        }
        Err(error::throttled(*on_demand, false))
    }

    fn admit_index(
        &self,
        definition: &Definition,
        index: &Index,
        way: Way,
    ) -> Result<(), ServiceError> {
        let on_demand = definition.on_demand;
        let rate = rate(on_demand, &index.throughput, index.on_demand_limits, way);
        if self.admits(index.id, way, rate) {
            return Ok(());
        }
        Err(error::throttled(on_demand, true))
    }

    fn admits(&self, id: u64, way: Way, rate: Option<f64>) -> bool {
        match (&self.throttle, rate) {
            (Some(throttle), Some(rate)) => throttle.admits(id, way, rate, self.clock.now()),
            _ => true,
        }
    }

    pub fn charge_read(&self, definition: &Definition, consumed: &Consumed) {
        self.charge(definition, consumed, Way::Read);
    }

    pub fn charge_write(&self, definition: &Definition, consumed: &Consumed) {
        self.charge(definition, consumed, Way::Write);
    }

    fn charge(&self, definition: &Definition, consumed: &Consumed, way: Way) {
        let Some(throttle) = &self.throttle else {
            return;
        };
        // Local indexes draw on their table.
        let of_table = consumed.table + consumed.local.values().sum::<f64>();
        throttle.charge(definition.id, way, of_table);
        for (name, units) in &consumed.global {
            if let Some(index) = definition.index(name) {
                throttle.charge(index.id, way, *units);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_runs_out_and_comes_back_up_to_five_minutes_of_it() {
        let throttle = Throttle::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let admits = |seconds| throttle.admits(1, Way::Write, 2.0, at(seconds));
        assert!(admits(0));
        throttle.charge(1, Way::Write, 5.0);
        assert!(!admits(1), "three too many, two back");
        assert!(throttle.admits(1, Way::Read, 2.0, at(1)), "reads are apart");
        assert!(admits(2));
        assert!(admits(10_000));
        throttle.charge(1, Way::Write, 599.0);
        assert!(admits(10_000));
        throttle.charge(1, Way::Write, 1.0);
        assert!(!admits(10_000));
    }
}
