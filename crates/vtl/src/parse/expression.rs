//! What stands in parentheses, by the operators' precedence.

use std::sync::Arc;

use super::{Parser, nested};
use crate::ast::{Expression, Operator};
use crate::error::ParseError;

/// From the loosest; of two that begin alike, the longer first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("||", Operator::Or), ("or", Operator::Or)],
    &[("&&", Operator::And), ("and", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("eq", Operator::Equal),
        ("ne", Operator::NotEqual),
    ],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("le", Operator::LessOrEqual),
        ("ge", Operator::GreaterOrEqual),
        ("lt", Operator::Less),
        ("gt", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Remainder),
    ],
];

/// In a row, of one level.
const MAX_OPERATORS: usize = 64;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression, ParseError> {
        self.deeper()?;
        let expression = self.level(0);
        self.depth -= 1;
        expression
    }

    fn level(&mut self, level: usize) -> Result<Expression, ParseError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        let mut count = 0;
        while let Some(operator) = self.operator(operators) {
            // The tree leans to the left, and is as deep as there are operators.
            count += 1;
            if count > MAX_OPERATORS {
                return Err(self.at.error("too many operators in a row"));
            }
            let right = self.level(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[(&str, Operator)]) -> Option<Operator> {
        let start = self.at.position();
        self.at.skip_space();
        for (text, operator) in operators {
            let rest = self.at.rest();
            if !rest.starts_with(text) {
                continue;
            }
            // Words end where names do.
            let goes_on = rest[text.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
            if text.starts_with(|c: char| c.is_ascii_alphabetic()) && goes_on {
                continue;
            }
            self.at.skip(text);
            return Some(*operator);
        }
        self.at.go_to(start);
        None
    }

    fn unary(&mut self) -> Result<Expression, ParseError> {
        self.at.skip_space();
        let is_word_not = self.at.rest().starts_with("not")
            && !self.at.rest()[3..].starts_with(|c: char| c.is_ascii_alphanumeric());
        if is_word_not {
            self.at.take(3);
        } else if !self.at.skip("!") {
            return self.primary();
        }
        self.deeper()?;
        let operand = self.unary()?;
        self.depth -= 1;
        Ok(Expression::Not(Box::new(operand)))
    }

    fn primary(&mut self) -> Result<Expression, ParseError> {
        match self.at.peek() {
            Some('$') => match self.reference()? {
                Some(reference) => Ok(Expression::Reference(Box::new(reference))),
                None => Err(self.at.error("$ without a name")),
            },
            Some('"') => self.quoted(),
            Some('\'') => {
                self.at.take(1);
                let text = self.until_quote('\'')?;
                Ok(Expression::Text(Arc::from(text)))
            }
            Some('(') => {
                self.at.take(1);
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some('[') => self.list(),
            Some('{') => self.map(),
            Some('-') => {
                self.at.take(1);
                if self.at.peek().is_some_and(|c| c.is_ascii_digit()) {
                    return self.number(true);
                }
                self.deeper()?;
                let operand = self.primary()?;
                self.depth -= 1;
                Ok(Expression::Negative(Box::new(operand)))
            }
            Some(c) if c.is_ascii_digit() => self.number(false),
            _ => match self.at.identifier() {
                "true" => Ok(Expression::Bool(true)),
                "false" => Ok(Expression::Bool(false)),
                "null" => Ok(Expression::Null),
                _ => Err(self.at.error("an expression is missing")),
            },
        }
    }

    fn expect(&mut self, text: &'static str) -> Result<(), ParseError> {
        self.at.skip_space();
        if self.at.skip(text) {
            return Ok(());
        }
        Err(self.at.error(match text {
            ")" => ") is missing",
            "]" => "] is missing",
            ":" => ": is missing",
            _ => "} is missing",
        }))
    }

    /// A quote is written twice inside.
    fn until_quote(&mut self, quote: char) -> Result<String, ParseError> {
        let mut text = String::new();
        loop {
            text.push_str(self.at.take_while(|c| c != quote));
            if self.at.take(1).is_empty() {
                return Err(self.at.error("a text does not end"));
            }
            if self.at.peek() != Some(quote) {
                return Ok(text);
            }
            text.push(quote);
            self.at.take(1);
        }
    }

    fn quoted(&mut self) -> Result<Expression, ParseError> {
        self.at.take(1);
        let text = with_unicode(&self.until_quote('"')?);
        if !text.contains(['$', '#']) {
            return Ok(Expression::Text(Arc::from(text)));
        }
        // `"#"` and the like are texts that only look like directives.
        match nested(&text, self.depth) {
            Ok(block) => Ok(Expression::Interpolated(block)),
            Err(error) if text.contains('$') => Err(error),
            Err(_) => Ok(Expression::Text(Arc::from(text))),
        }
    }

    fn number(&mut self, negative: bool) -> Result<Expression, ParseError> {
        let start = self.at.position();
        self.at.take_while(|c| c.is_ascii_digit());
        let mut whole = true;
        let is_fraction = self.at.rest().starts_with('.')
            && self.at.rest()[1..].starts_with(|c: char| c.is_ascii_digit());
        if is_fraction {
            whole = false;
            self.at.take(1);
            self.at.take_while(|c| c.is_ascii_digit());
        }
        let before_exponent = self.at.position();
        if self.at.skip("e") || self.at.skip("E") {
            let _ = self.at.skip("-") || self.at.skip("+");
            if self.at.take_while(|c| c.is_ascii_digit()).is_empty() {
                self.at.go_to(before_exponent);
            } else {
                whole = false;
            }
        }
        let sign = if negative { "-" } else { "" };
        let text = format!("{sign}{}", self.at.since(start));
        let number = match text.parse() {
            Ok(number) if whole => Some(Expression::Int(number)),
            _ => text.parse().ok().map(Expression::Float),
        };
        number.ok_or_else(|| self.at.error("a number is none"))
    }

    fn list(&mut self) -> Result<Expression, ParseError> {
        self.at.take(1);
        let mut items = Vec::new();
        self.at.skip_space();
        if self.at.skip("]") {
            return Ok(Expression::List(items));
        }
        items.push(self.expression()?);
        self.at.skip_space();
        if self.at.skip("..") {
            let end = self.expression()?;
            self.expect("]")?;
            let start = items.remove(0);
            return Ok(Expression::Range(Box::new(start), Box::new(end)));
        }
        while self.at.skip(",") {
            items.push(self.expression()?);
            self.at.skip_space();
        }
        self.expect("]")?;
        Ok(Expression::List(items))
    }

    fn map(&mut self) -> Result<Expression, ParseError> {
        self.at.take(1);
        let mut entries = Vec::new();
        self.at.skip_space();
        if self.at.skip("}") {
            return Ok(Expression::Map(entries));
        }
        loop {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            self.at.skip_space();
            if !self.at.skip(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(Expression::Map(entries))
    }
}

/// `\u00e9` is the only escape that Velocity's texts know.
fn with_unicode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\u") {
        out.push_str(before);
        let character = after
            .get(..4)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        if let Some(character) = character {
            out.push(character);
            rest = &after[4..];
        } else {
            out.push_str("\\u");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}
