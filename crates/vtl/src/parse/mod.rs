//! From text to tree: blocks and directives. A text that is no directive stays text, as Velocity has
//! it; a directive that is one and wrong is an error.

mod cursor;
mod expression;
mod reference;

use std::sync::Arc;

use crate::ast::{Block, Macro, Node};
use crate::error::ParseError;
use cursor::Cursor;

/// Blocks and expressions inside each other.
const MAX_DEPTH: usize = 64;

/// What a backslash keeps from being one.
const DIRECTIVES: [&str; 13] = [
    "break", "define", "else", "elseif", "end", "evaluate", "foreach", "if", "include", "macro",
    "parse", "set", "stop",
];

/// Reads a whole template.
pub fn template(text: &str) -> Result<Block, ParseError> {
    nested(text, 0)
}

/// Reads a text of a template inside another, as one in double quotes is.
fn nested(text: &str, depth: usize) -> Result<Block, ParseError> {
    let mut parser = Parser {
        at: Cursor::new(text),
        depth,
    };
    let (nodes, ended) = parser.block()?;
    match ended {
        Ending::Text => Ok(nodes),
        Ending::End => Err(parser.at.error("#end without a directive it ends")),
        Ending::Else | Ending::ElseIf => Err(parser.at.error("#else without #if")),
    }
}

/// What ended a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Text,
    End,
    Else,
    ElseIf,
}

struct Parser<'t> {
    at: Cursor<'t>,
    depth: usize,
}

/// Nodes being collected; text that follows text joins it.
#[derive(Default)]
struct Nodes(Vec<Node>);

impl Nodes {
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Node::Text(before)) = self.0.last_mut() {
            before.push_str(text);
        } else {
            self.0.push(Node::Text(text.to_owned()));
        }
    }

    /// `#set` takes the spaces before it along.
    fn without_spaces_at_end(&mut self) {
        if let Some(Node::Text(text)) = self.0.last_mut() {
            let kept = text.trim_end_matches([' ', '\t']).len();
            text.truncate(kept);
        }
    }
}

impl<'t> Parser<'t> {
    fn deeper(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.at.error("nested too deeply"));
        }
        Ok(())
    }

    fn block(&mut self) -> Result<(Block, Ending), ParseError> {
        self.deeper()?;
        let mut nodes = Nodes::default();
        let ended = loop {
            let plain = self.at.take_while(|c| !matches!(c, '$' | '#' | '\\'));
            nodes.text(plain);
            match self.at.peek() {
                None => break Ending::Text,
                Some('\\') => self.escaped(&mut nodes)?,
                Some('$') => self.dollar(&mut nodes, 0)?,
                Some(_) => {
                    if let Some(ending) = self.hash(&mut nodes)? {
                        break ending;
                    }
                }
            }
        };
        self.depth -= 1;
        Ok((Arc::from(nodes.0), ended))
    }

    /// Backslashes count before a reference or a directive, and are text anywhere else.
    fn escaped(&mut self, nodes: &mut Nodes) -> Result<(), ParseError> {
        let slashes = self.at.take_while(|c| c == '\\');
        match self.at.peek() {
            Some('$') => self.dollar(nodes, slashes.len()),
            Some('#') => {
                let is_directive = self.at.directive().is_some_and(|n| DIRECTIVES.contains(&n));
                let kept = if is_directive {
                    slashes.len() / 2
                } else {
                    slashes.len()
                };
                nodes.text(&slashes[..kept]);
                if is_directive && slashes.len() % 2 == 1 {
                    nodes.text(self.at.take(1));
                    let name = self.at.take_while(|c| c.is_ascii_alphanumeric());
                    nodes.text(name);
                }
                Ok(())
            }
            _ => {
                nodes.text(slashes);
                Ok(())
            }
        }
    }

    fn dollar(&mut self, nodes: &mut Nodes, backslashes: usize) -> Result<(), ParseError> {
        let start = self.at.position();
        if let Some(reference) = self.reference()? {
            nodes.0.push(Node::Reference {
                reference,
                backslashes,
            });
        } else {
            self.at.go_to(start);
            for _ in 0..backslashes {
                nodes.text("\\");
            }
            nodes.text(self.at.take(1));
        }
        Ok(())
    }

    /// A comment, a directive, a call of a macro, or a `#`.
    fn hash(&mut self, nodes: &mut Nodes) -> Result<Option<Ending>, ParseError> {
        if self.at.skip("##") {
            self.at.take_while(|c| c != '\n');
            self.at.skip("\n");
            return Ok(None);
        }
        if self.at.skip("#*") {
            if self.at.take_through("*#").is_none() {
                return Err(self.at.error("a comment does not end"));
            }
            return Ok(None);
        }
        if self.at.skip("#[[") {
            let Some(text) = self.at.take_through("]]#") else {
                return Err(self.at.error("#[[ does not end"));
            };
            nodes.text(text);
            return Ok(None);
        }
        let start = self.at.position();
        let Some(name) = self.at.directive() else {
            nodes.text(self.at.take(1));
            return Ok(None);
        };
        self.at.skip_directive(name);
        match name {
            "end" => {
                self.at.skip_line_end();
                return Ok(Some(Ending::End));
            }
            "else" => {
                self.at.skip_line_end();
                return Ok(Some(Ending::Else));
            }
            "elseif" => return Ok(Some(Ending::ElseIf)),
            "set" => {
                nodes.without_spaces_at_end();
                let node = self.set()?;
                nodes.0.push(node);
                self.at.skip_line_end();
            }
            "if" => nodes.0.push(self.condition()?),
            "foreach" => nodes.0.push(self.foreach()?),
            "define" => nodes.0.push(self.define()?),
            "macro" => nodes.0.push(self.macro_()?),
            "break" => nodes.0.push(Node::Break),
            "stop" => nodes.0.push(Node::Stop),
            "evaluate" => {
                self.open()?;
                let text = self.expression()?;
                self.close()?;
                nodes.0.push(Node::Evaluate(text));
            }
            "include" | "parse" => {
                return Err(self.at.error("there is nothing to include from here"));
            }
            _ => match self.call(name, start) {
                Some(call) => nodes.0.push(call),
                None => nodes.text(self.at.since(start)),
            },
        }
        Ok(None)
    }

    fn set(&mut self) -> Result<Node, ParseError> {
        self.open()?;
        let Some(target) = self.reference()? else {
            return Err(self.at.error("#set needs a reference to set"));
        };
        self.at.skip_space();
        if !self.at.skip("=") {
            return Err(self.at.error("#set needs ="));
        }
        let value = self.expression()?;
        self.at.skip_space();
        if !self.at.skip(")") {
            return Err(self.at.error("#set does not end"));
        }
        Ok(Node::Set { target, value })
    }

    fn condition(&mut self) -> Result<Node, ParseError> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            self.open()?;
            let condition = self.expression()?;
            self.close()?;
            let (body, ended) = self.block()?;
            branches.push((condition, body));
            match ended {
                Ending::ElseIf => {}
                Ending::End => break,
                Ending::Else => {
                    let (body, ended) = self.block()?;
                    if ended != Ending::End {
                        return Err(self.at.error("#else without #end"));
                    }
                    otherwise = Some(body);
                    break;
                }
                Ending::Text => return Err(self.at.error("#if without #end")),
            }
        }
        Ok(Node::If {
            branches,
            otherwise,
        })
    }

    fn foreach(&mut self) -> Result<Node, ParseError> {
        self.open()?;
        let variable = self.variable()?;
        self.at.skip_space();
        if !self.at.skip("in") {
            return Err(self.at.error("#foreach needs `in`"));
        }
        let over = self.expression()?;
        self.close()?;
        let body = self.body()?;
        Ok(Node::Foreach {
            variable,
            over,
            body,
        })
    }

    fn define(&mut self) -> Result<Node, ParseError> {
        self.open()?;
        let variable = self.variable()?;
        self.close()?;
        let body = self.body()?;
        Ok(Node::Define { variable, body })
    }

    fn macro_(&mut self) -> Result<Node, ParseError> {
        self.open()?;
        self.at.skip_space();
        let name = self.at.identifier().to_owned();
        if name.is_empty() {
            return Err(self.at.error("#macro needs a name"));
        }
        let mut parameters = Vec::new();
        loop {
            self.at.skip_space();
            self.at.skip(",");
            self.at.skip_space();
            if self.at.peek() != Some('$') {
                break;
            }
            parameters.push(self.variable()?);
        }
        self.close()?;
        let body = self.body()?;
        Ok(Node::Macro(Arc::new(Macro {
            name,
            parameters,
            body,
        })))
    }

    /// `#name(arguments)`; `None` without parentheses.
    fn call(&mut self, name: &'t str, start: usize) -> Option<Node> {
        if !self.at.skip("(") {
            return None;
        }
        let depth = self.depth;
        let mut arguments = Vec::new();
        loop {
            self.at.skip_space();
            self.at.skip(",");
            self.at.skip_space();
            if self.at.skip(")") {
                break;
            }
            // What is no call is text: `#name (see` and colours.
            let Ok(argument) = self.expression() else {
                self.depth = depth;
                self.at.go_to(start + 1 + name.len());
                return None;
            };
            arguments.push(argument);
        }
        Some(Node::Call {
            name: name.to_owned(),
            arguments,
            source: self.at.since(start).to_owned(),
        })
    }

    fn body(&mut self) -> Result<Block, ParseError> {
        match self.block()? {
            (body, Ending::End) => Ok(body),
            _ => Err(self.at.error("a directive without #end")),
        }
    }

    /// `$name` or `${name}` alone.
    fn variable(&mut self) -> Result<String, ParseError> {
        self.at.skip_space();
        let needs = "a variable is missing";
        match self.reference()? {
            Some(reference) if reference.steps.is_empty() => Ok(reference.name),
            _ => Err(self.at.error(needs)),
        }
    }

    fn open(&mut self) -> Result<(), ParseError> {
        self.at.skip_space();
        if self.at.skip("(") {
            Ok(())
        } else {
            Err(self.at.error("( is missing"))
        }
    }

    /// The end of a directive, and of its line where nothing else is on it.
    fn close(&mut self) -> Result<(), ParseError> {
        self.at.skip_space();
        if !self.at.skip(")") {
            return Err(self.at.error(") is missing"));
        }
        self.at.skip_line_end();
        Ok(())
    }
}
