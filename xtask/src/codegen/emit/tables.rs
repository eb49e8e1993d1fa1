//! The schema tables that decoding, validation and encoding walk.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, bail};

use super::Source;
use crate::codegen::model::{Ordered, Reference, Shape};
use crate::codegen::{names, pattern};

pub fn all(source: &Source<'_>) -> anyhow::Result<String> {
    let mut text = "mod tables {\nuse wire::generated::*;\n\n".to_owned();
    let mut taken = BTreeMap::new();
    for (name, shape) in source.model.shapes.iter() {
        let written = table(source, name, shape).with_context(|| format!("the table of {name}"))?;
        if written.is_empty() {
            continue;
        }
        if let Some(other) = taken.insert(names::screaming(name), name) {
            bail!("{name} and {other} would be one Rust table");
        }
        text += &written;
    }
    text += "}\n";
    Ok(text)
}

fn table(source: &Source<'_>, name: &str, shape: &Shape) -> anyhow::Result<String> {
    match shape.kind.as_str() {
        "structure" if !shape.document => structure(source, name, shape),
        "list" => {
            let mut text = list(source, name, shape, shape.flattened)?;
            if !shape.flattened && is_flattened_somewhere(source, name) {
                text += &list(source, name, shape, true)?;
            }
            Ok(text)
        }
        "map" => map(source, name, shape),
        "string" if !is_any(shape) => string(source, name, shape),
        _ => Ok(String::new()),
    }
}

fn structure(source: &Source<'_>, name: &str, shape: &Shape) -> anyhow::Result<String> {
    let mut members = String::new();
    for (member, reference) in shape.members.iter().flat_map(Ordered::iter) {
        write!(
            members,
            "MemberSchema::new({member:?}, {})",
            schema(source, reference)?
        )?;
        if shape.required.iter().any(|required| required == member) {
            members += ".required()";
        }
        if let Some(wire_name) = &reference.location_name
            && wire_name != member
        {
            write!(members, ".named({wire_name:?})")?;
        }
        let query_name = source
            .query_name(name, member)
            .or(reference.query_name.as_deref());
        if let Some(query_name) = query_name {
            write!(members, ".query_named({query_name:?})")?;
        }
        if let Some(location) = &reference.location {
            write!(members, ".at(Location::{})", self::location(location)?)?;
        }
        if source.is_sensitive(&reference.shape)? {
            members += ".sensitive()";
        }
        if reference.xml_attribute {
            members += ".xml_attribute()";
        }
        members += ",\n";
    }
    Ok(format!(
        "pub static {}: StructureSchema = StructureSchema {{ name: {name:?}, members: &[\n{members}], \
         payload: {:?} }};\n",
        names::screaming(name),
        shape.payload
    ))
}

fn location(location: &str) -> anyhow::Result<&'static str> {
    Ok(match location {
        "uri" => "Uri",
        "querystring" => "Query",
        "header" => "Header",
        "headers" => "Headers",
        "statusCode" => "StatusCode",
        other => bail!("an unknown location {other}"),
    })
}

fn list(source: &Source<'_>, name: &str, shape: &Shape, flattened: bool) -> anyhow::Result<String> {
    let member = shape.member.as_ref().context("a list has a member")?;
    let member_name = source
        .query_name(name, "member")
        .or(member.location_name.as_deref())
        .unwrap_or("member");
    Ok(format!(
        "static {}{}: ListSchema = ListSchema {{ member: {}, member_name: {member_name:?}, \
         flattened: {flattened}, bounds: {} }};\n",
        names::screaming(name),
        if flattened && !shape.flattened {
            "_FLATTENED"
        } else {
            ""
        },
        schema(source, member)?,
        bounds(shape)?,
    ))
}

fn map(source: &Source<'_>, name: &str, shape: &Shape) -> anyhow::Result<String> {
    let key = shape.key.as_ref().context("a map has a key")?;
    let value = shape.value.as_ref().context("a map has a value")?;
    let named = |part: &str, reference: &Reference| {
        let overlay = source.query_name(name, part).map(str::to_owned);
        overlay
            .or_else(|| reference.location_name.clone())
            .unwrap_or_else(|| part.to_owned())
    };
    Ok(format!(
        "static {}: MapSchema = MapSchema {{ key: {}, value: {}, key_name: {:?}, value_name: {:?}, \
         flattened: {}, bounds: {} }};\n",
        names::screaming(name),
        schema(source, key)?,
        schema(source, value)?,
        named("key", key),
        named("value", value),
        shape.flattened,
        bounds(shape)?,
    ))
}

fn string(source: &Source<'_>, name: &str, shape: &Shape) -> anyhow::Result<String> {
    let closed = source.is_closed_enum(name, shape);
    let values = if closed {
        format!("&{:?}", shape.values)
    } else {
        "&[]".to_owned()
    };
    let table = names::screaming(name);
    let mut text = String::new();
    let mut pattern_ref = "None".to_owned();
    if let Some(shown) = &shape.pattern {
        let source_pattern = match source.choices.patterns.get(name) {
            Some(ours) => ours.clone(),
            None => pattern::translate(shown)?,
        };
        writeln!(
            text,
            "static PATTERN_OF_{table}: PatternSchema = PatternSchema::new({shown:?}, {source_pattern:?});"
        )?;
        pattern_ref = format!("Some(&PATTERN_OF_{table})");
    }
    writeln!(
        text,
        "static {table}: StringSchema = StringSchema {{ bounds: {}, values: {values}, \
         pattern: {pattern_ref} }};",
        bounds(shape)?,
    )?;
    Ok(text)
}

/// The expression for what a reference holds.
fn schema(source: &Source<'_>, reference: &Reference) -> anyhow::Result<String> {
    let name = &reference.shape;
    let shape = source.shape(name)?;
    let table = names::screaming(name);
    Ok(match shape.kind.as_str() {
        "structure" if shape.document => "Schema::Document".to_owned(),
        "structure" => format!("Schema::Structure(&{table})"),
        "list" if reference.flattened && !shape.flattened => {
            format!("Schema::List(&{table}_FLATTENED)")
        }
        "list" => format!("Schema::List(&{table})"),
        "map" => format!("Schema::Map(&{table})"),
        "string" | "character" if is_any(shape) => "Schema::String(&StringSchema::ANY)".to_owned(),
        "string" | "character" => format!("Schema::String(&{table})"),
        "integer" => format!("Schema::Integer(&{})", bounds(shape)?),
        "long" => format!("Schema::Long(&{})", bounds(shape)?),
        "float" | "double" => format!("Schema::Float(&{})", bounds(shape)?),
        "boolean" => "Schema::Boolean".to_owned(),
        "blob" => format!("Schema::Blob(&{})", bounds(shape)?),
        "timestamp" => timestamp(reference, shape)?,
        other => bail!("{name} is of an unknown type {other}"),
    })
}

fn timestamp(reference: &Reference, shape: &Shape) -> anyhow::Result<String> {
    let format = reference
        .timestamp_format
        .as_ref()
        .or(shape.timestamp_format.as_ref());
    Ok(match format.map(String::as_str) {
        None => "Schema::Timestamp(None)".to_owned(),
        Some("unixTimestamp") => {
            "Schema::Timestamp(Some(TimestampFormat::EpochSeconds))".to_owned()
        }
        Some("iso8601") => "Schema::Timestamp(Some(TimestampFormat::Iso8601))".to_owned(),
        Some("rfc822") => "Schema::Timestamp(Some(TimestampFormat::HttpDate))".to_owned(),
        Some(other) => bail!("an unknown timestamp format {other}"),
    })
}

fn bounds(shape: &Shape) -> anyhow::Result<String> {
    let whole = |number: &Option<serde_json::Number>| {
        number
            .as_ref()
            .map(|n| {
                n.as_i64()
                    .or_else(|| n.as_f64().map(|n| n as i64))
                    .context("a bound")
            })
            .transpose()
    };
    let (min, max) = (whole(&shape.min)?, whole(&shape.max)?);
    if min.is_none() && max.is_none() {
        return Ok("Bounds::NONE".to_owned());
    }
    Ok(format!("Bounds::new({min:?}, {max:?})"))
}

/// Whether any text will do.
fn is_any(shape: &Shape) -> bool {
    shape.values.is_empty() && shape.pattern.is_none() && shape.min.is_none() && shape.max.is_none()
}

fn is_flattened_somewhere(source: &Source<'_>, name: &str) -> bool {
    source
        .model
        .shapes
        .iter()
        .flat_map(|(_, shape)| shape.uses())
        .any(|reference| reference.shape == name && reference.flattened)
}
