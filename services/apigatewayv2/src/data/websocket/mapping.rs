//! What becomes of a message on its way to an integration that is no proxy, and of its answer:
//! selection expressions, templates and parameters.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-data-mapping.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use indexmap::IndexMap;
use proxy::invoke::function_arn;
use proxy::request::{joined_header, lossy, pairs};
use serde_json::Value;

use super::super::exchange::Exchange;
use super::integrate::Said;
use crate::domain::expression::{evaluate_with, in_body, value};
use crate::records::{Integration, IntegrationResponse, Texts};

/// The key of templates and responses that count where no other does.
const DEFAULT: &str = "$default";

/// A message, and the answer to it once there is one: what expressions are about.
pub struct Subject<'a> {
    pub exchange: &'a Exchange,
    pub body: &'a [u8],
    pub said: Option<&'a Said>,
}

impl Subject<'_> {
    /// The value of an expression without its `$`.
    fn value(&self, name: &str) -> Option<String> {
        let Some(rest) = name.strip_prefix("integration.response.") else {
            let context = |name: &str| self.exchange.context(name);
            let name = name.strip_prefix("route.").unwrap_or(name);
            return value(name, &self.exchange.sources(self.body, &context));
        };
        let said = self.said?;
        match rest.split_once('.').unwrap_or((rest, "")) {
            ("statuscode", "") => Some(said.status.as_u16().to_string()),
            ("header" | "multivalueheader", name) => {
                joined_header(&said.headers, &name.to_ascii_lowercase())
            }
            ("body", path) => in_body(&said.body, path),
            _ => None,
        }
    }

    /// What an expression selects. A backslash before the `$` makes it a plain text, as in `\$default`.
    fn select(&self, expression: Option<&str>) -> Option<String> {
        let expression = expression?;
        match expression.strip_prefix('\\') {
            Some(text) => Some(text.to_owned()),
            None => evaluate_with(expression, &|name| self.value(name)),
        }
    }

    /// The template that counts, and whether there are any.
    fn template<'t>(
        &self,
        templates: Option<&'t Texts>,
        expression: Option<&str>,
    ) -> Option<&'t str> {
        let templates = templates?;
        let selected = self.select(expression);
        let found = selected.and_then(|key| templates.get(&key));
        found.or_else(|| templates.get(DEFAULT)).map(String::as_str)
    }

    /// Fills a template in; an error is the reason, for the log.
    fn render(&self, template: &str) -> Result<Bytes, String> {
        let compiled = &self.exchange.target.compiled.templates;
        let Some(Ok(template)) = compiled.get(template) else {
            return Err("a mapping template is none".to_owned());
        };
        let payload = self.said.map_or(self.body, |said| &said.body);
        let headers = self.exchange.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), lossy(value.as_bytes())));
        let parameters = vtl::Parameters {
            path: IndexMap::new(),
            querystring: pairs(self.exchange.query()).collect(),
            header: headers.collect(),
        };
        let texts =
            |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let variables: BTreeMap<_, _> = self
            .exchange
            .stage_variables
            .iter()
            .filter_map(texts)
            .collect();
        let rendered = template.render(
            &vtl::Inputs {
                body: &String::from_utf8_lossy(payload),
                parameters: &parameters,
                context: &vtl::Json::from(&self.exchange.websocket_context()),
                stage_variables: &variables,
            },
            vtl::Limits::default(),
        );
        let rendered = rendered.map_err(|error| error.to_string())?;
        Ok(Bytes::from(rendered.text))
    }

    /// What an integration's request has for a body.
    pub fn request(&self, integration: &Integration) -> Result<Bytes, String> {
        let templates = integration.request_templates.as_ref();
        let expression = integration.template_selection_expression.as_deref();
        if let Some(template) = self.template(templates, expression) {
            return self.render(template);
        }
        let has_templates = templates.is_some_and(|templates| !templates.is_empty());
        match integration.passthrough_behavior.as_deref() {
            Some("NEVER") => Err("no template takes the message, and none passes through".into()),
            Some("WHEN_NO_TEMPLATES") if has_templates => {
                Err("no template takes the message, and there are others".into())
            }
            _ => converted(
                integration.content_handling_strategy.as_deref(),
                Bytes::copy_from_slice(self.body),
            ),
        }
    }

    /// The answer as the response that takes it changes it.
    pub fn response(&self, integration: &Integration) -> Result<Option<Bytes>, String> {
        let all = &self.exchange.target.compiled.integration_responses;
        let Some(said) = self.said else {
            return Ok(None);
        };
        let Some(responses) = all.get(&integration.integration_id) else {
            return Ok(None);
        };
        let expression = integration
            .integration_response_selection_expression
            .as_deref();
        // What AWS fixes it to, by what is behind the integration.
        let uri = integration.integration_uri.as_deref().unwrap_or_default();
        let usual = if integration.integration_type == "AWS" && function_arn(uri).is_some() {
            "$integration.response.body.errorMessage"
        } else {
            "$integration.response.statuscode"
        };
        let selected = self.select(expression.or(Some(usual)));
        let Some(response) = taken(responses, selected.as_deref()) else {
            return Ok(None);
        };
        let templates = response.response_templates.as_ref();
        let expression = response.template_selection_expression.as_deref();
        match self.template(templates, expression) {
            Some(template) => self.render(template).map(Some),
            None => converted(
                response.content_handling_strategy.as_deref(),
                said.body.clone(),
            )
            .map(Some),
        }
    }

    /// Headers and query of an integration's request, by its parameters.
    pub fn parameters(&self, integration: &Integration) -> Outgoing {
        let mut out = Outgoing::default();
        for (key, text) in integration.request_parameters.iter().flatten() {
            let Some((place, name)) = key
                .strip_prefix("integration.request.")
                .and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            let fixed = text
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''));
            let value = match fixed {
                Some(fixed) => Some(fixed.to_owned()),
                None => self.value(text),
            };
            let Some(value) = value else {
                continue;
            };
            match place {
                "querystring" => out.query.push((name.to_owned(), value)),
                "path" => out.path.push((name.to_owned(), value)),
                _ => {
                    let name = HeaderName::try_from(name);
                    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                        out.headers.insert(name, value);
                    }
                }
            }
        }
        out
    }
}

/// What a request has beside its body.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub headers: HeaderMap,
    pub query: Vec<(String, String)>,
    pub path: Vec<(String, String)>,
}

/// The response whose key is the one selected, or a pattern (`/2\d\d/`) that fits it, or the default's.
fn taken<'r>(
    responses: &'r [IntegrationResponse],
    selected: Option<&str>,
) -> Option<&'r IntegrationResponse> {
    let of = |fits: &dyn Fn(&str) -> bool| {
        responses
            .iter()
            .find(|response| fits(&response.integration_response_key))
    };
    let fits = |key: &str, selected: &str| {
        let pattern = key.strip_prefix('/').and_then(|key| key.strip_suffix('/'));
        pattern.is_some_and(|pattern| {
            regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
                .size_limit(1 << 18)
                .build()
                .is_ok_and(|pattern| pattern.is_match(selected))
        })
    };
    let exact = selected.and_then(|selected| of(&|key| key == selected));
    let by_pattern = || selected.and_then(|selected| of(&|key| fits(key, selected)));
    exact
        .or_else(by_pattern)
        .or_else(|| of(&|key| key == DEFAULT))
}

/// As the strategy wants a body that no template changes: base64 becomes bytes, or bytes base64.
fn converted(strategy: Option<&str>, body: Bytes) -> Result<Bytes, String> {
    match strategy {
        Some("CONVERT_TO_BINARY") => STANDARD
            .decode(&body)
            .map(Bytes::from)
            .map_err(|error| format!("make bytes of base64: {error}")),
        Some("CONVERT_TO_TEXT") => Ok(Bytes::from(STANDARD.encode(&body))),
        _ => Ok(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_taken_by_key_then_by_pattern_then_by_default() {
        let response = |key: &str| IntegrationResponse {
            integration_response_key: key.to_owned(),
            ..IntegrationResponse::default()
        };
        let all = ["$default", "/2\\d\\d/", "201", "/(/"].map(response);
        let of = |selected| {
            taken(&all, selected).map(|response| response.integration_response_key.as_str())
        };
        assert_eq!(of(Some("201")), Some("201"));
        assert_eq!(of(Some("200")), Some("/2\\d\\d/"));
        assert_eq!(of(Some("2000")), Some("$default"));
        assert_eq!(of(None), Some("$default"));
        assert!(taken(&all[1..], Some("500")).is_none());
    }

    #[test]
    fn bodies_are_converted() {
        let of = |strategy, body: &'static [u8]| converted(strategy, Bytes::from_static(body));
        assert_eq!(of(None, b"aGk=").unwrap(), "aGk=");
        assert_eq!(of(Some("CONVERT_TO_BINARY"), b"aGk=").unwrap(), "hi");
        assert_eq!(of(Some("CONVERT_TO_TEXT"), b"hi").unwrap(), "aGk=");
        assert!(of(Some("CONVERT_TO_BINARY"), b"?").is_err());
    }
}
