//! The table of runtime identifiers.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>

use std::fmt;
use std::str::FromStr;

/// A runtime identifier of Lambda, such as `python3.12`. Cheap to copy and compare.
#[derive(Clone, Copy)]
pub struct Runtime(&'static Entry);

struct Entry {
    identifier: &'static str,
    family: Family,
    /// What the identifier asks for; zeroes where it asks for none.
    version: (u32, u32),
}

/// What kind of program runs the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    Python,
    Node,
    /// The package brings an executable named `bootstrap`.
    Provided,
    Java,
    Ruby,
    Dotnet,
    Go,
}

/// The text names no runtime.
#[derive(Debug, thiserror::Error)]
#[error("no runtime is called {0:?}")]
pub struct UnknownRuntime(pub String);

const fn entry(identifier: &'static str, family: Family, version: (u32, u32)) -> Entry {
    Entry {
        identifier,
        family,
        version,
    }
}

/// Deprecated identifiers stay: functions that name them run.
const TABLE: &[Entry] = &[
    entry("python3.6", Family::Python, (3, 6)),
    entry("python3.7", Family::Python, (3, 7)),
    entry("python3.8", Family::Python, (3, 8)),
    entry("python3.9", Family::Python, (3, 9)),
    entry("python3.10", Family::Python, (3, 10)),
    entry("python3.11", Family::Python, (3, 11)),
    entry("python3.12", Family::Python, (3, 12)),
    entry("python3.13", Family::Python, (3, 13)),
    entry("python3.14", Family::Python, (3, 14)),
    entry("nodejs12.x", Family::Node, (12, 0)),
    entry("nodejs14.x", Family::Node, (14, 0)),
    entry("nodejs16.x", Family::Node, (16, 0)),
    entry("nodejs18.x", Family::Node, (18, 0)),
    entry("nodejs20.x", Family::Node, (20, 0)),
    entry("nodejs22.x", Family::Node, (22, 0)),
    entry("nodejs24.x", Family::Node, (24, 0)),
    entry("provided", Family::Provided, (0, 0)),
    entry("provided.al2", Family::Provided, (0, 0)),
    entry("provided.al2023", Family::Provided, (0, 0)),
    entry("java8", Family::Java, (8, 0)),
    entry("java8.al2", Family::Java, (8, 0)),
    entry("java11", Family::Java, (11, 0)),
    entry("java17", Family::Java, (17, 0)),
    entry("java21", Family::Java, (21, 0)),
    entry("java25", Family::Java, (25, 0)),
    entry("ruby2.7", Family::Ruby, (2, 7)),
    entry("ruby3.2", Family::Ruby, (3, 2)),
    entry("ruby3.3", Family::Ruby, (3, 3)),
    entry("ruby3.4", Family::Ruby, (3, 4)),
    entry("dotnet6", Family::Dotnet, (6, 0)),
    entry("dotnet8", Family::Dotnet, (8, 0)),
    entry("dotnet10", Family::Dotnet, (10, 0)),
    entry("go1.x", Family::Go, (1, 0)),
];

impl Runtime {
    /// Every identifier, in the table's order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    pub fn identifier(self) -> &'static str {
        self.0.identifier
    }

    pub fn family(self) -> Family {
        self.0.family
    }

    /// Major and minor version that the identifier asks for.
    pub(crate) fn version(self) -> (u32, u32) {
        self.0.version
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|runtime| runtime.identifier() == text)
            .ok_or_else(|| UnknownRuntime(text.to_owned()))
    }
}

impl PartialEq for Runtime {
    fn eq(&self, other: &Self) -> bool {
        self.identifier() == other.identifier()
    }
}

impl Eq for Runtime {}

impl std::hash::Hash for Runtime {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identifier().hash(state);
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.identifier())
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.identifier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_unique_and_read_back() {
        for runtime in Runtime::all() {
            let same = Runtime::all().filter(|other| *other == runtime).count();
            assert_eq!(same, 1, "{runtime}");
            assert_eq!(runtime.identifier().parse::<Runtime>().unwrap(), runtime);
        }
        assert!("python2.7".parse::<Runtime>().is_err());
    }
}
