//! An event as its leaves: each with its path and its place in the arrays it lies in.

// Its hasher takes half the time of the standard one, and most of matching is looking fields up.
use hashbrown::HashMap;

use serde_json::Value;

use crate::matcher::Leaf;

/// An event, made ready for any number of patterns.
#[derive(Debug)]
pub struct Event<'a> {
    /// By path, the names joined with dots.
    leaves: HashMap<String, Vec<Found<'a>>>,
}

/// A leaf where it was found.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    pub leaf: Leaf<'a>,
    pub arrays: Membership,
}

/// For each array of the event that holds the leaf inside an object: which array, and which element.
pub type Membership = Vec<(u32, u32)>;

impl<'a> Event<'a> {
    /// An event is an object; anything else matches only what nothing would.
    pub fn of(event: &'a Value) -> Self {
        let mut walk = Walk::default();
        if let Value::Object(members) = event {
            for (name, value) in members {
                walk.member(name, value);
            }
        }
        let mut leaves = walk.leaves;
        for found in leaves.values_mut() {
            // In this order a leaf's companions are found by bisection.
            found.sort_by(|a, b| a.arrays.cmp(&b.arrays));
        }
        Self { leaves }
    }

    /// What stands at a path.
    pub fn at(&self, path: &str) -> &[Found<'a>] {
        self.leaves.get(path).map_or(&[], Vec::as_slice)
    }

    pub fn paths(&self) -> impl Iterator<Item = (&str, &[Found<'a>])> {
        self.leaves
            .iter()
            .map(|(path, found)| (path.as_str(), found.as_slice()))
    }
}

#[derive(Default)]
struct Walk<'a> {
    path: String,
    arrays: Membership,
    arrays_seen: u32,
    leaves: HashMap<String, Vec<Found<'a>>>,
}

impl<'a> Walk<'a> {
    fn member(&mut self, name: &str, value: &'a Value) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        self.value(value);
        self.path.truncate(length);
    }

    fn value(&mut self, value: &'a Value) {
        let leaf = match value {
            Value::Object(members) => {
                for (name, value) in members {
                    self.member(name, value);
                }
                return;
            }
            Value::Array(elements) => return self.elements(elements),
            Value::Null => Leaf::Null,
            Value::Bool(truth) => Leaf::Bool(*truth),
            Value::Number(number) => Leaf::Number(number),
            Value::String(text) => Leaf::Text(text),
        };
        let found = Found {
            leaf,
            arrays: self.arrays.clone(),
        };
        match self.leaves.get_mut(&self.path) {
            Some(others) => others.push(found),
            None => {
                self.leaves.insert(self.path.clone(), vec![found]);
            }
        }
    }

    fn elements(&mut self, elements: &'a [Value]) {
        let array = self.arrays_seen;
        self.arrays_seen += 1;
        for (index, element) in elements.iter().enumerate() {
            // Only what lies together in one object has to match together.
            if element.is_object() {
                self.arrays.push((array, index as u32));
                self.value(element);
                self.arrays.pop();
            } else {
                self.value(element);
            }
        }
    }
}
