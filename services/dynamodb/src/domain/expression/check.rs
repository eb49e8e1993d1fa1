//! From a condition as written to one that can be evaluated, noting what AWS refuses.

use super::condition::{Comparator, Condition, Operand, Raw};
use super::findings::{Findings, Rank};
use crate::domain::path::Path;
use crate::domain::value::Attribute;

const TYPES: [&str; 10] = ["S", "N", "B", "NULL", "SS", "BOOL", "L", "BS", "NS", "M"];

/// Lowers a condition. What stands in for a refused part does not matter: it is never evaluated.
pub fn condition(raw: Raw, findings: &mut Findings) -> Condition {
    match raw {
        Raw::And(a, b) => {
            let a = Box::new(condition(*a, findings));
            Condition::And(a, Box::new(condition(*b, findings)))
        }
        Raw::Or(a, b) => {
            let a = Box::new(condition(*a, findings));
            Condition::Or(a, Box::new(condition(*b, findings)))
        }
        Raw::Not(inner) => Condition::Not(Box::new(condition(*inner, findings))),
        Raw::Compare(comparator, a, b) => {
            let a = operand(*a, findings);
            let b = operand(*b, findings);
            distinct(comparator.symbol(), &a, &b, findings);
            if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
                for side in [&a, &b] {
                    ordered(comparator.symbol(), side, findings);
                }
            }
            Condition::Compare(comparator, a, b)
        }
        Raw::Between(value, low, high) => {
            let value = operand(*value, findings);
            let (low, high) = (operand(*low, findings), operand(*high, findings));
            for side in [&value, &low, &high] {
                ordered("BETWEEN", side, findings);
            }
            bounds(&low, &high, findings);
            Condition::Between(value, low, high)
        }
        Raw::In(value, choices) => {
            let value = operand(*value, findings);
            if choices.len() > 100 {
                findings.note(
                    Rank::OperandCount,
                    format!(
                        "The IN operator is provided with too many operands; number of operands: \
                         {}",
                        choices.len()
                    ),
                );
            }
            let choices = choices.into_iter().map(|choice| operand(choice, findings));
            Condition::In(value, choices.collect())
        }
        Raw::Call(name, arguments) => call(&name, arguments, findings),
        Raw::Path(_) | Raw::Value(_) => unreachable!("the parser takes no operand for a condition"),
    }
}

fn call(name: &str, arguments: Vec<Raw>, findings: &mut Findings) -> Condition {
    let refused = Condition::Exists(Path::attribute(""));
    let count = match name {
        "attribute_exists" | "attribute_not_exists" => 1,
        "attribute_type" | "begins_with" | "contains" => 2,
        "size" => {
            misused(name, findings);
            return refused;
        }
        "if_not_exists" | "list_append" => {
            not_allowed(name, "a condition", findings);
            return refused;
        }
        _ => {
            unknown(name, findings);
            return refused;
        }
    };
    let mut operands = arguments
        .into_iter()
        .map(|argument| operand(argument, findings))
        .collect::<Vec<_>>();
    if operands.len() != count {
        wrong_count(name, operands.len(), findings);
        return refused;
    }
    let last = operands.pop().expect("there is at least one argument");
    let Some(first) = operands.pop() else {
        let Operand::Path(path) = last else {
            needs_path(name, findings);
            return refused;
        };
        return if name == "attribute_exists" {
            Condition::Exists(path)
        } else {
            Condition::NotExists(path)
        };
    };
    distinct(name, &first, &last, findings);
    match name {
        "attribute_type" => match last {
            Operand::Value(Attribute::S(kind)) => {
                if !TYPES.contains(&kind.as_str()) {
                    findings.note(
                        Rank::Types,
                        format!(
                            "Invalid attribute type name found; type: {kind}, valid types: \
                             {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
                        ),
                    );
                }
                Condition::HasType(first, kind)
            }
            other => {
                let kind = operand_kind(&other).unwrap_or("{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
                wrong_type(name, kind, findings);
                refused
            }
        },
        "begins_with" => {
            for side in [&first, &last] {
                match operand_kind(side) {
                    None | Some("S" | "B") => {}
                    Some(kind) => wrong_type(name, kind, findings),
                }
            }
            Condition::BeginsWith(first, last)
        }
        _ => Condition::Contains(first, last),
    }
}

fn operand(raw: Raw, findings: &mut Findings) -> Operand {
    let refused = Operand::Value(Attribute::Null);
    let (name, mut arguments) = match raw {
        Raw::Path(path) => return Operand::Path(path),
        Raw::Value(value) => return Operand::Value(value),
        Raw::Call(name, arguments) => (name, arguments),
        _ => unreachable!("the parser takes no condition for an operand"),
    };
    match name.as_str() {
        "size" => {}
        "attribute_exists"
        | "attribute_not_exists"
        | "attribute_type"
        | "begins_with"
        | "contains" => {
            misused(&name, findings);
            return refused;
        }
        "if_not_exists" | "list_append" => {
            not_allowed(&name, "a condition", findings);
            return refused;
        }
        _ => {
            unknown(&name, findings);
            return refused;
        }
    }
    if arguments.len() != 1 {
        wrong_count(&name, arguments.len(), findings);
        return refused;
    }
    let inner = operand(arguments.remove(0), findings);
    if let Some(kind @ ("N" | "BOOL" | "NULL")) = operand_kind(&inner) {
        wrong_type(&name, kind, findings);
    }
    Operand::Size(Box::new(inner))
}

/// The type of an operand, where it is known without an item.
fn operand_kind(operand: &Operand) -> Option<&'static str> {
    match operand {
        Operand::Path(_) => None,
        Operand::Value(value) => Some(value.kind()),
        Operand::Size(_) => Some("N"),
    }
}

fn ordered(operator: &str, operand: &Operand, findings: &mut Findings) {
    match operand_kind(operand) {
        None | Some("S" | "N" | "B") => {}
        Some(kind) => wrong_type(operator, kind, findings),
    }
}

fn bounds(low: &Operand, high: &Operand, findings: &mut Findings) {
    let (Operand::Value(low), Operand::Value(high)) = (low, high) else {
        return;
    };
    let rule = match low.compare(high) {
        None => "same data type for lower and upper bounds",
        Some(std::cmp::Ordering::Greater) => {
            "upper bound to be greater than or equal to lower bound"
        }
        Some(_) => return,
    };
    findings.note(
        Rank::Types,
        format!(
            "The BETWEEN operator requires {rule}; lower bound operand: AttributeValue: {}, upper \
             bound operand: AttributeValue: {}",
            low.shown(),
            high.shown()
        ),
    );
}

fn distinct(operator: &str, a: &Operand, b: &Operand, findings: &mut Findings) {
    if let (Operand::Path(a), Operand::Path(b)) = (a, b)
        && a == b
    {
        findings.note(
            Rank::Distinct,
            format!(
                "The first operand must be distinct from the remaining operands for this operator \
                 or function; operator: {operator}, first operand: {a}"
            ),
        );
    }
}

fn misused(name: &str, findings: &mut Findings) {
    findings.note(
        Rank::MisusedFunction,
        format!(
            "The function is not allowed to be used this way in an expression; function: {name}"
        ),
    );
}

/// A function of the other kind of expressions.
pub fn not_allowed(name: &str, expression: &str, findings: &mut Findings) {
    findings.note(
        Rank::MisusedFunction,
        format!("The function is not allowed in {expression} expression; function: {name}"),
    );
}

pub fn unknown(name: &str, findings: &mut Findings) {
    findings.note(
        Rank::UnknownFunction,
        format!("Invalid function name; function: {name}"),
    );
}

pub fn wrong_count(name: &str, count: usize, findings: &mut Findings) {
    findings.note(
        Rank::OperandCount,
        format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, \
             number of operands: {count}"
        ),
    );
}

pub fn needs_path(name: &str, findings: &mut Findings) {
    findings.note(
        Rank::Types,
        format!("Operator or function requires a document path; operator or function: {name}"),
    );
}

pub fn wrong_type(name: &str, kind: &str, findings: &mut Findings) {
    findings.note(
        Rank::Types,
        format!(
            "Incorrect operand type for operator or function; operator or function: {name}, operand \
             type: {kind}"
        ),
    );
}
