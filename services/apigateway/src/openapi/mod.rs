//! OpenAPI 2 (Swagger) and 3 documents with API Gateway's extensions: reading them into an API, and
//! writing one of a deployment.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>

pub mod apply;
pub mod read;
pub mod schemas;
mod security;
pub mod write;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use service::ServiceError;

use crate::error::bad_request;
use crate::g;

/// What a document says of an API. Names stand where ids will be.
#[derive(Debug, Default)]
pub struct Definition {
    pub title: Option<String>,
    pub description: Option<String>,
    pub version: Option<String>,
    pub base_path: String,
    pub binary_media_types: Option<Vec<String>>,
    pub minimum_compression_size: Option<i32>,
    pub api_key_source: Option<g::ApiKeySourceType>,
    pub policy: Option<String>,
    pub disable_execute_api_endpoint: Option<bool>,
    pub vpc_endpoint_ids: Option<Vec<String>>,
    pub models: Vec<g::Model>,
    pub validators: Vec<g::RequestValidator>,
    pub authorizers: Vec<g::Authorizer>,
    pub responses: Vec<g::GatewayResponse>,
    pub documentation: Vec<g::DocumentationPart>,
    /// With their methods.
    pub paths: BTreeMap<String, Vec<g::Method>>,
    pub warnings: Vec<String>,
}

/// The document in a body: JSON, or YAML.
pub fn document(body: &[u8]) -> Result<Json, ServiceError> {
    let unreadable = || {
        bad_request(
            "Unable to build importer with provided input: it is neither an OpenAPI document in JSON nor in YAML",
        )
    };
    let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
    let document: Json = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(_) => serde_saphyr::from_str(text).map_err(|_| unreadable())?,
    };
    if document.is_object() && (is_version(&document, "swagger", "2.") || is_three(&document)) {
        Ok(document)
    } else {
        Err(unreadable())
    }
}

fn is_version(document: &Json, member: &str, begins: &str) -> bool {
    match &document[member] {
        Json::String(version) => version.starts_with(begins),
        // YAML reads 2.0 as a number.
        Json::Number(version) => version.to_string().starts_with(&begins[..1]),
        _ => false,
    }
}

/// Whether it is OpenAPI 3, and not Swagger 2.
pub fn is_three(document: &Json) -> bool {
    is_version(document, "openapi", "3.")
}

/// What a `$ref` within the document leads to; itself if it is none.
pub fn resolved<'d>(document: &'d Json, mut value: &'d Json) -> &'d Json {
    // References to references end somewhere, or are not followed.
    for _ in 0..16 {
        let Some(reference) = value["$ref"].as_str() else {
            break;
        };
        let Some(found) = reference
            .strip_prefix('#')
            .and_then(|path| document.pointer(path))
        else {
            break;
        };
        value = found;
    }
    value
}

/// A map of texts; numbers and booleans are written as such.
pub fn texts(value: &Json) -> Option<BTreeMap<String, String>> {
    let members = value.as_object()?;
    let texts = members
        .iter()
        .map(|(name, value)| (name.clone(), text(value)));
    Some(texts.collect()).filter(|map: &BTreeMap<_, _>| !map.is_empty())
}

pub fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

pub fn list(value: &Json) -> Option<Vec<String>> {
    let items = value.as_array()?;
    Some(items.iter().map(text).collect())
}

pub fn optional(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub fn integer(value: &Json) -> Option<i32> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    i32::try_from(number).ok()
}
