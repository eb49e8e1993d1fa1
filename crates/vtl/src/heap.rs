//! The lists and maps of one rendering, how they are written, and what all of it costs.

use std::rc::Rc;

use indexmap::IndexMap;

use crate::number;
use crate::value::{ListId, MapId, Value};
use crate::{Json, Limits, RenderError};

pub type Members = IndexMap<Rc<str>, Value>;

#[derive(Debug, Default)]
pub struct List {
    pub items: Vec<Value>,
    /// Came from JSON, and is written as such.
    pub is_json: bool,
}

/// Nothing is freed before the end: what a template may make at all is bounded.
#[derive(Debug)]
pub struct Heap {
    lists: Vec<List>,
    maps: Vec<Members>,
    limits: Limits,
    steps: u64,
    held: usize,
    depth: usize,
}

/// About what a value takes beside its text.
const VALUE_BYTES: usize = 48;

impl Heap {
    pub fn new(limits: Limits) -> Self {
        Self {
            lists: Vec::new(),
            maps: Vec::new(),
            limits,
            steps: 0,
            held: 0,
            depth: 0,
        }
    }

    pub fn step(&mut self, count: usize) -> Result<(), RenderError> {
        self.steps += count as u64;
        if self.steps > self.limits.steps {
            return Err(RenderError::Steps);
        }
        Ok(())
    }

    pub fn hold(&mut self, bytes: usize) -> Result<(), RenderError> {
        self.held = self.held.saturating_add(bytes);
        if self.held > self.limits.held_bytes {
            return Err(RenderError::Memory);
        }
        self.step(1 + bytes / 64)
    }

    pub fn deeper(&mut self) -> Result<(), RenderError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(RenderError::Depth);
        }
        self.step(1)
    }

    pub fn shallower(&mut self) {
        self.depth -= 1;
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    pub fn text(&mut self, text: impl AsRef<str>) -> Result<Value, RenderError> {
        let text = text.as_ref();
        self.hold(text.len())?;
        Ok(Value::text(text))
    }

    pub fn list(&mut self, items: Vec<Value>) -> Result<Value, RenderError> {
        self.list_of(items, false)
    }

    fn list_of(&mut self, items: Vec<Value>, is_json: bool) -> Result<Value, RenderError> {
        self.hold(VALUE_BYTES * (1 + items.len()))?;
        self.lists.push(List { items, is_json });
        Ok(Value::List(ListId(self.lists.len() - 1)))
    }

    pub fn map(&mut self, members: Members) -> Result<Value, RenderError> {
        let names: usize = members.keys().map(|name| name.len()).sum();
        self.hold(2 * VALUE_BYTES * (1 + members.len()) + names)?;
        self.maps.push(members);
        Ok(Value::Map(MapId(self.maps.len() - 1)))
    }

    pub fn items(&self, list: ListId) -> &[Value] {
        &self.lists[list.0].items
    }

    pub fn members(&self, map: MapId) -> &Members {
        &self.maps[map.0]
    }

    /// To change it; what is put in costs as much as a value and `bytes`.
    pub fn items_mut(
        &mut self,
        list: ListId,
        added: usize,
    ) -> Result<&mut Vec<Value>, RenderError> {
        self.hold(VALUE_BYTES * added)?;
        Ok(&mut self.lists[list.0].items)
    }

    pub fn members_mut(&mut self, map: MapId, added: usize) -> Result<&mut Members, RenderError> {
        self.hold(2 * VALUE_BYTES * added)?;
        Ok(&mut self.maps[map.0])
    }

    /// JSON brought in.
    pub fn import(&mut self, json: &Json) -> Result<Value, RenderError> {
        Ok(match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Int(number) => Value::Int(*number),
            Json::Float(number) => Value::Float(*number),
            Json::Text(text) => self.text(text)?,
            Json::List(items) => {
                let items = items.iter().map(|item| self.import(item));
                let items = items.collect::<Result<_, _>>()?;
                self.list_of(items, true)?
            }
            Json::Map(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((Rc::from(name.as_str()), self.import(value)?)));
                let members = members.collect::<Result<Members, RenderError>>()?;
                self.map(members)?
            }
        })
    }

    /// A value taken out as JSON; `None` where it holds itself or what is no data.
    pub fn export(&mut self, value: &Value) -> Result<Json, RenderError> {
        self.deeper()?;
        let json = match value {
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Int(number) => Json::Int(*number),
            Value::Float(number) => Json::Float(*number),
            Value::Text(text) => {
                self.hold(text.len())?;
                Json::Text(text.to_string())
            }
            Value::List(list) => {
                let items = self.items(*list).to_vec();
                let items = items.iter().map(|item| self.export(item));
                Json::List(items.collect::<Result<_, _>>()?)
            }
            Value::Map(map) => {
                let members = self.members(*map).clone();
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((name.to_string(), self.export(value)?)));
                Json::Map(members.collect::<Result<_, RenderError>>()?)
            }
            Value::Entry(entry) => {
                let value = self.export(&entry.1)?;
                Json::object([(entry.0.to_string(), value)])
            }
            Value::Null | Value::Input | Value::Util | Value::Block(_) | Value::Loop(_) => {
                Json::Null
            }
        };
        self.shallower();
        Ok(json)
    }

    /// As Java's `toString` gives it: maps as `{a=1}`, lists as `[1, a]`; but lists that came from
    /// JSON are written as JSON. Blocks write nothing here.
    pub fn display(&mut self, value: &Value) -> Result<String, RenderError> {
        let mut text = String::new();
        self.write(value, &mut text)?;
        Ok(text)
    }

    fn write(&mut self, value: &Value, out: &mut String) -> Result<(), RenderError> {
        self.deeper()?;
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Value::Int(number) => out.push_str(&number.to_string()),
            Value::Float(number) => out.push_str(&number::double(*number)),
            Value::Text(text) => out.push_str(text),
            Value::List(list) if self.lists[list.0].is_json => {
                let json = self.export(value)?;
                out.push_str(&json.to_string());
            }
            Value::List(list) => {
                let items = self.items(*list).to_vec();
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    self.write(item, out)?;
                }
                out.push(']');
            }
            Value::Map(map) => {
                let members = self.members(*map).clone();
                out.push('{');
                for (at, (name, item)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    out.push_str(name);
                    out.push('=');
                    self.write(item, out)?;
                }
                out.push('}');
            }
            Value::Entry(entry) => {
                out.push_str(&entry.0);
                out.push('=');
                self.write(&entry.1, out)?;
            }
            Value::Input => out.push_str("$input"),
            Value::Util => out.push_str("$util"),
            Value::Block(_) | Value::Loop(_) => {}
        }
        self.step(1)?;
        if out.len() > self.limits.held_bytes {
            return Err(RenderError::Memory);
        }
        self.shallower();
        Ok(())
    }
}
