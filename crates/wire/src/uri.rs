//! Path templates such as `/2015-03-31/functions/{FunctionName}/policy` against request paths
//! (<https://smithy.io/2.0/spec/http-bindings.html#http-trait>).

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::schema::{Location, MemberSchema, OperationSchema};
use crate::value::Value;

/// The labels of a match, decoded, by the template's names.
pub type Labels = Vec<(&'static str, String)>;

/// How closely a template names a path, segment by segment: a literal before a label before a
/// greedy label. The smaller, the closer.
pub type Rank = u64;

/// Whether `path` fits the template, and how closely. One trailing slash makes no difference, as
/// older clients of Lambda write it.
pub fn rank(template: &str, path: &str) -> Option<Rank> {
    if !begins_alike(template, path) {
        return None;
    }
    let template = path_of(template);
    // Two bits a segment, the first segment highest.
    let (mut rank, mut at) = (0, u64::BITS);
    let fits = walk(template, path, |step, _, _| {
        at = at.saturating_sub(2);
        rank |= u64::from(step) << at;
    });
    fits.then_some(rank)
}

/// Whether the path begins as the template does, up to its first label: most templates of a service
/// are ruled out by a few bytes.
fn begins_alike(template: &str, path: &str) -> bool {
    let mut literal = template
        .bytes()
        .take_while(|byte| !matches!(byte, b'{' | b'?'));
    let mut path = path.bytes();
    while let Some(byte) = literal.next() {
        if path.next() != Some(byte) {
            return byte == b'/' && literal.all(|byte| byte == b'/');
        }
    }
    true
}

/// The labels of a path that fits; `None` if it does not, or a label is not UTF-8.
pub fn labels(template: &'static str, path: &str) -> Option<Labels> {
    let mut labels = Some(Vec::new());
    let fits = walk(path_of(template), path, |step, name, text| {
        if step == LITERAL {
            return;
        }
        let decoded = percent_decode_str(text)
            .decode_utf8()
            .ok()
            .map(Cow::into_owned);
        labels = match (labels.take(), decoded) {
            (Some(mut labels), Some(decoded)) => {
                labels.push((name, decoded));
                Some(labels)
            }
            _ => None,
        };
    });
    if fits { labels } else { None }
}

impl OperationSchema {
    /// The template with the members of an input in their places, as they are; `*` stands for one
    /// that is not there.
    pub fn path(&self, input: &Value) -> String {
        let segments = path_of(self.uri).split('/').map(|segment| {
            let label = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let Some(label) = label.map(|label| label.trim_end_matches('+')) else {
                return segment;
            };
            let of_label = |member: &&MemberSchema| {
                member.location == Location::Uri && member.wire_name == label
            };
            let member = self.input.members.iter().find(of_label);
            member
                .and_then(|member| input.get(member.name)?.as_str())
                .unwrap_or("*")
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

/// The fixed query parameters of a template, after its `?`.
pub fn fixed_query(template: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let query = template.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        })
}

const LITERAL: u8 = 0;
const LABEL: u8 = 1;
const GREEDY: u8 = 2;

fn path_of(template: &str) -> &str {
    template.split_once('?').map_or(template, |(path, _)| path)
}

/// Goes through both in step and tells each label's name and text.
fn walk<'t>(template: &'t str, path: &str, mut step: impl FnMut(u8, &'t str, &str)) -> bool {
    let mut path = without_slashes(path);
    let mut parts = without_slashes(template).split('/').peekable();
    while let Some(part) = parts.next() {
        let label = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        if let Some(name) = label.and_then(|label| label.strip_suffix('+')) {
            // What follows a greedy label must still find its segments at the end.
            let after = parts.clone().count();
            let Some((text, rest)) = split_before_last(path, after) else {
                return false;
            };
            if text.is_empty() {
                return false;
            }
            step(GREEDY, name, text);
            path = rest;
            continue;
        }
        let (text, rest, more) = match path.split_once('/') {
            Some((text, rest)) => (text, rest, true),
            None => (path, "", false),
        };
        match label {
            Some(name) if !text.is_empty() => step(LABEL, name, text),
            None if text == part => step(LITERAL, part, text),
            _ => return false,
        }
        if more != parts.peek().is_some() {
            return false;
        }
        path = rest;
    }
    true
}

fn without_slashes(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

/// Splits off the last `count` segments; `None` if there are fewer.
fn split_before_last(path: &str, count: usize) -> Option<(&str, &str)> {
    if count == 0 {
        return Some((path, ""));
    }
    let (at, _) = path.rmatch_indices('/').nth(count - 1)?;
    Some((&path[..at], &path[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(template: &'static str, path: &str) -> Option<Vec<String>> {
        rank(template, path)?;
        Some(
            labels(template, path)?
                .into_iter()
                .map(|(_, text)| text)
                .collect(),
        )
    }

    #[test]
    fn labels_are_decoded_segments() {
        let template = "/2015-03-31/functions/{FunctionName}/invocations";
        assert_eq!(
            one(template, "/2015-03-31/functions/hello/invocations").unwrap(),
            ["hello"]
        );
        assert_eq!(
            one(
                template,
                "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations"
            )
            .unwrap(),
            ["arn:aws:lambda"]
        );
        assert_eq!(one(template, "/2015-03-31/functions//invocations"), None);
        assert_eq!(one(template, "/2015-03-31/functions/hello"), None);
        assert_eq!(one(template, "/2015-03-31/functions/a/b/invocations"), None);
        assert_eq!(one(template, "/2015-03-31/functions/%ff/invocations"), None);
    }

    #[test]
    fn one_trailing_slash_makes_no_difference() {
        for (template, path) in [
            ("/2015-03-31/functions", "/2015-03-31/functions/"),
            ("/2015-03-31/functions/", "/2015-03-31/functions"),
        ] {
            assert_eq!(one(template, path), Some(vec![]), "{template} {path}");
        }
        assert_eq!(
            one("/2015-03-31/functions", "/2015-03-31/functions//"),
            None
        );
        assert_eq!(one("/", "/"), Some(vec![]));
    }

    #[test]
    fn greedy_labels_take_slashes() {
        assert_eq!(
            one("/{Bucket}/{Key+}", "/b/a/b%20c").unwrap(),
            ["b", "a/b c"]
        );
        assert_eq!(one("/a/{Key+}/tail", "/a/x/y/tail").unwrap(), ["x/y"]);
        assert_eq!(one("/a/{Key+}/tail", "/a/tail"), None);
    }

    #[test]
    fn literals_rank_before_labels() {
        let literal = rank("/v/functions/list", "/v/functions/list").unwrap();
        let label = rank("/v/functions/{Name}", "/v/functions/list").unwrap();
        let greedy = rank("/v/{Rest+}", "/v/functions/list").unwrap();
        assert!(literal < label);
        assert!(label < greedy);
    }

    #[test]
    fn fixed_parameters_follow_the_question_mark() {
        let fixed: Vec<_> = fixed_query("/{Bucket}?uploads&list-type=2").collect();
        assert_eq!(fixed, [("uploads", None), ("list-type", Some("2"))]);
    }
}
