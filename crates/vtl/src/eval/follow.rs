//! References: from a variable through its steps, and setting what one leads to.

use std::sync::Arc;

use crate::RenderError;
use crate::ast::{Reference, Step};
use crate::methods;
use crate::value::Value;

use super::Run;

impl Run<'_> {
    /// What a reference leads to; nothing if any step does.
    pub(super) fn reference(&mut self, reference: &Reference) -> Result<Value, RenderError> {
        let Some(mut value) = self.variables.get(&reference.name).cloned() else {
            return Ok(Value::Null);
        };
        for step in &reference.steps {
            if value.is_null() {
                return Ok(value);
            }
            value = self.follow(&value, step)?;
        }
        Ok(value)
    }

    fn follow(&mut self, value: &Value, step: &Step) -> Result<Value, RenderError> {
        self.heap.step(1)?;
        match step {
            Step::Property(name) => self.property(value, name),
            Step::Index(index) => {
                let index = self.expression(index)?;
                self.index(value, &index)
            }
            Step::Call(name, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.expression(argument)?);
                }
                self.call(value, name, &values)
            }
        }
    }

    fn property(&mut self, value: &Value, name: &str) -> Result<Value, RenderError> {
        Ok(match value {
            Value::Map(map) => match self.heap.members(*map).get(name) {
                Some(value) => value.clone(),
                None if name == "empty" => Value::Bool(self.heap.members(*map).is_empty()),
                None => Value::Null,
            },
            Value::Entry(entry) => match name {
                "key" => Value::Text(entry.0.clone()),
                "value" => entry.1.clone(),
                _ => Value::Null,
            },
            Value::List(list) if name == "empty" => Value::Bool(self.heap.items(*list).is_empty()),
            Value::Text(text) if name == "empty" => Value::Bool(text.is_empty()),
            Value::Input if name == "body" => methods::input::body(self)?,
            Value::Loop(at) => self.loop_property(*at, name),
            _ => Value::Null,
        })
    }

    fn loop_property(&self, at: usize, name: &str) -> Value {
        let Some(here) = self.loops.get(at) else {
            return Value::Null;
        };
        match name {
            "index" => Value::int(here.index),
            "count" => Value::int(here.index + 1),
            "hasNext" => Value::Bool(here.index + 1 < here.count),
            "first" => Value::Bool(here.index == 0),
            "last" => Value::Bool(here.index + 1 == here.count),
            "parent" => at.checked_sub(1).map_or(Value::Null, Value::Loop),
            "topmost" => Value::Loop(0),
            _ => Value::Null,
        }
    }

    fn index(&mut self, value: &Value, index: &Value) -> Result<Value, RenderError> {
        Ok(match (value, index) {
            (Value::List(list), Value::Int(at)) => {
                let items = self.heap.items(*list);
                place(*at, items.len()).map_or(Value::Null, |at| items[at].clone())
            }
            (Value::Map(map), index) => {
                let map = *map;
                let name = self.heap.display(index)?;
                let found = self.heap.members(map).get(name.as_str());
                found.cloned().unwrap_or(Value::Null)
            }
            _ => Value::Null,
        })
    }

    fn call(
        &mut self,
        value: &Value,
        name: &str,
        arguments: &[Value],
    ) -> Result<Value, RenderError> {
        match value {
            Value::Block(block) => {
                // A block used as a text is what it writes.
                let block = Arc::clone(block);
                let text = self.captured(&block)?;
                methods::text::call(self, &text, name, arguments)
            }
            Value::Loop(at) if name == "stop" => {
                if let Some(here) = self.loops.get_mut(*at) {
                    here.ended = true;
                }
                Ok(Value::Null)
            }
            Value::Loop(at) => Ok(self.loop_property(*at, &getter(name))),
            value => methods::call(self, value, name, arguments),
        }
    }

    /// Sets a variable, or a member of what all but the last step lead to.
    pub(super) fn assign(&mut self, target: &Reference, value: Value) -> Result<(), RenderError> {
        let Some((last, steps)) = target.steps.split_last() else {
            self.define(&target.name, value);
            return Ok(());
        };
        let Some(mut holder) = self.variables.get(&target.name).cloned() else {
            return Ok(());
        };
        for step in steps {
            holder = self.follow(&holder, step)?;
        }
        match (holder, last) {
            (Value::Map(map), Step::Property(name)) => {
                let members = self.heap.members_mut(map, 1)?;
                members.insert(name.as_str().into(), value);
            }
            (Value::Map(map), Step::Index(index)) => {
                let index = self.expression(index)?;
                let name = self.heap.display(&index)?;
                let members = self.heap.members_mut(map, 1)?;
                members.insert(name.as_str().into(), value);
            }
            (Value::List(list), Step::Index(index)) => {
                let Value::Int(at) = self.expression(index)? else {
                    return Ok(());
                };
                let items = self.heap.items_mut(list, 1)?;
                if let Some(at) = place(at, items.len()) {
                    items[at] = value;
                }
            }
            // A property of what has none to set; Velocity goes on.
            _ => {}
        }
        Ok(())
    }
}

/// An index, from the end if it is negative.
pub(crate) fn place(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 {
        length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(at).ok()?
    };
    (at < length).then_some(at)
}

/// `count` of `getCount`, as Java's beans name what has a getter.
pub(crate) fn getter(name: &str) -> String {
    let bare = name
        .strip_prefix("get")
        .or_else(|| name.strip_prefix("is"))
        .unwrap_or(name);
    let mut letters = bare.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
