//! Whether a request keeps within its model, in AWS's words.

mod constraint;
mod shown;
mod types;

use constraint::Constraint;

use crate::schema::{ListSchema, MapSchema, MemberSchema, Schema, StructureSchema};
use crate::schema::{OperationSchema, ServiceSchema};
use crate::{Value, WireError};

/// How one service words a request that breaks its model.
#[derive(Debug)]
pub struct ValidationPolicy {
    /// The error code of a broken constraint.
    pub code: &'static str,
    /// The same in the query protocol, where it differs.
    pub query_code: Option<&'static str>,
    /// How a missing required member is reported.
    pub missing: MissingMember,
    /// Whether a message names the first broken constraint alone, in quotes: `Invalid parameter at
    /// 'repositoryName' failed to satisfy constraint: 'must have length greater than or equal to 2'`.
    pub quotes: bool,
}

/// How a missing required member is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingMember {
    /// Among the other constraints: `Value null at 'role' failed to satisfy constraint: Member must
    /// not be null`.
    AsConstraint,
    /// On its own: `The request must contain the parameter QueueUrl.`
    AsParameter {
        code: &'static str,
        query_code: &'static str,
    },
}

/// Beyond this many broken constraints, a message is of no more use to anyone.
const MOST_FINDINGS: usize = 50;

/// Checks the input of a call that did not come over the wire: its types and its constraints.
///
/// # Errors
/// What a call over the wire would have got.
pub fn validate(
    service: &ServiceSchema,
    operation: &OperationSchema,
    input: &Value,
) -> Result<(), WireError> {
    types::check(Schema::Structure(operation.input), input)?;
    constraints(service, operation, input)
}

/// Checks the constraints of an input whose types are right.
pub(crate) fn constraints(
    service: &ServiceSchema,
    operation: &OperationSchema,
    input: &Value,
) -> Result<(), WireError> {
    let policy = service.validation;
    let mut findings = Findings {
        missing: policy.missing,
        quotes: policy.quotes,
        found: Vec::new(),
        absent: None,
    };
    findings.structure(operation.input, input, "", "");
    if let (Some(parameter), MissingMember::AsParameter { code, query_code }) =
        (findings.absent, policy.missing)
    {
        let message = format!("The request must contain the parameter {parameter}.");
        return Err(WireError::bad_request(code, message).with_query_code(query_code));
    }
    if findings.found.is_empty() {
        return Ok(());
    }
    let message = if policy.quotes {
        findings.found.swap_remove(0)
    } else {
        let count = findings.found.len();
        let plural = if count == 1 { "" } else { "s" };
        format!(
            "{count} validation error{plural} detected: {}",
            findings.found.join("; ")
        )
    };
    let error = WireError::bad_request(policy.code, message);
    Err(WireError {
        query_code: policy.query_code,
        ..error
    })
}

/// What a walk through a request has found.
struct Findings {
    missing: MissingMember,
    quotes: bool,
    /// Each as AWS words it.
    found: Vec<String>,
    /// The first missing parameter, by its name in query requests.
    absent: Option<String>,
}

impl Findings {
    /// `path` is as messages name places, `query_path` as query parameters do.
    fn structure(&mut self, schema: &StructureSchema, value: &Value, path: &str, query_path: &str) {
        let Value::Map(members) = value else { return };
        for member in schema.members {
            if self.found.len() >= MOST_FINDINGS {
                return;
            }
            match members.iter().find(|(name, _)| name == member.name) {
                Some((_, value)) if *value != Value::Null => {
                    let needs_place = !constraint::is_free(member.schema);
                    if needs_place {
                        let path = below(path, &lower_first(member.name));
                        let query_path = below(query_path, member.query_name());
                        self.member(member, value, &path, &query_path);
                    }
                }
                _ if member.required => self.missing(member, path, query_path),
                _ => {}
            }
        }
    }

    fn missing(&mut self, member: &MemberSchema, path: &str, query_path: &str) {
        match self.missing {
            MissingMember::AsConstraint => {
                let path = below(path, &lower_first(member.name));
                self.broken("Value null", &path, "Member must not be null");
            }
            MissingMember::AsParameter { .. } => {
                self.absent
                    .get_or_insert_with(|| below(query_path, member.query_name()));
            }
        }
    }

    fn member(&mut self, member: &MemberSchema, value: &Value, path: &str, query_path: &str) {
        for constraint in constraint::of(member.schema) {
            if !constraint.holds(value) {
                let shown = shown::value(value, member.sensitive);
                let text = if self.quotes {
                    constraint.in_quotes()
                } else {
                    constraint.to_string()
                };
                self.broken(&shown, path, &text);
            }
        }
        self.inside(member.schema, value, path, query_path, member.sensitive);
    }

    /// The parts of a structure, list or map. The constraints of scalars in lists and maps are
    /// their container's, all named together.
    fn inside(
        &mut self,
        schema: Schema,
        value: &Value,
        path: &str,
        query_path: &str,
        sensitive: bool,
    ) {
        match (schema, value) {
            (Schema::Structure(structure), _) => {
                self.structure(structure, value, path, query_path);
            }
            (Schema::List(list), Value::List(items)) => {
                self.items(list, items, value, (path, query_path), sensitive);
            }
            (Schema::Map(map), Value::Map(entries)) => {
                self.entries(map, entries, value, (path, query_path), sensitive);
            }
            _ => {}
        }
    }

    fn items(
        &mut self,
        list: &ListSchema,
        items: &[Value],
        value: &Value,
        (path, query_path): (&str, &str),
        sensitive: bool,
    ) {
        let own = constraint::of(list.member);
        if items.iter().any(|item| !all_hold(&own, item)) {
            let text = format!(
                "Member must satisfy constraint: {}",
                constraint::together(&own)
            );
            self.broken(&shown::value(value, sensitive), path, &text);
        }
        if is_nested(list.member) {
            for (at, item) in items.iter().enumerate() {
                let path = format!("{path}.{}.member", at + 1);
                let query_path = if list.flattened {
                    let parent = query_path.rsplit_once('.').map_or("", |(parent, _)| parent);
                    format!("{}.{}", below(parent, list.member_name), at + 1)
                } else {
                    format!("{query_path}.{}.{}", list.member_name, at + 1)
                };
                self.inside(list.member, item, &path, &query_path, sensitive);
            }
        }
    }

    fn entries(
        &mut self,
        map: &MapSchema,
        entries: &[(String, Value)],
        value: &Value,
        (path, query_path): (&str, &str),
        sensitive: bool,
    ) {
        let keys = constraint::of(map.key);
        if !keys.is_empty()
            && entries
                .iter()
                .any(|(key, _)| !keys.iter().all(|of_key| of_key.holds_for_text(key)))
        {
            let text = format!(
                "Map keys must satisfy constraint: {}",
                constraint::together(&keys)
            );
            self.broken(&shown::value(value, sensitive), path, &text);
        }
        let values = constraint::of(map.value);
        if entries.iter().any(|(_, value)| !all_hold(&values, value)) {
            let all = constraint::together(&values);
            let text = format!("Map value must satisfy constraint: {all}");
            self.broken(&shown::value(value, sensitive), path, &text);
        }
        if is_nested(map.value) {
            for (at, (key, value)) in entries.iter().enumerate() {
                let path = format!("{path}.{key}.member");
                let entry = if map.flattened { "" } else { ".entry" };
                let query_path = format!("{query_path}{entry}.{}.{}", at + 1, map.value_name);
                self.inside(map.value, value, &path, &query_path, sensitive);
            }
        }
    }

    fn broken(&mut self, shown: &str, path: &str, constraint: &str) {
        if self.found.len() < MOST_FINDINGS {
            let text = if self.quotes {
                format!(
                    "Invalid parameter at '{path}' failed to satisfy constraint: '{constraint}'"
                )
            } else {
                format!("{shown} at '{path}' failed to satisfy constraint: {constraint}")
            };
            self.found.push(text);
        }
    }
}

fn all_hold(constraints: &[Constraint], value: &Value) -> bool {
    *value != Value::Null && constraints.iter().all(|constraint| constraint.holds(value))
}

fn is_nested(schema: Schema) -> bool {
    matches!(
        schema,
        Schema::Structure(_) | Schema::List(_) | Schema::Map(_)
    )
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// `FunctionName` → `functionName`, as messages name members.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}
