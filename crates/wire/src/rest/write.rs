//! Members to headers and the status.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::schema::{Location, MemberSchema, Schema, StructureSchema, TimestampFormat};
use crate::{Value, scalar};

/// Adds the headers of an answer; the status, if a member says it. What cannot stand in a header is
/// left out: nothing a function writes there may break the answer.
pub fn write_outside_body(
    schema: &StructureSchema,
    output: &Value,
    headers: &mut HeaderMap,
) -> Option<StatusCode> {
    let mut status = None;
    for member in schema.members {
        let Some(value) = output.get(member.name) else {
            continue;
        };
        match member.location {
            Location::Header => write_header(member, value, headers),
            Location::Headers => write_prefixed(member, value, headers),
            Location::StatusCode => {
                let code = value.as_i64().and_then(|code| u16::try_from(code).ok());
                status = code.and_then(|code| StatusCode::from_u16(code).ok());
            }
            Location::Body | Location::Uri | Location::Query => {}
        }
    }
    status
}

fn write_header(member: &MemberSchema, value: &Value, headers: &mut HeaderMap) {
    let text = match (member.schema, value) {
        (Schema::List(list), Value::List(items)) => {
            let items: Vec<String> = items
                .iter()
                .filter_map(|item| in_header(list.member, item))
                .collect();
            (!items.is_empty()).then(|| items.join(", "))
        }
        (schema, value) => in_header(schema, value),
    };
    if let Some(text) = text {
        put(member.wire_name, &text, headers);
    }
}

fn write_prefixed(member: &MemberSchema, value: &Value, headers: &mut HeaderMap) {
    let Value::Map(entries) = value else { return };
    for (key, value) in entries {
        if let Some(text) = value.as_str() {
            put(&format!("{}{key}", member.wire_name), text, headers);
        }
    }
}

fn in_header(schema: Schema, value: &Value) -> Option<String> {
    scalar::format(schema, value, TimestampFormat::HttpDate)
}

fn put(name: &str, text: &str, headers: &mut HeaderMap) {
    let name = HeaderName::try_from(name);
    let text = HeaderValue::try_from(text);
    if let (Ok(name), Ok(text)) = (name, text) {
        headers.insert(name, text);
    }
}
