//! Structs and enums, with the macros that let them enter and leave `wire::Value`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, bail};

use super::Source;
use crate::codegen::model::{Ordered, Reference, Shape};
use crate::codegen::names;

pub fn all(source: &Source<'_>) -> anyhow::Result<String> {
    let reachable = source.reachable()?;
    let mut taken: BTreeMap<String, &str> = source
        .implemented()
        .map(|(name, _)| (name.to_owned(), name))
        .collect();
    let mut text = String::new();
    for (name, shape) in source
        .model
        .shapes
        .iter()
        .filter(|(name, _)| reachable.contains(name))
    {
        let written = match shape.kind.as_str() {
            "structure" => structure(source, name, shape)?,
            "string" if source.is_closed_enum(name, shape) => enumeration(name, shape)?,
            _ => continue,
        };
        if let Some(other) = taken.insert(names::type_name(name), name) {
            bail!("{name} and {other} would be one Rust type");
        }
        text += &written;
    }
    Ok(text)
}

fn structure(source: &Source<'_>, name: &str, shape: &Shape) -> anyhow::Result<String> {
    let empty = Ordered(Vec::new());
    let members = shape.members.as_ref().unwrap_or(&empty);
    let type_name = names::type_name(name);
    let (mut fields, mut pairs) = (String::new(), String::new());
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    for (member, reference) in members.iter() {
        let field = names::field(member);
        let mut rust = rust_type(source, reference)?;
        if contains_directly(source, &reference.shape, name)? {
            rust = format!("Box<{rust}>");
        }
        if !shape.required.iter().any(|required| required == member) {
            rust = format!("Option<{rust}>");
        }
        writeln!(fields, "pub {field}: {rust},")?;
        writeln!(pairs, "{field}: \"{member}\",")?;
        let list = if source.is_sensitive(&reference.shape)? {
            &mut hidden
        } else {
            &mut shown
        };
        list.push(field);
    }
    let debug = if hidden.is_empty() { "Debug, " } else { "" };
    let mut text = format!(
        "#[derive(Clone, {debug}Default, PartialEq)]\npub struct {type_name} {{\n{fields}}}\n\
         wire::structure!({type_name} {{ {pairs} }});\n"
    );
    if !hidden.is_empty() {
        let (shown, hidden) = (shown.join(", "), hidden.join(", "));
        writeln!(
            text,
            "wire::redacted_debug!({type_name} {{ {shown} }} hides {{ {hidden} }});"
        )?;
    }
    Ok(text + "\n")
}

fn enumeration(name: &str, shape: &Shape) -> anyhow::Result<String> {
    let type_name = names::type_name(name);
    let mut seen = BTreeSet::new();
    let (mut variants, mut pairs) = (String::from("#[default]\n"), String::new());
    for value in &shape.values {
        let mut variant = names::variant(value);
        while !seen.insert(variant.clone()) {
            variant.push('_');
        }
        writeln!(variants, "{variant},")?;
        writeln!(pairs, "{variant}: {value:?},")?;
    }
    Ok(format!(
        "#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]\n\
         pub enum {type_name} {{\n{variants}}}\n\
         wire::string_enum!({type_name} {{ {pairs} }});\n\n"
    ))
}

fn rust_type(source: &Source<'_>, reference: &Reference) -> anyhow::Result<String> {
    let name = &reference.shape;
    let shape = source.shape(name)?;
    Ok(match shape.kind.as_str() {
        "structure" if shape.document => "wire::Value".to_owned(),
        "structure" => names::type_name(name),
        "string" if source.is_closed_enum(name, shape) => names::type_name(name),
        "string" | "character" => "String".to_owned(),
        "list" => {
            let member = shape.member.as_ref().context("a list has a member")?;
            format!("Vec<{}>", rust_type(source, member)?)
        }
        "map" => {
            let value = shape.value.as_ref().context("a map has a value")?;
            format!("BTreeMap<String, {}>", rust_type(source, value)?)
        }
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "float" | "double" => "f64".to_owned(),
        "boolean" => "bool".to_owned(),
        "blob" => "Bytes".to_owned(),
        "timestamp" => "Timestamp".to_owned(),
        other => bail!("{name} is of an unknown type {other}"),
    })
}

/// Whether `outer` is or holds `inner` with no list or map between, so that Rust needs a box.
fn contains_directly(source: &Source<'_>, outer: &str, inner: &str) -> anyhow::Result<bool> {
    let mut seen = BTreeSet::new();
    let mut open = vec![outer];
    while let Some(name) = open.pop() {
        let shape = source.shape(name)?;
        if shape.kind != "structure" || !seen.insert(name) {
            continue;
        }
        if name == inner {
            return Ok(true);
        }
        let members = shape.members.iter().flat_map(Ordered::iter);
        open.extend(members.map(|(_, reference)| reference.shape.as_str()));
    }
    Ok(false)
}
