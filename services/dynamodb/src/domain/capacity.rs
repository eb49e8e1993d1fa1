//! Capacity units that requests consume.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>

use std::collections::BTreeMap;

use crate::generated::{Capacity, ConsumedCapacity, ReturnConsumedCapacity};

const READ_UNIT: usize = 4096;
const WRITE_UNIT: usize = 1024;

pub fn read_units(size: usize, consistent: bool) -> f64 {
    let units = size.div_ceil(READ_UNIT).max(1) as f64;
    if consistent { units } else { units / 2.0 }
}

pub fn write_units(size: usize) -> f64 {
    size.div_ceil(WRITE_UNIT).max(1) as f64
}

/// What one request consumed of one table and its indexes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumed {
    pub table: f64,
    pub local: BTreeMap<String, f64>,
    pub global: BTreeMap<String, f64>,
}

impl Consumed {
    pub fn total(&self) -> f64 {
        self.table + self.local.values().sum::<f64>() + self.global.values().sum::<f64>()
    }

    pub fn add(&mut self, other: &Self) {
        self.table += other.table;
        for (mine, theirs) in [
            (&mut self.local, &other.local),
            (&mut self.global, &other.global),
        ] {
            for (name, units) in theirs {
                *mine.entry(name.clone()).or_default() += units;
            }
        }
    }

    pub fn times(mut self, factor: f64) -> Self {
        self.table *= factor;
        for units in self.local.values_mut().chain(self.global.values_mut()) {
            *units *= factor;
        }
        self
    }
}

/// How a report names its units: transactions say which are reads and which writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    Plain,
    Read,
    Write,
}

/// What the answer says of it, if the request asked.
pub fn report(
    asked: Option<ReturnConsumedCapacity>,
    table: &str,
    consumed: &Consumed,
    units: Units,
) -> Option<ConsumedCapacity> {
    let asked = asked.unwrap_or(ReturnConsumedCapacity::None);
    if asked == ReturnConsumedCapacity::None {
        return None;
    }
    let of = |amount: f64| Capacity {
        capacity_units: Some(amount),
        read_capacity_units: (units == Units::Read).then_some(amount),
        write_capacity_units: (units == Units::Write).then_some(amount),
    };
    let total = of(consumed.total());
    let mut report = ConsumedCapacity {
        table_name: Some(table.to_owned()),
        capacity_units: total.capacity_units,
        read_capacity_units: total.read_capacity_units,
        write_capacity_units: total.write_capacity_units,
        ..ConsumedCapacity::default()
    };
    if asked == ReturnConsumedCapacity::Indexes {
        let by_name = |amounts: &BTreeMap<String, f64>| {
            let named: BTreeMap<_, _> = amounts
                .iter()
                .map(|(name, amount)| (name.clone(), of(*amount)))
                .collect();
            (!named.is_empty()).then_some(named)
        };
        report.table = Some(of(consumed.table));
        report.local_secondary_indexes = by_name(&consumed.local);
        report.global_secondary_indexes = by_name(&consumed.global);
    }
    Some(report)
}
