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

/// One segment of a template; of a greedy label, as many of a path as are left for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Literal(&'static str),
    Label(&'static str),
    Greedy(&'static str),
}

/// A request's path, split once for all templates that it is held against. One trailing slash makes no
/// difference, as older clients of Lambda write it.
pub struct Segments<'p> {
    path: &'p str,
    /// Where each begins and ends.
    bounds: Vec<(usize, usize)>,
}

impl<'p> Segments<'p> {
    pub fn of(path: &'p str) -> Self {
        let path = without_slashes(path);
        let slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
        let (mut bounds, mut from) = (Vec::with_capacity(8), 0);
        for (at, _) in slashes {
            bounds.push((from, at));
            from = at + 1;
        }
        bounds.push((from, path.len()));
        Self { path, bounds }
    }

    pub fn count(&self) -> usize {
        self.bounds.len()
    }

    /// The text of one, or of several with the slashes between them.
    fn text(&self, from: usize, to: usize) -> Option<&'p str> {
        let ((begin, _), (_, end)) = (
            *self.bounds.get(from)?,
            *self.bounds.get(to.checked_sub(1)?)?,
        );
        self.path.get(begin..end)
    }
}

/// The segments of a template.
pub fn parts(template: &'static str) -> Vec<Part> {
    let segments = without_slashes(path_of(template)).split('/');
    let part = |segment: &'static str| {
        let label = segment
            .strip_prefix('{')
            .and_then(|label| label.strip_suffix('}'));
        match label.map(|label| (label, label.strip_suffix('+'))) {
            None => Part::Literal(segment),
            Some((label, None)) => Part::Label(label),
            Some((_, Some(label))) => Part::Greedy(label),
        }
    };
    segments.map(part).collect()
}

/// Whether a path fits a template, and how closely.
pub fn rank(template: &[Part], path: &Segments<'_>) -> Option<Rank> {
    // Two bits a segment, the first segment highest.
    let (mut rank, mut at) = (0, u64::BITS);
    let fits = walk(template, path, |part, _| {
        at = at.saturating_sub(2);
        let step = match part {
            Part::Literal(_) => 0,
            Part::Label(_) => 1,
            Part::Greedy(_) => 2,
        };
        rank |= step << at;
    });
    fits.then_some(rank)
}

/// The labels of a path that fits; `None` if it does not, or a label is not UTF-8.
pub fn labels(template: &[Part], path: &Segments<'_>) -> Option<Labels> {
    let mut labels = Some(Vec::new());
    let fits = walk(template, path, |part, text| {
        let (Part::Label(name) | Part::Greedy(name)) = part else {
            return;
        };
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

/// A template without its query.
fn path_of(template: &str) -> &str {
    template.split_once('?').map_or(template, |(path, _)| path)
}

/// Goes through both in step and tells each part's text.
fn walk(template: &[Part], path: &Segments<'_>, mut step: impl FnMut(Part, &str)) -> bool {
    let mut at = 0;
    for (number, part) in template.iter().enumerate() {
        // What follows a greedy label must still find its segments at the end.
        let end = match part {
            Part::Greedy(_) => (path.count() + number + 1).saturating_sub(template.len()),
            Part::Literal(_) | Part::Label(_) => at + 1,
        };
        let Some(text) = path.text(at, end).filter(|_| end > at) else {
            return false;
        };
        let fits = match part {
            Part::Literal(literal) => text == *literal,
            Part::Label(_) | Part::Greedy(_) => !text.is_empty(),
        };
        if !fits {
            return false;
        }
        step(*part, text);
        at = end;
    }
    at == path.count()
}

fn without_slashes(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(template: &'static str, path: &str) -> Option<Vec<String>> {
        let (template, path) = (parts(template), Segments::of(path));
        rank(&template, &path)?;
        Some(
            labels(&template, &path)?
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
        assert_eq!(one("/{Bucket}/{Key+}", "/b//x/").unwrap(), ["b", "/x"]);
        assert_eq!(one("/{Bucket}/{Key+}", "/b//"), None);
        assert_eq!(one("/{Bucket}/{Key+}", "/b"), None);
    }

    #[test]
    fn literals_rank_before_labels() {
        let path = Segments::of("/v/functions/list");
        let rank = |template| rank(&parts(template), &path).unwrap();
        let literal = rank("/v/functions/list");
        let label = rank("/v/functions/{Name}");
        let greedy = rank("/v/{Rest+}");
        assert!(literal < label);
        assert!(label < greedy);
    }

    #[test]
    fn fixed_parameters_follow_the_question_mark() {
        let fixed: Vec<_> = fixed_query("/{Bucket}?uploads&list-type=2").collect();
        assert_eq!(fixed, [("uploads", None), ("list-type", Some("2"))]);
    }
}
