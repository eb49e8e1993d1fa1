//! `{"numeric": [">", 0, "<=", 5]}`.

use super::{Parsed, Parser};
use crate::matcher::{Matcher, Range};
use crate::tokens::Token;

/// Numbers in comparisons lie between minus and plus this.
const LARGEST: f64 = 5_000_000_000.0;

impl Parser<'_> {
    pub(super) fn numeric(&mut self) -> Parsed<Matcher> {
        if self.next()? != Token::StartArray {
            return self.fail("Value of numeric must be an array.");
        }
        let operator = match self.next()? {
            Token::Text(operator) => operator,
            other => {
                return self.fail(format!("Invalid member in numeric match: {}", other.text()));
            }
        };
        let range = match operator.as_str() {
            "=" => {
                let number = self.operand("equals")?;
                self.end_of_comparison()?;
                Matcher::Number(number)
            }
            ">" | ">=" => {
                let bottom = self.operand(&operator)?;
                self.upper_bound(bottom, operator == ">")?
            }
            "<" | "<=" => {
                let top = self.operand(&operator)?;
                self.end_of_comparison()?;
                Matcher::Range(Range {
                    bottom: -LARGEST,
                    open_bottom: false,
                    top,
                    open_top: operator == "<",
                })
            }
            _ => {
                self.next()?;
                return self.fail(format!("Unrecognized numeric range operator: {operator}"));
            }
        };
        self.end("Too many elements in numeric expression")?;
        Ok(range)
    }

    fn operand(&mut self, operator: &str) -> Parsed<f64> {
        let Token::Number(text) = self.next()? else {
            return self.fail(format!("Value of {operator} must be numeric"));
        };
        self.comparable(&text)
    }

    /// A number that AWS compares.
    pub(super) fn comparable(&self, text: &str) -> Parsed<f64> {
        let number = self.number(text)?;
        if number.abs() > LARGEST {
            return self.fail("Value must be between -5.0E9 and 5.0E9, inclusive");
        }
        Ok(number)
    }

    fn end_of_comparison(&mut self) -> Parsed<()> {
        match self.next()? {
            Token::EndArray => Ok(()),
            _ => self.fail("Too many elements in numeric expression"),
        }
    }

    fn upper_bound(&mut self, bottom: f64, open_bottom: bool) -> Parsed<Matcher> {
        let operator = match self.next()? {
            Token::EndArray => {
                return Ok(Matcher::Range(Range {
                    bottom,
                    open_bottom,
                    top: LARGEST,
                    open_top: false,
                }));
            }
            Token::Text(operator) => operator,
            other => return self.fail(format!("Bad value in numeric range: {}", other.text())),
        };
        self.tokens.take_text();
        if !["<", "<="].contains(&operator.as_str()) {
            return self.fail(format!("Bad numeric range operator: {operator}"));
        }
        let top = self.operand(&operator)?;
        if self.next()? != Token::EndArray {
            return self.fail("Too many terms in numeric range expression");
        }
        if bottom >= top {
            return self.fail("Bottom must be less than top");
        }
        Ok(Matcher::Range(Range {
            bottom,
            open_bottom,
            top,
            open_top: operator == "<",
        }))
    }
}
