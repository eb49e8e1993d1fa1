//! AWS wire protocols: bytes to typed requests and back. Knows no service.
//!
//! A request travels bytes → [`Value`] (by protocol and schema) → validated → a generated input
//! struct; a response travels the same road back. Generated code holds only schemas (tables) and
//! one small [`Shape`] implementation a struct, so that a service costs little to compile.
//!
//! The gateway's road: [`route()`] finds the operation, [`decode()`] its checked input,
//! [`encode_response`] and [`encode_error`] write the answer. All are pure and synchronous.

mod decode;
mod encode;
mod error;
pub mod event_stream;
mod form;
mod json;
mod paths;
mod protocol;
mod query;
mod rest;
mod route;
mod scalar;
pub mod schema;
mod shape;
mod uri;
mod validate;
mod value;
mod xml;

pub use decode::decode;
pub use encode::{encode_error, encode_head, encode_response, encode_wire_error};
pub use error::{ErrorParts, WireError};
pub use protocol::Protocol;
pub use query::foreign_error as encode_foreign_form_error;
pub use route::{Routed, RoutedOperation, route, serves_path};
pub use schema::{ErrorSchema, OperationSchema, ServiceSchema};
#[doc(hidden)]
pub use shape::Members;
pub use shape::{Shape, Unit};
pub use uri::Labels;
pub use validate::{MissingMember, ValidationPolicy, validate};
pub use value::Value;

/// What generated code names; nothing for anyone else.
#[doc(hidden)]
pub mod generated {
    pub use std::collections::BTreeMap;

    pub use base::Timestamp;
    pub use bytes::Bytes;

    pub use crate::paths::PathIndex;
    pub use crate::schema::{
        AbsentOperation, Bounds, ErrorSchema, ListSchema, Location, MapSchema, MemberSchema,
        OperationSchema, PatternSchema, QueryStyle, Schema, ServiceSchema, StringSchema,
        StructureSchema, TimestampFormat,
    };
    pub use crate::{MissingMember, Operation, Protocol, Unit, ValidationPolicy, Value};
}

/// One modelled operation: its shapes and where they travel. Implemented by the generated marker
/// types, such as `sqs::generated::SendMessage`.
pub trait Operation {
    type Input: Shape;
    type Output: Shape;
    const SCHEMA: &'static OperationSchema;
}
