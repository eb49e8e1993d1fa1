//! A parser's place among the tokens, and what all parsers read alike: paths and placeholders.

use super::findings::{Findings, Rank};
use super::lexer::{Kind, Token, syntax_error};
use super::placeholders::Placeholders;
use super::reserved::is_reserved;
use crate::domain::path::{Path, Step};
use crate::domain::value::Attribute;

/// An expression may have so many operators and functions.
const MOST_OPERATORS: usize = 300;
/// And a path so many elements.
const LONGEST_PATH: usize = 32;
/// Parentheses and functions may lie this deep within each other: the parsers recurse.
const DEEPEST: usize = 100;

pub struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    operators: usize,
    placeholders: &'a mut Placeholders,
    pub findings: Findings,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str, tokens: Vec<Token>, placeholders: &'a mut Placeholders) -> Self {
        Self {
            text,
            tokens,
            at: 0,
            depth: 0,
            operators: 0,
            placeholders,
            findings: Findings::default(),
        }
    }

    fn token(&self, ahead: usize) -> Token {
        let last = self.tokens.len() - 1;
        self.tokens[(self.at + ahead).min(last)]
    }

    pub fn peek(&self) -> &'a str {
        self.peek_at(0)
    }

    pub fn peek_at(&self, ahead: usize) -> &'a str {
        let token = self.token(ahead);
        &self.text[token.start..token.end]
    }

    pub fn kind(&self) -> Kind {
        self.token(0).kind
    }

    pub fn next(&mut self) -> &'a str {
        let text = self.peek();
        self.at += 1;
        text
    }

    /// Goes past the symbol, if it is next.
    pub fn take(&mut self, symbol: &str) -> bool {
        let found = self.kind() == Kind::Symbol && self.peek() == symbol;
        self.at += usize::from(found);
        found
    }

    /// Goes past the keyword, if it is next.
    pub fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.kind() == Kind::Word && self.peek().eq_ignore_ascii_case(word)
    }

    pub fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.take(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub fn expect_end(&self) -> Result<(), String> {
        if self.kind() == Kind::End {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// The syntax error of the next token, shown with its neighbours.
    pub fn unexpected(&self) -> String {
        let at = self.at.min(self.tokens.len() - 1);
        let from = self.tokens[at.saturating_sub(1)].start;
        let to = self.token(1).end;
        let token = match self.kind() {
            Kind::End => "<EOF>",
            _ => self.peek(),
        };
        syntax_error(token, &self.text[from..to])
    }

    /// Runs a parser one level deeper.
    pub fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!(
                "The expression is nested deeper than {DEEPEST} levels;"
            ));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Counts an operator or function that was read.
    pub fn count_operator(&mut self) {
        self.operators += 1;
        if self.operators > MOST_OPERATORS {
            // AWS counts no further either.
            self.findings.note(
                Rank::Operators,
                format!(
                    "The expression contains too many operators; operator count: {}",
                    self.operators
                ),
            );
        }
    }

    /// `:value`
    pub fn value(&mut self) -> Attribute {
        let name = self.next();
        self.placeholders.value(name).unwrap_or_else(|| {
            self.findings.note(
                Rank::Undefined,
                format!(
                    "An expression attribute value used in expression is not defined; attribute \
                     value: {name}"
                ),
            );
            Attribute::Null
        })
    }

    /// `a.#b[1]`
    pub fn path(&mut self) -> Result<Path, String> {
        let mut path = Path::attribute(self.path_name()?);
        loop {
            if self.take(".") {
                path.steps.push(Step::Name(self.path_name()?));
            } else if self.take("[") {
                if self.kind() != Kind::Digits {
                    return Err(self.unexpected());
                }
                let digits = self.next();
                // AWS's lists are counted in 32 bits.
                let index = digits.parse::<i32>().ok();
                let index = index.and_then(|index| usize::try_from(index).ok());
                let index = index.unwrap_or_else(|| {
                    self.findings.note(
                        Rank::Paths,
                        format!("List index is not within the allowable range; index: [{digits}]"),
                    );
                    0
                });
                path.steps.push(Step::Index(index));
                self.expect("]")?;
            } else {
                break;
            }
        }
        let length = path.steps.len() + 1;
        if length > LONGEST_PATH {
            self.findings.note(
                Rank::Paths,
                format!("The document path has too many nesting levels; nesting levels: {length}"),
            );
        }
        Ok(path)
    }

    fn path_name(&mut self) -> Result<String, String> {
        match self.kind() {
            Kind::Word => {
                let word = self.next();
                if is_reserved(word) {
                    self.findings.note(
                        Rank::Reserved,
                        format!("Attribute name is a reserved keyword; reserved keyword: {word}"),
                    );
                }
                Ok(word.to_owned())
            }
            Kind::Name => {
                let name = self.next();
                let resolved = self.placeholders.name(name);
                Ok(resolved.unwrap_or_else(|| {
                    self.findings.note(
                        Rank::Undefined,
                        format!(
                            "An expression attribute name used in the document path is not defined; \
                             attribute name: {name}"
                        ),
                    );
                    String::new()
                }))
            }
            _ => Err(self.unexpected()),
        }
    }
}
