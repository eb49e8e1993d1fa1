//! Conditions: what they are made of, and their grammar.

use super::check;
use super::cursor::Cursor;
use super::findings::Rank;
use super::lexer::Kind;
use crate::domain::path::Path;
use crate::domain::value::Attribute;

#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Comparator, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    HasType(Operand, String),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Path(Path),
    Value(Attribute),
    Size(Box<Operand>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    fn of(symbol: &str) -> Option<Self> {
        [
            Self::Equal,
            Self::NotEqual,
            Self::Less,
            Self::LessOrEqual,
            Self::Greater,
            Self::GreaterOrEqual,
        ]
        .into_iter()
        .find(|comparator| comparator.symbol() == symbol)
    }
}

/// An expression as written, before it is known that conditions and operands are where they may be.
#[derive(Clone, Debug)]
pub enum Raw {
    Path(Path),
    Value(Attribute),
    Call(String, Vec<Raw>),
    And(Box<Raw>, Box<Raw>),
    Or(Box<Raw>, Box<Raw>),
    Not(Box<Raw>),
    Compare(Comparator, Box<Raw>, Box<Raw>),
    Between(Box<Raw>, Box<Raw>, Box<Raw>),
    In(Box<Raw>, Vec<Raw>),
}

impl Raw {
    fn is_operand(&self) -> bool {
        matches!(self, Self::Path(_) | Self::Value(_) | Self::Call(..))
    }
}

/// What was read, and whether all of it stood in parentheses.
struct Part {
    raw: Raw,
    enclosed: bool,
}

impl From<Raw> for Part {
    fn from(raw: Raw) -> Self {
        Self {
            raw,
            enclosed: false,
        }
    }
}

pub fn parse(cursor: &mut Cursor<'_>) -> Result<Condition, String> {
    let raw = condition(cursor, disjunction)?.raw;
    cursor.expect_end()?;
    Ok(check::condition(raw, &mut cursor.findings))
}

type Parser = fn(&mut Cursor<'_>) -> Result<Part, String>;

/// Reads what must be a condition: an operand alone is none.
fn condition(cursor: &mut Cursor<'_>, parse: Parser) -> Result<Part, String> {
    let part = parse(cursor)?;
    match part.raw {
        Raw::Path(_) | Raw::Value(_) => Err(cursor.unexpected()),
        _ => Ok(part),
    }
}

fn disjunction(cursor: &mut Cursor<'_>) -> Result<Part, String> {
    let mut left = conjunction(cursor)?;
    while cursor.is_word("OR") && must_be_condition(cursor, &left.raw)? {
        cursor.next();
        cursor.count_operator();
        let right = condition(cursor, conjunction)?.raw;
        left = Raw::Or(Box::new(left.raw), Box::new(right)).into();
    }
    Ok(left)
}

fn conjunction(cursor: &mut Cursor<'_>) -> Result<Part, String> {
    let mut left = negation(cursor)?;
    while cursor.is_word("AND") && must_be_condition(cursor, &left.raw)? {
        cursor.next();
        cursor.count_operator();
        let right = condition(cursor, negation)?.raw;
        left = Raw::And(Box::new(left.raw), Box::new(right)).into();
    }
    Ok(left)
}

fn must_be_condition(cursor: &Cursor<'_>, raw: &Raw) -> Result<bool, String> {
    match raw {
        Raw::Path(_) | Raw::Value(_) => Err(cursor.unexpected()),
        _ => Ok(true),
    }
}

fn negation(cursor: &mut Cursor<'_>) -> Result<Part, String> {
    if cursor.take_word("NOT") {
        cursor.count_operator();
        let raw = cursor.nested(|cursor| condition(cursor, negation))?.raw;
        return Ok(Raw::Not(Box::new(raw)).into());
    }
    comparison(cursor)
}

fn comparison(cursor: &mut Cursor<'_>) -> Result<Part, String> {
    let left = primary(cursor)?;
    if !left.raw.is_operand() {
        return Ok(left);
    }
    if cursor.kind() == Kind::Symbol
        && let Some(comparator) = Comparator::of(cursor.peek())
    {
        cursor.next();
        cursor.count_operator();
        let right = operand(cursor)?;
        return Ok(Raw::Compare(comparator, Box::new(left.raw), Box::new(right)).into());
    }
    if cursor.take_word("BETWEEN") {
        cursor.count_operator();
        let low = operand(cursor)?;
        if !cursor.take_word("AND") {
            return Err(cursor.unexpected());
        }
        let high = operand(cursor)?;
        return Ok(Raw::Between(Box::new(left.raw), Box::new(low), Box::new(high)).into());
    }
    if cursor.take_word("IN") {
        cursor.count_operator();
        cursor.expect("(")?;
        let choices = operands(cursor)?;
        return Ok(Raw::In(Box::new(left.raw), choices).into());
    }
    Ok(left)
}

/// A comma-separated list up to the closing parenthesis.
fn operands(cursor: &mut Cursor<'_>) -> Result<Vec<Raw>, String> {
    let mut operands = vec![operand(cursor)?];
    while cursor.take(",") {
        operands.push(operand(cursor)?);
    }
    cursor.expect(")")?;
    Ok(operands)
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Raw, String> {
    let part = primary(cursor)?;
    if part.raw.is_operand() {
        Ok(part.raw)
    } else {
        Err(cursor.unexpected())
    }
}

fn primary(cursor: &mut Cursor<'_>) -> Result<Part, String> {
    if cursor.take("(") {
        let inner = cursor.nested(disjunction)?;
        cursor.expect(")")?;
        if inner.enclosed {
            cursor.findings.note(
                Rank::Parentheses,
                "The expression has redundant parentheses;",
            );
        }
        return Ok(Part {
            raw: inner.raw,
            enclosed: true,
        });
    }
    match cursor.kind() {
        Kind::Value => Ok(Raw::Value(cursor.value()).into()),
        Kind::Word if is_keyword(cursor.peek()) => Err(cursor.unexpected()),
        Kind::Word if cursor.peek_at(1) == "(" => {
            let name = cursor.next().to_owned();
            cursor.next();
            cursor.count_operator();
            let arguments = cursor.nested(operands)?;
            Ok(Raw::Call(name, arguments).into())
        }
        Kind::Word | Kind::Name => Ok(Raw::Path(cursor.path()?).into()),
        _ => Err(cursor.unexpected()),
    }
}

fn is_keyword(word: &str) -> bool {
    ["AND", "OR", "NOT", "BETWEEN", "IN"]
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}
