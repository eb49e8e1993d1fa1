//! The operations, by resource.

pub mod api_mappings;
pub mod apis;
pub mod authorizers;
pub mod deployments;
pub mod domains;
pub mod integrations;
pub mod models;
pub mod openapi;
pub mod responses;
pub mod routes;
pub mod stages;
pub mod tags;
pub mod vpc_links;

use std::sync::Arc;

use serde::Serialize;
use service::{RequestContext, ServiceError, page};
use wire::Value;

use crate::change::find;
use crate::directory::Child;
use crate::{ApiGatewayV2, error, shape};

pub type State = Arc<ApiGatewayV2>;
pub type Answer = Result<Value, ServiceError>;

/// Most items of a page, and as many as come where nobody says.
const MOST: usize = 100;

/// What an operation without output answers.
pub fn nothing() -> Value {
    Value::Map(Vec::new())
}

/// A text of the input; empty if it is not there.
pub fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A page of items, as the input asks for it.
pub fn paged<T: Serialize>(input: &Value, items: impl IntoIterator<Item = (String, T)>) -> Answer {
    paged_as(input, items, |item| shape::shown(&item))
}

/// The same, with another look of an item.
pub fn paged_as<T>(
    input: &Value,
    items: impl IntoIterator<Item = (String, T)>,
    show: impl Fn(T) -> Value,
) -> Answer {
    let limit = match text(input, "MaxResults") {
        "" => MOST,
        given => given
            .parse::<usize>()
            .ok()
            .filter(|limit| (1..=500).contains(limit))
            .ok_or_else(|| error::bad_request("Invalid value specified for maxResults"))?,
    };
    let token = input.get("NextToken").and_then(Value::as_str);
    let (page, next) = page::cut(items, token, limit)
        .ok_or_else(|| error::bad_request("Invalid value specified for nextToken"))?;
    let items = page.into_iter().map(|(_, item)| show(item)).collect();
    Ok(Value::of_members([
        Some(("Items", Value::List(items))),
        next.map(|next| ("NextToken", Value::Str(next))),
    ]))
}

/// One part of an API.
pub fn get_child<T: Child>(state: &State, context: &RequestContext, api: &str, id: &str) -> Answer {
    let api = state.api(context, api)?;
    Ok(shape::shown(&*find::<T>(&api, id)?))
}

/// The parts of an API of one kind, of one parent where they have parents.
pub fn list_children<T: Child>(
    state: &State,
    context: &RequestContext,
    input: &Value,
    parent: &str,
) -> Answer {
    let api = state.api(context, text(input, "ApiId"))?;
    let items = T::all(&api)
        .iter()
        .filter(|(id, _)| id.starts_with(parent))
        .map(|(id, child)| (id.clone(), Arc::clone(child)));
    paged_as(input, items.collect::<Vec<_>>(), |child| {
        shape::shown(&*child)
    })
}
