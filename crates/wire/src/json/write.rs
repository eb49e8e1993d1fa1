//! The tree to JSON, with the names of the wire.

use std::io::Write as _;

use crate::Value;
use crate::scalar;
use crate::schema::{Location, Schema, StructureSchema, TimestampFormat};

/// Writes the members that travel in the body.
pub fn write_structure(schema: &StructureSchema, value: &Value, json: &mut Vec<u8>) {
    let Value::Map(members) = value else {
        json.extend_from_slice(b"{}");
        return;
    };
    json.push(b'{');
    let mut first = true;
    for (name, value) in members {
        let Some(member) = schema.member(name) else {
            continue;
        };
        if member.location != Location::Body || *value == Value::Null {
            continue;
        }
        if !std::mem::take(&mut first) {
            json.push(b',');
        }
        write_string(member.wire_name, json);
        json.push(b':');
        write_value(member.schema, value, json);
    }
    json.push(b'}');
}

/// Writes one value.
pub fn write_value(schema: Schema, value: &Value, json: &mut Vec<u8>) {
    match (value, schema) {
        (Value::Map(_), Schema::Structure(structure)) => write_structure(structure, value, json),
        (Value::Map(entries), _) => {
            let of = match schema {
                Schema::Map(map) => map.value,
                _ => Schema::Document,
            };
            write_map(of, entries, json);
        }
        (Value::List(items), _) => {
            let of = match schema {
                Schema::List(list) => list.member,
                _ => Schema::Document,
            };
            write_list(of, items, json);
        }
        (Value::Null, _) => json.extend_from_slice(b"null"),
        (Value::Bool(truth), _) => json.extend_from_slice(if *truth { b"true" } else { b"false" }),
        (Value::Int(number), _) => write_display(number, json),
        (Value::Float(number), _) if number.is_finite() => write_display(number, json),
        (Value::Float(number), _) => write_string(&scalar::format_float(*number), json),
        (Value::Str(text), _) => write_string(text, json),
        (Value::Blob(bytes), _) => {
            json.push(b'"');
            json.extend_from_slice(scalar::encode_base64(bytes).as_bytes());
            json.push(b'"');
        }
        (Value::Time(at), Schema::Timestamp(Some(TimestampFormat::Iso8601))) => {
            write_string(&at.iso8601_millis(), json);
        }
        (Value::Time(at), Schema::Timestamp(Some(TimestampFormat::HttpDate))) => {
            write_string(&at.http_date(), json);
        }
        (Value::Time(at), _) => json.extend_from_slice(scalar::format_epoch(*at).as_bytes()),
    }
}

fn write_map(of: Schema, entries: &[(String, Value)], json: &mut Vec<u8>) {
    json.push(b'{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        write_string(key, json);
        json.push(b':');
        write_value(of, value, json);
    }
    json.push(b'}');
}

fn write_list(of: Schema, items: &[Value], json: &mut Vec<u8>) {
    json.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        write_value(of, item, json);
    }
    json.push(b']');
}

fn write_display(number: impl std::fmt::Display, json: &mut Vec<u8>) {
    write!(json, "{number}").expect("writing to memory does not fail");
}

/// Writes a string with its quotes.
pub fn write_string(text: &str, json: &mut Vec<u8>) {
    json.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, after) = rest.split_at(plain_length(rest));
        json.extend_from_slice(plain);
        let Some((&byte, after)) = after.split_first() else {
            break;
        };
        match byte {
            b'"' => json.extend_from_slice(b"\\\""),
            b'\\' => json.extend_from_slice(b"\\\\"),
            b'\n' => json.extend_from_slice(b"\\n"),
            b'\r' => json.extend_from_slice(b"\\r"),
            b'\t' => json.extend_from_slice(b"\\t"),
            _ => write!(json, "\\u{byte:04x}").expect("writing to memory does not fail"),
        }
        rest = after;
    }
    json.push(b'"');
}

/// How many bytes need no escape. Message bodies are long and mostly plain, so whole blocks are
/// tested at once, which the compiler turns into vector instructions.
fn plain_length(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let plain_blocks = bytes
        .chunks_exact(BLOCK)
        .take_while(|block| {
            !block
                .iter()
                .fold(false, |found, &byte| found | is_special(byte))
        })
        .count();
    let from = plain_blocks * BLOCK;
    let tail = &bytes[from..];
    from + tail
        .iter()
        .position(|&byte| is_special(byte))
        .unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::write_string;

    #[test]
    fn strings_read_back_wherever_the_escapes_stand() {
        for before in 0..70 {
            for special in [
                "\"", "\\", "\n", "\r", "\t", "\0", "\u{1f}", "\u{7f}", "é", "\u{2028}", "",
            ] {
                let text = format!("{}{special}{}", "a".repeat(before), "b".repeat(40));
                let mut json = Vec::new();
                write_string(&text, &mut json);
                assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
            }
        }
    }
}
