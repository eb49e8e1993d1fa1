//! Expressions: literals and operators.

use crate::RenderError;
use crate::ast::{Expression, Operator};
use crate::heap::Members;
use crate::value::Value;

use super::Run;

impl Run<'_> {
    pub(super) fn expression(&mut self, expression: &Expression) -> Result<Value, RenderError> {
        self.heap.deeper()?;
        let value = self.express(expression)?;
        self.heap.shallower();
        Ok(value)
    }

    fn express(&mut self, expression: &Expression) -> Result<Value, RenderError> {
        Ok(match expression {
            Expression::Null => Value::Null,
            Expression::Bool(truth) => Value::Bool(*truth),
            Expression::Int(number) => Value::Int(*number),
            Expression::Float(number) => Value::Float(*number),
            Expression::Text(text) => self.heap.text(text)?,
            Expression::Interpolated(block) => {
                let text = self.captured(block)?;
                self.heap.text(text)?
            }
            Expression::Reference(reference) => self.reference(reference)?,
            Expression::List(items) => {
                let mut values = Vec::new();
                for item in items {
                    values.push(self.expression(item)?);
                }
                self.heap.list(values)?
            }
            Expression::Range(start, end) => self.range(start, end)?,
            Expression::Map(entries) => {
                let mut members = Members::new();
                for (key, value) in entries {
                    let key = self.expression(key)?;
                    let key = self.heap.display(&key)?;
                    members.insert(key.as_str().into(), self.expression(value)?);
                }
                self.heap.map(members)?
            }
            Expression::Not(operand) => Value::Bool(!self.expression(operand)?.is_true()),
            Expression::Negative(operand) => match self.expression(operand)? {
                Value::Int(number) => number.checked_neg().map_or(Value::Null, Value::Int),
                Value::Float(number) => Value::Float(-number),
                _ => Value::Null,
            },
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right)?,
        })
    }

    fn range(&mut self, start: &Expression, end: &Expression) -> Result<Value, RenderError> {
        let (start, end) = (self.expression(start)?, self.expression(end)?);
        let (Value::Int(start), Value::Int(end)) = (start, end) else {
            return Ok(Value::Null);
        };
        let count = usize::try_from(start.abs_diff(end)).map_err(|_| RenderError::Memory)?;
        // Before the memory is taken.
        self.heap.hold(count.saturating_mul(32))?;
        let numbers: Vec<_> = if start <= end {
            (start..=end).map(Value::Int).collect()
        } else {
            (end..=start).rev().map(Value::Int).collect()
        };
        self.heap.list(numbers)
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &Expression,
        right: &Expression,
    ) -> Result<Value, RenderError> {
        let left = self.expression(left)?;
        match operator {
            Operator::And if !left.is_true() => return Ok(Value::Bool(false)),
            Operator::Or if left.is_true() => return Ok(Value::Bool(true)),
            _ => {}
        }
        let right = self.expression(right)?;
        Ok(match operator {
            Operator::And | Operator::Or => Value::Bool(right.is_true()),
            Operator::Equal => Value::Bool(self.equal(&left, &right)?),
            Operator::NotEqual => Value::Bool(!self.equal(&left, &right)?),
            Operator::Less => compared(&left, &right, |a, b| a < b),
            Operator::LessOrEqual => compared(&left, &right, |a, b| a <= b),
            Operator::Greater => compared(&left, &right, |a, b| a > b),
            Operator::GreaterOrEqual => compared(&left, &right, |a, b| a >= b),
            Operator::Add => self.add(&left, &right)?,
            _ => arithmetic(operator, &left, &right),
        })
    }

    /// As `==` has it: numbers by their size, all else by what it reads as.
    pub(crate) fn equal(&mut self, left: &Value, right: &Value) -> Result<bool, RenderError> {
        Ok(match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Null, _) | (_, Value::Null) => false,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => {
                self.heap.step(1 + a.len() / 64)?;
                a == b
            }
            _ => match (number(left), number(right)) {
                (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
                _ => self.heap.display(left)? == self.heap.display(right)?,
            },
        })
    }

    fn add(&mut self, left: &Value, right: &Value) -> Result<Value, RenderError> {
        if matches!(left, Value::Text(_)) || matches!(right, Value::Text(_)) {
            let mut text = self.heap.display(left)?;
            text.push_str(&self.heap.display(right)?);
            return self.heap.text(text);
        }
        Ok(arithmetic(Operator::Add, left, right))
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn compared(left: &Value, right: &Value, holds: fn(f64, f64) -> bool) -> Value {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => Value::Bool(holds(left, right)),
        _ => Value::Bool(false),
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Value {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        let result = match operator {
            Operator::Add => left.checked_add(*right),
            Operator::Subtract => left.checked_sub(*right),
            Operator::Multiply => left.checked_mul(*right),
            Operator::Divide => left.checked_div(*right),
            _ => left.checked_rem(*right),
        };
        return result.map_or(Value::Null, Value::Int);
    }
    match (number(left), number(right)) {
        (Some(left), Some(right)) => Value::Float(match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide => left / right,
            _ => left % right,
        }),
        _ => Value::Null,
    }
}
