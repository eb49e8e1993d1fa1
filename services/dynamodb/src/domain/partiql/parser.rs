//! A parser's place among the tokens, and what all statements are made of: names, paths, values.

use std::collections::BTreeSet;

use super::lexer::{Token, malformed};
use crate::domain::Invalid;
use crate::domain::number::Number;
use crate::domain::path::{Path, Step};
use crate::domain::value::{Attribute, Item};

/// Parentheses and values may lie this deep within each other: the parser recurses.
const DEEPEST: usize = 64;

pub struct Parser {
    tokens: std::vec::IntoIter<Token>,
    parameters: std::vec::IntoIter<Attribute>,
    /// Whether left-over parameters are an error.
    checked: bool,
    depth: usize,
}

impl Parser {
    pub fn new(tokens: Vec<Token>, parameters: Vec<Attribute>) -> Self {
        Self {
            tokens: tokens.into_iter(),
            parameters: parameters.into_iter(),
            checked: true,
            depth: 0,
        }
    }

    pub fn unchecked(tokens: Vec<Token>, parameters: Vec<Attribute>) -> Self {
        Self {
            checked: false,
            ..Self::new(tokens, parameters)
        }
    }

    pub fn peek(&self) -> Option<&Token> {
        self.tokens.as_slice().first()
    }

    pub fn peek_second(&self) -> Option<&Token> {
        self.tokens.as_slice().get(1)
    }

    pub fn next(&mut self) -> Option<Token> {
        self.tokens.next()
    }

    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    /// Goes past the keyword, if it is next.
    pub fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
    }

    pub fn expect_word(&mut self, word: &str) -> Result<(), Invalid> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Goes past the symbol, if it is next.
    pub fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        if found {
            self.next();
        }
        found
    }

    pub fn expect(&mut self, symbol: &str) -> Result<(), Invalid> {
        if self.take(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub fn expect_end(&self) -> Result<(), Invalid> {
        if self.peek().is_some() {
            return Err(self.unexpected());
        }
        if self.checked && self.parameters.len() > 0 {
            return Err(Invalid::new(
                "Number of parameters in request and statement don't match.",
            ));
        }
        Ok(())
    }

    pub fn unexpected(&self) -> Invalid {
        match self.peek() {
            Some(token) => malformed(&format!("unexpected {token}")),
            None => malformed("Unexpected end of the statement"),
        }
    }

    /// Runs a parser one level deeper.
    pub fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(malformed("it is nested too deep"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// `name` or `"name"`
    pub fn name(&mut self) -> Result<String, Invalid> {
        match self.peek() {
            Some(Token::Word(_) | Token::Quoted(_)) => match self.next() {
                Some(Token::Word(name) | Token::Quoted(name)) => Ok(name),
                _ => Err(self.unexpected()),
            },
            _ => Err(self.unexpected()),
        }
    }

    /// `a.b[1]`
    pub fn path(&mut self) -> Result<Path, Invalid> {
        let mut path = Path::attribute(self.name()?);
        loop {
            if self.take(".") {
                path.steps.push(Step::Name(self.name()?));
            } else if self.take("[") {
                let Some(Token::Number(index)) = self.next() else {
                    return Err(self.unexpected());
                };
                let index = index
                    .parse()
                    .map_err(|_| malformed("an index is no whole number"))?;
                path.steps.push(Step::Index(index));
                self.expect("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    /// Whether a value comes next, rather than a path.
    pub fn at_value(&self) -> bool {
        match self.peek() {
            Some(Token::Text(_) | Token::Number(_) | Token::Parameter) => true,
            Some(Token::Symbol(symbol)) => ["[", "{", "<<", "-"].contains(symbol),
            Some(Token::Word(word)) => ["true", "false", "null"]
                .iter()
                .any(|literal| word.eq_ignore_ascii_case(literal)),
            _ => false,
        }
    }

    pub fn value(&mut self) -> Result<Attribute, Invalid> {
        self.nested(Self::value_here)
    }

    fn value_here(&mut self) -> Result<Attribute, Invalid> {
        if !self.at_value() {
            return Err(self.unexpected());
        }
        match self.next() {
            Some(Token::Text(text)) => Ok(Attribute::S(text)),
            Some(Token::Number(number)) => Number::parse(&number).map(Attribute::N),
            Some(Token::Parameter) => self.parameters.next().ok_or_else(|| {
                Invalid::new("Number of parameters in request and statement don't match.")
            }),
            Some(Token::Symbol("-")) => match self.next() {
                Some(Token::Number(number)) => {
                    Number::parse(&format!("-{number}")).map(Attribute::N)
                }
                _ => Err(self.unexpected()),
            },
            Some(Token::Symbol("[")) => self.values("]").map(Attribute::L),
            Some(Token::Symbol("<<")) => set(self.values(">>")?),
            Some(Token::Symbol("{")) => self.members().map(Attribute::M),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => Ok(Attribute::Null),
            Some(Token::Word(word)) => Ok(Attribute::Bool(word.eq_ignore_ascii_case("true"))),
            _ => Err(self.unexpected()),
        }
    }

    /// Values up to a closing symbol.
    pub fn values(&mut self, end: &str) -> Result<Vec<Attribute>, Invalid> {
        let mut values = Vec::new();
        if self.take(end) {
            return Ok(values);
        }
        loop {
            values.push(self.value()?);
            if self.take(end) {
                return Ok(values);
            }
            self.expect(",")?;
        }
    }

    /// `'name': value` up to the closing brace.
    fn members(&mut self) -> Result<Item, Invalid> {
        let mut members = Item::new();
        if self.take("}") {
            return Ok(members);
        }
        loop {
            let Some(Token::Text(name) | Token::Quoted(name)) = self.next() else {
                return Err(malformed("a member has no name"));
            };
            self.expect(":")?;
            members.insert(name, self.value()?);
            if self.take("}") {
                return Ok(members);
            }
            self.expect(",")?;
        }
    }
}

fn set(values: Vec<Attribute>) -> Result<Attribute, Invalid> {
    let count = values.len();
    let (mut texts, mut numbers, mut binaries) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for value in values {
        match value {
            Attribute::S(text) => drop(texts.insert(text)),
            Attribute::N(number) => drop(numbers.insert(number)),
            Attribute::B(bytes) => drop(binaries.insert(bytes)),
            other => {
                let kind = other.kind();
                return Err(Invalid::parameter(format!(
                    "a set has no members of type {kind}"
                )));
            }
        }
    }
    if count > 0 && count == texts.len() {
        Ok(Attribute::Ss(texts))
    } else if count > 0 && count == numbers.len() {
        Ok(Attribute::Ns(numbers))
    } else if count > 0 && count == binaries.len() {
        Ok(Attribute::Bs(binaries))
    } else {
        Err(Invalid::parameter(
            "a set has members of one type, and each once",
        ))
    }
}
