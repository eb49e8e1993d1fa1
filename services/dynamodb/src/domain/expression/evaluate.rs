//! Whether an item meets a condition.

use std::borrow::Cow;

use super::condition::{Comparator, Condition, Operand};
use crate::domain::number::Number;
use crate::domain::path::Path;
use crate::domain::value::{Attribute, Item};

impl Condition {
    /// A part that is not there, or of another type than it is compared with, meets nothing but
    /// `<>` and `NOT`.
    pub fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(a, b) => a.holds(item) && b.holds(item),
            Self::Or(a, b) => a.holds(item) || b.holds(item),
            Self::Not(inner) => !inner.holds(item),
            Self::Compare(comparator, a, b) => compare(*comparator, a.value(item), b.value(item)),
            Self::Between(value, low, high) => {
                let value = value.value(item);
                compare(Comparator::GreaterOrEqual, value.clone(), low.value(item))
                    && compare(Comparator::LessOrEqual, value, high.value(item))
            }
            Self::In(value, choices) => value.value(item).is_some_and(|value| {
                choices
                    .iter()
                    .any(|choice| choice.value(item).as_ref() == Some(&value))
            }),
            Self::Exists(path) => path.get(item).is_some(),
            Self::NotExists(path) => path.get(item).is_none(),
            Self::HasType(operand, kind) => operand
                .value(item)
                .is_some_and(|value| value.kind() == kind),
            Self::BeginsWith(operand, start) => {
                match (operand.value(item).as_deref(), start.value(item).as_deref()) {
                    (Some(Attribute::S(text)), Some(Attribute::S(start))) => {
                        text.starts_with(start.as_str())
                    }
                    (Some(Attribute::B(bytes)), Some(Attribute::B(start))) => {
                        bytes.starts_with(start)
                    }
                    _ => false,
                }
            }
            Self::Contains(operand, part) => match (operand.value(item), part.value(item)) {
                (Some(whole), Some(part)) => contains(&whole, &part),
                _ => false,
            },
        }
    }

    /// Visits every path.
    pub fn each_path(&self, visit: &mut dyn FnMut(&Path)) {
        match self {
            Self::And(a, b) | Self::Or(a, b) => {
                a.each_path(visit);
                b.each_path(visit);
            }
            Self::Not(inner) => inner.each_path(visit),
            Self::Compare(_, a, b) | Self::BeginsWith(a, b) | Self::Contains(a, b) => {
                a.each_path(visit);
                b.each_path(visit);
            }
            Self::Between(a, b, c) => [a, b, c].into_iter().for_each(|one| one.each_path(visit)),
            Self::In(value, choices) => {
                value.each_path(visit);
                for choice in choices {
                    choice.each_path(visit);
                }
            }
            Self::Exists(path) | Self::NotExists(path) => visit(path),
            Self::HasType(operand, _) => operand.each_path(visit),
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, Attribute>> {
        match self {
            Self::Path(path) => path.get(item).map(Cow::Borrowed),
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Size(inner) => {
                let length = inner.value(item)?.length()?;
                Number::parse(&length.to_string())
                    .ok()
                    .map(Attribute::N)
                    .map(Cow::Owned)
            }
        }
    }

    fn each_path(&self, visit: &mut dyn FnMut(&Path)) {
        match self {
            Self::Path(path) => visit(path),
            Self::Size(inner) => inner.each_path(visit),
            Self::Value(_) => {}
        }
    }
}

fn compare(
    comparator: Comparator,
    a: Option<Cow<'_, Attribute>>,
    b: Option<Cow<'_, Attribute>>,
) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return comparator == Comparator::NotEqual;
    };
    let ordering = || a.compare(&b);
    match comparator {
        Comparator::Equal => a == b,
        Comparator::NotEqual => a != b,
        Comparator::Less => ordering().is_some_and(std::cmp::Ordering::is_lt),
        Comparator::LessOrEqual => ordering().is_some_and(std::cmp::Ordering::is_le),
        Comparator::Greater => ordering().is_some_and(std::cmp::Ordering::is_gt),
        Comparator::GreaterOrEqual => ordering().is_some_and(std::cmp::Ordering::is_ge),
    }
}

/// A part of a text, a member of a set, an element of a list.
pub fn contains(whole: &Attribute, part: &Attribute) -> bool {
    match (whole, part) {
        (Attribute::S(whole), Attribute::S(part)) => whole.contains(part.as_str()),
        (Attribute::B(whole), Attribute::B(part)) => {
            part.is_empty() || whole.windows(part.len()).any(|window| window == part)
        }
        (Attribute::Ss(set), Attribute::S(member)) => set.contains(member),
        (Attribute::Ns(set), Attribute::N(member)) => set.contains(member),
        (Attribute::Bs(set), Attribute::B(member)) => set.contains(member),
        (Attribute::L(items), member) => items.contains(member),
        _ => false,
    }
}
