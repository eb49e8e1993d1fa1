//! Unstructured patterns: `ERROR`, `"out of memory"`, `-debug`, `?warn`, `%regular expression%`.

use regex::Regex;

use super::{InvalidPattern, invalid};

/// All of `required` and none of `excluded`; without either, one of `optional`. Beside other terms
/// optional ones have no effect.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
#[derive(Debug, Default)]
pub struct Terms {
    required: Vec<Term>,
    excluded: Vec<Term>,
    optional: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Expression(Regex),
}

impl Term {
    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Expression(expression) => expression.is_match(message),
        }
    }
}

impl Terms {
    pub fn parse(pattern: &str) -> Result<Self, InvalidPattern> {
        let mut terms = Self::default();
        let mut rest = pattern.trim_start();
        while !rest.is_empty() {
            let (list, tail) = match rest.as_bytes()[0] {
                b'-' => (&mut terms.excluded, &rest[1..]),
                b'?' => (&mut terms.optional, &rest[1..]),
                _ => (&mut terms.required, rest),
            };
            let (term, tail) = next_term(tail)?;
            list.push(term);
            rest = tail.trim_start();
        }
        Ok(terms)
    }

    pub fn matches(&self, message: &str) -> bool {
        let is_in = |term: &Term| term.is_in(message);
        if self.required.is_empty() && self.excluded.is_empty() {
            return self.optional.is_empty() || self.optional.iter().any(is_in);
        }
        self.required.iter().all(is_in) && !self.excluded.iter().any(is_in)
    }
}

/// The first term and what follows it.
fn next_term(text: &str) -> Result<(Term, &str), InvalidPattern> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (word, tail) = unquote(quoted)?;
        return Ok((Term::Text(word), tail));
    }
    if let Some(expression) = text.strip_prefix('%') {
        let (source, tail) = expression
            .split_once('%')
            .ok_or_else(|| invalid("an expression has no closing %"))?;
        let compiled = Regex::new(source).map_err(|error| invalid(error.to_string()))?;
        return Ok((Term::Expression(compiled), tail));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, tail) = text.split_at(end);
    if word.is_empty() {
        return Err(invalid("a sign without a term"));
    }
    // Terms with other characters than these must be quoted.
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-' | '*');
    if !word.chars().all(plain) {
        return Err(invalid(format!("the term {word} must be in double quotes")));
    }
    Ok((Term::Text(word.to_owned()), tail))
}

/// Text up to the closing quote, with `\"` and `\\` undone, and what follows it.
pub(super) fn unquote(text: &str) -> Result<(String, &str), InvalidPattern> {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((word, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, escaped)) => word.push(escaped),
                None => break,
            },
            other => word.push(other),
        }
    }
    Err(invalid("a quoted term has no closing quote"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, message: &str) -> bool {
        Terms::parse(pattern).unwrap().matches(message)
    }

    #[test]
    fn every_required_term_no_excluded_one() {
        assert!(matches("", "anything"));
        assert!(matches("ERROR", "[ERROR] boom"));
        assert!(!matches("error", "[ERROR] boom"));
        assert!(matches("ERROR boom", "[ERROR] boom"));
        assert!(!matches("ERROR -boom", "[ERROR] boom"));
        assert!(matches("\"out of memory\"", "killed: out of memory"));
        assert!(matches(r#""say \"hi\"""#, r#"they say "hi""#));
    }

    #[test]
    fn one_optional_term_is_enough() {
        assert!(matches("?ERROR ?WARN", "WARN low disk"));
        assert!(!matches("?ERROR ?WARN", "INFO fine"));
        // The ? is ignored beside other terms.
        assert!(matches("?ERROR ?WARN fine", "INFO fine"));
        assert!(matches("?ERROR -WARN", "INFO fine"));
        assert!(!matches("?ERROR -WARN", "WARN low disk"));
    }

    #[test]
    fn expressions_and_bad_patterns() {
        assert!(matches("%4[0-9]{2}%", "status 404"));
        for bad in ["\"open", "%[%", "%open", "-", "a=b"] {
            assert!(Terms::parse(bad).is_err(), "{bad}");
        }
    }
}
