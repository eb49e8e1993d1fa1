//! Places within an item: `a.b[1]`.

use std::fmt;

use super::value::{Attribute, Item};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(String),
    Index(usize),
}

/// An attribute's name, then steps into it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    pub head: String,
    pub steps: Vec<Step>,
}

/// How two paths stand in each other's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// One leads to or through where the other leads.
    Overlap,
    /// One takes for a list what the other takes for a map.
    Conflict,
}

impl Path {
    pub fn attribute(name: impl Into<String>) -> Self {
        Self {
            head: name.into(),
            steps: Vec::new(),
        }
    }

    pub fn get<'a>(&self, item: &'a Item) -> Option<&'a Attribute> {
        self.steps
            .iter()
            .try_fold(item.get(&self.head)?, |value, step| match (value, step) {
                (Attribute::M(members), Step::Name(name)) => members.get(name),
                (Attribute::L(items), Step::Index(at)) => items.get(*at),
                _ => None,
            })
    }

    pub fn clash(&self, other: &Self) -> Option<Clash> {
        if self.head != other.head {
            return None;
        }
        for (a, b) in self.steps.iter().zip(&other.steps) {
            match (a, b) {
                (Step::Name(_), Step::Index(_)) | (Step::Index(_), Step::Name(_)) => {
                    return Some(Clash::Conflict);
                }
                _ if a != b => return None,
                _ => {}
            }
        }
        Some(Clash::Overlap)
    }

    /// The first pair of paths that clash, in AWS's words.
    pub fn clash_among(paths: &[&Self]) -> Option<String> {
        paths.iter().enumerate().find_map(|(at, later)| {
            paths[..at].iter().find_map(|earlier| {
                let verb = match earlier.clash(later)? {
                    Clash::Overlap => "overlap",
                    Clash::Conflict => "conflict",
                };
                Some(format!(
                    "Two document paths {verb} with each other; must remove or rewrite one of these \
                     paths; path one: {earlier}, path two: {later}"
                ))
            })
        })
    }
}

/// As messages show paths: `[a, b, [1]]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.head)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, ", {name}")?,
                Step::Index(at) => write!(f, ", [{at}]")?,
            }
        }
        f.write_str("]")
    }
}

/// The parts of an item that the paths lead to. Of lists only the chosen elements remain, in their
/// order.
pub fn project(item: &Item, paths: &[Path]) -> Item {
    let mut projected = Item::new();
    let mut heads: Vec<&str> = paths.iter().map(|path| path.head.as_str()).collect();
    heads.sort_unstable();
    heads.dedup();
    for head in heads {
        let Some(value) = item.get(head) else {
            continue;
        };
        let steps: Vec<&[Step]> = paths
            .iter()
            .filter(|path| path.head == head)
            .map(|path| path.steps.as_slice())
            .collect();
        if let Some(value) = project_value(value, &steps) {
            projected.insert(head.to_owned(), value);
        }
    }
    projected
}

/// The same as columns of PartiQL: each value by itself, under the last of the path's names.
pub fn columns(item: &Item, paths: &[Path]) -> Item {
    let column = |path: &Path| {
        let mut name = path.head.clone();
        for step in &path.steps {
            match step {
                Step::Name(below) => name.clone_from(below),
                Step::Index(at) => name = format!("{name}[{at}]"),
            }
        }
        Some((name, path.get(item)?.clone()))
    };
    paths.iter().filter_map(column).collect()
}

fn project_value(value: &Attribute, paths: &[&[Step]]) -> Option<Attribute> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    let below = |wanted: &Step| -> Vec<&[Step]> {
        paths
            .iter()
            .filter(|path| path[0] == *wanted)
            .map(|path| &path[1..])
            .collect()
    };
    match value {
        Attribute::M(members) => {
            let kept: Item = members
                .iter()
                .filter_map(|(name, member)| {
                    let paths = below(&Step::Name(name.clone()));
                    let value = (!paths.is_empty()).then(|| project_value(member, &paths))??;
                    Some((name.clone(), value))
                })
                .collect();
            (!kept.is_empty()).then_some(Attribute::M(kept))
        }
        Attribute::L(items) => {
            let kept: Vec<Attribute> = items
                .iter()
                .enumerate()
                .filter_map(|(at, item)| {
                    let paths = below(&Step::Index(at));
                    (!paths.is_empty()).then(|| project_value(item, &paths))?
                })
                .collect();
            (!kept.is_empty()).then_some(Attribute::L(kept))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(head: &str, steps: &[&str]) -> Path {
        let step = |text: &&str| {
            text.parse()
                .map_or_else(|_| Step::Name((*text).to_owned()), Step::Index)
        };
        Path {
            head: head.into(),
            steps: steps.iter().map(step).collect(),
        }
    }

    #[test]
    fn clashes() {
        let a = path("a", &[]);
        assert_eq!(a.clash(&path("a", &["b"])), Some(Clash::Overlap));
        assert_eq!(
            path("a", &["b"]).clash(&path("a", &["1"])),
            Some(Clash::Conflict)
        );
        assert_eq!(path("a", &["b"]).clash(&path("a", &["c"])), None);
        assert_eq!(
            Path::clash_among(&[&path("a", &["b", "1"]), &path("a", &["b"])]).unwrap(),
            "Two document paths overlap with each other; must remove or rewrite one of these paths; \
             path one: [a, b, [1]], path two: [a, b]"
        );
    }

    #[test]
    fn a_column_has_the_last_name_of_its_path() {
        let number = |text: &str| Attribute::S(text.into());
        let list = Attribute::L(vec![number("0"), number("1")]);
        let map = Attribute::M([("x".into(), number("x")), ("l".into(), list)].into());
        let item: Item = [("m".into(), map)].into();
        let found = columns(
            &item,
            &[path("m", &["x"]), path("m", &["l", "1"]), path("m", &["y"])],
        );
        let expected = [("x".into(), number("x")), ("l[1]".into(), number("1"))];
        assert_eq!(found, expected.into());
    }

    #[test]
    fn projection_keeps_the_places_and_nothing_else() {
        let text = |text: &str| Attribute::S(text.into());
        let list = Attribute::L(vec![text("0"), text("1"), text("2")]);
        let map = Attribute::M([("x".into(), text("x")), ("l".into(), list)].into());
        let item: Item = [("m".into(), map), ("other".into(), text("o"))].into();
        let projected = project(
            &item,
            &[
                path("m", &["l", "2"]),
                path("m", &["l", "0"]),
                path("none", &[]),
            ],
        );
        let kept = Attribute::L(vec![text("0"), text("2")]);
        assert_eq!(
            projected,
            [("m".into(), Attribute::M([("l".into(), kept)].into()))].into()
        );
        assert!(project(&item, &[path("other", &["x"])]).is_empty());
    }
}
