//! `java.lang.String`. Positions count characters of UTF-16, as Java's do.

use regex::RegexBuilder;

use super::{index_of, text_of};
use crate::RenderError;
use crate::eval::Run;
use crate::value::Value;

/// Of a compiled expression.
const MAX_REGEX_BYTES: usize = 1 << 20;

pub fn call(
    run: &mut Run<'_>,
    content: &str,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    run.heap.step(1 + content.len() / 16)?;
    let first = text_of(arguments.first());
    let second = text_of(arguments.get(1));
    Ok(match (name, arguments.len()) {
        ("length", 0) => Value::int(content.encode_utf16().count()),
        ("isEmpty", 0) => Value::Bool(content.is_empty()),
        ("toLowerCase", 0) => run.heap.text(content.to_lowercase())?,
        ("toUpperCase", 0) => run.heap.text(content.to_uppercase())?,
        // Java trims all up to the space.
        ("trim", 0) => run.heap.text(content.trim_matches(|c| c <= ' '))?,
        ("strip", 0) => run.heap.text(content.trim())?,
        ("intern", 0) => run.heap.text(content)?,
        ("hashCode", 0) => Value::Int(hash(content).into()),
        ("toCharArray", 0) => {
            let letters: Vec<_> = content
                .chars()
                .map(|c| Value::text(c.to_string()))
                .collect();
            run.heap.hold(letters.len() * 16)?;
            run.heap.list(letters)?
        }
        ("charAt", 1) => match index_of(arguments.first()) {
            Some(at) => slice(run, content, at, at + 1)?,
            None => Value::Null,
        },
        ("substring", 1 | 2) => {
            let end = match arguments.get(1) {
                None => Some(content.encode_utf16().count()),
                end => index_of(end),
            };
            match (index_of(arguments.first()), end) {
                (Some(start), Some(end)) => slice(run, content, start, end)?,
                _ => Value::Null,
            }
        }
        ("indexOf" | "lastIndexOf", 1 | 2) => first.map_or(Value::Null, |sought| {
            position(content, sought, name, index_of(arguments.get(1)))
        }),
        ("matches" | "split", 1) | ("split" | "replaceAll" | "replaceFirst", 2) => {
            expression(run, content, name, arguments)?
        }
        ("replace", 2) => match (first, second) {
            (Some(from), Some(to)) => replaced(run, content, from, to)?,
            _ => Value::Null,
        },
        (_, 1) => first.map_or(Ok(Value::Null), |other| {
            with_text(run, content, name, other)
        })?,
        _ => Value::Null,
    })
}

fn with_text(
    run: &mut Run<'_>,
    content: &str,
    name: &str,
    other: &str,
) -> Result<Value, RenderError> {
    let compared = |left: &str, right: &str| Value::Int(left.cmp(right) as i64);
    Ok(match name {
        "equalsIgnoreCase" => Value::Bool(content.to_lowercase() == other.to_lowercase()),
        "contains" => Value::Bool(content.contains(other)),
        "startsWith" => Value::Bool(content.starts_with(other)),
        "endsWith" => Value::Bool(content.ends_with(other)),
        "contentEquals" => Value::Bool(content == other),
        "compareTo" => compared(content, other),
        "compareToIgnoreCase" => compared(&content.to_lowercase(), &other.to_lowercase()),
        "concat" => run.heap.text(format!("{content}{other}"))?,
        _ => Value::Null,
    })
}

/// The bound is checked before the text is made: `a` replaced by a megabyte may be many.
fn replaced(run: &mut Run<'_>, content: &str, from: &str, to: &str) -> Result<Value, RenderError> {
    let found = if from.is_empty() {
        content.chars().count() + 1
    } else {
        content.matches(from).count()
    };
    run.heap.hold(found.saturating_mul(to.len()))?;
    run.heap.text(content.replace(from, to))
}

/// `None` outside of the text, where Java throws.
fn slice(run: &mut Run<'_>, content: &str, start: usize, end: usize) -> Result<Value, RenderError> {
    if content.is_ascii() {
        return match content.get(start..end) {
            Some(part) => run.heap.text(part),
            None => Ok(Value::Null),
        };
    }
    let units: Vec<u16> = content.encode_utf16().collect();
    run.heap.step(units.len() / 16)?;
    match units.get(start..end) {
        Some(part) => run.heap.text(String::from_utf16_lossy(part)),
        None => Ok(Value::Null),
    }
}

fn position(content: &str, sought: &str, name: &str, from: Option<usize>) -> Value {
    let units = |text: &str| text.encode_utf16().count();
    // Where the search begins or ends, in bytes.
    let bytes = |units_before: usize| {
        let mut seen = 0;
        content
            .char_indices()
            .find(|(_, c)| {
                let is_there = seen >= units_before;
                seen += c.len_utf16();
                is_there
            })
            .map_or(content.len(), |(at, _)| at)
    };
    let found = if name == "indexOf" {
        let start = bytes(from.unwrap_or(0));
        content[start..].find(sought).map(|at| start + at)
    } else {
        let end = from.map_or(content.len(), |from| bytes(from) + sought.len());
        let end = (end.min(content.len())..=content.len())
            .find(|at| content.is_char_boundary(*at))
            .unwrap_or(content.len());
        content[..end].rfind(sought)
    };
    found.map_or(Value::Int(-1), |at| Value::int(units(&content[..at])))
}

/// Methods that take a regular expression. Rust's has no look-around and no back-references; what
/// uses them gives nothing.
fn expression(
    run: &mut Run<'_>,
    content: &str,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    let Some(pattern) = text_of(arguments.first()) else {
        return Ok(Value::Null);
    };
    let whole;
    let pattern = if name == "matches" {
        whole = format!("^(?:{pattern})$");
        &whole
    } else {
        pattern
    };
    run.heap.step(200 + pattern.len())?;
    let regex = RegexBuilder::new(pattern)
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .build();
    let Ok(regex) = regex else {
        return Ok(Value::Null);
    };
    match name {
        "matches" => Ok(Value::Bool(regex.is_match(content))),
        "split" => {
            let limit = match arguments.get(1) {
                Some(Value::Int(limit)) => *limit,
                _ => 0,
            };
            let mut parts: Vec<&str> = if limit > 0 {
                regex
                    .splitn(content, usize::try_from(limit).unwrap_or(usize::MAX))
                    .collect()
            } else {
                regex.split(content).collect()
            };
            if limit == 0 {
                // Java drops empty texts at the end.
                let kept = parts.iter().rposition(|part| !part.is_empty());
                parts.truncate(kept.map_or(usize::from(content.is_empty()), |last| last + 1));
            }
            // Matches of nothing at the start leave no empty text there.
            let leads_empty = parts.len() > 1
                && parts[0].is_empty()
                && regex.find(content).is_some_and(|found| found.is_empty());
            let parts = parts.into_iter().skip(usize::from(leads_empty));
            let parts = parts.map(|part| run.heap.text(part));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            run.heap.list(parts)
        }
        _ => {
            let Some(replacement) = text_of(arguments.get(1)) else {
                return Ok(Value::Null);
            };
            let most = if name == "replaceFirst" {
                1
            } else {
                usize::MAX
            };
            let mut out = String::new();
            let mut last = 0;
            for found in regex.captures_iter(content).take(most) {
                let Some(all) = found.get(0) else { continue };
                out.push_str(&content[last..all.start()]);
                if !expand(replacement, &found, &mut out) {
                    return Ok(Value::Null);
                }
                last = all.end();
                run.heap.step(1)?;
                if out.len() > run.heap.limits().held_bytes {
                    return Err(RenderError::Memory);
                }
            }
            out.push_str(&content[last..]);
            run.heap.text(out)
        }
    }
}

/// Java's replacements: `$1` and `${name}` are groups, a backslash takes the next as it is. `false`
/// where Java throws.
fn expand(replacement: &str, found: &regex::Captures<'_>, out: &mut String) -> bool {
    let mut letters = replacement.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(next) => out.push(next),
                None => return false,
            },
            '$' => {
                let group = if letters.next_if_eq(&'{').is_some() {
                    let name: String = letters.by_ref().take_while(|c| *c != '}').collect();
                    found.name(&name)
                } else {
                    let Some(digit) = letters.next().and_then(|c| c.to_digit(10)) else {
                        return false;
                    };
                    if digit as usize >= found.len() {
                        return false;
                    }
                    found.get(digit as usize)
                };
                out.push_str(group.map_or("", |group| group.as_str()));
            }
            letter => out.push(letter),
        }
    }
    true
}

/// `String.hashCode`.
fn hash(content: &str) -> i32 {
    content.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(unit.into())
    })
}
