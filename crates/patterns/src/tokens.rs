//! JSON as a stream of tokens, each with the place up to which the text has then been read.
//!
//! AWS's errors name that place, and clients' tests compare them: the place is the next character's
//! line and column, counted from one. A string counts as read up to its opening quote until
//! somebody asks for its text, and a member's name counts as read up to the start of its value.

use crate::parse::PatternError;

/// Deeper nesting is refused, as Jackson's parser refuses it.
const MAX_DEPTH: usize = 1_000;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    StartObject,
    EndObject,
    StartArray,
    EndArray,
    Name(String),
    Text(String),
    Number(String),
    True,
    False,
    Null,
}

impl Token {
    /// As the error messages that quote a token write it.
    pub fn text(&self) -> &str {
        match self {
            Self::StartObject => "{",
            Self::EndObject => "}",
            Self::StartArray => "[",
            Self::EndArray => "]",
            Self::Name(text) | Self::Text(text) | Self::Number(text) => text,
            Self::True => "true",
            Self::False => "false",
            Self::Null => "null",
        }
    }
}

/// What may come next inside the innermost container.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Object { first: bool },
    Array { first: bool },
}

pub struct Tokens<'a> {
    source: &'a str,
    at: usize,
    /// What an error found now is said to be at.
    place: usize,
    /// The place once the current string has been asked for.
    text_end: usize,
    containers: Vec<Inside>,
    /// The value after a name has begun.
    expects_value: bool,
}

impl<'a> Tokens<'a> {
    pub fn new(source: &'a str) -> Self {
        Self {
            source,
            at: 0,
            place: 0,
            text_end: 0,
            containers: Vec::new(),
            expects_value: true,
        }
    }

    /// An error at the present place.
    pub fn error(&self, reason: impl Into<String>) -> PatternError {
        self.error_at(self.place, reason)
    }

    /// The present string has been looked at, so that errors are behind it.
    pub fn take_text(&mut self) {
        self.place = self.place.max(self.text_end);
    }

    fn error_at(&self, at: usize, reason: impl Into<String>) -> PatternError {
        const SHOWN: usize = 500;
        let read = &self.source[..at.min(self.source.len())];
        let line = read.matches('\n').count() + 1;
        let column = read.rsplit('\n').next().map_or(0, utf16_length) + 1;
        let total = utf16_length(self.source);
        let shown: String = self.source.chars().take(SHOWN).collect();
        let rest = match total.checked_sub(SHOWN) {
            Some(rest) if rest > 0 => format!("[truncated {rest} chars]"),
            _ => String::new(),
        };
        PatternError::new(format!(
            "{}\n at [Source: (String)\"{shown}\"{rest}; line: {line}, column: {column}]",
            reason.into()
        ))
    }

    /// The next token.
    ///
    /// # Errors
    /// When the text is not JSON, or ends.
    pub fn next(&mut self) -> Result<Token, PatternError> {
        let value_expected = std::mem::take(&mut self.expects_value);
        if value_expected {
            return self.value();
        }
        let Some(inside) = self.containers.last().copied() else {
            return Err(self.error_at(self.at, "Unexpected end-of-input"));
        };
        let next = self.peek_significant()?;
        match inside {
            Inside::Object { first } => {
                if next == b'}' {
                    return Ok(self.close(Token::EndObject));
                }
                self.separator(first, "Object")?;
                self.enter(Inside::Object { first: false });
                self.name()
            }
            Inside::Array { first } => {
                if next == b']' {
                    return Ok(self.close(Token::EndArray));
                }
                self.separator(first, "Array")?;
                self.enter(Inside::Array { first: false });
                self.value()
            }
        }
    }

    fn enter(&mut self, state: Inside) {
        if let Some(last) = self.containers.last_mut() {
            *last = state;
        }
    }

    fn close(&mut self, token: Token) -> Token {
        self.at += 1;
        self.place = self.at;
        self.containers.pop();
        token
    }

    fn separator(&mut self, first: bool, container: &str) -> Result<(), PatternError> {
        if first {
            return Ok(());
        }
        let next = self.peek_significant()?;
        if next != b',' {
            return Err(self.unexpected(&format!(
                "was expecting comma to separate {container} entries"
            )));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<Token, PatternError> {
        if self.peek_significant()? != b'"' {
            return Err(self.unexpected("was expecting double-quote to start field name"));
        }
        let name = self.string()?;
        if self.peek_significant()? != b':' {
            return Err(self.unexpected("was expecting a colon to separate field name and value"));
        }
        self.at += 1;
        // The name's place is behind the beginning of its value.
        let before = self.at;
        let containers = self.containers.len();
        self.value()?;
        self.containers.truncate(containers);
        self.at = before;
        self.expects_value = true;
        Ok(Token::Name(name))
    }

    fn value(&mut self) -> Result<Token, PatternError> {
        let token = match self.peek_significant()? {
            b'{' => {
                self.at += 1;
                self.open(Inside::Object { first: true })?;
                Token::StartObject
            }
            b'[' => {
                self.at += 1;
                self.open(Inside::Array { first: true })?;
                Token::StartArray
            }
            b'"' => {
                let opened = self.at + 1;
                let text = self.string()?;
                self.text_end = self.at;
                self.place = opened;
                return Ok(Token::Text(text));
            }
            b'-' | b'0'..=b'9' => self.number()?,
            _ => self.literal()?,
        };
        self.place = self.at;
        self.text_end = self.at;
        Ok(token)
    }

    fn open(&mut self, inside: Inside) -> Result<(), PatternError> {
        self.containers.push(inside);
        if self.containers.len() > MAX_DEPTH {
            return Err(self.error_at(self.at, "Document nesting depth exceeds the maximum"));
        }
        Ok(())
    }

    fn literal(&mut self) -> Result<Token, PatternError> {
        let rest = &self.source[self.at..];
        for (word, token) in [
            ("true", Token::True),
            ("false", Token::False),
            ("null", Token::Null),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(token);
            }
        }
        let word: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if word.is_empty() {
            return Err(self.unexpected(
                "expected a valid value (JSON String, Number, Array, Object or token 'null', \
                 'true' or 'false')",
            ));
        }
        Err(self.error_at(
            self.at + word.len(),
            format!(
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object \
                 or token 'null', 'true' or 'false')"
            ),
        ))
    }

    fn number(&mut self) -> Result<Token, PatternError> {
        let rest = &self.source.as_bytes()[self.at..];
        let length = rest
            .iter()
            .position(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let text = &self.source[self.at..self.at + length];
        if serde_json::from_str::<serde_json::Number>(text).is_err() {
            return Err(self.error_at(self.at + length, format!("Invalid numeric value: {text}")));
        }
        self.at += length;
        Ok(Token::Number(text.to_owned()))
    }

    /// Reads a string, from its opening quote to behind its closing one.
    fn string(&mut self) -> Result<String, PatternError> {
        let bytes = self.source.as_bytes();
        let begin = self.at;
        let mut end = begin + 1;
        loop {
            match bytes.get(end) {
                Some(b'\\') => end += 2,
                Some(b'"') => break,
                Some(_) => end += 1,
                None => {
                    return Err(self.error_at(
                        self.source.len(),
                        "Unexpected end-of-input: was expecting closing quote for a string value",
                    ));
                }
            }
        }
        let text = serde_json::from_str(&self.source[begin..=end]).map_err(|_| {
            self.error_at(
                end,
                "Unrecognized character escape or illegal unquoted character in a string value",
            )
        })?;
        self.at = end + 1;
        Ok(text)
    }

    fn peek_significant(&mut self) -> Result<u8, PatternError> {
        let bytes = self.source.as_bytes();
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied().ok_or_else(|| {
            let container = match self.containers.last() {
                Some(Inside::Object { .. }) => ": expected close marker for Object",
                Some(Inside::Array { .. }) => ": expected close marker for Array",
                None => "",
            };
            self.error_at(
                self.source.len(),
                format!("Unexpected end-of-input{container}"),
            )
        })
    }

    fn unexpected(&self, expected: &str) -> PatternError {
        let found = self.source[self.at..].chars().next().unwrap_or_default();
        self.error_at(
            self.at + found.len_utf8(),
            format!(
                "Unexpected character ('{found}' (code {})): {expected}",
                u32::from(found)
            ),
        )
    }
}

fn utf16_length(text: &str) -> usize {
    text.encode_utf16().count()
}
