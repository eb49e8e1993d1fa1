//! The condition after WHERE.

use super::lexer::{Token, malformed};
use super::parser::Parser;
use crate::domain::Invalid;
use crate::domain::expression::{Comparator, Condition, Operand};
use crate::domain::value::Attribute;

pub fn condition(parser: &mut Parser) -> Result<Condition, Invalid> {
    let mut left = conjunction(parser)?;
    while parser.take_word("OR") {
        let right = conjunction(parser)?;
        left = Condition::Or(Box::new(left), Box::new(right));
    }
    Ok(left)
}

fn conjunction(parser: &mut Parser) -> Result<Condition, Invalid> {
    let mut left = negation(parser)?;
    while parser.take_word("AND") {
        let right = negation(parser)?;
        left = Condition::And(Box::new(left), Box::new(right));
    }
    Ok(left)
}

fn negation(parser: &mut Parser) -> Result<Condition, Invalid> {
    if parser.take_word("NOT") {
        let inner = parser.nested(negation)?;
        return Ok(Condition::Not(Box::new(inner)));
    }
    if parser.take("(") {
        let inner = parser.nested(condition)?;
        parser.expect(")")?;
        return Ok(inner);
    }
    comparison(parser)
}

fn comparison(parser: &mut Parser) -> Result<Condition, Invalid> {
    if let Some(found) = function(parser)? {
        return Ok(found);
    }
    let left = operand(parser)?;
    if parser.take_word("BETWEEN") {
        let low = operand(parser)?;
        parser.expect_word("AND")?;
        return Ok(Condition::Between(left, low, operand(parser)?));
    }
    if parser.take_word("IN") {
        let end = if parser.take("(") { ")" } else { "]" };
        if end == "]" {
            parser.expect("[")?;
        }
        let choices = parser
            .values(end)?
            .into_iter()
            .map(Operand::Value)
            .collect();
        return Ok(Condition::In(left, choices));
    }
    if parser.take_word("IS") {
        return is(parser, left);
    }
    let comparator = match parser.next() {
        Some(Token::Symbol("=")) => Comparator::Equal,
        Some(Token::Symbol("<>" | "!=")) => Comparator::NotEqual,
        Some(Token::Symbol("<")) => Comparator::Less,
        Some(Token::Symbol("<=")) => Comparator::LessOrEqual,
        Some(Token::Symbol(">")) => Comparator::Greater,
        Some(Token::Symbol(">=")) => Comparator::GreaterOrEqual,
        _ => return Err(malformed("a comparison has no operator")),
    };
    Ok(Condition::Compare(comparator, left, operand(parser)?))
}

/// `IS [NOT] MISSING` or `IS [NOT] NULL`
fn is(parser: &mut Parser, left: Operand) -> Result<Condition, Invalid> {
    let negated = parser.take_word("NOT");
    let found = if parser.take_word("NULL") {
        Condition::HasType(left, "NULL".to_owned())
    } else {
        parser.expect_word("MISSING")?;
        match left {
            Operand::Path(path) => Condition::NotExists(path),
            _ => return Err(malformed("only an attribute can be missing")),
        }
    };
    Ok(if negated {
        Condition::Not(Box::new(found))
    } else {
        found
    })
}

/// A function that is a condition by itself.
fn function(parser: &mut Parser) -> Result<Option<Condition>, Invalid> {
    let Some(Token::Word(word)) = parser.peek() else {
        return Ok(None);
    };
    let name = word.to_ascii_lowercase();
    let is_call = parser.peek_second() == Some(&Token::Symbol("("));
    if !is_call || !["attribute_type", "begins_with", "contains"].contains(&name.as_str()) {
        return Ok(None);
    }
    parser.next();
    parser.next();
    let first = operand(parser)?;
    parser.expect(",")?;
    let second = operand(parser)?;
    parser.expect(")")?;
    Ok(Some(match (name.as_str(), second) {
        ("attribute_type", Operand::Value(Attribute::S(kind))) => Condition::HasType(first, kind),
        ("attribute_type", _) => return Err(malformed("attribute_type takes the name of a type")),
        ("begins_with", second) => Condition::BeginsWith(first, second),
        (_, second) => Condition::Contains(first, second),
    }))
}

fn operand(parser: &mut Parser) -> Result<Operand, Invalid> {
    if parser.at_value() {
        return parser.value().map(Operand::Value);
    }
    let is_call = parser.peek_second() == Some(&Token::Symbol("("));
    if parser.is_word("size") && is_call {
        parser.next();
        parser.next();
        let inner = parser.nested(operand)?;
        parser.expect(")")?;
        return Ok(Operand::Size(Box::new(inner)));
    }
    parser.path().map(Operand::Path)
}
