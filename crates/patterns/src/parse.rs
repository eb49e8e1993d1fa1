//! The grammar of patterns, with the messages of AWS's own parser.
//!
//! <https://github.com/aws/event-ruler> is the published engine; its messages are what
//! `InvalidEventPatternException` and SNS's `InvalidParameter` show.

mod anything_but;
mod numeric;

use std::net::IpAddr;

use crate::branches::Branch;
use crate::matcher::{Matcher, Network, folded};
use crate::tokens::{Token, Tokens};
use crate::wildcard::Wildcard;

const OR: &str = "$or";
/// Names that operators have, and fields inside `$or` may not.
const RESERVED: [&str; 8] = [
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "numeric",
    "anything-but",
    "exists",
    "cidr",
];
/// `$or`s multiply; more ways to match than this are refused.
const MAX_BRANCHES: usize = 1_000;
/// Wildcards on one field, over all its values.
const MAX_WILDCARDS: usize = 24;
const TOO_COMPLEX: &str = "Rule is too complex - try using fewer wildcard characters or fewer \
                           repeating character sequences after a wildcard character";

/// Why a text is no pattern: AWS's reason, and mostly the place in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PatternError {
    reason: String,
}

impl PatternError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

pub fn branches(text: &str) -> Result<Vec<Branch>, PatternError> {
    let mut parser = Parser {
        tokens: Tokens::new(text),
        path: Vec::new(),
    };
    if parser.tokens.next()? != Token::StartObject {
        return Err(parser.tokens.error("Filter is not an object"));
    }
    let mut branches = Vec::new();
    parser.object(&mut branches, false)?;
    Ok(branches)
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    path: Vec<String>,
}

type Parsed<T> = Result<T, PatternError>;

impl Parser<'_> {
    fn fail<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err(self.tokens.error(reason))
    }

    fn next(&mut self) -> Parsed<Token> {
        self.tokens.next()
    }

    /// The members of an object, whose beginning has been read. `branches` are the ways to match
    /// what came before it; none means that nothing has.
    fn object(&mut self, branches: &mut Vec<Branch>, in_or: bool) -> Parsed<()> {
        let mut is_empty = true;
        while let Token::Name(name) = self.next()? {
            is_empty = false;
            if name == OR {
                self.or(branches)?;
                continue;
            }
            if in_or && RESERVED.contains(&name.as_str()) {
                return self.fail(format!(
                    "{name} is Ruler reserved fieldName which cannot be used inside {OR}."
                ));
            }
            self.path.push(name);
            match self.next()? {
                Token::StartObject => self.object(branches, in_or)?,
                Token::StartArray => {
                    let any_of = self.values()?;
                    let path = self.path.join(".");
                    if branches.is_empty() {
                        branches.push(Branch::default());
                    }
                    for branch in branches.iter_mut() {
                        branch.set(&path, any_of.clone());
                    }
                }
                _ => {
                    let name = self.path.last().map_or("", String::as_str);
                    return self.fail(format!("\"{name}\" must be an object or an array"));
                }
            }
            self.path.pop();
        }
        if is_empty {
            return self.fail("Empty objects are not allowed");
        }
        Ok(())
    }

    fn or(&mut self, branches: &mut Vec<Branch>) -> Parsed<()> {
        if self.next()? != Token::StartArray {
            return self.fail(format!("It must be an Array followed with {OR}."));
        }
        let before = std::mem::take(branches);
        let mut alternatives = 0;
        loop {
            match self.next()? {
                Token::EndArray => break,
                Token::StartObject => {
                    alternatives += 1;
                    let mut ways = before.clone();
                    if ways.is_empty() {
                        ways.push(Branch::default());
                    }
                    self.object(&mut ways, true)?;
                    branches.append(&mut ways);
                    if branches.len() > MAX_BRANCHES {
                        return Err(PatternError::new(TOO_COMPLEX));
                    }
                }
                _ => {
                    return self.fail(format!(
                        "Only JSON object is allowed in array of {OR} relationship."
                    ));
                }
            }
        }
        if alternatives < 2 {
            return self.fail(format!(
                "There must have at least 2 Objects in {OR} relationship."
            ));
        }
        Ok(())
    }

    /// The values a field may have, up to the end of their array.
    fn values(&mut self) -> Parsed<Vec<Matcher>> {
        let mut any_of = Vec::new();
        loop {
            let token = self.next()?;
            any_of.push(match token {
                Token::EndArray => break,
                Token::StartObject => self.expression()?,
                Token::Text(text) => exactly(text),
                Token::Number(text) => Matcher::Number(self.number(&text)?),
                Token::True => Matcher::Bool(true),
                Token::False => Matcher::Bool(false),
                Token::Null => Matcher::Null,
                _ => {
                    return self.fail("Match value must be String, number, true, false, or null");
                }
            });
        }
        if any_of.is_empty() {
            return self.fail("Empty arrays are not allowed");
        }
        if any_of.iter().map(wildcards).sum::<usize>() > MAX_WILDCARDS {
            return Err(PatternError::new(TOO_COMPLEX));
        }
        Ok(any_of)
    }

    /// An operator with its operand, up to the end of their object.
    fn expression(&mut self) -> Parsed<Matcher> {
        let Token::Name(operator) = self.next()? else {
            return self.fail("Match expression name not found");
        };
        match operator.as_str() {
            "exactly" => {
                let text = self.text("exact match pattern must be a string")?;
                self.end_expression()?;
                Ok(Matcher::Text(text))
            }
            "prefix" => self.end_of_text("prefix", Matcher::Prefix, Matcher::PrefixIgnoreCase),
            "suffix" => self.end_of_text("suffix", Matcher::Suffix, Matcher::SuffixIgnoreCase),
            "equals-ignore-case" => {
                let text = self.text("equals-ignore-case match pattern must be a string")?;
                self.end_expression()?;
                Ok(Matcher::IgnoreCase(folded(&text)))
            }
            "wildcard" => {
                let text = self.text("wildcard match pattern must be a string")?;
                let wildcard = self.wildcard(&text)?;
                self.end_expression()?;
                Ok(wildcard)
            }
            "cidr" => {
                let text = self.text("prefix match pattern must be a string")?;
                let network = Network::parse(&text).map_err(PatternError::new)?;
                self.end_expression()?;
                Ok(Matcher::Network(network))
            }
            "exists" => {
                let matcher = match self.next()? {
                    Token::True => Matcher::Exists,
                    Token::False => Matcher::Absent,
                    _ => return self.fail("exists match pattern must be either true or false."),
                };
                self.end_expression()?;
                Ok(matcher)
            }
            "numeric" => self.numeric(),
            "anything-but" => self.anything_but(),
            _ => self.fail(format!("Unrecognized match type {operator}")),
        }
    }

    /// `prefix` and `suffix`, which may be without regard to case.
    fn end_of_text(
        &mut self,
        operator: &str,
        exact: fn(String) -> Matcher,
        ignoring_case: fn(String) -> Matcher,
    ) -> Parsed<Matcher> {
        match self.next()? {
            Token::Text(text) => {
                self.tokens.take_text();
                self.end_expression()?;
                Ok(exact(text))
            }
            Token::StartObject => {
                let Token::Name(inner) = self.next()? else {
                    let mut title = operator.to_owned();
                    title[..1].make_ascii_uppercase();
                    return self.fail(format!("{title} expression name not found"));
                };
                if inner != "equals-ignore-case" {
                    return self.fail(format!("Unsupported {operator} pattern: {inner}"));
                }
                let text = self.text("equals-ignore-case match pattern must be a string")?;
                self.end_expression()?;
                self.end_expression()?;
                Ok(ignoring_case(folded(&text)))
            }
            _ => self.fail(format!("{operator} match pattern must be a string")),
        }
    }

    fn text(&mut self, otherwise: &str) -> Parsed<String> {
        match self.next()? {
            Token::Text(text) => {
                self.tokens.take_text();
                Ok(text)
            }
            _ => self.fail(otherwise),
        }
    }

    fn wildcard(&self, text: &str) -> Parsed<Matcher> {
        match Wildcard::parse(text) {
            Ok(wildcard) => Ok(Matcher::Wildcard(wildcard)),
            Err(reason) => self.fail(reason),
        }
    }

    fn end_expression(&mut self) -> Parsed<()> {
        self.end("Only one key allowed in match expression")
    }

    fn end(&mut self, otherwise: &str) -> Parsed<()> {
        match self.next()? {
            Token::EndObject => Ok(()),
            _ => self.fail(otherwise),
        }
    }

    fn number(&self, text: &str) -> Parsed<f64> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => self.fail(format!("Numeric value ({text}) out of range of double")),
        }
    }
}

/// A text; one that is an address means the address, in whatever way it is written.
fn exactly(text: String) -> Matcher {
    match text.parse::<IpAddr>() {
        Ok(address) => Matcher::Network(Network::single(address)),
        Err(_) => Matcher::Text(text),
    }
}

fn wildcards(matcher: &Matcher) -> usize {
    match matcher {
        Matcher::Wildcard(wildcard) => wildcard.count(),
        Matcher::AnythingBut(refused) => refused.iter().map(wildcards).sum(),
        _ => 0,
    }
}
