//! One pattern by itself.

use crate::branches::Branch;
use crate::event::Event;
use crate::parse::{self, PatternError};

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    branches: Vec<Branch>,
}

impl Pattern {
    /// Reads a pattern's JSON.
    ///
    /// # Errors
    /// In AWS's words; see [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(Self {
            branches: parse::branches(text)?,
        })
    }

    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.branches.iter().any(|branch| branch.matches(event))
    }

    pub(crate) fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The fields it has conditions on, as paths of names joined with dots; each once.
    pub fn fields(&self) -> Vec<&str> {
        let mut fields: Vec<_> = self
            .branches
            .iter()
            .flat_map(|branch| &branch.fields)
            .map(|field| field.path.as_str())
            .collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// How many combinations of values it allows: over its branches, the product of the numbers of
    /// values of each field. SNS limits it.
    pub fn combinations(&self) -> usize {
        self.branches
            .iter()
            .map(|branch| {
                branch
                    .fields
                    .iter()
                    .map(|field| field.any_of.len())
                    .fold(1, usize::saturating_mul)
            })
            .fold(0, usize::saturating_add)
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
