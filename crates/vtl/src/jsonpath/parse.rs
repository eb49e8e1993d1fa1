//! From text to path.

use super::filter;
use super::{Function, NoPath, Path, Segment, Selector};

/// Longer ones are nobody's.
const MAX_BYTES: usize = 4_096;

pub fn path(text: &str) -> Result<Path, NoPath> {
    let text = text.trim();
    if text.len() > MAX_BYTES {
        return Err(NoPath);
    }
    let mut reader = Reader { rest: text };
    let mut path = Path {
        segments: Vec::new(),
        function: None,
    };
    if !reader.skip("$") && !reader.rest.starts_with(['.', '[']) {
        // `a.b` is `$.a.b`.
        path.segments.push(reader.name_segment(false)?);
    }
    reader.segments(&mut path)?;
    if reader.rest.is_empty() {
        Ok(path)
    } else {
        Err(NoPath)
    }
}

/// A path inside a filter: it ends where an operator begins.
pub fn inner(text: &str) -> Result<(Path, &str), NoPath> {
    let mut reader = Reader { rest: text };
    let mut path = Path {
        segments: Vec::new(),
        function: None,
    };
    reader.segments(&mut path)?;
    Ok((path, reader.rest))
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn segments(&mut self, path: &mut Path) -> Result<(), NoPath> {
        loop {
            let is_deep = self.skip("..");
            if is_deep || self.rest.starts_with('.') {
                if !is_deep {
                    self.skip(".");
                }
                if is_deep && self.rest.starts_with('[') {
                    let selector = self.brackets()?;
                    path.segments.push(Segment { is_deep, selector });
                    continue;
                }
                if let Some(function) = self.function() {
                    path.function = Some(function);
                    return Ok(());
                }
                path.segments.push(self.name_segment(is_deep)?);
            } else if self.rest.starts_with('[') {
                let selector = self.brackets()?;
                path.segments.push(Segment { is_deep, selector });
            } else {
                return Ok(());
            }
        }
    }

    fn function(&mut self) -> Option<Function> {
        let functions = [
            ("length()", Function::Length),
            ("size()", Function::Length),
            ("min()", Function::Min),
            ("max()", Function::Max),
            ("avg()", Function::Average),
            ("sum()", Function::Sum),
            ("keys()", Function::Keys),
            ("first()", Function::First),
            ("last()", Function::Last),
        ];
        let found = functions
            .into_iter()
            .find(|(text, _)| self.rest.starts_with(text));
        found.map(|(text, function)| {
            self.skip(text);
            function
        })
    }

    fn name_segment(&mut self, is_deep: bool) -> Result<Segment, NoPath> {
        if self.skip("*") {
            return Ok(Segment {
                is_deep,
                selector: Selector::Wildcard,
            });
        }
        let ends = |c: char| c.is_whitespace() || ".[]()=!<>&|,".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(NoPath);
        }
        self.rest = rest;
        Ok(Segment {
            is_deep,
            selector: Selector::Names(vec![name.to_owned()]),
        })
    }

    fn brackets(&mut self) -> Result<Selector, NoPath> {
        self.skip("[");
        self.skip_space();
        let selector = if self.skip("*") {
            Selector::Wildcard
        } else if self.skip("?") {
            self.skip_space();
            let (filter, rest) = filter::parse(self.rest)?;
            self.rest = rest;
            Selector::Filter(filter)
        } else if self.rest.starts_with(['\'', '"']) {
            self.names()?
        } else {
            self.numbers()?
        };
        self.skip_space();
        if self.skip("]") {
            Ok(selector)
        } else {
            Err(NoPath)
        }
    }

    fn names(&mut self) -> Result<Selector, NoPath> {
        let mut names = Vec::new();
        loop {
            self.skip_space();
            let (name, rest) = quoted(self.rest).ok_or(NoPath)?;
            names.push(name);
            self.rest = rest.trim_start();
            if !self.skip(",") {
                return Ok(Selector::Names(names));
            }
        }
    }

    fn numbers(&mut self) -> Result<Selector, NoPath> {
        let end = self.rest.find(']').ok_or(NoPath)?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number = |text: &str| text.trim().parse::<i64>().map_err(|_| NoPath);
        if let Some((start, end)) = text.split_once(':') {
            let bound = |text: &str| match text.trim() {
                "" => Ok(None),
                text => number(text).map(Some),
            };
            return Ok(Selector::Slice(bound(start)?, bound(end)?));
        }
        let numbers = text.split(',').map(number);
        Ok(Selector::Indices(numbers.collect::<Result<_, _>>()?))
    }
}

/// A text in quotes of either kind, and what follows it.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut out = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => out.push(letters.next()?.1),
            letter if letter == quote => return Some((out, &text[at + 1..])),
            letter => out.push(letter),
        }
    }
    None
}
