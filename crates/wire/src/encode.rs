//! Outputs and errors to responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::schema::{ErrorSchema, Location, MemberSchema, OperationSchema, Schema, ServiceSchema};
use crate::xml::Xml;
use crate::{ErrorParts, Protocol, Value, WireError, json, query, rest};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// Writes what an operation answers.
pub fn encode_response(
    service: &ServiceSchema,
    operation: &OperationSchema,
    protocol: Protocol,
    output: Value,
    request_id: &str,
) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    put(&mut headers, REQUEST_ID, request_id);
    let mut status = StatusCode::from_u16(operation.status).unwrap_or(StatusCode::OK);
    let body = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            headers.insert(CONTENT_TYPE, content_type(protocol));
            // An operation without output answers with an empty body.
            let has_output =
                operation.output.name != "Unit" || !operation.output.members.is_empty();
            if has_output {
                json_body(operation, &output)
            } else {
                Bytes::new()
            }
        }
        Protocol::Query => {
            headers.insert(CONTENT_TYPE, content_type(protocol));
            query::response(service, operation, &output, request_id).into()
        }
        Protocol::RestJson | Protocol::RestXml => {
            let said = rest::write_outside_body(operation.output, &output, &mut headers);
            status = said.unwrap_or(status);
            rest_body(operation, protocol, output, status, &mut headers)
        }
    };
    respond(status, headers, body)
}

/// Writes the head of an answer whose body is a stream, which only the REST protocols have.
pub fn encode_head(operation: &OperationSchema, output: &Value, request_id: &str) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    put(headers, REQUEST_ID, request_id);
    let said = rest::write_outside_body(operation.output, output, headers);
    let modelled = StatusCode::from_u16(operation.status).unwrap_or(StatusCode::OK);
    *response.status_mut() = said.unwrap_or(modelled);
    response
}

/// Writes an error in the protocol of the request.
pub fn encode_error(
    service: &ServiceSchema,
    protocol: Protocol,
    error: &ErrorParts<'_>,
) -> Response<Bytes> {
    let modelled = service.error(error.code);
    let mut headers = HeaderMap::new();
    put(&mut headers, REQUEST_ID, error.request_id);
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    headers.insert(CONTENT_TYPE, content_type(protocol));
    let query_code = error
        .query_code
        .or(modelled.and_then(|modelled| modelled.query_code))
        .unwrap_or(error.code);
    let body = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            if service.query.compatible {
                let fault = if error.status.is_server_error() {
                    "Receiver"
                } else {
                    "Sender"
                };
                let code = without_suffix(query_code, modelled.is_some());
                put(&mut headers, QUERY_ERROR, &format!("{code};{fault}"));
            }
            let named = type_name(service, error.code, modelled.is_some());
            json_error(modelled, error, Some(&named))
        }
        Protocol::Query => {
            let code = without_suffix(query_code, modelled.is_some());
            return respond(
                error.status,
                headers,
                query::error(service, error, code).into(),
            );
        }
        Protocol::RestJson => {
            put(&mut headers, ERROR_TYPE, error.code);
            if let Some(modelled) = modelled {
                let members = Value::Map(owned(error.members));
                rest::write_outside_body(modelled.shape, &members, &mut headers);
            }
            if error.code == "UnknownOperationException" {
                Bytes::from_static(b"<UnknownOperationException/>\n")
            } else {
                json_error(modelled, error, None)
            }
        }
        Protocol::RestXml => query::error(service, error, query_code).into(),
    };
    respond(error.status, headers, body)
}

/// Writes an error of the wire itself, in the protocol it was met in, else in `protocol`.
pub fn encode_wire_error(
    service: &ServiceSchema,
    protocol: Protocol,
    error: &WireError,
    request_id: &str,
) -> Response<Bytes> {
    encode_error(
        service,
        error.protocol.unwrap_or(protocol),
        &error.parts(request_id),
    )
}

fn json_body(operation: &OperationSchema, output: &Value) -> Bytes {
    let mut body = Vec::with_capacity(256);
    json::write_structure(operation.output, output, &mut body);
    body.into()
}

fn rest_body(
    operation: &OperationSchema,
    protocol: Protocol,
    mut output: Value,
    status: StatusCode,
    headers: &mut HeaderMap,
) -> Bytes {
    let schema = operation.output;
    if let Some(payload) = schema.payload.and_then(|name| schema.member(name)) {
        let value = output.take(payload.name);
        let body = value.map_or_else(Bytes::new, |value| payload_body(payload, protocol, value));
        if !body.is_empty() {
            headers
                .entry(CONTENT_TYPE)
                .or_insert(content_type(protocol));
        }
        return body;
    }
    let in_body = schema
        .members
        .iter()
        .any(|member| member.location == Location::Body);
    if status == StatusCode::NO_CONTENT || (!in_body && schema.name == "Unit") {
        return Bytes::new();
    }
    headers.insert(CONTENT_TYPE, content_type(protocol));
    if protocol == Protocol::RestJson {
        return json_body(operation, &output);
    }
    let mut xml = Xml::new(|member| member.wire_name);
    xml.value(schema.name, Schema::Structure(schema), &output);
    xml.into_bytes().into()
}

/// A member that is the whole body: bytes and text as they are, without a copy.
fn payload_body(member: &MemberSchema, protocol: Protocol, value: Value) -> Bytes {
    match (value, protocol) {
        (Value::Blob(bytes), _) => bytes,
        (Value::Str(text), _) => text.into(),
        (value, Protocol::RestXml) => {
            let mut xml = Xml::new(|member| member.wire_name);
            xml.value(member.wire_name, member.schema, &value);
            xml.into_bytes().into()
        }
        (value, _) => {
            let mut body = Vec::new();
            json::write_value(member.schema, &value, &mut body);
            body.into()
        }
    }
}

/// `{"__type":"ns#Code","message":"…"}`, without `__type` where a header says it.
fn json_error(
    modelled: Option<&ErrorSchema>,
    error: &ErrorParts<'_>,
    type_name: Option<&str>,
) -> Bytes {
    let mut body = vec![b'{'];
    let mut comma = false;
    let mut key = |body: &mut Vec<u8>, name: &str| {
        if std::mem::replace(&mut comma, true) {
            body.push(b',');
        }
        json::write_string(name, body);
        body.push(b':');
    };
    if let Some(type_name) = type_name {
        key(&mut body, "__type");
        json::write_string(type_name, &mut body);
    }
    for (name, value) in error.members {
        let member = modelled.and_then(|modelled| modelled.shape.member(name));
        if member.is_some_and(|member| member.location != Location::Body) {
            continue;
        }
        key(&mut body, member.map_or(*name, |member| member.wire_name));
        let schema = member.map_or(Schema::Document, |member| member.schema);
        json::write_value(schema, value, &mut body);
    }
    // Lambda's errors say whose fault they are.
    let says_type = modelled
        .and_then(|modelled| modelled.shape.member("Type"))
        .is_some();
    if says_type && !error.members.iter().any(|(name, _)| *name == "Type") {
        key(&mut body, "Type");
        let server = error.status.is_server_error();
        json::write_string(if server { "Service" } else { "User" }, &mut body);
    }
    if !error.message.is_empty() {
        key(&mut body, message_key(modelled, error.code));
        json::write_string(error.message, &mut body);
    }
    body.push(b'}');
    body.into()
}

/// The model says how a modelled error spells it; AWS's front end writes a capital letter.
fn message_key(modelled: Option<&ErrorSchema>, code: &str) -> &'static str {
    let of_model = modelled.and_then(|modelled| {
        let is_message = |member: &&MemberSchema| member.name.eq_ignore_ascii_case("message");
        modelled.shape.members.iter().find(is_message)
    });
    match of_model {
        Some(member) => member.wire_name,
        None if matches!(code, "AccessDeniedException" | "SerializationException") => "Message",
        None => "message",
    }
}

fn type_name(service: &ServiceSchema, code: &str, is_modelled: bool) -> String {
    match service.error_namespace {
        Some(namespace) if is_modelled => format!("{namespace}#{code}"),
        Some(_) => format!("com.amazon.coral.service#{code}"),
        None => code.to_owned(),
    }
}

/// What AWS's front end calls `AccessDeniedException` in JSON is `AccessDenied` in query answers.
fn without_suffix(code: &str, is_modelled: bool) -> &str {
    match code {
        "AccessDeniedException" if !is_modelled => "AccessDenied",
        _ => code,
    }
}

fn owned(members: &[(&'static str, Value)]) -> Vec<(String, Value)> {
    members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn content_type(protocol: Protocol) -> HeaderValue {
    HeaderValue::from_static(match protocol {
        Protocol::AwsJson10 => "application/x-amz-json-1.0",
        Protocol::AwsJson11 => "application/x-amz-json-1.1",
        Protocol::RestJson => "application/json",
        Protocol::Query => "text/xml",
        Protocol::RestXml => "application/xml",
    })
}

/// Leaves out what cannot stand in a header.
fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

fn respond(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
