//! Models in documents: named schemas, those written in place, and how they refer to each other.

use serde_json::Value as Json;

use super::{Definition, is_three, optional};
use crate::domain::ids;
use crate::g;

/// What references to models are made of; the API's id is put in when it is known.
const BASE: &str = "https://apigateway.amazonaws.com/restapis/{api}/models/";

/// The named schemas of a document.
pub fn named(document: &Json) -> Option<&serde_json::Map<String, Json>> {
    let schemas = if is_three(document) {
        &document["components"]["schemas"]
    } else {
        &document["definitions"]
    };
    schemas.as_object()
}

/// A model's name: letters and digits only.
pub fn name(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// A model of a schema of the document.
pub fn model(schema_name: &str, schema: &Json) -> g::Model {
    let mut schema = schema.clone();
    outward(&mut schema);
    g::Model {
        id: None,
        name: Some(name(schema_name)),
        description: optional(&schema["description"]),
        schema: Some(schema.to_string()),
        content_type: Some("application/json".to_owned()),
    }
}

/// The name of the model that a schema in the document means: of the one it refers to, or of a new
/// one.
pub fn model_of(schema: &Json, definition: &mut Definition) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return name(reference.rsplit('/').next().unwrap_or_default());
    }
    let made = format!("MODEL{}", ids::short());
    definition.models.push(model(&made, schema));
    made
}

/// References within the document become references to models.
fn outward(schema: &mut Json) {
    each_reference(schema, &mut |reference| {
        let prefixes = ["#/definitions/", "#/components/schemas/"];
        let found = prefixes
            .iter()
            .find_map(|prefix| reference.strip_prefix(prefix))?;
        Some(format!("{BASE}{}", name(found)))
    });
}

/// References to models become references within a document.
pub fn inward(schema: &mut Json, before: &str) {
    each_reference(schema, &mut |reference| {
        let (_, model) = reference.rsplit_once("/models/")?;
        Some(format!("{before}{model}"))
    });
}

fn each_reference(schema: &mut Json, change: &mut impl FnMut(&str) -> Option<String>) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::String(reference)) = members.get_mut("$ref")
                && let Some(changed) = change(reference)
            {
                *reference = changed;
            }
            members
                .values_mut()
                .for_each(|member| each_reference(member, change));
        }
        Json::Array(items) => items
            .iter_mut()
            .for_each(|item| each_reference(item, change)),
        _ => {}
    }
}

/// A model's schema with the API's id in its references.
pub fn settled(schema: &str, api: &str) -> String {
    schema.replace(
        "/restapis/{api}/models/",
        &format!("/restapis/{api}/models/"),
    )
}
