//! `$util`: escapes and codes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::text_of;
use crate::eval::Run;
use crate::value::Value;
use crate::{Json, RenderError};

/// What `java.net.URLEncoder` leaves, and the space, which it makes a `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'*')
    .remove(b'_')
    .remove(b' ');

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub fn call(run: &mut Run<'_>, name: &str, arguments: &[Value]) -> Result<Value, RenderError> {
    let [argument] = arguments else {
        return Ok(Value::Null);
    };
    if argument.is_null() {
        return Ok(Value::Null);
    }
    let text = match text_of(Some(argument)) {
        Some(text) => text.to_owned(),
        None => run.heap.display(argument)?,
    };
    run.heap.step(text.len() / 16)?;
    match name {
        "escapeJavaScript" => run.heap.text(java_script(&text)),
        "parseJson" => match Json::parse(&text) {
            Some(json) => run.heap.import(&json),
            None => Ok(Value::Null),
        },
        "urlEncode" => {
            let encoded = utf8_percent_encode(&text, FORM).to_string();
            run.heap.text(encoded.replace(' ', "+"))
        }
        "urlDecode" => {
            let spaced = text.replace('+', " ");
            run.heap
                .text(percent_decode_str(&spaced).decode_utf8_lossy())
        }
        "base64Encode" => run.heap.text(STANDARD.encode(&text)),
        "base64Decode" => match LENIENT.decode(text.trim()) {
            Ok(bytes) => run.heap.text(String::from_utf8_lossy(&bytes)),
            Err(_) => Ok(Value::Null),
        },
        _ => Ok(Value::Null),
    }
}

/// `StringEscapeUtils.escapeJavaScript` of commons-lang.
fn java_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\u{8}' => out.push_str("\\b"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\'' | '"' | '\\' | '/' => {
                out.push('\\');
                out.push(letter);
            }
            ' '..='\u{7e}' => out.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a String does not fail.
                    let _ = write!(out, "\\u{unit:04X}");
                }
            }
        }
    }
    out
}
