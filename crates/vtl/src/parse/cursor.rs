//! A place in a text.

use crate::error::ParseError;

pub struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn position(&self) -> usize {
        self.at
    }

    /// Back to a place that [`position`](Self::position) gave.
    pub fn go_to(&mut self, position: usize) {
        self.at = position;
    }

    pub fn since(&self, position: usize) -> &'t str {
        &self.text[position..self.at]
    }

    /// So many characters, or those that are left.
    pub fn take(&mut self, count: usize) -> &'t str {
        let rest = self.rest();
        let end = rest
            .char_indices()
            .nth(count)
            .map_or(rest.len(), |(at, _)| at);
        self.at += end;
        &rest[..end]
    }

    pub fn take_while(&mut self, is_in: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_in(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// What comes before `end`, which is passed over.
    pub fn take_through(&mut self, end: &str) -> Option<&'t str> {
        let (text, _) = self.rest().split_once(end)?;
        self.at += text.len() + end.len();
        Some(text)
    }

    pub fn skip(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub fn skip_space(&mut self) {
        self.take_while(|c| c.is_ascii_whitespace());
    }

    /// The rest of the line, if there is nothing on it.
    pub fn skip_line_end(&mut self) {
        let start = self.at;
        self.take_while(|c| matches!(c, ' ' | '\t'));
        if !(self.skip("\r\n") || self.skip("\n")) {
            self.at = start;
        }
    }

    pub fn identifier(&mut self) -> &'t str {
        let starts = self
            .peek()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !starts {
            return "";
        }
        self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    }

    /// The name of a directive here, `#name` or `#{name}`, without passing it.
    pub fn directive(&self) -> Option<&'t str> {
        let rest = self.rest().strip_prefix('#')?;
        let (rest, braced) = match rest.strip_prefix('{') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if braced {
            return rest[end..].starts_with('}').then_some(name);
        }
        // `#elsewhere` begins with `#else`, and Velocity reads it so.
        let fixed = ["elseif", "else", "end", "break", "stop"];
        if let Some(fixed) = fixed.into_iter().find(|fixed| name.starts_with(*fixed)) {
            return Some(&name[..fixed.len()]);
        }
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        starts.then_some(name)
    }

    pub fn skip_directive(&mut self, name: &str) {
        let braces = if self.rest().starts_with("#{") { 2 } else { 0 };
        self.at += 1 + name.len() + braces;
    }

    pub fn error(&self, reason: &'static str) -> ParseError {
        let line = 1 + self.text[..self.at].matches('\n').count();
        ParseError { line, reason }
    }
}
