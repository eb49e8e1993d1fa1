//! Requests to inputs, checked against the model.

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;

use crate::form::Form;
use crate::schema::{MemberSchema, OperationSchema, Schema, ServiceSchema, StructureSchema};
use crate::validate::constraints;
use crate::{Protocol, Value, WireError, json, query, rest, xml};

/// Reads and checks the input of an operation that [`route`](crate::route()) found. A blob payload
/// shares the body's memory.
///
/// # Errors
/// `SerializationException` and the like for what cannot be read; what the service's
/// [`ValidationPolicy`](crate::ValidationPolicy) says for what breaks the model.
pub fn decode(
    service: &ServiceSchema,
    operation: &OperationSchema,
    protocol: Protocol,
    labels: &[(&'static str, String)],
    head: &Parts,
    body: &Bytes,
) -> Result<Value, WireError> {
    let input = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json::read_structure(operation.input, body),
        Protocol::Query => from_form(service, operation, head, body),
        Protocol::RestJson | Protocol::RestXml => {
            from_rest(operation, protocol, labels, head, body)
        }
    };
    input
        .and_then(|input| {
            constraints(service, operation, &input)?;
            Ok(input)
        })
        .map_err(|error| error.by(protocol))
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html>
pub fn malformed_query() -> WireError {
    let message = "The query string contains a syntax error.";
    WireError {
        status: StatusCode::NOT_FOUND,
        ..WireError::bad_request("MalformedQueryString", message)
    }
}

fn from_form(
    service: &ServiceSchema,
    operation: &OperationSchema,
    head: &Parts,
    body: &Bytes,
) -> Result<Value, WireError> {
    let mut form = Form::default();
    let query = head.uri.query().unwrap_or_default();
    form.extend(query.as_bytes()).ok_or_else(malformed_query)?;
    form.extend(body).ok_or_else(malformed_query)?;
    let mut input = query::read_structure(service, operation.input, &form.sorted())?;
    if let (Some(name), Value::Map(members)) = (service.query.path_member, &mut input) {
        let is_there = members.iter().any(|(member, _)| member == name);
        if let (false, Some(_), Some(url)) = (is_there, operation.input.member(name), url(head)) {
            members.push((name.to_owned(), Value::Str(url)));
        }
    }
    Ok(input)
}

/// Where the request went, if that was more than the root.
fn url(head: &Parts) -> Option<String> {
    let path = head.uri.path();
    if path == "/" {
        return None;
    }
    let host = head
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = head
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(host)?;
    Some(format!("http://{authority}{path}"))
}

fn from_rest(
    operation: &OperationSchema,
    protocol: Protocol,
    labels: &[(&'static str, String)],
    head: &Parts,
    body: &Bytes,
) -> Result<Value, WireError> {
    let schema = operation.input;
    let mut members = rest::read_outside_body(schema, head, labels)?;
    match schema.payload.and_then(|name| schema.member(name)) {
        Some(payload) => {
            if let Some(value) = from_payload(payload, protocol, body)? {
                members.push((payload.name.to_owned(), value));
            }
        }
        None if body.is_empty() => {}
        None => {
            if let Value::Map(in_body) = read_body(schema, protocol, body)? {
                members.extend(in_body);
            }
        }
    }
    Ok(Value::Map(members))
}

/// A member that is the whole body.
fn from_payload(
    member: &MemberSchema,
    protocol: Protocol,
    body: &Bytes,
) -> Result<Option<Value>, WireError> {
    if body.is_empty() {
        return Ok(None);
    }
    Ok(Some(match member.schema {
        Schema::Blob(_) => Value::Blob(body.clone()),
        Schema::String(_) => {
            let text = str::from_utf8(body).map_err(|_| WireError::serialization(""))?;
            Value::Str(text.to_owned())
        }
        Schema::Structure(structure) => read_body(structure, protocol, body)?,
        _ => json::read_document(body)?,
    }))
}

fn read_body(
    schema: &StructureSchema,
    protocol: Protocol,
    body: &[u8],
) -> Result<Value, WireError> {
    match protocol {
        Protocol::RestXml => xml::read_structure(schema, body),
        _ => json::read_structure(schema, body),
    }
}
