//! The tables that generated code is made of: what travels where, and within which bounds.

use std::sync::OnceLock;

use regex::Regex;

use crate::paths::PathIndex;
use crate::protocol::Protocol;
use crate::validate::ValidationPolicy;

/// A service as modelled: what the gateway needs to route and decode.
#[derive(Debug)]
pub struct ServiceSchema {
    /// The folder and crate name, such as `lambda`; STS, which lives in `iam`, has its own.
    pub id: &'static str,
    /// The service name in SigV4 credential scopes.
    pub signing_name: &'static str,
    /// The part of `X-Amz-Target` before the dot, for awsJson services.
    pub target_prefix: Option<&'static str>,
    /// The model's version date, such as `2015-03-31`.
    pub api_version: &'static str,
    /// Every protocol the service answers, the model's own first.
    pub protocols: &'static [Protocol],
    /// The namespace of XML answers.
    pub xml_namespace: Option<&'static str>,
    /// Before the code in `__type` of modelled errors, such as `com.amazonaws.sqs`.
    pub error_namespace: Option<&'static str>,
    /// Where a service's query protocol differs from the usual.
    pub query: QueryStyle,
    /// How the service words a request that breaks the model.
    pub validation: &'static ValidationPolicy,
    /// Operations with shapes: those the service implements.
    pub operations: &'static [&'static OperationSchema],
    /// The rest of the model, known by name so that an answer can name it.
    pub absent: &'static [AbsentOperation],
    /// Every error that an operation here may answer with.
    pub errors: &'static [&'static ErrorSchema],
    /// Where a request's path is looked up.
    pub paths: PathIndex,
}

/// Where a service's query protocol differs from the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryStyle {
    /// JSON errors carry the query protocol's code in `x-amzn-query-error`
    /// (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>).
    pub compatible: bool,
    /// Any `Version` will do, and none; errors carry an empty `<Detail/>`. So it is where the
    /// query protocol is what a service spoke before JSON (SQS).
    pub any_version: bool,
    /// The input member that a request's path may stand for, such as `QueueUrl`.
    pub path_member: Option<&'static str>,
}

/// An operation of the model that the service does not implement.
#[derive(Debug)]
pub struct AbsentOperation {
    pub name: &'static str,
    pub method: &'static str,
    pub uri: &'static str,
}

/// One operation as modelled.
#[derive(Debug)]
pub struct OperationSchema {
    pub name: &'static str,
    pub method: &'static str,
    /// Path template with `{Label}` and `{Label+}`, and fixed query parameters after `?`.
    pub uri: &'static str,
    /// Of a successful answer.
    pub status: u16,
    pub input: &'static StructureSchema,
    pub output: &'static StructureSchema,
    /// The element around the members of an answer in the query protocol.
    pub result_wrapper: Option<&'static str>,
    pub errors: &'static [&'static ErrorSchema],
}

/// A modelled error: what a client sees of it besides the message.
#[derive(Debug, PartialEq)]
pub struct ErrorSchema {
    /// The shape's name, such as `ResourceNotFoundException`.
    pub code: &'static str,
    /// The code in the query protocol where it differs, such as `NoSuchEntity`.
    pub query_code: Option<&'static str>,
    pub status: u16,
    pub shape: &'static StructureSchema,
}

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub enum Schema {
    Structure(&'static StructureSchema),
    List(&'static ListSchema),
    Map(&'static MapSchema),
    String(&'static StringSchema),
    /// 32 bits.
    Integer(&'static Bounds),
    /// 64 bits.
    Long(&'static Bounds),
    /// Single or double precision.
    Float(&'static Bounds),
    Boolean,
    Blob(&'static Bounds),
    Timestamp(Option<TimestampFormat>),
    /// Any JSON.
    Document,
}

#[derive(Debug)]
pub struct StructureSchema {
    pub name: &'static str,
    pub members: &'static [MemberSchema],
    /// The member that is the whole body (restJson, restXml).
    pub payload: Option<&'static str>,
}

/// Shapes are equal by name: one model names each once, and they may be recursive.
impl PartialEq for StructureSchema {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A member of a structure. Built by the `const` methods below, to keep generated tables short.
#[derive(Debug)]
pub struct MemberSchema {
    /// The model's name, by which [`Value`](crate::Value) keys it.
    pub name: &'static str,
    /// On the wire: JSON key, header, query parameter, label or element.
    pub wire_name: &'static str,
    /// In query requests and answers, where it differs from `wire_name`.
    pub query_name: Option<&'static str>,
    pub schema: Schema,
    pub location: Location,
    pub required: bool,
    /// Must not be shown, in logs or messages.
    pub sensitive: bool,
    pub xml_attribute: bool,
}

/// Where a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    /// A label of the path.
    Uri,
    /// A query parameter.
    Query,
    Header,
    /// All headers that begin with the wire name.
    Headers,
    StatusCode,
}

#[derive(Debug)]
pub struct ListSchema {
    pub member: Schema,
    /// Element and query name of an item.
    pub member_name: &'static str,
    pub flattened: bool,
    pub bounds: Bounds,
}

#[derive(Debug)]
pub struct MapSchema {
    pub key: Schema,
    pub value: Schema,
    pub key_name: &'static str,
    pub value_name: &'static str,
    pub flattened: bool,
    pub bounds: Bounds,
}

#[derive(Debug)]
pub struct StringSchema {
    pub bounds: Bounds,
    /// The closed set, in the model's order; empty if any text will do.
    pub values: &'static [&'static str],
    pub pattern: Option<&'static PatternSchema>,
}

/// Of a number, or of the length of text, bytes, lists and maps. Inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub min: Option<i64>,
    pub max: Option<i64>,
}

/// A regular expression that a whole text must match. Compiled at its first use.
#[derive(Debug)]
pub struct PatternSchema {
    /// As AWS's messages show it.
    pub shown: &'static str,
    /// An equivalent in the syntax of the `regex` crate.
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    EpochSeconds,
    Iso8601,
    HttpDate,
}

impl ServiceSchema {
    pub fn operation(&self, name: &str) -> Option<&'static OperationSchema> {
        self.operations
            .iter()
            .find(|operation| operation.name == name)
            .copied()
    }

    /// The modelled error of that code, in either of its spellings.
    pub fn error(&self, code: &str) -> Option<&'static ErrorSchema> {
        self.errors
            .iter()
            .find(|error| error.code == code || error.query_code == Some(code))
            .copied()
    }

    /// Whether form-encoded `Action=` requests are answered.
    pub fn speaks_query(&self) -> bool {
        self.protocols.contains(&Protocol::Query)
    }
}

impl StructureSchema {
    /// Of operations without input or output.
    pub const EMPTY: StructureSchema = StructureSchema {
        name: "Unit",
        members: &[],
        payload: None,
    };

    pub fn member(&self, name: &str) -> Option<&'static MemberSchema> {
        self.members.iter().find(|member| member.name == name)
    }
}

impl MemberSchema {
    /// A member that travels in the body under its own name.
    pub const fn new(name: &'static str, schema: Schema) -> Self {
        Self {
            name,
            wire_name: name,
            query_name: None,
            schema,
            location: Location::Body,
            required: false,
            sensitive: false,
            xml_attribute: false,
        }
    }

    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    #[must_use]
    pub const fn named(mut self, wire_name: &'static str) -> Self {
        self.wire_name = wire_name;
        self
    }

    #[must_use]
    pub const fn query_named(mut self, query_name: &'static str) -> Self {
        self.query_name = Some(query_name);
        self
    }

    #[must_use]
    pub const fn at(mut self, location: Location) -> Self {
        self.location = location;
        self
    }

    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    #[must_use]
    pub const fn xml_attribute(mut self) -> Self {
        self.xml_attribute = true;
        self
    }

    /// The name in query requests and in answers to them.
    pub const fn query_name(&self) -> &'static str {
        match self.query_name {
            Some(name) => name,
            None => self.wire_name,
        }
    }
}

impl StringSchema {
    /// Any text.
    pub const ANY: StringSchema = StringSchema {
        bounds: Bounds::NONE,
        values: &[],
        pattern: None,
    };
}

impl Bounds {
    pub const NONE: Bounds = Bounds {
        min: None,
        max: None,
    };

    pub const fn new(min: Option<i64>, max: Option<i64>) -> Self {
        Self { min, max }
    }
}

impl PatternSchema {
    /// `source` must match the whole text; it is anchored here.
    pub const fn new(shown: &'static str, source: &'static str) -> Self {
        Self {
            shown,
            source,
            compiled: OnceLock::new(),
        }
    }

    /// A pattern that does not compile matches everything; `cargo xtask codegen` compiles each, so
    /// that none such is ever generated.
    pub fn matches(&self, text: &str) -> bool {
        let compiled = self
            .compiled
            .get_or_init(|| Regex::new(&format!("^(?:{})$", self.source)).ok());
        compiled.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}
