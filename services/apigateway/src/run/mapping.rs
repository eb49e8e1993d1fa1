//! Parameters and bodies on their way from a request to an integration, and back.

use http::HeaderMap;
use indexmap::IndexMap;
use proxy::request;
use serde_json::Value as Json;

use crate::domain::expressions::{self, Place, Source};
use crate::run::call::Call;
use crate::run::context;
use crate::run::refusal::Refusal;

/// What an integration gets beside the body.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    pub path: IndexMap<String, String>,
    pub query: IndexMap<String, Vec<String>>,
    pub headers: IndexMap<String, Vec<String>>,
}

/// The value of an expression about the request.
pub fn of_request(call: &Call, told: &Json, expression: &str) -> Option<String> {
    let values = request_values(call, told, expression)?;
    Some(values.join(","))
}

fn request_values(call: &Call, told: &Json, expression: &str) -> Option<Vec<String>> {
    let one = |value: String| Some(vec![value]);
    match expressions::source(expression, "method.request")? {
        Source::Parameter(Place::Path, name) => {
            call.path_parameters.get(&name).cloned().and_then(one)
        }
        Source::Parameter(Place::Query, name) => {
            let mut values = request::pairs(&call.query).filter(|(other, _)| *other == name);
            let first = values.next()?;
            one(values.last().unwrap_or(first).1)
        }
        Source::Parameter(Place::Header, name) => {
            let value = call.headers.get_all(&name).iter().next_back()?;
            one(request::lossy(value.as_bytes()))
        }
        Source::MultiValue(Place::Header, name) => {
            let values = call.headers.get_all(&name).iter();
            let values: Vec<_> = values
                .map(|value| request::lossy(value.as_bytes()))
                .collect();
            Some(values).filter(|values| !values.is_empty())
        }
        Source::MultiValue(_, name) => {
            let values = request::pairs(&call.query).filter(|(other, _)| *other == name);
            let values: Vec<_> = values.map(|(_, value)| value).collect();
            Some(values).filter(|values| !values.is_empty())
        }
        Source::Body(None) => one(request::lossy(&call.body)),
        Source::Body(Some(path)) => at_path(&call.body, &path).and_then(one),
        Source::Context(name) => context::value(told, &name).and_then(one),
        Source::StageVariable(name) => call.deployed.variables.get(&name).cloned().and_then(one),
        Source::Static(text) => one(text),
    }
}

/// The value of an expression in a gateway response's parameters.
pub fn of_gateway_response(call: &Call, told: &Json, expression: &str) -> Option<String> {
    of_request(call, told, expression)
}

/// The value of an expression about what an integration answered.
pub fn of_response(
    call: &Call,
    told: &Json,
    expression: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Vec<String>> {
    let one = |value: String| Some(vec![value]);
    match expressions::source(expression, "integration.response")? {
        Source::Parameter(Place::Header, name) => {
            let value = headers.get_all(&name).iter().next_back()?;
            one(request::lossy(value.as_bytes()))
        }
        Source::MultiValue(Place::Header, name) => {
            let values = headers.get_all(&name).iter();
            Some(
                values
                    .map(|value| request::lossy(value.as_bytes()))
                    .collect(),
            )
        }
        Source::Parameter(..) | Source::MultiValue(..) => None,
        Source::Body(None) => one(request::lossy(body)),
        Source::Body(Some(path)) => at_path(body, &path).and_then(one),
        Source::Context(name) => context::value(told, &name).and_then(one),
        Source::StageVariable(name) => call.deployed.variables.get(&name).cloned().and_then(one),
        Source::Static(text) => one(text),
    }
}

/// What a JSONPath finds in a body: texts as they are, all else as JSON.
fn at_path(body: &[u8], path: &str) -> Option<String> {
    let json = vtl::Json::parse(std::str::from_utf8(body).ok()?)?;
    let path = vtl::jsonpath::Path::parse(path).ok()?;
    let found = path.find(&json, &mut 200_000).ok()??;
    Some(match found {
        vtl::Json::Text(text) => text,
        other => other.to_string(),
    })
}

/// The parameters that an integration's `requestParameters` name.
pub fn request_parameters(call: &Call, told: &Json) -> Parameters {
    let mut out = Parameters::default();
    let integration = call.method().method_integration.as_ref();
    let mapped = integration.and_then(|integration| integration.request_parameters.as_ref());
    for (target, expression) in mapped.into_iter().flatten() {
        let Some((place, name)) = expressions::parameter(target, "integration.request") else {
            continue;
        };
        let Some(values) = request_values(call, told, expression) else {
            continue;
        };
        match place {
            Place::Path => {
                out.path.insert(name.to_owned(), values.join(","));
            }
            Place::Query => {
                out.query.insert(name.to_owned(), values);
            }
            Place::Header => {
                out.headers.insert(name.to_ascii_lowercase(), values);
            }
        }
    }
    out
}

/// What a template overrides counts before what is mapped.
pub fn override_parameters(parameters: &mut Parameters, overrides: &vtl::Json) {
    let values = |value: &vtl::Json| match value {
        vtl::Json::List(items) => items.iter().map(text).collect(),
        other => vec![text(other)],
    };
    let members = |place: &str| match overrides.get(place) {
        Some(vtl::Json::Map(members)) => members.clone(),
        _ => IndexMap::new(),
    };
    for (name, value) in members("path") {
        parameters.path.insert(name, text(&value));
    }
    for (name, value) in members("querystring") {
        parameters.query.insert(name, values(&value));
    }
    for (name, value) in members("header") {
        parameters
            .headers
            .insert(name.to_ascii_lowercase(), values(&value));
    }
}

pub fn text(value: &vtl::Json) -> String {
    match value {
        vtl::Json::Text(text) => text.clone(),
        vtl::Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Fills a template in. One that is none, or does not come to its end, is the API's fault.
pub fn render(
    call: &Call,
    template: &str,
    body: &str,
    told: &Json,
) -> Result<vtl::Rendered, Refusal> {
    let Some(template) = call.deployed.template(template) else {
        return Err(Refusal::configuration());
    };
    let parameters = call.parameters();
    let context = vtl::Json::from(told);
    let inputs = vtl::Inputs {
        body,
        parameters: &parameters,
        context: &context,
        stage_variables: &call.deployed.variables,
    };
    template
        .render(&inputs, vtl::Limits::default())
        .map_err(|error| {
            let api = &call.deployed.api_id;
            tracing::warn!(api, %error, "a mapping template does not come to its end");
            call.log
                .line(|| format!("Execution failed due to configuration error: {error}"));
            Refusal::configuration()
        })
}
