//! A branch: conditions on fields that must hold together. `$or` makes several of a pattern.

use crate::event::{Event, Found, Membership};
use crate::matcher::Matcher;

/// One way to match a pattern.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    pub fields: Vec<Field>,
}

/// A field, by its path, and what it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub path: String,
    pub any_of: Vec<Matcher>,
}

impl Branch {
    /// Sets what a field may be. Said twice, the last counts.
    pub fn set(&mut self, path: &str, any_of: Vec<Matcher>) {
        match self.fields.iter_mut().find(|field| field.path == path) {
            Some(field) => field.any_of = any_of,
            None => self.fields.push(Field {
                path: path.to_owned(),
                any_of,
            }),
        }
    }

    pub fn matches(&self, event: &Event<'_>) -> bool {
        // Most fields are settled without a look at arrays.
        let mut in_arrays = Vec::new();
        for field in &self.fields {
            let found = event.at(&field.path);
            if found.is_empty() {
                if field.any_of.contains(&Matcher::Absent) {
                    continue;
                }
                return false;
            }
            let mut matching = found.iter().filter(|one| field.matches(one)).peekable();
            match matching.peek() {
                None => return false,
                Some(first) if first.arrays.is_empty() => {}
                Some(_) => in_arrays.push(matching.collect::<Vec<_>>()),
            }
        }
        in_arrays.len() < 2 || agree(&in_arrays, &mut Vec::new())
    }
}

impl Field {
    fn matches(&self, found: &Found<'_>) -> bool {
        self.any_of.iter().any(|one| one.matches(found.leaf))
    }
}

/// Whether one leaf can be chosen for each field so that those which lie in the same array lie in
/// the same element of it. `chosen` are the elements settled so far.
fn agree(fields: &[Vec<&Found<'_>>], chosen: &mut Membership) -> bool {
    let Some((leaves, rest)) = fields.split_first() else {
        return true;
    };
    let settled = chosen.len();
    for leaf in candidates(leaves, chosen) {
        if !is_consistent(&leaf.arrays, &chosen[..settled]) {
            continue;
        }
        chosen.extend(&leaf.arrays);
        if agree(rest, chosen) {
            return true;
        }
        chosen.truncate(settled);
    }
    false
}

/// The leaves that lie where the outermost array they share says, if it is settled. Leaves are in
/// order of their arrays, and those of one path mostly share the outermost.
fn candidates<'f, 'e>(leaves: &'f [&'f Found<'e>], chosen: &Membership) -> &'f [&'f Found<'e>] {
    let outermost = |found: &Found<'_>| found.arrays.first().copied();
    let (Some(first), Some(last)) = (leaves.first(), leaves.last()) else {
        return leaves;
    };
    let (Some((array, _)), Some((other, _))) = (outermost(first), outermost(last)) else {
        return leaves;
    };
    let Some(element) = chosen.iter().find(|(settled, _)| *settled == array) else {
        return leaves;
    };
    if array != other {
        return leaves;
    }
    let begin = leaves.partition_point(|found| outermost(found) < Some(*element));
    let end = leaves.partition_point(|found| outermost(found) <= Some(*element));
    &leaves[begin..end]
}

fn is_consistent(arrays: &Membership, chosen: &[(u32, u32)]) -> bool {
    arrays.iter().all(|(array, element)| {
        chosen
            .iter()
            .all(|(settled, at)| settled != array || at == element)
    })
}
