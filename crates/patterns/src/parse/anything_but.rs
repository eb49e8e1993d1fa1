//! `{"anything-but": …}`: values, or an operator over values.

use super::{Parsed, Parser};
use crate::matcher::{Matcher, folded};
use crate::tokens::Token;

/// The operators that anything-but may have.
#[derive(Clone, Copy, PartialEq)]
enum Operator {
    IgnoreCase,
    Prefix,
    Suffix,
    Wildcard,
}

impl Parser<'_> {
    pub(super) fn anything_but(&mut self) -> Parsed<Matcher> {
        let mut token = self.next()?;
        let mut operator = None;
        if token == Token::StartObject {
            let Token::Name(name) = self.next()? else {
                return self.fail("Anything-But expression name not found");
            };
            operator = Some(match name.as_str() {
                "equals-ignore-case" => Operator::IgnoreCase,
                "prefix" => Operator::Prefix,
                "suffix" => Operator::Suffix,
                "wildcard" => Operator::Wildcard,
                _ => return self.fail(format!("Unsupported anything-but pattern: {name}")),
            });
            token = self.next()?;
        }
        let refused = match (operator, token) {
            (None, Token::StartArray) => self.plain_list()?,
            (None, Token::Text(text)) => Matcher::AnythingBut(vec![Matcher::Text(text)]),
            (None, Token::Number(text)) => {
                Matcher::AnythingButNumbers(vec![self.comparable(&text)?])
            }
            (Some(operator), Token::StartArray) => self.operator_list(operator)?,
            (Some(operator), token @ (Token::Text(_) | Token::Number(_))) => {
                Matcher::AnythingBut(vec![self.refused(operator, token)?])
            }
            _ => {
                return self
                    .fail("Value of anything-but must be an array or single string/number value.");
            }
        };
        self.end("Too many elements in numeric expression")?;
        if operator.is_some() {
            self.end("Too many elements in numeric expression")?;
        }
        Ok(refused)
    }

    fn plain_list(&mut self) -> Parsed<Matcher> {
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        loop {
            match self.next()? {
                Token::EndArray => break,
                Token::Text(text) => texts.push(Matcher::Text(text)),
                Token::Number(text) => numbers.push(self.comparable(&text)?),
                _ => {
                    return self.fail_inside(
                        "Inside anything but list, start|null|boolean is not supported.",
                    );
                }
            }
        }
        match (texts.is_empty(), numbers.is_empty()) {
            (false, true) => Ok(Matcher::AnythingBut(texts)),
            (true, false) => Ok(Matcher::AnythingButNumbers(numbers)),
            _ => self.fail(
                "Inside anything but list, either all values are number or string, mixed type is \
                 not supported",
            ),
        }
    }

    fn operator_list(&mut self, operator: Operator) -> Parsed<Matcher> {
        let mut refused = Vec::new();
        loop {
            match self.next()? {
                Token::EndArray => return Ok(Matcher::AnythingBut(refused)),
                token @ Token::Text(_) => refused.push(self.refused(operator, token)?),
                _ => return self.fail_inside(operator.wants_text()),
            }
        }
    }

    fn refused(&mut self, operator: Operator, token: Token) -> Parsed<Matcher> {
        let Token::Text(text) = token else {
            return self.fail(operator.wants_text());
        };
        self.tokens.take_text();
        let ends = matches!(operator, Operator::Prefix | Operator::Suffix);
        if ends && text.is_empty() {
            return self.fail("Null prefix/suffix not allowed");
        }
        match operator {
            Operator::IgnoreCase => Ok(Matcher::IgnoreCase(folded(&text))),
            Operator::Prefix => Ok(Matcher::Prefix(text)),
            Operator::Suffix => Ok(Matcher::Suffix(text)),
            Operator::Wildcard => self.wildcard(&text),
        }
    }

    /// AWS's parser reports what it finds inside these lists by way of a second error, so that the
    /// place is said twice.
    fn fail_inside<T>(&self, reason: &str) -> Parsed<T> {
        self.fail(self.tokens.error(reason).to_string())
    }
}

impl Operator {
    fn wants_text(self) -> &'static str {
        match self {
            Self::IgnoreCase => {
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not \
                 supported."
            }
            Self::Wildcard => "wildcard match pattern must be a string",
            Self::Prefix | Self::Suffix => "prefix/suffix match pattern must be a string",
        }
    }
}
