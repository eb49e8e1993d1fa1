//! `?(@.price < 10 && @.name =~ /a.*/i)`.

use regex::RegexBuilder;

use super::find::{TooManySteps, take_step};
use super::{NoPath, Path, parse as paths};
use crate::Json;

const MAX_DEPTH: usize = 16;

#[derive(Debug, Clone)]
pub enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
    Matches(Operand, regex::Regex),
}

/// Of expressions, the text counts.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Or(one), Self::Or(two)) | (Self::And(one), Self::And(two)) => one == two,
            (Self::Not(one), Self::Not(two)) => one == two,
            (Self::Exists(one), Self::Exists(two)) => one == two,
            (Self::Compare(left, by, right), Self::Compare(left2, by2, right2)) => {
                left == left2 && by == by2 && right == right2
            }
            (Self::Matches(operand, one), Self::Matches(operand2, two)) => {
                operand == operand2 && one.as_str() == two.as_str()
            }
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// Of the element, `@`.
    Here(Path),
    /// Of the whole, `$`.
    Root(Path),
    Value(Json),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Contains,
    Empty,
    Size,
}

/// The filter in parentheses at the start, and what follows it.
pub fn parse(text: &str) -> Result<(Filter, &str), NoPath> {
    let rest = text.strip_prefix('(').ok_or(NoPath)?;
    let (filter, rest) = or(rest, 0)?;
    let rest = rest.trim_start().strip_prefix(')').ok_or(NoPath)?;
    Ok((filter, rest))
}

type Parsed<'t> = Result<(Filter, &'t str), NoPath>;

fn or(text: &str, depth: usize) -> Parsed<'_> {
    series(text, depth, "||", and, Filter::Or)
}

fn and(text: &str, depth: usize) -> Parsed<'_> {
    series(text, depth, "&&", single, Filter::And)
}

fn series<'t>(
    text: &'t str,
    depth: usize,
    between: &str,
    part: fn(&'t str, usize) -> Parsed<'t>,
    all: fn(Vec<Filter>) -> Filter,
) -> Parsed<'t> {
    if depth > MAX_DEPTH {
        return Err(NoPath);
    }
    let (first, mut rest) = part(text, depth + 1)?;
    let mut parts = vec![first];
    while let Some(after) = rest.trim_start().strip_prefix(between) {
        let (next, after) = part(after, depth + 1)?;
        parts.push(next);
        rest = after;
    }
    let filter = match parts.len() {
        1 => parts.remove(0),
        _ => all(parts),
    };
    Ok((filter, rest))
}

fn single(text: &str, depth: usize) -> Parsed<'_> {
    let text = text.trim_start();
    if depth > MAX_DEPTH {
        return Err(NoPath);
    }
    if let Some(rest) = text.strip_prefix('!') {
        let (filter, rest) = single(rest, depth + 1)?;
        return Ok((Filter::Not(Box::new(filter)), rest));
    }
    if let Some(rest) = text.strip_prefix('(') {
        let (filter, rest) = or(rest, depth + 1)?;
        let rest = rest.trim_start().strip_prefix(')').ok_or(NoPath)?;
        return Ok((filter, rest));
    }
    let (left, rest) = operand(text)?;
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("=~") {
        let (regex, rest) = expression(rest.trim_start())?;
        return Ok((Filter::Matches(left, regex), rest));
    }
    let comparisons = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        ("in ", Comparison::In),
        ("nin ", Comparison::NotIn),
        ("contains ", Comparison::Contains),
        ("empty ", Comparison::Empty),
        ("size ", Comparison::Size),
    ];
    for (sign, comparison) in comparisons {
        if let Some(rest) = rest.strip_prefix(sign) {
            let (right, rest) = operand(rest.trim_start())?;
            return Ok((Filter::Compare(left, comparison, right), rest));
        }
    }
    Ok((Filter::Exists(left), rest))
}

fn operand(text: &str) -> Result<(Operand, &str), NoPath> {
    if let Some(rest) = text.strip_prefix('@') {
        let (path, rest) = paths::inner(rest)?;
        return Ok((Operand::Here(path), rest));
    }
    if let Some(rest) = text.strip_prefix('$') {
        let (path, rest) = paths::inner(rest)?;
        return Ok((Operand::Root(path), rest));
    }
    if text.starts_with(['\'', '"']) {
        let (text, rest) = paths::quoted(text).ok_or(NoPath)?;
        return Ok((Operand::Value(Json::Text(text)), rest));
    }
    if let Some(rest) = text.strip_prefix('[') {
        return list(rest.trim_start());
    }
    let end = text
        .find(|c: char| c.is_whitespace() || "()[],&|=<>!".contains(c))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let value = Json::parse(word).ok_or(NoPath)?;
    Ok((Operand::Value(value), rest))
}

/// After `[`: values, none of them a list.
fn list(mut rest: &str) -> Result<(Operand, &str), NoPath> {
    let mut items = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix(']') {
            return Ok((Operand::Value(Json::List(items)), rest));
        }
        if rest.starts_with('[') {
            return Err(NoPath);
        }
        let (Operand::Value(item), after) = operand(rest)? else {
            return Err(NoPath);
        };
        items.push(item);
        let after = after.trim_start();
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
}

/// `/pattern/i`.
fn expression(text: &str) -> Result<(regex::Regex, &str), NoPath> {
    let text = text.strip_prefix('/').ok_or(NoPath)?;
    let end = text
        .char_indices()
        .find(|(at, c)| *c == '/' && !text[..*at].ends_with('\\'));
    let (end, _) = end.ok_or(NoPath)?;
    let (pattern, rest) = (&text[..end], &text[end + 1..]);
    let (is_caseless, rest) = match rest.strip_prefix('i') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let regex = RegexBuilder::new(&format!("^(?:{})$", pattern.replace("\\/", "/")))
        .case_insensitive(is_caseless)
        .size_limit(1 << 20)
        .build();
    Ok((regex.map_err(|_| NoPath)?, rest))
}

impl Filter {
    pub fn holds(&self, here: &Json, root: &Json, steps: &mut u64) -> Result<bool, TooManySteps> {
        take_step(steps)?;
        let value = |operand: &Operand, steps: &mut u64| match operand {
            Operand::Here(path) => path.find_from(here, root, steps),
            Operand::Root(path) => path.find_from(root, root, steps),
            Operand::Value(value) => Ok(Some(value.clone())),
        };
        Ok(match self {
            Self::Or(parts) => {
                let mut any = false;
                for part in parts {
                    any = any || part.holds(here, root, steps)?;
                }
                any
            }
            Self::And(parts) => {
                let mut all = true;
                for part in parts {
                    all = all && part.holds(here, root, steps)?;
                }
                all
            }
            Self::Not(part) => !part.holds(here, root, steps)?,
            Self::Exists(operand) => value(operand, steps)?.is_some(),
            Self::Matches(operand, regex) => match value(operand, steps)? {
                Some(Json::Text(text)) => regex.is_match(&text),
                _ => false,
            },
            Self::Compare(left, comparison, right) => {
                let (left, right) = (value(left, steps)?, value(right, steps)?);
                compare(left.as_ref(), *comparison, right.as_ref())
            }
        })
    }
}

fn compare(left: Option<&Json>, comparison: Comparison, right: Option<&Json>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return comparison == Comparison::NotEqual && left.is_some() != right.is_some();
    };
    let order = match (left, right) {
        (Json::Text(a), Json::Text(b)) => Some(a.cmp(b)),
        _ => match (number(left), number(right)) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => None,
        },
    };
    let equal = order.map_or_else(|| left == right, std::cmp::Ordering::is_eq);
    let is_in = |item: &Json, list: &Json| match list {
        Json::List(items) => items.contains(item),
        Json::Text(text) => item.as_str().is_some_and(|item| text.contains(item)),
        _ => false,
    };
    let size = |json: &Json| match json {
        Json::List(items) => Some(items.len()),
        Json::Map(members) => Some(members.len()),
        Json::Text(text) => Some(text.chars().count()),
        _ => None,
    };
    match comparison {
        Comparison::Equal => equal,
        Comparison::NotEqual => !equal,
        Comparison::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
        Comparison::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
        Comparison::In => is_in(left, right),
        Comparison::NotIn => !is_in(left, right),
        Comparison::Contains => is_in(right, left),
        Comparison::Empty => size(left).map(|size| size == 0) == Some(*right == Json::Bool(true)),
        Comparison::Size => size(left).map(|size| size as f64) == number(right),
    }
}

pub fn number(json: &Json) -> Option<f64> {
    match json {
        Json::Int(number) => Some(*number as f64),
        Json::Float(number) => Some(*number),
        _ => None,
    }
}
