//! `$name`, `${name}`, `$!name`, and the way on from there.

use super::Parser;
use crate::ast::{Reference, Step};
use crate::error::ParseError;

impl Parser<'_> {
    /// A reference here; `None`, at an undefined place, if it is none.
    pub(super) fn reference(&mut self) -> Result<Option<Reference>, ParseError> {
        let start = self.at.position();
        if !self.at.skip("$") {
            return Ok(None);
        }
        let silent = self.at.skip("!");
        let braced = self.at.skip("{");
        let name = self.at.identifier();
        if name.is_empty() {
            return Ok(None);
        }
        let mut steps = Vec::new();
        while let Some(step) = self.step()? {
            steps.push(step);
        }
        if braced && !self.at.skip("}") {
            return Ok(None);
        }
        Ok(Some(Reference {
            name: name.to_owned(),
            steps,
            silent,
            source: self.at.since(start).to_owned(),
        }))
    }

    fn step(&mut self) -> Result<Option<Step>, ParseError> {
        let start = self.at.position();
        if self.at.skip(".") {
            let name = self.at.identifier();
            if name.is_empty() {
                // A full stop after the reference.
                self.at.go_to(start);
                return Ok(None);
            }
            if !self.at.skip("(") {
                return Ok(Some(Step::Property(name.to_owned())));
            }
            let mut arguments = Vec::new();
            loop {
                self.at.skip_space();
                if self.at.skip(")") {
                    break;
                }
                if !arguments.is_empty() && !self.at.skip(",") {
                    return Err(self.at.error("a method's arguments do not end"));
                }
                arguments.push(self.expression()?);
            }
            return Ok(Some(Step::Call(name.to_owned(), arguments)));
        }
        if self.at.skip("[") {
            // `$a[` of a text that goes on otherwise is a reference and text.
            let depth = self.depth;
            let index = self.expression();
            self.depth = depth;
            self.at.skip_space();
            return match index {
                Ok(index) if self.at.skip("]") => Ok(Some(Step::Index(index))),
                _ => {
                    self.at.go_to(start);
                    Ok(None)
                }
            };
        }
        Ok(None)
    }
}
