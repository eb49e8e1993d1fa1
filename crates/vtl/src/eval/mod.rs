//! Runs a template's tree.

mod express;
mod follow;

pub(crate) use follow::place;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{Block, Macro, Node, Reference};
use crate::heap::Heap;
use crate::render::Inputs;
use crate::value::Value;
use crate::{Json, RenderError, parse};

/// One rendering.
pub struct Run<'i> {
    pub inputs: &'i Inputs<'i>,
    pub heap: Heap,
    pub out: String,
    variables: HashMap<String, Value>,
    macros: HashMap<String, Arc<Macro>>,
    loops: Vec<Loop>,
    /// The payload as JSON, once somebody asks.
    payload: Option<Rc<Json>>,
}

/// Where a `#foreach` is.
struct Loop {
    index: usize,
    count: usize,
    ended: bool,
}

/// Whether to go on after a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    /// Out of the loop around it.
    Break,
    /// Out of the template.
    Stop,
}

impl<'i> Run<'i> {
    pub fn new(inputs: &'i Inputs<'i>, heap: Heap) -> Self {
        Self {
            inputs,
            heap,
            out: String::new(),
            variables: HashMap::new(),
            macros: HashMap::new(),
            loops: Vec::new(),
            payload: None,
        }
    }

    pub fn define(&mut self, name: &str, value: Value) {
        self.variables.insert(name.to_owned(), value);
    }

    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name)
    }

    pub fn render(&mut self, block: &Block) -> Result<(), RenderError> {
        self.block(block).map(|_| ())
    }

    fn block(&mut self, block: &Block) -> Result<Flow, RenderError> {
        self.heap.deeper()?;
        for node in block.iter() {
            let flow = self.node(node)?;
            if flow != Flow::On {
                self.heap.shallower();
                return Ok(flow);
            }
        }
        self.heap.shallower();
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node) -> Result<Flow, RenderError> {
        self.heap.step(1)?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Reference {
                reference,
                backslashes,
            } => self.write_reference(reference, *backslashes)?,
            Node::Set { target, value } => {
                let value = self.expression(value)?;
                // As Velocity has it, nothing is not set.
                if !value.is_null() {
                    self.assign(target, value)?;
                }
            }
            Node::If {
                branches,
                otherwise,
            } => {
                for (condition, body) in branches {
                    if self.expression(condition)?.is_true() {
                        return self.block(body);
                    }
                }
                if let Some(body) = otherwise {
                    return self.block(body);
                }
            }
            Node::Foreach {
                variable,
                over,
                body,
            } => {
                let over = self.expression(over)?;
                let items = self.iterate(&over)?;
                return self.foreach(variable, items, body);
            }
            Node::Define { variable, body } => {
                let body = Value::Block(Arc::clone(body));
                self.variables.insert(variable.clone(), body);
            }
            Node::Macro(definition) => {
                let name = definition.name.clone();
                self.macros.insert(name, Arc::clone(definition));
            }
            Node::Call {
                name,
                arguments,
                source,
            } => {
                let Some(definition) = self.macros.get(name).map(Arc::clone) else {
                    self.write(source)?;
                    return Ok(Flow::On);
                };
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.expression(argument)?);
                }
                return self.call_macro(&definition, values);
            }
            Node::Evaluate(text) => {
                let text = self.expression(text)?;
                let text = self.heap.display(&text)?;
                self.heap.hold(text.len() * 8)?;
                return self.block(&parse::template(&text)?);
            }
            Node::Break => return Ok(Flow::Break),
            Node::Stop => return Ok(Flow::Stop),
        }
        Ok(Flow::On)
    }

    fn write(&mut self, text: &str) -> Result<(), RenderError> {
        self.heap.step(1 + text.len() / 64)?;
        if self.out.len() + text.len() > self.heap.limits().output_bytes {
            return Err(RenderError::Output);
        }
        self.out.push_str(text);
        Ok(())
    }

    fn write_reference(
        &mut self,
        reference: &Reference,
        backslashes: usize,
    ) -> Result<(), RenderError> {
        let value = self.reference(reference)?;
        let is_known = !value.is_null() || self.variables.contains_key(&reference.name);
        // Before what has a value, every second backslash only keeps the next from meaning
        // something; before what has none they are all text.
        let kept = if is_known {
            backslashes / 2
        } else {
            backslashes
        };
        for _ in 0..kept {
            self.write("\\")?;
        }
        if is_known && backslashes % 2 == 1 {
            return self.write(&reference.source);
        }
        match &value {
            Value::Null if reference.silent || is_known => Ok(()),
            Value::Null => self.write(&reference.source),
            Value::Block(block) => {
                let block = Arc::clone(block);
                self.block(&block).map(|_| ())
            }
            value => {
                let text = self.heap.display(value)?;
                self.write(&text)
            }
        }
    }

    /// The text that a block writes.
    fn captured(&mut self, block: &Block) -> Result<String, RenderError> {
        let outer = std::mem::take(&mut self.out);
        let done = self.block(block);
        let text = std::mem::replace(&mut self.out, outer);
        done?;
        self.heap.hold(text.len())?;
        Ok(text)
    }

    fn iterate(&mut self, over: &Value) -> Result<Vec<Value>, RenderError> {
        let items = match over {
            Value::List(list) => self.heap.items(*list).to_vec(),
            Value::Map(map) => self.heap.members(*map).values().cloned().collect(),
            _ => Vec::new(),
        };
        self.heap.hold(items.len() * 8)?;
        Ok(items)
    }

    fn foreach(
        &mut self,
        variable: &str,
        items: Vec<Value>,
        body: &Block,
    ) -> Result<Flow, RenderError> {
        let names = [variable, "foreach", "velocityCount", "velocityHasNext"];
        let before = names.map(|name| (name, self.variables.get(name).cloned()));
        let count = items.len();
        let mut flow = Flow::On;
        for (index, item) in items.into_iter().enumerate() {
            if index >= self.heap.limits().iterations {
                break;
            }
            self.loops.push(Loop {
                index,
                count,
                ended: false,
            });
            let here = Value::Loop(self.loops.len() - 1);
            self.define(variable, item);
            self.define("foreach", here);
            self.define("velocityCount", Value::int(index + 1));
            self.define("velocityHasNext", Value::Bool(index + 1 < count));
            flow = self.block(body)?;
            let ended = self.loops.pop().is_some_and(|here| here.ended);
            if flow != Flow::On || ended {
                break;
            }
        }
        for (name, value) in before {
            self.restore(name, value);
        }
        Ok(if flow == Flow::Stop {
            Flow::Stop
        } else {
            Flow::On
        })
    }

    fn call_macro(&mut self, called: &Macro, values: Vec<Value>) -> Result<Flow, RenderError> {
        let mut values = values.into_iter();
        let mut before = Vec::new();
        for name in &called.parameters {
            let value = values.next().unwrap_or(Value::Null);
            before.push((name, self.variables.get(name).cloned()));
            if value.is_null() {
                self.variables.remove(name);
            } else {
                self.define(name, value);
            }
        }
        let flow = self.block(&called.body)?;
        for (name, value) in before {
            self.restore(name, value);
        }
        Ok(if flow == Flow::Break { Flow::On } else { flow })
    }

    fn restore(&mut self, name: &str, value: Option<Value>) {
        match value {
            Some(value) => self.define(name, value),
            None => {
                self.variables.remove(name);
            }
        }
    }

    /// The payload as JSON. One that is not JSON is a text, and none is an empty object.
    pub fn payload(&mut self) -> Result<Rc<Json>, RenderError> {
        if let Some(payload) = &self.payload {
            return Ok(Rc::clone(payload));
        }
        let body = self.inputs.body;
        self.heap.hold(body.len())?;
        let payload = if body.trim().is_empty() {
            Json::object::<String>([])
        } else {
            Json::parse(body).unwrap_or_else(|| Json::text(body))
        };
        let payload = Rc::new(payload);
        self.payload = Some(Rc::clone(&payload));
        Ok(payload)
    }
}
