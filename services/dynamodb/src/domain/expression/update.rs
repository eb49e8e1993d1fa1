//! Updates: what they are made of, and their grammar.

use super::check::{needs_path, not_allowed, unknown, wrong_count, wrong_type};
use super::cursor::Cursor;
use super::findings::Rank;
use super::lexer::Kind;
use crate::domain::path::Path;
use crate::domain::value::Attribute;

/// The actions of an update, in the order written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update(pub Vec<Action>);

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Set(Path, SetValue),
    Remove(Path),
    Add(Path, Attribute),
    Delete(Path, Attribute),
}

#[derive(Clone, Debug, PartialEq)]
pub enum SetValue {
    Of(UpdateOperand),
    Sum(UpdateOperand, UpdateOperand),
    Difference(UpdateOperand, UpdateOperand),
}

#[derive(Clone, Debug, PartialEq)]
pub enum UpdateOperand {
    Path(Path),
    Value(Attribute),
    IfNotExists(Path, Box<UpdateOperand>),
    ListAppend(Box<UpdateOperand>, Box<UpdateOperand>),
}

impl Action {
    pub fn path(&self) -> &Path {
        match self {
            Self::Set(path, _)
            | Self::Remove(path)
            | Self::Add(path, _)
            | Self::Delete(path, _) => path,
        }
    }
}

const SECTIONS: [&str; 4] = ["SET", "REMOVE", "ADD", "DELETE"];

pub fn parse(cursor: &mut Cursor<'_>) -> Result<Update, String> {
    let mut actions = Vec::new();
    let mut seen = Vec::new();
    loop {
        let Some(section) = SECTIONS
            .into_iter()
            .find(|section| cursor.take_word(section))
        else {
            return Err(cursor.unexpected());
        };
        if seen.contains(&section) {
            cursor.findings.note(
                Rank::RepeatedSection,
                format!("The \"{section}\" section can only be used once in an update expression;"),
            );
        }
        seen.push(section);
        actions.push(action(section, cursor)?);
        while cursor.take(",") {
            actions.push(action(section, cursor)?);
        }
        if cursor.kind() == Kind::End {
            break;
        }
    }
    let paths: Vec<&Path> = actions.iter().map(Action::path).collect();
    if let Some(clash) = Path::clash_among(&paths) {
        cursor.findings.note(Rank::Paths, clash);
    }
    Ok(Update(actions))
}

fn action(section: &str, cursor: &mut Cursor<'_>) -> Result<Action, String> {
    let path = cursor.path()?;
    Ok(match section {
        "SET" => {
            cursor.expect("=")?;
            Action::Set(path, set_value(cursor)?)
        }
        "REMOVE" => Action::Remove(path),
        "ADD" => Action::Add(path, operand_value(section, cursor)?),
        _ => Action::Delete(path, operand_value(section, cursor)?),
    })
}

/// The value of ADD or DELETE: a set, or a number to add.
fn operand_value(section: &str, cursor: &mut Cursor<'_>) -> Result<Attribute, String> {
    if cursor.kind() != Kind::Value {
        return Err(cursor.unexpected());
    }
    let value = cursor.value();
    let kind = match &value {
        Attribute::N(_) if section == "ADD" => return Ok(value),
        Attribute::Ss(_) | Attribute::Ns(_) | Attribute::Bs(_) => return Ok(value),
        Attribute::S(_) => "STRING",
        Attribute::N(_) => "NUMBER",
        Attribute::B(_) => "BINARY",
        Attribute::Bool(_) => "BOOLEAN",
        Attribute::Null => "NULL",
        Attribute::L(_) => "LIST",
        Attribute::M(_) => "MAP",
    };
    cursor.findings.note(
        Rank::Types,
        format!(
            "Incorrect operand type for operator or function; operator: {section}, operand type: \
             {kind}, typeSet: ALLOWED_FOR_{section}_OPERAND"
        ),
    );
    Ok(value)
}

fn set_value(cursor: &mut Cursor<'_>) -> Result<SetValue, String> {
    if cursor.kind() == Kind::Symbol && cursor.peek() == "(" {
        // Parentheses may enclose the whole value or its first operand.
        cursor.next();
        let inner = cursor.nested(set_value)?;
        cursor.expect(")")?;
        return match inner {
            SetValue::Of(first) => arithmetic(first, cursor),
            _ => Ok(inner),
        };
    }
    let first = operand(cursor)?;
    arithmetic(first, cursor)
}

fn arithmetic(first: UpdateOperand, cursor: &mut Cursor<'_>) -> Result<SetValue, String> {
    let Some(sign) = ["+", "-"].into_iter().find(|sign| cursor.take(sign)) else {
        return Ok(SetValue::Of(first));
    };
    cursor.count_operator();
    let second = operand(cursor)?;
    for side in [&first, &second] {
        match operand_kind(side) {
            None | Some("N") => {}
            Some(kind) => wrong_type(sign, kind, &mut cursor.findings),
        }
    }
    Ok(if sign == "+" {
        SetValue::Sum(first, second)
    } else {
        SetValue::Difference(first, second)
    })
}

fn operand(cursor: &mut Cursor<'_>) -> Result<UpdateOperand, String> {
    if cursor.take("(") {
        let inner = cursor.nested(operand)?;
        cursor.expect(")")?;
        return Ok(inner);
    }
    match cursor.kind() {
        Kind::Value => Ok(UpdateOperand::Value(cursor.value())),
        Kind::Word if cursor.peek_at(1) == "(" => {
            let name = cursor.next().to_owned();
            cursor.next();
            cursor.count_operator();
            let mut arguments = vec![cursor.nested(operand)?];
            while cursor.take(",") {
                arguments.push(cursor.nested(operand)?);
            }
            cursor.expect(")")?;
            Ok(call(&name, arguments, cursor))
        }
        _ => Ok(UpdateOperand::Path(cursor.path()?)),
    }
}

fn call(name: &str, mut arguments: Vec<UpdateOperand>, cursor: &mut Cursor<'_>) -> UpdateOperand {
    let findings = &mut cursor.findings;
    let refused = UpdateOperand::Value(Attribute::Null);
    match name {
        "if_not_exists" | "list_append" => {}
        "attribute_exists"
        | "attribute_not_exists"
        | "attribute_type"
        | "begins_with"
        | "contains"
        | "size" => {
            not_allowed(name, "an update", findings);
            return refused;
        }
        _ => {
            unknown(name, findings);
            return refused;
        }
    }
    if arguments.len() != 2 {
        wrong_count(name, arguments.len(), findings);
        return refused;
    }
    let second = Box::new(arguments.remove(1));
    let first = arguments.remove(0);
    if name == "if_not_exists" {
        let UpdateOperand::Path(path) = first else {
            needs_path(name, findings);
            return refused;
        };
        return UpdateOperand::IfNotExists(path, second);
    }
    for side in [&first, &*second] {
        match operand_kind(side) {
            None | Some("L") => {}
            Some(kind) => wrong_type(name, kind, findings),
        }
    }
    UpdateOperand::ListAppend(Box::new(first), second)
}

/// The type of an operand, where it is known without an item.
fn operand_kind(operand: &UpdateOperand) -> Option<&'static str> {
    match operand {
        UpdateOperand::Value(value) => Some(value.kind()),
        UpdateOperand::Path(_) | UpdateOperand::IfNotExists(..) => None,
        UpdateOperand::ListAppend(..) => Some("L"),
    }
}
