//! JSONPath as Jayway's library for Java has it, which API Gateway uses.
//!
//! It is older and wider than RFC 9535: `$.a-b` is a path, `.length()` and its kind are functions,
//! and a path that can lead to one place only gives what is there, not a list of it.
//!
//! <https://github.com/json-path/JsonPath>

mod filter;
mod find;
mod parse;

pub use find::TooManySteps;

/// A path that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    segments: Vec<Segment>,
    function: Option<Function>,
}

/// The text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no JSONPath")]
pub struct NoPath;

#[derive(Debug, Clone, PartialEq)]
struct Segment {
    /// `..` before it: anywhere below.
    is_deep: bool,
    selector: Selector,
}

#[derive(Debug, Clone, PartialEq)]
enum Selector {
    Names(Vec<String>),
    Wildcard,
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Filter(filter::Filter),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Length,
    Min,
    Max,
    Average,
    Sum,
    Keys,
    First,
    Last,
}

impl Path {
    /// Reads a path; one without `$` begins at the root all the same.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, NoPath> {
        parse::path(text)
    }

    /// Whether it leads to at most one place.
    fn is_definite(&self) -> bool {
        self.segments.iter().all(|segment| {
            !segment.is_deep
                && match &segment.selector {
                    Selector::Names(names) => names.len() == 1,
                    Selector::Indices(indices) => indices.len() == 1,
                    Selector::Wildcard | Selector::Slice(..) | Selector::Filter(_) => false,
                }
        })
    }
}
