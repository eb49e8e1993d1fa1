//! What an update makes of an item.

use super::update::{Action, SetValue, Update, UpdateOperand};
use crate::domain::Invalid;
use crate::domain::path::{Path, Step};
use crate::domain::value::{Attribute, Item};

/// An item after an update, and the places that the update wrote to.
#[derive(Clone, Debug, PartialEq)]
pub struct Updated {
    pub item: Item,
    pub touched: Vec<Path>,
}

impl Update {
    /// Applies every action to the item as it was: what one action reads, none has written.
    pub fn apply(&self, before: &Item) -> Result<Updated, Invalid> {
        let mut item = before.clone();
        let mut removals = Vec::new();
        for action in &self.0 {
            match action {
                Action::Set(path, value) => {
                    let value = value.evaluate(before)?;
                    write(&mut item, path, value)?;
                }
                Action::Remove(path) => removals.push(path),
                Action::Add(path, value) => {
                    let sum = add(path.get(before), value)?;
                    write(&mut item, path, sum)?;
                }
                Action::Delete(path, value) => {
                    let Some(old) = path.get(before) else {
                        continue;
                    };
                    match without(old, value)? {
                        Some(rest) => write(&mut item, path, rest)?,
                        None => removals.push(path),
                    }
                }
            }
        }
        // The last element first: indices are those of the list as it was.
        removals.sort();
        for path in removals.into_iter().rev() {
            remove(&mut item, path)?;
        }
        let touched = self.0.iter().map(|action| action.path().clone()).collect();
        Ok(Updated { item, touched })
    }
}

impl SetValue {
    fn evaluate(&self, item: &Item) -> Result<Attribute, Invalid> {
        let numbers =
            |a: &UpdateOperand, b: &UpdateOperand| match (a.evaluate(item)?, b.evaluate(item)?) {
                (Attribute::N(a), Attribute::N(b)) => Ok((a, b)),
                _ => Err(incorrect_type()),
            };
        match self {
            Self::Of(operand) => operand.evaluate(item),
            Self::Sum(a, b) => numbers(a, b).and_then(|(a, b)| a.plus(b)).map(Attribute::N),
            Self::Difference(a, b) => numbers(a, b)
                .and_then(|(a, b)| a.minus(b))
                .map(Attribute::N),
        }
    }
}

impl UpdateOperand {
    fn evaluate(&self, item: &Item) -> Result<Attribute, Invalid> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Path(path) => path.get(item).cloned().ok_or_else(|| {
                Invalid::new("The provided expression refers to an attribute that does not exist in the item")
            }),
            Self::IfNotExists(path, otherwise) => match path.get(item) {
                Some(value) => Ok(value.clone()),
                None => otherwise.evaluate(item),
            },
            Self::ListAppend(a, b) => match (a.evaluate(item)?, b.evaluate(item)?) {
                (Attribute::L(mut a), Attribute::L(b)) => {
                    a.extend(b);
                    Ok(Attribute::L(a))
                }
                _ => Err(incorrect_type()),
            },
        }
    }
}

/// Writes to where a path leads. An element past a list's end is added to it.
fn write(item: &mut Item, path: &Path, value: Attribute) -> Result<(), Invalid> {
    let Some((last, way)) = path.steps.split_last() else {
        item.insert(path.head.clone(), value);
        return Ok(());
    };
    match (container(item, path, way)?, last) {
        (Attribute::M(members), Step::Name(name)) => {
            members.insert(name.clone(), value);
        }
        (Attribute::L(items), Step::Index(index)) => match items.get_mut(*index) {
            Some(element) => *element = value,
            None => items.push(value),
        },
        _ => return Err(invalid_path()),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) -> Result<(), Invalid> {
    let Some((last, way)) = path.steps.split_last() else {
        item.remove(&path.head);
        return Ok(());
    };
    match (container(item, path, way)?, last) {
        (Attribute::M(members), Step::Name(name)) => {
            members.remove(name);
        }
        (Attribute::L(items), Step::Index(index)) => {
            if *index < items.len() {
                items.remove(*index);
            }
        }
        _ => return Err(invalid_path()),
    }
    Ok(())
}

/// What holds the last step of a path.
fn container<'a>(
    item: &'a mut Item,
    path: &Path,
    way: &[Step],
) -> Result<&'a mut Attribute, Invalid> {
    let head = item.get_mut(&path.head).ok_or_else(invalid_path)?;
    way.iter()
        .try_fold(head, step_into)
        .ok_or_else(invalid_path)
}

fn step_into<'a>(value: &'a mut Attribute, step: &Step) -> Option<&'a mut Attribute> {
    match (value, step) {
        (Attribute::M(members), Step::Name(name)) => members.get_mut(name),
        (Attribute::L(items), Step::Index(at)) => items.get_mut(*at),
        _ => None,
    }
}

/// The old value with a number or a set added to it.
pub fn add(old: Option<&Attribute>, value: &Attribute) -> Result<Attribute, Invalid> {
    match (old, value) {
        (None, _) => Ok(value.clone()),
        (Some(Attribute::N(old)), Attribute::N(value)) => old.plus(*value).map(Attribute::N),
        (Some(Attribute::Ss(old)), Attribute::Ss(value)) => Ok(Attribute::Ss(old | value)),
        (Some(Attribute::Ns(old)), Attribute::Ns(value)) => Ok(Attribute::Ns(old | value)),
        (Some(Attribute::Bs(old)), Attribute::Bs(value)) => Ok(Attribute::Bs(old | value)),
        _ => Err(incorrect_type()),
    }
}

/// The old set without some members; `None` if nothing is left.
pub fn without(old: &Attribute, value: &Attribute) -> Result<Option<Attribute>, Invalid> {
    let rest = match (old, value) {
        (Attribute::Ss(old), Attribute::Ss(value)) => Attribute::Ss(old - value),
        (Attribute::Ns(old), Attribute::Ns(value)) => Attribute::Ns(old - value),
        (Attribute::Bs(old), Attribute::Bs(value)) => Attribute::Bs(old - value),
        _ => return Err(incorrect_type()),
    };
    Ok((rest.length() != Some(0)).then_some(rest))
}

fn invalid_path() -> Invalid {
    Invalid::new("The document path provided in the update expression is invalid for update")
}

fn incorrect_type() -> Invalid {
    Invalid::new("An operand in the update expression has an incorrect data type")
}
