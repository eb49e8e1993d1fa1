//! The grammar of statements.

use super::condition::condition;
use super::lexer::{Token, malformed};
use super::parser::Parser;
use super::{Order, Returning, Statement};
use crate::domain::Invalid;
use crate::domain::expression::{Action, SetValue, Update, UpdateOperand};
use crate::domain::path::Path;
use crate::domain::value::Attribute;

pub fn parse(mut parser: Parser) -> Result<Statement, Invalid> {
    let statement = if parser.take_word("SELECT") {
        select(&mut parser)?
    } else if parser.take_word("INSERT") {
        insert(&mut parser)?
    } else if parser.take_word("UPDATE") {
        update(&mut parser)?
    } else if parser.take_word("DELETE") {
        delete(&mut parser)?
    } else if parser.take_word("EXISTS") {
        exists(&mut parser)?
    } else {
        return Err(parser.unexpected());
    };
    parser.expect_end()?;
    Ok(statement)
}

fn select(parser: &mut Parser) -> Result<Statement, Invalid> {
    let columns = if parser.take("*") {
        None
    } else {
        let mut columns = vec![parser.path()?];
        while parser.take(",") {
            columns.push(parser.path()?);
        }
        Some(columns)
    };
    parser.expect_word("FROM")?;
    let table = parser.name()?;
    let index = if parser.take(".") {
        Some(parser.name()?)
    } else {
        None
    };
    let condition = if parser.take_word("WHERE") {
        Some(condition(parser)?)
    } else {
        None
    };
    let mut order = None;
    if parser.take_word("ORDER") {
        parser.expect_word("BY")?;
        if condition.is_none() {
            return Err(Invalid::new(
                "Must have WHERE clause in the statement when using ORDER BY clause.",
            ));
        }
        let by = parser.name()?;
        let descending = parser.take_word("DESC");
        if !descending {
            parser.take_word("ASC");
        }
        order = Some(Order { by, descending });
    }
    Ok(Statement::Select {
        table,
        index,
        columns,
        condition,
        order,
    })
}

/// `EXISTS(SELECT ...)`
fn exists(parser: &mut Parser) -> Result<Statement, Invalid> {
    parser.expect("(")?;
    parser.expect_word("SELECT")?;
    let selected = select(parser)?;
    parser.expect(")")?;
    match selected {
        Statement::Select {
            table,
            index: None,
            condition: Some(condition),
            order: None,
            ..
        } => Ok(Statement::Exists { table, condition }),
        _ => Err(Invalid::new(
            "Where clause does not contain a mandatory equality on all key attributes",
        )),
    }
}

fn insert(parser: &mut Parser) -> Result<Statement, Invalid> {
    parser.expect_word("INTO")?;
    let table = parser.name()?;
    parser.expect_word("VALUE")?;
    match parser.value()? {
        Attribute::M(item) => Ok(Statement::Insert { table, item }),
        _ => Err(malformed("an item is a map")),
    }
}

fn delete(parser: &mut Parser) -> Result<Statement, Invalid> {
    parser.expect_word("FROM")?;
    let table = parser.name()?;
    let condition = where_clause(parser)?;
    let returning = returning(parser)?;
    Ok(Statement::Delete {
        table,
        condition,
        returning,
    })
}

fn update(parser: &mut Parser) -> Result<Statement, Invalid> {
    let table = parser.name()?;
    let mut actions = Vec::new();
    loop {
        if parser.take_word("SET") {
            actions.push(assignment(parser)?);
            while parser.take(",") {
                actions.push(assignment(parser)?);
            }
        } else if parser.take_word("REMOVE") {
            actions.push(Action::Remove(parser.path()?));
            while parser.take(",") {
                actions.push(Action::Remove(parser.path()?));
            }
        } else {
            break;
        }
    }
    if actions.is_empty() {
        return Err(parser.unexpected());
    }
    let paths: Vec<&Path> = actions.iter().map(Action::path).collect();
    if let Some(clash) = Path::clash_among(&paths) {
        return Err(Invalid::new(clash));
    }
    let condition = where_clause(parser)?;
    let returning = returning(parser)?;
    Ok(Statement::Update {
        table,
        update: Update(actions),
        condition,
        returning,
    })
}

fn where_clause(parser: &mut Parser) -> Result<crate::domain::expression::Condition, Invalid> {
    if !parser.take_word("WHERE") {
        return Err(Invalid::new(
            "Where clause does not contain a mandatory equality on all key attributes",
        ));
    }
    condition(parser)
}

/// `RETURNING ALL OLD *`
fn returning(parser: &mut Parser) -> Result<Option<Returning>, Invalid> {
    if !parser.take_word("RETURNING") {
        return Ok(None);
    }
    let all = parser.take_word("ALL");
    if !all {
        parser.expect_word("MODIFIED")?;
    }
    let old = parser.take_word("OLD");
    if !old {
        parser.expect_word("NEW")?;
    }
    parser.expect("*")?;
    Ok(Some(match (all, old) {
        (true, true) => Returning::AllOld,
        (true, false) => Returning::AllNew,
        (false, true) => Returning::ModifiedOld,
        (false, false) => Returning::ModifiedNew,
    }))
}

fn assignment(parser: &mut Parser) -> Result<Action, Invalid> {
    let path = parser.path()?;
    parser.expect("=")?;
    if let Some(name) = call(parser, &["set_add", "set_delete"]) {
        let target = parser.path()?;
        parser.expect(",")?;
        let members = parser.value()?;
        parser.expect(")")?;
        if target != path {
            return Err(malformed("a set is changed in its own place"));
        }
        return Ok(if name == "set_add" {
            Action::Add(path, members)
        } else {
            Action::Delete(path, members)
        });
    }
    let first = operand(parser)?;
    let value = if parser.take("+") {
        SetValue::Sum(first, operand(parser)?)
    } else if parser.take("-") {
        SetValue::Difference(first, operand(parser)?)
    } else {
        SetValue::Of(first)
    };
    Ok(Action::Set(path, value))
}

fn operand(parser: &mut Parser) -> Result<UpdateOperand, Invalid> {
    if let Some(name) = call(parser, &["list_append", "if_not_exists"]) {
        let first = parser.nested(operand)?;
        parser.expect(",")?;
        let second = Box::new(parser.nested(operand)?);
        parser.expect(")")?;
        return match (name, first) {
            ("list_append", first) => Ok(UpdateOperand::ListAppend(Box::new(first), second)),
            (_, UpdateOperand::Path(path)) => Ok(UpdateOperand::IfNotExists(path, second)),
            _ => Err(malformed("if_not_exists takes an attribute")),
        };
    }
    if parser.at_value() {
        return parser.value().map(UpdateOperand::Value);
    }
    parser.path().map(UpdateOperand::Path)
}

/// Goes past a function's name and parenthesis, if it is one of these.
fn call(parser: &mut Parser, names: &[&'static str]) -> Option<&'static str> {
    if parser.peek_second() != Some(&Token::Symbol("(")) {
        return None;
    }
    let name = names.iter().find(|name| parser.is_word(name))?;
    parser.next();
    parser.next();
    Some(name)
}
