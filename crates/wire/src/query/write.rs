//! Answers in XML.

use crate::Value;
use crate::error::ErrorParts;
use crate::schema::{MemberSchema, OperationSchema, ServiceSchema};
use crate::xml::Xml;

/// `<OpResponse><OpResult>…</OpResult><ResponseMetadata>…</ResponseMetadata></OpResponse>`
pub fn response(
    service: &ServiceSchema,
    operation: &OperationSchema,
    output: &Value,
    request_id: &str,
) -> Vec<u8> {
    let mut xml = Xml::new(MemberSchema::query_name);
    let outermost = format!("{}Response", operation.name);
    open_outermost(&mut xml, service, &outermost);
    if let Some(wrapper) = operation.result_wrapper {
        xml.open(wrapper);
        xml.members(operation.output, output);
        xml.close(wrapper);
    }
    xml.open("ResponseMetadata");
    xml.element("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&outermost);
    xml.into_bytes()
}

/// `<ErrorResponse><Error>…</Error><RequestId>…</RequestId></ErrorResponse>`
pub fn error(service: &ServiceSchema, error: &ErrorParts<'_>, code: &str) -> Vec<u8> {
    let mut xml = Xml::new(MemberSchema::query_name);
    open_outermost(&mut xml, service, "ErrorResponse");
    xml.open("Error");
    let sender = !error.status.is_server_error();
    xml.element("Type", if sender { "Sender" } else { "Receiver" });
    xml.element("Code", code);
    if !error.message.is_empty() {
        xml.element("Message", error.message);
    }
    if let Some(shape) = service.error(error.code).map(|error| error.shape) {
        for (name, value) in error.members {
            if let Some(member) = shape.member(name) {
                xml.value(member.query_name(), member.schema, value);
            }
        }
    }
    if service.query.any_version {
        xml.raw("<Detail/>");
    }
    xml.close("Error");
    xml.element("RequestId", error.request_id);
    xml.close("ErrorResponse");
    xml.into_bytes()
}

/// An error of an API whose schema is not here, which clients of the query protocol can read; `listed` as
/// those of EC2's kind of it expect.
pub fn foreign_error(code: &str, message: &str, request_id: &str, listed: bool) -> Vec<u8> {
    let mut xml = Xml::new(MemberSchema::query_name);
    let (outermost, id) = if listed {
        ("Response", "RequestID")
    } else {
        ("ErrorResponse", "RequestId")
    };
    xml.open(outermost);
    if listed {
        xml.open("Errors");
    }
    xml.open("Error");
    if !listed {
        xml.element("Type", "Receiver");
    }
    xml.element("Code", code);
    xml.element("Message", message);
    xml.close("Error");
    if listed {
        xml.close("Errors");
    }
    xml.element(id, request_id);
    xml.close(outermost);
    xml.into_bytes()
}

fn open_outermost(xml: &mut Xml, service: &ServiceSchema, name: &str) {
    match service.xml_namespace {
        Some(namespace) => xml.open_with(name, &[("xmlns", namespace)]),
        None => xml.open(name),
    }
}
