//! The operations, by resource.

pub mod account;
pub mod api_keys;
pub mod authorizers;
pub mod base_path_mappings;
pub mod definitions;
pub mod deployments;
pub mod documentation_parts;
pub mod documentation_versions;
pub mod domain_names;
pub mod gateway_responses;
pub mod integration_responses;
pub mod integrations;
pub mod method_responses;
pub mod methods;
pub mod models;
pub mod request_validators;
pub mod resources;
pub mod rest_apis;
pub mod stages;
pub mod tags;
pub mod test_invoke;
pub mod usage;
pub mod usage_plan_keys;
pub mod usage_plans;

use std::sync::Arc;

use service::{ServiceError, page};
use wire::Shape;

use crate::ApiGateway;
use crate::error::bad_request;
use crate::records::Shelf;

pub type State = Arc<ApiGateway>;

/// Items of a list where the client does not say, and the most it may ask for.
const DEFAULT_LIMIT: i32 = 25;
const MAX_LIMIT: i32 = 500;

/// What an operation without an answer answers.
pub const NOTHING: wire::Unit = wire::Unit {};

/// Some of a list: the items, and the position of the next.
pub fn paged<T: Clone>(
    items: impl IntoIterator<Item = (String, T)>,
    position: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let limit = usize::try_from(limit).unwrap_or(1);
    let (page, next) = page::cut(items, position, limit)
        .ok_or_else(|| bad_request("Invalid position parameter"))?;
    Ok((page.into_iter().map(|(_, item)| item).collect(), next))
}

/// Some of a shelf.
pub fn shown<T: Shape + Clone>(
    shelf: &Shelf<T>,
    position: Option<&str>,
    limit: Option<i32>,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let items = shelf.iter();
    let items = items.map(|(name, thing)| (name.to_owned(), T::clone(thing)));
    paged(items, position, limit)
}

/// A text that is there and not empty.
pub fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A map that is there and not empty; AWS shows no other.
pub fn entries<K, V>(
    map: Option<std::collections::BTreeMap<K, V>>,
) -> Option<std::collections::BTreeMap<K, V>> {
    map.filter(|map| !map.is_empty())
}

/// As many tags as AWS allows.
pub fn check_tags(
    tags: Option<&std::collections::BTreeMap<String, String>>,
) -> Result<(), ServiceError> {
    for (key, value) in tags.into_iter().flatten() {
        if key.starts_with("aws:") {
            return Err(bad_request(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(bad_request(
                "Invalid tag: keys have 1 to 128 characters, values up to 256",
            ));
        }
    }
    if tags.is_some_and(|tags| tags.len() > 50) {
        return Err(bad_request("A resource can have no more than 50 tags"));
    }
    Ok(())
}

/// What a patch makes of an API's kind of thing, put back in its place.
pub fn replace<T: Shape + Clone>(shelf: &mut Shelf<T>, name: &str, changed: T) -> T {
    shelf.put(name, changed.clone());
    changed
}

/// The methods that a resource can have.
pub const METHODS: [&str; 8] = [
    "GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY",
];
