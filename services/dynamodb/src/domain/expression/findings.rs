//! What is wrong with an expression whose syntax is right.

use std::collections::BTreeMap;

/// Kinds of faults, the one that AWS reports first at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Parentheses,
    Operators,
    UnknownFunction,
    MisusedFunction,
    Reserved,
    RepeatedSection,
    Undefined,
    Paths,
    OperandCount,
    Distinct,
    Types,
}

/// The first fault of each rank.
#[derive(Debug, Default)]
pub struct Findings(BTreeMap<Rank, String>);

impl Findings {
    pub fn note(&mut self, rank: Rank, message: impl Into<String>) {
        self.0.entry(rank).or_insert_with(|| message.into());
    }

    pub fn first(&self) -> Option<&String> {
        self.0.values().next()
    }
}
