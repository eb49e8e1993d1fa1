//! What a path leads to.

use super::filter::number;
use super::{Function, Path, Segment, Selector};
use crate::Json;

/// The search was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a JSONPath takes too many steps")]
pub struct TooManySteps;

pub fn take_step(steps: &mut u64) -> Result<(), TooManySteps> {
    *steps = steps.checked_sub(1).ok_or(TooManySteps)?;
    Ok(())
}

impl Path {
    /// What is there; a list of all, where the path may lead to several places. `None` where a path
    /// to one place leads nowhere. Takes a step for every element it touches.
    ///
    /// # Errors
    /// When the steps are used up.
    pub fn find(&self, json: &Json, steps: &mut u64) -> Result<Option<Json>, TooManySteps> {
        self.find_from(json, json, steps)
    }

    pub(super) fn find_from(
        &self,
        start: &Json,
        root: &Json,
        steps: &mut u64,
    ) -> Result<Option<Json>, TooManySteps> {
        let mut places = vec![start];
        for segment in &self.segments {
            let mut next = Vec::new();
            for place in places {
                segment.follow(place, root, &mut next, steps)?;
            }
            places = next;
        }
        let found = if self.is_definite() {
            places.first().map(|place| Json::clone(place))
        } else {
            Some(Json::List(places.into_iter().cloned().collect()))
        };
        Ok(match self.function {
            None => found,
            Some(function) => found.and_then(|found| function.of(&found)),
        })
    }
}

impl Segment {
    fn follow<'j>(
        &self,
        place: &'j Json,
        root: &Json,
        found: &mut Vec<&'j Json>,
        steps: &mut u64,
    ) -> Result<(), TooManySteps> {
        take_step(steps)?;
        self.selector.select(place, root, found, steps)?;
        if self.is_deep {
            // As deep as the JSON, which is bounded by its parser.
            for child in children(place) {
                self.follow(child, root, found, steps)?;
            }
        }
        Ok(())
    }
}

impl Selector {
    fn select<'j>(
        &self,
        place: &'j Json,
        root: &Json,
        found: &mut Vec<&'j Json>,
        steps: &mut u64,
    ) -> Result<(), TooManySteps> {
        match (self, place) {
            (Self::Names(names), Json::Map(members)) => {
                found.extend(names.iter().filter_map(|name| members.get(name)));
            }
            (Self::Wildcard, place) => {
                for child in children(place) {
                    take_step(steps)?;
                    found.push(child);
                }
            }
            (Self::Indices(indices), Json::List(items)) => {
                let at = |index: &i64| crate::eval::place(*index, items.len());
                found.extend(indices.iter().filter_map(at).map(|at| &items[at]));
            }
            (Self::Slice(start, end), Json::List(items)) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let bound = |bound: i64| {
                    let bound = if bound < 0 { bound + length } else { bound };
                    usize::try_from(bound.clamp(0, length)).unwrap_or_default()
                };
                let (start, end) = (bound(start.unwrap_or(0)), bound(end.unwrap_or(length)));
                for item in items.get(start..end).unwrap_or_default() {
                    take_step(steps)?;
                    found.push(item);
                }
            }
            (Self::Filter(filter), Json::List(items)) => {
                for item in items {
                    if filter.holds(item, root, steps)? {
                        found.push(item);
                    }
                }
            }
            (Self::Filter(filter), place @ Json::Map(_)) if filter.holds(place, root, steps)? => {
                found.push(place);
            }
            _ => {}
        }
        Ok(())
    }
}

fn children(place: &Json) -> Box<dyn Iterator<Item = &Json> + '_> {
    match place {
        Json::List(items) => Box::new(items.iter()),
        Json::Map(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

impl Function {
    fn of(self, json: &Json) -> Option<Json> {
        let numbers = || -> Vec<f64> {
            match json {
                Json::List(items) => items.iter().filter_map(number).collect(),
                _ => Vec::new(),
            }
        };
        let some = |numbers: &[f64]| !numbers.is_empty();
        match (self, json) {
            (Self::Length, Json::List(items)) => count(items.len()),
            (Self::Length, Json::Map(members)) => count(members.len()),
            (Self::Length, Json::Text(text)) => count(text.encode_utf16().count()),
            (Self::First, Json::List(items)) => items.first().cloned(),
            (Self::Last, Json::List(items)) => items.last().cloned(),
            (Self::Keys, Json::Map(members)) => {
                Some(Json::List(members.keys().map(Json::text).collect()))
            }
            (Self::Min, _) => numbers().into_iter().reduce(f64::min).map(Json::Float),
            (Self::Max, _) => numbers().into_iter().reduce(f64::max).map(Json::Float),
            (Self::Sum, _) => {
                let numbers = numbers();
                some(&numbers).then(|| Json::Float(numbers.iter().sum()))
            }
            (Self::Average, _) => {
                let numbers = numbers();
                let mean = || numbers.iter().sum::<f64>() / numbers.len() as f64;
                some(&numbers).then(|| Json::Float(mean()))
            }
            _ => None,
        }
    }
}

fn count(count: usize) -> Option<Json> {
    i64::try_from(count).ok().map(Json::Int)
}
