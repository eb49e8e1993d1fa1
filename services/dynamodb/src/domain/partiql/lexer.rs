//! Text to tokens.

use std::fmt;

use crate::domain::Invalid;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A keyword, function, or plain name.
    Word(String),
    /// `"name"`
    Quoted(String),
    /// `'text'`
    Text(String),
    Number(String),
    Parameter,
    Symbol(&'static str),
}

/// As it was written.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) => f.write_str(text),
            Self::Quoted(name) => write!(f, "\"{name}\""),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Parameter => f.write_str("?"),
            Self::Symbol(symbol) => f.write_str(symbol),
        }
    }
}

const SYMBOLS: [&str; 20] = [
    "<<", ">>", "<=", ">=", "<>", "!=", "(", ")", "[", "]", "{", "}", ",", ".", ":", "*", "=", "<",
    ">", "+",
];

/// The longest statement, in bytes.
const LONGEST: usize = 8192;

pub fn tokens(text: &str) -> Result<Vec<Token>, Invalid> {
    if text.len() > LONGEST {
        return Err(malformed("the statement is too long"));
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '\'' => quoted(rest, '\'').map(|(text, after)| (Token::Text(text), after))?,
            '"' => quoted(rest, '"').map(|(text, after)| (Token::Quoted(text), after))?,
            '?' => (Token::Parameter, &rest[1..]),
            '-' => (Token::Symbol("-"), &rest[1..]),
            _ if first.is_ascii_digit() => number(rest),
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && !"_$".contains(c))
                    .unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), &rest[end..])
            }
            ';' if rest[1..].trim().is_empty() => return Ok(tokens),
            _ => {
                let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
                let symbol = symbol.ok_or_else(|| malformed(&format!("unexpected {first}")))?;
                (Token::Symbol(symbol), &rest[symbol.len()..])
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// Up to the closing quote; two of them stand for one.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Invalid> {
    let mut content = String::new();
    let mut rest = &text[1..];
    loop {
        let end = rest
            .find(quote)
            .ok_or_else(|| malformed("a quote does not end"))?;
        content.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(quote) {
            Some(after) => {
                content.push(quote);
                rest = after;
            }
            None => return Ok((content, rest)),
        }
    }
}

fn number(text: &str) -> (Token, &str) {
    let bytes = text.as_bytes();
    let mut end = 0;
    while end < bytes.len() {
        let exponent_sign =
            matches!(bytes[end], b'+' | b'-') && end > 0 && matches!(bytes[end - 1], b'e' | b'E');
        if !bytes[end].is_ascii_digit()
            && !matches!(bytes[end], b'.' | b'e' | b'E')
            && !exponent_sign
        {
            break;
        }
        end += 1;
    }
    (Token::Number(text[..end].to_owned()), &text[end..])
}

/// AWS shows where in the grammar it stood; what was wrong is the same.
pub fn malformed(reason: &str) -> Invalid {
    Invalid::new(format!(
        "Statement wasn't well formed, can't be processed: {reason}"
    ))
}
