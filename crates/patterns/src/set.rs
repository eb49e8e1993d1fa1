//! Many patterns at once: an index over what each needs, so that an event is compared with few.
//!
//! Each branch of a pattern waits at one of its fields, at the values that field may have: texts,
//! numbers, beginnings and ends of texts are found by hash, ranges by an interval tree, whatever else
//! may be there by a look at all that wait at the field. Of its fields a branch takes the one where it has least company.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use std::hash::Hash;

use crate::branches::{Branch, Field};
use crate::event::Event;
use crate::matcher::{Leaf, Matcher, Range, folded};
use crate::pattern::Pattern;
use crate::ranges::Ranges;

/// Patterns by key.
#[derive(Debug)]
pub struct PatternSet<K> {
    branches: Vec<Option<(K, Branch)>>,
    vacant: Vec<usize>,
    of_key: HashMap<K, Vec<usize>>,
    /// By path.
    fields: HashMap<String, FieldIndex>,
    /// Those that need no field to be there.
    always: Vec<usize>,
}

/// Branches that wait at one field.
#[derive(Debug, Default)]
struct FieldIndex {
    waiting: HashMap<Probe, Vec<usize>>,
    /// How many branches wait for prefixes and suffixes of which length, in bytes.
    prefixes: BTreeMap<usize, usize>,
    suffixes: BTreeMap<usize, usize>,
    ranges: Ranges,
    any: Vec<usize>,
}

/// What is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Probe {
    Text(String),
    Folded(String),
    Number(u64),
    Prefix(String),
    Suffix(String),
}

impl<K> Default for PatternSet<K> {
    fn default() -> Self {
        Self {
            branches: Vec::new(),
            vacant: Vec::new(),
            of_key: HashMap::new(),
            fields: HashMap::new(),
            always: Vec::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> PatternSet<K> {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.of_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.of_key.is_empty()
    }

    /// Adds a pattern, in place of the one that had the key.
    pub fn insert(&mut self, key: K, pattern: &Pattern) {
        self.remove(&key);
        let slots = pattern
            .branches()
            .iter()
            .map(|branch| self.add(key.clone(), branch.clone()))
            .collect();
        self.of_key.insert(key, slots);
    }

    /// Whether there was one.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(slots) = self.of_key.remove(key) else {
            return false;
        };
        for slot in slots {
            let Some((_, branch)) = self.branches[slot].take() else {
                continue;
            };
            self.vacant.push(slot);
            self.always.retain(|one| *one != slot);
            for field in &branch.fields {
                if let Some(index) = self.fields.get_mut(&field.path)
                    && index.remove(field, slot)
                {
                    self.fields.remove(&field.path);
                }
            }
        }
        true
    }

    /// The keys of all patterns that the event matches, in order.
    pub fn matches(&self, event: &Event<'_>) -> Vec<K> {
        let mut keys: Vec<K> = self
            .candidates(event)
            .into_iter()
            .filter_map(|slot| self.branches[slot].as_ref())
            .filter(|(_, branch)| branch.matches(event))
            .map(|(key, _)| key.clone())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The branches that the event is compared with.
    fn candidates(&self, event: &Event<'_>) -> Vec<usize> {
        let mut candidates = self.always.clone();
        for (path, found) in event.paths() {
            let Some(index) = self.fields.get(path) else {
                continue;
            };
            for one in found {
                index.look_up(one.leaf, &mut candidates);
            }
            candidates.extend(&index.any);
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }

    fn add(&mut self, key: K, mut branch: Branch) -> usize {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.branches.push(None);
            self.branches.len() - 1
        });
        let fields = branch.fields.iter().enumerate();
        let field = fields
            .filter(|(_, field)| !field.any_of.contains(&Matcher::Absent))
            .min_by_key(|(_, field)| self.company(field))
            .map(|(at, _)| at);
        match field {
            Some(at) => {
                // Who is found by a field mostly matches there: the others tell sooner.
                let field = branch.fields.remove(at);
                self.fields
                    .entry(field.path.clone())
                    .or_default()
                    .add(&field, slot);
                branch.fields.push(field);
            }
            None => self.always.push(slot),
        }
        self.branches[slot] = Some((key, branch));
        slot
    }

    /// How many would be looked at along with a branch that waits at this field.
    fn company(&self, field: &Field) -> (bool, usize) {
        let scanned = !field.any_of.iter().all(is_found);
        let Some(index) = self.fields.get(&field.path) else {
            return (scanned, 0);
        };
        let waiting = |one| index.waiting.get(&one).map_or(0, Vec::len);
        let most = field.any_of.iter().filter_map(probe).map(waiting).max();
        let ranges = field.any_of.iter().filter_map(range);
        let overlapping = ranges.map(|one| index.ranges.overlapping(one)).max();
        let any = scanned.then_some(index.any.len());
        (scanned, most.max(overlapping).max(any).unwrap_or(0))
    }
}

impl FieldIndex {
    fn add(&mut self, field: &Field, slot: usize) {
        if !field.any_of.iter().all(is_found) {
            self.any.push(slot);
            return;
        }
        for range in field.any_of.iter().filter_map(range) {
            self.ranges.add(range, slot);
        }
        for probe in field.any_of.iter().filter_map(probe) {
            if let Some((lengths, length)) = self.lengths(&probe) {
                *lengths.entry(length).or_default() += 1;
            }
            self.waiting.entry(probe).or_default().push(slot);
        }
    }

    /// Whether nothing waits here any more.
    fn remove(&mut self, field: &Field, slot: usize) -> bool {
        self.any.retain(|one| *one != slot);
        if field.any_of.iter().any(|one| range(one).is_some()) {
            self.ranges.remove(slot);
        }
        for probe in field.any_of.iter().filter_map(probe) {
            let Some(waiting) = self.waiting.get_mut(&probe) else {
                continue;
            };
            let before = waiting.len();
            waiting.retain(|one| *one != slot);
            let (gone, is_empty) = (before - waiting.len(), waiting.is_empty());
            if let Some((lengths, length)) = self.lengths(&probe)
                && let Some(count) = lengths.get_mut(&length)
            {
                *count -= gone;
                if *count == 0 {
                    lengths.remove(&length);
                }
            }
            if is_empty {
                self.waiting.remove(&probe);
            }
        }
        self.waiting.is_empty() && self.ranges.is_empty() && self.any.is_empty()
    }

    fn lengths(&mut self, probe: &Probe) -> Option<(&mut BTreeMap<usize, usize>, usize)> {
        match probe {
            Probe::Prefix(text) => Some((&mut self.prefixes, text.len())),
            Probe::Suffix(text) => Some((&mut self.suffixes, text.len())),
            _ => None,
        }
    }

    fn look_up(&self, leaf: Leaf<'_>, candidates: &mut Vec<usize>) {
        let mut look = |probe: Probe| {
            if let Some(slots) = self.waiting.get(&probe) {
                candidates.extend(slots);
            }
        };
        match leaf {
            Leaf::Number(number) => {
                if let Some(number) = number.as_f64() {
                    look(Probe::Number(bits(number)));
                    self.ranges.look_up(number, candidates);
                }
            }
            Leaf::Text(text) => {
                look(Probe::Text(text.to_owned()));
                look(Probe::Folded(folded(text)));
                for length in self.prefixes.keys() {
                    match text.get(..*length) {
                        Some(start) => look(Probe::Prefix(start.to_owned())),
                        None if *length > text.len() => break,
                        None => {}
                    }
                }
                for length in self.suffixes.keys() {
                    let Some(begin) = text.len().checked_sub(*length) else {
                        break;
                    };
                    if let Some(end) = text.get(begin..) {
                        look(Probe::Suffix(end.to_owned()));
                    }
                }
            }
            Leaf::Null | Leaf::Bool(_) => {}
        }
    }
}

fn is_found(matcher: &Matcher) -> bool {
    range(matcher).is_some() || probe(matcher).is_some()
}

fn range(matcher: &Matcher) -> Option<&Range> {
    match matcher {
        Matcher::Range(range) => Some(range),
        _ => None,
    }
}

/// What finds a value by hash, if something does.
fn probe(matcher: &Matcher) -> Option<Probe> {
    match matcher {
        Matcher::Text(text) => Some(Probe::Text(text.clone())),
        Matcher::Number(number) => Some(Probe::Number(bits(*number))),
        Matcher::IgnoreCase(text) => Some(Probe::Folded(text.clone())),
        Matcher::Prefix(text) => Some(Probe::Prefix(text.clone())),
        Matcher::Suffix(text) => Some(Probe::Suffix(text.clone())),
        Matcher::Wildcard(wildcard) if !wildcard.start().is_empty() => {
            Some(Probe::Prefix(wildcard.start().to_owned()))
        }
        _ => None,
    }
}

/// Of the two zeros one.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_that_differ_in_a_range_are_not_all_looked_at() {
        let mut rules = PatternSet::new();
        for n in 0..1_000 {
            let range = json!({"numeric": [">", 5 * n, "<=", 5 * n + 10]});
            let pattern = json!({"source": ["shop"], "size": [range, format!("size-{n}")]});
            rules.insert(n, &Pattern::parse(&pattern.to_string()).unwrap());
        }
        let body = json!({"source": "shop", "size": 2_017});
        let event = Event::of(&body);
        assert_eq!(rules.matches(&event), [402, 403]);
        // Some that overlap others are found by their source, until as many wait there.
        let looked_at = rules.candidates(&event).len();
        assert!(looked_at <= 8, "{looked_at}");
        let text = json!({"source": "shop", "size": "size-7"});
        assert_eq!(rules.matches(&Event::of(&text)), [7]);
        for n in 0..1_000 {
            assert!(rules.remove(&n));
        }
        assert!(rules.fields.is_empty());
    }
}
