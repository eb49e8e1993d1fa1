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
    let mut plain = 0;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 | 0x7f => b"",
            _ => continue,
        };
        json.extend_from_slice(&bytes[plain..at]);
        if escape.is_empty() {
            write!(json, "\\u{byte:04x}").expect("writing to memory does not fail");
        } else {
            json.extend_from_slice(escape);
        }
        plain = at + 1;
    }
    json.extend_from_slice(&bytes[plain..]);
    json.push(b'"');
}
