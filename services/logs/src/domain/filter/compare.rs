//! Comparisons of one field with one value, shared by JSON and column patterns.

use patterns::matches_wildcard;
use regex::Regex;

use super::terms::unquote;
use super::{InvalidPattern, invalid};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The right-hand side of a comparison.
#[derive(Debug)]
pub enum Operand {
    Number(f64),
    /// Text in which `*` stands for anything.
    Text(String),
    Expression(Regex),
}

#[derive(Debug)]
pub struct Comparison {
    pub operator: Operator,
    pub operand: Operand,
}

impl Comparison {
    /// Reads `= 404`, `!= "x*"`, `>= 2.5`, `= %expr%` and returns what follows.
    pub fn parse(text: &str) -> Result<(Self, &str), InvalidPattern> {
        const OPERATORS: [(&str, Operator); 6] = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let text = text.trim_start();
        let (sign, operator) = OPERATORS
            .into_iter()
            .find(|(sign, _)| text.starts_with(sign))
            .ok_or_else(|| invalid(format!("expected a comparison at {text:?}")))?;
        let (operand, rest) = Operand::parse(text[sign.len()..].trim_start())?;
        let ordering = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if ordering && !matches!(operand, Operand::Number(_)) {
            return Err(invalid(format!("{sign} compares with numbers only")));
        }
        Ok((Self { operator, operand }, rest))
    }

    pub fn holds_for_text(&self, field: &str) -> bool {
        match &self.operand {
            Operand::Number(number) => match field.parse::<f64>() {
                Ok(value) => self.holds_between(value, *number),
                Err(_) => self.operator == Operator::NotEqual,
            },
            Operand::Text(pattern) => {
                matches_wildcard(pattern, field) == (self.operator == Operator::Equal)
            }
            Operand::Expression(expression) => {
                expression.is_match(field) == (self.operator == Operator::Equal)
            }
        }
    }

    pub fn holds_for_number(&self, value: f64) -> bool {
        match &self.operand {
            Operand::Number(number) => self.holds_between(value, *number),
            _ => self.holds_for_text(&value.to_string()),
        }
    }

    #[expect(
        clippy::float_cmp,
        reason = "the pattern language compares numbers exactly"
    )]
    fn holds_between(&self, left: f64, right: f64) -> bool {
        match self.operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
        }
    }
}

impl Operand {
    fn parse(text: &str) -> Result<(Self, &str), InvalidPattern> {
        if let Some(quoted) = text.strip_prefix('"') {
            let (word, rest) = unquote(quoted)?;
            return Ok((Self::Text(word), rest));
        }
        if let Some(expression) = text.strip_prefix('%') {
            let (source, rest) = expression
                .split_once('%')
                .ok_or_else(|| invalid("an expression has no closing %"))?;
            let compiled = Regex::new(source).map_err(|error| invalid(error.to_string()))?;
            return Ok((Self::Expression(compiled), rest));
        }
        let end = text
            .find(|c: char| c.is_whitespace() || matches!(c, ')' | '&' | '|' | ','))
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        if word.is_empty() {
            return Err(invalid("a comparison has no value"));
        }
        Ok((
            word.parse()
                .map_or_else(|_| Self::Text(word.to_owned()), Self::Number),
            rest,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_anywhere() {
        assert!(
            matches_wildcard("a*c", "abc")
                && matches_wildcard("*", "")
                && matches_wildcard("a*b*c", "a--b--c")
        );
        assert!(matches_wildcard("abc", "abc"));
        assert!(
            !matches_wildcard("abc", "abcd")
                && !matches_wildcard("a*a", "a")
                && !matches_wildcard("*b", "bc")
        );
    }
}
