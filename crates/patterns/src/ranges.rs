//! Which of many ranges a number lies in, without a look at the others.

use std::sync::OnceLock;

use crate::matcher::Range;

/// Ranges with what is found by them.
#[derive(Debug, Default)]
pub struct Ranges {
    entries: Vec<(Range, usize)>,
    /// All lower and all upper ends, in order.
    bottoms: Vec<f64>,
    tops: Vec<f64>,
    /// Made when something is looked up for the first time after a change.
    tree: OnceLock<Tree>,
}

/// An interval tree as an array: by their lower ends, the middle of each part its root.
#[derive(Debug)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    bottom: f64,
    top: f64,
    /// The highest upper end in the part whose root this is.
    highest: f64,
    slot: usize,
}

impl Ranges {
    /// How many have numbers in common with this one.
    pub fn overlapping(&self, range: &Range) -> usize {
        let begun = self.bottoms.partition_point(|one| *one <= range.top);
        let ended = self.tops.partition_point(|one| *one < range.bottom);
        begun.saturating_sub(ended)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn add(&mut self, range: &Range, slot: usize) {
        for (ends, end) in [
            (&mut self.bottoms, range.bottom),
            (&mut self.tops, range.top),
        ] {
            ends.insert(ends.partition_point(|one| *one < end), end);
        }
        self.entries.push((range.clone(), slot));
        self.tree.take();
    }

    pub fn remove(&mut self, slot: usize) {
        let Self {
            entries,
            bottoms,
            tops,
            tree,
        } = self;
        for (range, _) in entries.extract_if(.., |(_, one)| *one == slot) {
            for (ends, end) in [(&mut *bottoms, range.bottom), (&mut *tops, range.top)] {
                ends.remove(ends.partition_point(|one| *one < end));
            }
            tree.take();
        }
    }

    /// Adds what is found by a number; whether the ends belong to a range is not looked at.
    pub fn look_up(&self, number: f64, found: &mut Vec<usize>) {
        if self.entries.is_empty() {
            return;
        }
        let tree = self.tree.get_or_init(|| Tree::of(&self.entries));
        find(&tree.nodes, number, found);
    }
}

impl Tree {
    fn of(entries: &[(Range, usize)]) -> Self {
        let node = |(range, slot): &(Range, usize)| Node {
            bottom: range.bottom,
            top: range.top,
            highest: range.top,
            slot: *slot,
        };
        let mut nodes: Vec<_> = entries.iter().map(node).collect();
        nodes.sort_unstable_by(|a, b| a.bottom.total_cmp(&b.bottom));
        raise(&mut nodes);
        Self { nodes }
    }
}

/// Fills in the highest ends, and gives that of the whole part.
fn raise(part: &mut [Node]) -> f64 {
    let middle = part.len() / 2;
    let (below, rest) = part.split_at_mut(middle);
    let Some((root, above)) = rest.split_first_mut() else {
        return f64::NEG_INFINITY;
    };
    root.highest = root.top.max(raise(below)).max(raise(above));
    root.highest
}

fn find(part: &[Node], number: f64, found: &mut Vec<usize>) {
    let (below, rest) = part.split_at(part.len() / 2);
    let Some((root, above)) = rest.split_first() else {
        return;
    };
    if root.highest < number {
        return;
    }
    find(below, number, found);
    if root.bottom <= number {
        if root.top >= number {
            found.push(root.slot);
        }
        find(above, number, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_finds_the_ranges_it_lies_in(
            given in proptest::collection::vec((-20..20_i32, 0..20_i32), 0..40),
            removed in 0..40_usize,
            number in -25..45_i32,
        ) {
            let mut ranges = Ranges::default();
            let given: Vec<_> = given.iter().map(|(low, length)| (*low, low + length)).collect();
            for (slot, (low, high)) in given.iter().enumerate() {
                let (bottom, top) = (f64::from(*low), f64::from(*high));
                ranges.add(&Range { bottom, top, open_bottom: true, open_top: false }, slot);
            }
            ranges.look_up(0.0, &mut Vec::new());
            ranges.remove(removed);
            let mut found = Vec::new();
            ranges.look_up(f64::from(number), &mut found);
            found.sort_unstable();
            let around = Range {
                bottom: f64::from(number),
                top: f64::from(number),
                open_bottom: false,
                open_top: false,
            };
            prop_assert_eq!(ranges.overlapping(&around), found.len());
            let contain = given.iter().enumerate().filter(|(slot, (low, high))| {
                *slot != removed && (low..=high).contains(&&number)
            });
            prop_assert_eq!(found, contain.map(|(slot, _)| slot).collect::<Vec<_>>());
        }
    }
}
