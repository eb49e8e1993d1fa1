//! What the functions of an account and region are together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Functions;
use crate::domain::function_name::Place;
use crate::function::Function;

fn reserved(functions: &BTreeMap<String, Arc<Function>>) -> u64 {
    let each = functions
        .values()
        .filter_map(|function| function.record.reserved_concurrency);
    each.map(u64::from).sum()
}

pub(super) fn set_aside(functions: &BTreeMap<String, Arc<Function>>) -> u64 {
    functions
        .values()
        .map(|function| function.set_aside())
        .sum()
}

pub(super) fn code_bytes(functions: &BTreeMap<String, Arc<Function>>) -> u64 {
    functions
        .values()
        .map(|function| function.code_bytes())
        .sum()
}

/// Totals for GetAccountSettings.
pub struct Totals {
    pub functions: usize,
    pub code_bytes: u64,
    pub reserved_concurrency: u64,
    /// What is reserved, and what is provisioned beside it.
    pub concurrency_set_aside: u64,
}

impl Functions {
    pub fn totals(&self, place: &Place) -> Totals {
        let territory = self.places.read().get(place).cloned().unwrap_or_default();
        let functions = territory.functions.read();
        Totals {
            functions: functions.len(),
            code_bytes: code_bytes(&functions),
            reserved_concurrency: reserved(&functions),
            concurrency_set_aside: set_aside(&functions),
        }
    }
}
