//! Which operation a request means, by each of the ways the protocols have of saying so.

use http::request::Parts;
use http::{Method, StatusCode};

use crate::form;
use crate::paths::{self, Found, Template};
use crate::schema::{OperationSchema, QueryStyle, ServiceSchema};
use crate::uri::{self, Labels, Segments};
use crate::{Protocol, WireError};

/// A request whose operation is known.
#[derive(Debug)]
pub struct Routed {
    pub protocol: Protocol,
    pub operation: RoutedOperation,
}

#[derive(Debug)]
pub enum RoutedOperation {
    /// With the labels of the path, for the protocols that have some.
    Known {
        schema: &'static OperationSchema,
        labels: Labels,
    },
    /// An operation of the model that the service does not implement.
    Absent(&'static str),
}

/// Finds the operation a request to `service` means.
///
/// # Errors
/// What AWS answers to a request that means none: `UnknownOperationException`, `InvalidAction`,
/// `MissingAction`, `MalformedQueryString`.
pub fn route(
    service: &'static ServiceSchema,
    head: &Parts,
    body: &[u8],
) -> Result<Routed, WireError> {
    let protocol = spoken(service, head);
    let operation = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => by_target(service, head),
        Protocol::Query => by_action(service, head, body),
        Protocol::RestJson | Protocol::RestXml => by_path(service, head),
    };
    match operation {
        Ok(operation) => Ok(Routed {
            protocol,
            operation,
        }),
        Err(error) => Err(error.by(protocol)),
    }
}

/// Whether a path-routed service has an operation of that method and path.
pub fn serves_path(service: &'static ServiceSchema, method: &Method, path: &str) -> bool {
    let path = Segments::of(path);
    paths::candidates(service, method.as_str(), &path)
        .any(|template| uri::rank(&template.parts, &path).is_some())
}

/// The protocol of a request: what its headers show, among those the service speaks.
fn spoken(service: &ServiceSchema, head: &Parts) -> Protocol {
    let own = service.protocols[0];
    if service.protocols.len() == 1 {
        return own;
    }
    if head.headers.contains_key("x-amz-target") {
        return own;
    }
    let content_type = head.headers.get(http::header::CONTENT_TYPE);
    let is_json = content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-amz-json"));
    if is_json { own } else { Protocol::Query }
}

fn by_target(service: &'static ServiceSchema, head: &Parts) -> Result<RoutedOperation, WireError> {
    let unknown = || WireError::unknown_operation(StatusCode::BAD_REQUEST);
    let target = head
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    let (prefix, name) = target
        .and_then(|target| target.rsplit_once('.'))
        .ok_or_else(unknown)?;
    if Some(prefix) != service.target_prefix {
        return Err(unknown());
    }
    by_name(service, name).ok_or_else(unknown)
}

fn by_action(
    service: &'static ServiceSchema,
    head: &Parts,
    body: &[u8],
) -> Result<RoutedOperation, WireError> {
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let find = |name| form::find(query, name).or_else(|| form::find(body, name));
    let Some(action) = find("Action") else {
        // AWS's front ends answer a form without an action by name, and what is no form at all as
        // they would any other stray request.
        return Err(if query.is_empty() && body.is_empty() {
            WireError::unknown_operation(StatusCode::NOT_FOUND)
        } else {
            let message = "The request must contain the parameter Action.";
            WireError::bad_request("MissingAction", message)
        });
    };
    let QueryStyle { any_version, .. } = service.query;
    let version = find("Version");
    let known = any_version || version.as_deref() == Some(service.api_version);
    match by_name(service, &action) {
        Some(operation) if known => Ok(operation),
        _ => Err(invalid_action(&action, version.as_deref(), any_version)),
    }
}

fn invalid_action(action: &str, version: Option<&str>, any_version: bool) -> WireError {
    let version = version.unwrap_or("NO_VERSION_SPECIFIED");
    let message = if any_version {
        format!("The action {action} is not valid for this endpoint.")
    } else {
        format!("Could not find operation {action} for version {version}")
    };
    WireError::bad_request("InvalidAction", message)
}

fn by_name(service: &'static ServiceSchema, name: &str) -> Option<RoutedOperation> {
    if let Some(schema) = service.operation(name) {
        return Some(RoutedOperation::Known {
            schema,
            labels: Labels::new(),
        });
    }
    let absent = service
        .absent
        .iter()
        .find(|operation| operation.name == name)?;
    Some(RoutedOperation::Absent(absent.name))
}

fn by_path(service: &'static ServiceSchema, head: &Parts) -> Result<RoutedOperation, WireError> {
    let path = Segments::of(head.uri.path());
    let query = head.uri.query().unwrap_or_default();
    let unknown = || WireError::unknown_operation(StatusCode::NOT_FOUND);
    let fitting = paths::candidates(service, head.method.as_str(), &path)
        .filter_map(|template| Some((closeness(template, &path, query)?, template)));
    let (_, closest) = fitting
        .min_by_key(|(closeness, _)| *closeness)
        .ok_or_else(unknown)?;
    match closest.operation {
        Found::Known(schema) => {
            let labels = uri::labels(&closest.parts, &path).ok_or_else(unknown)?;
            Ok(RoutedOperation::Known { schema, labels })
        }
        Found::Absent(name) => Ok(RoutedOperation::Absent(name)),
    }
}

/// How closely a template names the request; a template with more fixed parameters is closer.
fn closeness(template: &Template, path: &Segments<'_>, query: &str) -> Option<(uri::Rank, usize)> {
    let rank = uri::rank(&template.parts, path)?;
    for (name, value) in &template.query {
        let present = query
            .split('&')
            .any(|part| match (part.split_once('='), value) {
                (Some((n, v)), Some(value)) => n == *name && v == *value,
                (Some((n, _)), None) => n == *name,
                (None, None) => part == *name,
                (None, Some(_)) => false,
            });
        if !present {
            return None;
        }
    }
    Some((rank, usize::MAX - template.query.len()))
}
