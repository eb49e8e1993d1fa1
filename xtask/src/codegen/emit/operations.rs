//! The service's own table, a marker type an operation, and its errors.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Source;
use crate::codegen::model::{ErrorInfo, Metadata, Operation, Reference};
use crate::codegen::names;

pub fn service(source: &Source<'_>) -> anyhow::Result<String> {
    let metadata = &source.model.metadata;
    let validation = &source.choices.validation;
    let query = source.choices.query.as_ref();
    let missing = match &validation.missing {
        None => "g::MissingMember::AsConstraint".to_owned(),
        Some(codes) => format!(
            "g::MissingMember::AsParameter {{ code: {:?}, query_code: {:?} }}",
            codes.code, codes.query_code
        ),
    };
    let mut operations = String::new();
    for (name, _) in source.implemented() {
        write!(operations, "{name}::SCHEMA, ")?;
    }
    let mut absent = String::new();
    for (name, operation) in source.absent() {
        writeln!(
            absent,
            "g::AbsentOperation {{ name: {name:?}, method: {:?}, uri: {:?} }},",
            operation.http.method, operation.http.request_uri
        )?;
    }
    let mut errors = String::new();
    for (name, _) in error_shapes(source) {
        write!(errors, "&errors::{}, ", names::screaming(name))?;
    }
    let query_style = format!(
        "g::QueryStyle {{ compatible: {}, any_version: {}, path_member: {:?} }}",
        metadata.aws_query_compatible.is_some(),
        query.is_some(),
        query.and_then(|query| query.path_member.as_ref()),
    );
    let namespace = query
        .map(|query| &query.xml_namespace)
        .or(metadata.xml_namespace.as_ref());
    Ok(format!(
        "/// What the gateway needs to route and decode.\n\
         pub static SCHEMA: ServiceSchema = ServiceSchema {{\n\
         id: {:?}, signing_name: {:?}, target_prefix: {:?}, api_version: {:?},\n\
         protocols: &[{}], xml_namespace: {namespace:?}, error_namespace: {:?},\n\
         query: {query_style},\n\
         validation: &wire::ValidationPolicy {{ code: {:?}, query_code: {:?}, missing: {missing}, quotes: {:?} }},\n\
         operations: &[{operations}],\nabsent: &[{absent}],\nerrors: &[{errors}],\npaths: g::PathIndex::new(),\n}};\n\n\
         use wire::generated as g;\n\n",
        source.service,
        metadata
            .signing_name
            .as_ref()
            .unwrap_or(&metadata.endpoint_prefix),
        metadata.target_prefix,
        metadata.api_version,
        protocols(metadata, query.is_some()),
        source.choices.error_namespace,
        validation.code,
        validation.query_code,
        validation.quotes,
    ))
}

fn protocols(metadata: &Metadata, also_query: bool) -> String {
    let own = match (metadata.protocol.as_str(), metadata.json_version.as_deref()) {
        ("json", Some("1.0")) => "g::Protocol::AwsJson10",
        ("json", _) => "g::Protocol::AwsJson11",
        ("rest-json", _) => "g::Protocol::RestJson",
        ("rest-xml", _) => "g::Protocol::RestXml",
        _ => "g::Protocol::Query",
    };
    let query = if also_query {
        ", g::Protocol::Query"
    } else {
        ""
    };
    format!("{own}{query}")
}

pub fn markers(source: &Source<'_>) -> anyhow::Result<String> {
    let mut text = String::new();
    for (name, operation) in source.implemented() {
        writeln!(
            text,
            "pub struct {name};\nimpl Operation for {name} {{\n\
             type Input = {};\ntype Output = {};\n\
             const SCHEMA: &'static OperationSchema = &{};\n}}\n",
            type_of(operation.input.as_ref()),
            type_of(operation.output.as_ref()),
            schema(source, name, operation)?,
        )?;
    }
    Ok(text)
}

fn schema(source: &Source<'_>, name: &str, operation: &Operation) -> anyhow::Result<String> {
    let table = |reference: Option<&Reference>| match reference {
        Some(reference) => format!("&tables::{}", names::screaming(&reference.shape)),
        None => "&g::StructureSchema::EMPTY".to_owned(),
    };
    let mut errors = String::new();
    for error in &operation.errors {
        write!(errors, "&errors::{}, ", names::screaming(&error.shape))?;
    }
    let declared = operation
        .output
        .as_ref()
        .and_then(|output| output.result_wrapper.clone());
    // The JSON model of a service that once spoke query has lost its wrappers; all are named alike.
    let wrapper = declared.or_else(|| {
        let wrapped = source.choices.query.is_some() && operation.output.is_some();
        wrapped.then(|| format!("{name}Result"))
    });
    Ok(format!(
        "OperationSchema {{\nname: {name:?}, method: {:?}, uri: {:?}, status: {},\n\
         input: {}, output: {}, result_wrapper: {wrapper:?}, errors: &[{errors}],\n}}",
        operation.http.method,
        operation.http.request_uri,
        operation.http.response_code.unwrap_or(200),
        table(operation.input.as_ref()),
        table(operation.output.as_ref()),
    ))
}

fn type_of(reference: Option<&Reference>) -> String {
    reference.map_or_else(
        || "Unit".to_owned(),
        |reference| names::type_name(&reference.shape),
    )
}

pub fn errors(source: &Source<'_>) -> anyhow::Result<String> {
    let mut text = "/// Every error the model knows here: code, query code, status.\n\
                    pub mod errors {\nuse wire::ErrorSchema;\nuse super::tables;\n\n"
        .to_owned();
    for (name, info) in error_shapes(source) {
        writeln!(
            text,
            "pub static {}: ErrorSchema = ErrorSchema {{ code: {name:?}, query_code: {:?}, \
             status: {}, shape: &tables::{} }};",
            names::screaming(name),
            info.code.filter(|code| code != name),
            info.http_status_code.unwrap_or(400),
            names::screaming(name),
        )?;
    }
    text += "}\n\n";
    Ok(text)
}

/// By name, with code and status from the overlay, the model, or the kind of fault.
fn error_shapes<'m>(source: &Source<'m>) -> BTreeMap<&'m str, ErrorInfo> {
    let overlay = source.choices.query.as_ref().map(|query| &query.errors);
    let mut errors = BTreeMap::new();
    for (name, shape) in source
        .model
        .shapes
        .iter()
        .filter(|(_, shape)| shape.exception)
    {
        let ours = overlay.and_then(|errors| errors.get(name)).cloned();
        let mut info = ours.or_else(|| shape.error.clone()).unwrap_or_default();
        info.http_status_code
            .get_or_insert(if shape.fault { 500 } else { 400 });
        errors.insert(name, info);
    }
    errors
}
