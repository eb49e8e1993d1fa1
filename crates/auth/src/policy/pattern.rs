//! Wildcards and policy variables.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::Context;

/// A piece of a pattern. Text that came out of a variable is literal, whatever it contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Any,
}

/// A value of a policy with its variables filled in; `None` where the context lacks one that has
/// no default, as such a value matches nothing.
pub(super) fn tokens(text: &str, context: &Context, has_variables: bool) -> Option<Vec<Token>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let variable = rest
            .strip_prefix("${")
            .filter(|_| has_variables)
            .and_then(|tail| tail.split_once('}'));
        if let Some((name, tail)) = variable {
            out.extend(variable_value(name, context)?.chars().map(Token::Literal));
            rest = tail;
            continue;
        }
        out.push(match next {
            '*' => Token::Any,
            '?' => Token::One,
            other => Token::Literal(other),
        });
        rest = &rest[next.len_utf8()..];
    }
    Some(out)
}

fn variable_value(name: &str, context: &Context) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\''))),
        None => (name.trim(), None),
    };
    // A variable stands for one value; keys with several cannot be used so.
    match context.values(key) {
        Some([value]) => Some(value.clone()),
        _ => default.map(str::to_owned),
    }
}

/// Whether the whole text fits the pattern. Linear but for backtracking to the last `*`.
pub(super) fn matches(pattern: &[Token], text: &str, ignore_case: bool) -> bool {
    let text: Vec<char> = text.chars().collect();
    let same = |a: char, b: char| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Token::Any) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Token::One) => {
                p += 1;
                t += 1;
            }
            Some(Token::Literal(c)) if same(*c, text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|token| *token == Token::Any)
}

/// As [`matches`], a part of an ARN at a time: no wildcard reaches past a colon but in the last.
pub(super) fn arn_matches(pattern: &[Token], text: &str) -> bool {
    let pattern: Vec<&[Token]> = pattern
        .splitn(6, |token| *token == Token::Literal(':'))
        .collect();
    let text: Vec<&str> = text.splitn(6, ':').collect();
    // A lone "*" is any ARN.
    if let [[Token::Any]] = pattern.as_slice() {
        return true;
    }
    pattern.len() == text.len()
        && pattern
            .iter()
            .zip(text)
            .all(|(pattern, text)| matches(pattern, text, false))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        matches(
            &tokens(pattern, &Context::new(), true).unwrap(),
            text,
            false,
        )
    }

    #[test]
    fn wildcards() {
        assert!(glob("*", ""));
        assert!(glob("s3:Get*", "s3:GetObject"));
        assert!(glob("a*b*c", "aXbYbZc"));
        assert!(glob("a?c", "abc"));
        assert!(!glob("a?c", "ac"));
        assert!(!glob("a*b", "abX"));
        assert!(glob("${*}x", "*x"));
        assert!(!glob("${*}x", "ax"));
    }

    #[test]
    fn a_variable_is_literal_or_missing() {
        let context = Context::new().with("aws:username", "*");
        let filled = tokens("home/${aws:username}/?", &context, true).unwrap();
        assert!(matches(&filled, "home/*/a", false));
        assert!(!matches(&filled, "home/bob/a", false));
        assert_eq!(tokens("${aws:userid}", &context, true), None);
        let default = tokens("${aws:userid, 'nobody'}", &context, true).unwrap();
        assert!(matches(&default, "nobody", false));
        let old = tokens("${aws:username}", &context, false).unwrap();
        assert!(matches(&old, "${aws:username}", false));
    }

    #[test]
    fn arn_wildcards_stay_in_their_part() {
        let arn = |pattern: &str, text: &str| {
            arn_matches(&tokens(pattern, &Context::new(), true).unwrap(), text)
        };
        assert!(arn(
            "arn:aws:sqs:*:000000000000:*",
            "arn:aws:sqs:eu-west-1:000000000000:q"
        ));
        assert!(!arn(
            "arn:aws:sqs:*:q",
            "arn:aws:sqs:eu-west-1:000000000000:q"
        ));
        assert!(arn("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b"));
    }

    proptest! {
        #[test]
        fn a_pattern_without_wildcards_matches_itself_alone(a in "[ab:/]{0,6}", b in "[ab:/]{0,6}") {
            prop_assert_eq!(glob(&a, &b), a == b);
        }

        #[test]
        fn stars_match_what_they_replace(a in "[ab]{0,4}", b in "[ab]{0,4}", c in "[ab]{0,4}") {
            let text = format!("{a}{b}{c}");
            let pattern = format!("{a}*{c}");
            prop_assert!(glob(&pattern, &text));
        }
    }
}
