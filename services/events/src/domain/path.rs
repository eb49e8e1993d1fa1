//! The JSON paths of inputs: `$.detail.items[0].name`.

use serde_json::Value;

enum Step {
    Member(String),
    Element(usize),
}

/// Whether a text is a path.
pub fn is_path(text: &str) -> bool {
    steps(text).is_some()
}

/// What a path leads to.
pub fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    steps(path)?
        .into_iter()
        .try_fold(value, |at, step| match step {
            Step::Member(name) => at.get(name),
            Step::Element(index) => at.get(index),
        })
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Member(after[..end].to_owned()));
            rest = &after[end..];
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = inside
                .strip_prefix('\'')
                .and_then(|inside| inside.strip_suffix('\''))
                .or_else(|| inside.strip_prefix('"')?.strip_suffix('"'));
            steps.push(match quoted {
                Some(name) => Step::Member(name.to_owned()),
                None => Step::Element(inside.parse().ok()?),
            });
            rest = after;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\$?[$.a\\[\\]'\"0-9é-]{0,20}") {
            let _ = find(&json!({"a": [{"0": 1}]}), &text);
        }
    }

    #[test]
    fn members_and_elements() {
        let value = json!({"detail": {"items": [{"a b": 1}, 2]}});
        assert_eq!(find(&value, "$"), Some(&value));
        assert_eq!(find(&value, "$.detail.items[1]"), Some(&json!(2)));
        assert_eq!(find(&value, "$.detail.items[0]['a b']"), Some(&json!(1)));
        assert_eq!(find(&value, "$.detail.none.deeper"), None);
        for wrong in ["", "detail", "$.", "$detail", "$.a..b", "$[x]", "$[0"] {
            assert!(!is_path(wrong), "{wrong}");
        }
    }
}
