//! Patterns on JSON messages: `{ ($.user.id = 1) && ($.tags[0] = "a*" || $.x NOT EXISTS) }`.

use serde_json::Value;

use super::compare::{Comparison, Operator};
use super::terms::unquote;
use super::{InvalidPattern, invalid};

/// Deepest nesting of parentheses, so that a pattern cannot exhaust the stack.
const MAX_DEPTH: usize = 32;

#[derive(Debug)]
pub struct JsonPattern(Node);

#[derive(Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Test(Path, Test),
}

#[derive(Debug)]
enum Test {
    Compare(Comparison),
    IsNull,
    IsTrue,
    IsFalse,
    Exists,
    NotExists,
}

#[derive(Debug)]
struct Path(Vec<Step>);

#[derive(Debug)]
enum Step {
    Member(String),
    Item(usize),
    AnyItem,
}

impl JsonPattern {
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let (node, rest) = any(text, 0)?;
        if !rest.trim().is_empty() {
            return Err(invalid(format!("did not expect {:?}", rest.trim())));
        }
        Ok(Self(node))
    }

    /// A message that is not JSON matches nothing.
    pub fn matches(&self, message: &str) -> bool {
        serde_json::from_str(message).is_ok_and(|value: Value| self.0.holds(&value))
    }
}

impl Node {
    fn holds(&self, message: &Value) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(message)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(message)),
            Self::Test(path, test) => test.holds(&path.select(message)),
        }
    }
}

impl Test {
    fn holds(&self, selected: &[&Value]) -> bool {
        match self {
            Self::NotExists => selected.is_empty(),
            Self::Exists => !selected.is_empty(),
            Self::IsNull => selected.iter().any(|value| value.is_null()),
            Self::IsTrue => selected.iter().any(|value| **value == Value::Bool(true)),
            Self::IsFalse => selected.iter().any(|value| **value == Value::Bool(false)),
            Self::Compare(comparison) => selected.iter().any(|value| match value {
                Value::String(text) => comparison.holds_for_text(text),
                Value::Number(number) => number
                    .as_f64()
                    .is_some_and(|number| comparison.holds_for_number(number)),
                Value::Bool(flag) => comparison.holds_for_text(&flag.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    comparison.operator == Operator::NotEqual
                }
            }),
        }
    }
}

impl Path {
    fn select<'v>(&self, root: &'v Value) -> Vec<&'v Value> {
        let mut selected = vec![root];
        for step in &self.0 {
            selected = selected
                .into_iter()
                .flat_map(|value| match (step, value) {
                    (Step::Member(name), Value::Object(members)) => {
                        members.get(name).into_iter().collect()
                    }
                    (Step::Item(at), Value::Array(items)) => items.get(*at).into_iter().collect(),
                    (Step::AnyItem, Value::Array(items)) => items.iter().collect::<Vec<_>>(),
                    _ => Vec::new(),
                })
                .collect();
        }
        selected
    }

    fn parse(text: &str) -> Result<(Self, &str), InvalidPattern> {
        let mut rest = text
            .strip_prefix('$')
            .ok_or_else(|| invalid(format!("expected a selector such as $.name at {text:?}")))?;
        let mut steps = Vec::new();
        loop {
            if let Some(tail) = rest.strip_prefix("[\"") {
                let (name, tail) = unquote(tail)?;
                rest = tail
                    .strip_prefix(']')
                    .ok_or_else(|| invalid("a [ has no ]"))?;
                steps.push(Step::Member(name));
            } else if let Some(tail) = rest.strip_prefix('[') {
                let (index, tail) = tail
                    .split_once(']')
                    .ok_or_else(|| invalid("a [ has no ]"))?;
                steps.push(match index.trim() {
                    "*" => Step::AnyItem,
                    number => {
                        Step::Item(number.parse().map_err(|_| {
                            invalid(format!("{number:?} is not the index of an item"))
                        })?)
                    }
                });
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix('.') {
                let end = tail
                    .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '@')))
                    .unwrap_or(tail.len());
                if end == 0 {
                    return Err(invalid("a . without a name after it"));
                }
                steps.push(Step::Member(tail[..end].to_owned()));
                rest = &tail[end..];
            } else {
                return Ok((Self(steps), rest));
            }
        }
    }
}

fn any(text: &str, depth: usize) -> Result<(Node, &str), InvalidPattern> {
    chain(text, "||", depth, all, Node::Any)
}

fn all(text: &str, depth: usize) -> Result<(Node, &str), InvalidPattern> {
    chain(text, "&&", depth, one, Node::All)
}

/// Reads a part of a condition at a depth, and returns what follows it.
type Parser = for<'t> fn(&'t str, usize) -> Result<(Node, &'t str), InvalidPattern>;

fn chain<'t>(
    text: &'t str,
    separator: &str,
    depth: usize,
    part: Parser,
    join: fn(Vec<Node>) -> Node,
) -> Result<(Node, &'t str), InvalidPattern> {
    let (first, mut rest) = part(text, depth)?;
    let mut nodes = vec![first];
    while let Some(tail) = rest.trim_start().strip_prefix(separator) {
        let (node, tail) = part(tail, depth)?;
        nodes.push(node);
        rest = tail;
    }
    Ok((
        if nodes.len() == 1 {
            nodes.remove(0)
        } else {
            join(nodes)
        },
        rest,
    ))
}

fn one(text: &str, depth: usize) -> Result<(Node, &str), InvalidPattern> {
    let text = text.trim_start();
    if depth > MAX_DEPTH {
        return Err(invalid("parentheses are nested too deeply"));
    }
    if let Some(inner) = text.strip_prefix('(') {
        let (node, rest) = any(inner, depth + 1)?;
        let rest = rest
            .trim_start()
            .strip_prefix(')')
            .ok_or_else(|| invalid("a ( has no )"))?;
        return Ok((node, rest));
    }
    let (path, rest) = Path::parse(text)?;
    let (test, rest) = test(rest.trim_start())?;
    Ok((Node::Test(path, test), rest))
}

fn test(text: &str) -> Result<(Test, &str), InvalidPattern> {
    for words in ["IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS", "EXISTS"] {
        if text
            .get(..words.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(words))
        {
            let test = match words {
                "IS NULL" => Test::IsNull,
                "IS TRUE" => Test::IsTrue,
                "IS FALSE" => Test::IsFalse,
                "NOT EXISTS" => Test::NotExists,
                _ => Test::Exists,
            };
            return Ok((test, &text[words.len()..]));
        }
    }
    let (comparison, rest) = Comparison::parse(text)?;
    Ok((Test::Compare(comparison), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, message: &str) -> bool {
        JsonPattern::parse(pattern).unwrap().matches(message)
    }

    #[test]
    fn selectors_and_comparisons() {
        let message = r#"{"user":{"id":7,"name":"Ann B"},"tags":["a","bc"],"ok":true,"x":null}"#;
        for yes in [
            "$.user.id = 7",
            "$.user.id >= 7 && $.user.id < 8",
            "$.user.name = \"Ann*\"",
            "$.tags[1] = \"b*\"",
            "$.tags[*] = a",
            "$.ok IS TRUE",
            "$.x IS NULL",
            "$.y NOT EXISTS",
            "($.user.id = 1) || ($.ok is true && $.tags[0] != b)",
            "$[\"user\"].id != 8",
            "$.user.name = %^Ann%",
        ] {
            assert!(matches(yes, message), "{yes}");
        }
        for no in [
            "$.user.id = 8",
            "$.z = 1",
            "$.tags[9] = a",
            "$.ok IS FALSE",
            "$.user.id > 7",
        ] {
            assert!(!matches(no, message), "{no}");
        }
        assert!(!matches("$.a = 1", "not json"));
    }

    #[test]
    fn bad_patterns_are_refused() {
        let deep = "(".repeat(100_000);
        for bad in [
            "",
            "$.",
            "$.a",
            "$.a = ",
            "$.a > x",
            "($.a = 1",
            "$.a[ = 1",
            "$.a = 1 x",
            &deep,
        ] {
            assert!(JsonPattern::parse(bad).is_err(), "{bad:.20}");
        }
    }
}
