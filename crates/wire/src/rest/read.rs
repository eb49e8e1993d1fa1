//! Labels, query parameters and headers to members.

use http::HeaderMap;
use http::request::Parts;

use crate::form::Form;
use crate::schema::{Location, MemberSchema, Schema, StructureSchema, TimestampFormat};
use crate::{Value, WireError, scalar};

/// Reads every member that does not travel in the body.
///
/// # Errors
/// A parameter that is not of its type.
pub fn read_outside_body(
    schema: &StructureSchema,
    head: &Parts,
    labels: &[(&'static str, String)],
) -> Result<Vec<(String, Value)>, WireError> {
    let mut members: Vec<(String, Value)> = Vec::new();
    for (label, text) in labels {
        let by_label =
            |member: &&MemberSchema| member.location == Location::Uri && member.wire_name == *label;
        if let Some(member) = schema.members.iter().find(by_label) {
            members.push((
                member.name.to_owned(),
                one(member.schema, text, Location::Uri)?,
            ));
        }
    }
    let form = query(head)?;
    for member in schema.members {
        let value = match member.location {
            Location::Query => parameter(member, &form)?,
            Location::Header => header(member, &head.headers)?,
            Location::Headers => prefixed_headers(member, &head.headers),
            Location::Uri | Location::Body | Location::StatusCode => None,
        };
        if let Some(value) = value {
            members.push((member.name.to_owned(), value));
        }
    }
    Ok(members)
}

fn query(head: &Parts) -> Result<Form, WireError> {
    let mut form = Form::default();
    let query = head.uri.query().unwrap_or_default();
    form.extend(query.as_bytes())
        .ok_or_else(crate::decode::malformed_query)?;
    Ok(form)
}

fn parameter(member: &MemberSchema, form: &Form) -> Result<Option<Value>, WireError> {
    match member.schema {
        Schema::List(list) => {
            let items: Vec<Value> = form
                .all(member.wire_name)
                .map(|text| one(list.member, text, Location::Query))
                .collect::<Result<_, _>>()?;
            Ok((!items.is_empty()).then_some(Value::List(items)))
        }
        // Every parameter that nothing else names.
        Schema::Map(map) => {
            let mut entries = Vec::new();
            for (key, text) in form.iter() {
                entries.push((key.to_owned(), one(map.value, text, Location::Query)?));
            }
            Ok(Some(Value::Map(entries)))
        }
        schema => form
            .get(member.wire_name)
            .map(|text| one(schema, text, Location::Query))
            .transpose(),
    }
}

fn header(member: &MemberSchema, headers: &HeaderMap) -> Result<Option<Value>, WireError> {
    let Some(text) = headers
        .get(member.wire_name)
        .and_then(|value| value.to_str().ok())
    else {
        return Ok(None);
    };
    match member.schema {
        Schema::List(list) => {
            let items: Vec<Value> = text
                .split(',')
                .map(|part| one(list.member, part.trim(), Location::Header))
                .collect::<Result<_, _>>()?;
            Ok(Some(Value::List(items)))
        }
        schema => one(schema, text, Location::Header).map(Some),
    }
}

/// Keyed by what follows the prefix; such as `x-amz-meta-`.
fn prefixed_headers(member: &MemberSchema, headers: &HeaderMap) -> Option<Value> {
    let prefix = member.wire_name.to_ascii_lowercase();
    let entries: Vec<(String, Value)> = headers
        .iter()
        .filter_map(|(name, value)| {
            let key = name.as_str().strip_prefix(&prefix)?;
            Some((key.to_owned(), Value::Str(value.to_str().ok()?.to_owned())))
        })
        .collect();
    (!entries.is_empty()).then_some(Value::Map(entries))
}

fn one(schema: Schema, text: &str, location: Location) -> Result<Value, WireError> {
    let format = match location {
        Location::Header => TimestampFormat::HttpDate,
        _ => TimestampFormat::Iso8601,
    };
    scalar::parse(schema, text, format)
        .ok_or_else(|| WireError::serialization(scalar::mismatch("STRING_VALUE", schema)))
}
