//! Text to tokens.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, keyword or function.
    Word,
    /// `#name`
    Name,
    /// `:value`
    Value,
    /// The digits of an index.
    Digits,
    Symbol,
    End,
}

/// A token by where it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// The tokens, and one for the end.
///
/// # Errors
/// A syntax error, when a character belongs to no token.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens: Vec<Token> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let run = |from: usize, part: fn(&u8) -> bool| {
            from + bytes[from..].iter().take_while(|byte| part(byte)).count()
        };
        let part: fn(&u8) -> bool = |byte| byte.is_ascii_alphanumeric() || *byte == b'_';
        let (kind, end) = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => (Kind::Word, run(at, part)),
            b'0'..=b'9' => (Kind::Digits, run(at, u8::is_ascii_digit)),
            b'#' | b':' if run(at + 1, part) > at + 1 => {
                let kind = if byte == b'#' {
                    Kind::Name
                } else {
                    Kind::Value
                };
                (kind, run(at + 1, part))
            }
            b'<' if matches!(bytes.get(at + 1), Some(b'=' | b'>')) => (Kind::Symbol, at + 2),
            b'>' if bytes.get(at + 1) == Some(&b'=') => (Kind::Symbol, at + 2),
            b'(' | b')' | b'[' | b']' | b'.' | b',' | b'=' | b'<' | b'>' | b'+' | b'-' => {
                (Kind::Symbol, at + 1)
            }
            _ => {
                let length = text[at..].chars().next().map_or(1, char::len_utf8);
                let from = tokens.last().map_or(at, |token| token.start);
                let after = text[at + length..].chars().next().map_or(0, char::len_utf8);
                return Err(syntax_error(
                    &text[at..at + length],
                    &text[from..at + length + after],
                ));
            }
        };
        tokens.push(Token {
            kind,
            start: at,
            end,
        });
        at = end;
    }
    tokens.push(Token {
        kind: Kind::End,
        start: text.len(),
        end: text.len(),
    });
    Ok(tokens)
}

pub fn syntax_error(token: &str, near: &str) -> String {
    format!("Syntax error; token: \"{token}\", near: \"{near}\"")
}
