//! `Tags.member.1.Key=a` to the tree.

use std::collections::BTreeSet;

use crate::schema::{ListSchema, MapSchema, MemberSchema, Schema, StructureSchema};
use crate::schema::{ServiceSchema, TimestampFormat};
use crate::{MissingMember, Value, WireError, scalar};

/// The parameters of a request, ordered by name.
struct Parameters<'p> {
    service: &'p ServiceSchema,
    sorted: &'p [(String, String)],
}

/// Reads the input out of parameters ordered by name. Unknown ones are ignored.
///
/// # Errors
/// A scalar that is not of its type.
pub fn read_structure(
    service: &ServiceSchema,
    schema: &StructureSchema,
    sorted: &[(String, String)],
) -> Result<Value, WireError> {
    Parameters { service, sorted }.structure(schema, "", 0)
}

/// Deeper than any model is; recursive shapes end here.
const DEEPEST: usize = 32;

impl Parameters<'_> {
    fn structure(
        &self,
        schema: &StructureSchema,
        prefix: &str,
        depth: usize,
    ) -> Result<Value, WireError> {
        let mut members = Vec::new();
        if depth < DEEPEST {
            for member in schema.members {
                if let Some(value) = self.member(member, prefix, depth)? {
                    members.push((member.name.to_owned(), value));
                }
            }
        }
        Ok(Value::Map(members))
    }

    fn member(
        &self,
        member: &MemberSchema,
        prefix: &str,
        depth: usize,
    ) -> Result<Option<Value>, WireError> {
        // A flattened list's items carry the item's name where the list's would stand.
        let name = match member.schema {
            Schema::List(list) if list.flattened && list.member_name != "member" => {
                list.member_name
            }
            _ => member.query_name(),
        };
        self.value(member.schema, &below(prefix, name), depth)
    }

    /// `None` if no parameter begins with `name`.
    fn value(&self, schema: Schema, name: &str, depth: usize) -> Result<Option<Value>, WireError> {
        match schema {
            Schema::Structure(structure) => {
                if !self.has_below(name) {
                    return Ok(None);
                }
                self.structure(structure, name, depth + 1).map(Some)
            }
            Schema::List(list) => self.list(list, name, depth),
            Schema::Map(map) => self.map(map, name, depth),
            _ => {
                let Some(text) = self.exact(name) else {
                    return Ok(None);
                };
                self.scalar(schema, name, text).map(Some)
            }
        }
    }

    fn scalar(&self, schema: Schema, name: &str, text: &str) -> Result<Value, WireError> {
        scalar::parse(schema, text, TimestampFormat::Iso8601).ok_or_else(|| {
            let what = match schema {
                Schema::Integer(_) | Schema::Long(_) => "an integer",
                Schema::Float(_) => "a number",
                Schema::Boolean => "a boolean",
                Schema::Timestamp(_) => "a timestamp",
                _ => "base64-encoded",
            };
            match self.service.validation.missing {
                MissingMember::AsParameter { .. } => {
                    let policy = self.service.validation;
                    let message = format!(
                        "Value {text} for parameter {name} is invalid. Reason: Must be {what}."
                    );
                    let error = WireError::bad_request(policy.code, message);
                    WireError {
                        query_code: policy.query_code,
                        ..error
                    }
                }
                MissingMember::AsConstraint => {
                    WireError::bad_request("MalformedInput", format!("{name} must be {what}"))
                }
            }
        })
    }

    fn list(
        &self,
        list: &ListSchema,
        name: &str,
        depth: usize,
    ) -> Result<Option<Value>, WireError> {
        let items = if list.flattened {
            name.to_owned()
        } else {
            below(name, list.member_name)
        };
        let mut values = Vec::new();
        for index in self.indices(&items) {
            if let Some(value) = self.value(list.member, &format!("{items}.{index}"), depth + 1)? {
                values.push(value);
            }
        }
        if values.is_empty() {
            return match self.exact(name) {
                // An empty list is written as its bare name.
                Some("") => Ok(Some(Value::List(values))),
                // One item needs no number.
                Some(text) if list.flattened && is_scalar(list.member) => Ok(Some(Value::List(
                    vec![self.scalar(list.member, name, text)?],
                ))),
                _ => Ok(None),
            };
        }
        Ok(Some(Value::List(values)))
    }

    fn map(&self, map: &MapSchema, name: &str, depth: usize) -> Result<Option<Value>, WireError> {
        let entries = if map.flattened {
            name.to_owned()
        } else {
            below(name, "entry")
        };
        let mut values = Vec::new();
        let numbered = self
            .indices(&entries)
            .into_iter()
            .map(|n| format!("{entries}.{n}"));
        // One entry of a flattened map needs no number.
        let bare = map.flattened.then(|| entries.clone());
        for entry in numbered.chain(bare) {
            let Some(key) = self.exact(&below(&entry, map.key_name)) else {
                continue;
            };
            let place = below(&entry, map.value_name);
            if let Some(value) = self.value(map.value, &place, depth + 1)? {
                values.push((key.to_owned(), value));
            }
        }
        let is_there = !values.is_empty() || self.exact(name) == Some("");
        Ok(is_there.then_some(Value::Map(values)))
    }

    fn exact(&self, name: &str) -> Option<&str> {
        let at = self.sorted.partition_point(|(key, _)| key.as_str() < name);
        self.sorted
            .get(at)
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn has_below(&self, name: &str) -> bool {
        !self.below(name).is_empty()
    }

    /// The parameters whose names begin with `name` and a dot.
    fn below(&self, name: &str) -> &[(String, String)] {
        let prefix = format!("{name}.");
        let from = self
            .sorted
            .partition_point(|(key, _)| key.as_str() < prefix.as_str());
        let rest = &self.sorted[from..];
        &rest[..rest.partition_point(|(key, _)| key.starts_with(&prefix))]
    }

    /// The numbers that follow `name`, ascending; gaps make no difference.
    fn indices(&self, name: &str) -> BTreeSet<u32> {
        let number = |(key, _): &(String, String)| {
            let rest = key.get(name.len() + 1..)?;
            let digits = rest.split('.').next().unwrap_or(rest);
            // `01` would not be found again by its number.
            digits
                .parse()
                .ok()
                .filter(|number: &u32| number.to_string() == digits)
        };
        self.below(name).iter().filter_map(number).collect()
    }
}

fn is_scalar(schema: Schema) -> bool {
    !matches!(
        schema,
        Schema::Structure(_) | Schema::List(_) | Schema::Map(_)
    )
}

fn below(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}
