//! Connections: how requests to an API destination are authorized, and what goes with each.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection.html>

use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::ServiceError;

use crate::error;
use crate::generated as g;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authorization {
    Basic {
        username: String,
        password: String,
    },
    ApiKey {
        name: String,
        value: String,
    },
    OAuth {
        client_id: String,
        client_secret: String,
        endpoint: String,
        /// `GET`, `POST` or `PUT`.
        method: String,
        parameters: Parameters,
    },
}

/// What is added to requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    pub headers: Vec<Parameter>,
    pub query: Vec<Parameter>,
    pub body: Vec<Parameter>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub key: String,
    pub value: String,
    pub is_secret: bool,
}

/// Parameters of one kind, which the model has a struct for each of.
macro_rules! parameters {
    ($given:expr) => {
        $given
            .unwrap_or_default()
            .into_iter()
            .map(|one| Parameter {
                key: one.key.unwrap_or_default(),
                value: one.value.unwrap_or_default(),
                is_secret: one.is_value_secret.unwrap_or(false),
            })
            .collect()
    };
}

/// The same as a client sees them: without secret values.
macro_rules! shown {
    ($kept:expr, $shape:ident) => {{
        let shown: Vec<_> = $kept
            .iter()
            .map(|one| g::$shape {
                key: Some(one.key.clone()),
                value: (!one.is_secret).then(|| one.value.clone()),
                is_value_secret: Some(one.is_secret),
            })
            .collect();
        (!shown.is_empty()).then_some(shown)
    }};
}

impl Parameters {
    pub fn of(given: Option<g::ConnectionHttpParameters>) -> Self {
        let given = given.unwrap_or_default();
        Self {
            headers: parameters!(given.header_parameters),
            query: parameters!(given.query_string_parameters),
            body: parameters!(given.body_parameters),
        }
    }

    pub fn shown(&self) -> Option<g::ConnectionHttpParameters> {
        (*self != Self::default()).then(|| g::ConnectionHttpParameters {
            header_parameters: shown!(self.headers, ConnectionHeaderParameter),
            query_string_parameters: shown!(self.query, ConnectionQueryStringParameter),
            body_parameters: shown!(self.body, ConnectionBodyParameter),
        })
    }

    /// A body with its members in it: a JSON object. Another stays as it is.
    pub fn added_to(&self, body: String) -> String {
        if self.body.is_empty() {
            return body;
        }
        match serde_json::from_str(&body) {
            Ok(Value::Object(mut members)) => {
                let own = self.body.iter();
                members.extend(own.map(|one| (one.key.clone(), one.value.clone().into())));
                Value::Object(members).to_string()
            }
            _ => body,
        }
    }
}

impl Authorization {
    pub fn kind(&self) -> g::ConnectionAuthorizationType {
        match self {
            Self::Basic { .. } => g::ConnectionAuthorizationType::Basic,
            Self::ApiKey { .. } => g::ConnectionAuthorizationType::ApiKey,
            Self::OAuth { .. } => g::ConnectionAuthorizationType::OauthClientCredentials,
        }
    }

    /// From the parameters of a kind, which must be there. What an update leaves out is as `old`.
    pub fn of(
        kind: g::ConnectionAuthorizationType,
        given: g::UpdateConnectionAuthRequestParameters,
        old: Option<&Self>,
    ) -> Result<Self, ServiceError> {
        let missing = |name: &str| {
            error::validation(format!(
                "Parameter(s) {name} must be specified for the authorization type {kind}."
            ))
        };
        let need = |given: Option<String>, old: Option<&String>, name: &str| {
            given.or_else(|| old.cloned()).ok_or_else(|| missing(name))
        };
        match kind {
            g::ConnectionAuthorizationType::Basic => {
                let given = given.basic_auth_parameters.unwrap_or_default();
                let old = match old {
                    Some(Self::Basic { username, password }) => (Some(username), Some(password)),
                    _ => (None, None),
                };
                Ok(Self::Basic {
                    username: need(given.username, old.0, "BasicAuthParameters")?,
                    password: need(given.password, old.1, "BasicAuthParameters")?,
                })
            }
            g::ConnectionAuthorizationType::ApiKey => {
                let given = given.api_key_auth_parameters.unwrap_or_default();
                let old = match old {
                    Some(Self::ApiKey { name, value }) => (Some(name), Some(value)),
                    _ => (None, None),
                };
                Ok(Self::ApiKey {
                    name: need(given.api_key_name, old.0, "ApiKeyAuthParameters")?,
                    value: need(given.api_key_value, old.1, "ApiKeyAuthParameters")?,
                })
            }
            g::ConnectionAuthorizationType::OauthClientCredentials => {
                let given = given.o_auth_parameters.unwrap_or_default();
                let client = given.client_parameters.unwrap_or_default();
                let name = "OAuthParameters";
                let (old_client, old_rest) = match old {
                    Some(Self::OAuth {
                        client_id,
                        client_secret,
                        endpoint,
                        method,
                        parameters,
                    }) => (
                        (Some(client_id), Some(client_secret)),
                        Some((endpoint, method, parameters)),
                    ),
                    _ => ((None, None), None),
                };
                let endpoint = need(
                    given.authorization_endpoint,
                    old_rest.map(|(endpoint, ..)| endpoint),
                    name,
                )?;
                check_url(&endpoint)?;
                let method = given.http_method.map(|method| method.as_str().to_owned());
                Ok(Self::OAuth {
                    client_id: need(client.client_id, old_client.0, name)?,
                    client_secret: need(client.client_secret, old_client.1, name)?,
                    endpoint,
                    method: need(method, old_rest.map(|(_, method, _)| method), name)?,
                    parameters: match (given.o_auth_http_parameters, old_rest) {
                        (None, Some((.., parameters))) => parameters.clone(),
                        (given, _) => Parameters::of(given),
                    },
                })
            }
        }
    }

    pub fn shown(&self) -> g::ConnectionAuthResponseParameters {
        let mut shown = g::ConnectionAuthResponseParameters::default();
        match self {
            Self::Basic { username, .. } => {
                shown.basic_auth_parameters = Some(g::ConnectionBasicAuthResponseParameters {
                    username: Some(username.clone()),
                });
            }
            Self::ApiKey { name, .. } => {
                shown.api_key_auth_parameters = Some(g::ConnectionApiKeyAuthResponseParameters {
                    api_key_name: Some(name.clone()),
                });
            }
            Self::OAuth {
                client_id,
                endpoint,
                method,
                parameters,
                ..
            } => {
                shown.o_auth_parameters = Some(g::ConnectionOAuthResponseParameters {
                    client_parameters: Some(g::ConnectionOAuthClientResponseParameters {
                        client_id: Some(client_id.clone()),
                    }),
                    authorization_endpoint: Some(endpoint.clone()),
                    http_method: Some(match method.as_str() {
                        "GET" => g::ConnectionOAuthHttpMethod::Get,
                        "PUT" => g::ConnectionOAuthHttpMethod::Put,
                        _ => g::ConnectionOAuthHttpMethod::Post,
                    }),
                    o_auth_http_parameters: parameters.shown(),
                });
            }
        }
        shown
    }
}

/// Where requests may go: over HTTP too, unlike AWS, since this server is for one host.
pub fn check_url(url: &str) -> Result<(), ServiceError> {
    let parsed: Option<http::Uri> = url.replace('*', "x").parse().ok();
    let is_web = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    });
    if is_web {
        return Ok(());
    }
    Err(error::validation(format!(
        "Parameter {url} is not valid. Reason: the endpoint is no HTTP or HTTPS URL."
    )))
}

/// A URL with its asterisks replaced in order, and a query added.
pub fn complete_url(url: &str, path: &[String], query: &[(String, String)]) -> String {
    let mut whole = String::new();
    let mut values = path.iter();
    for part in url.split_inclusive('*') {
        match part.strip_suffix('*') {
            Some(before) => {
                whole.push_str(before);
                let value = values.next().map_or("*", String::as_str);
                whole.extend(percent_encoding::utf8_percent_encode(value, ESCAPED));
            }
            None => whole.push_str(part),
        }
    }
    for (key, value) in query {
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.extend(percent_encoding::utf8_percent_encode(key, ESCAPED));
        whole.push('=');
        whole.extend(percent_encoding::utf8_percent_encode(value, ESCAPED));
    }
    whole
}

/// All but what a URL may hold unescaped.
const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A query as the body of a form.
pub fn form(members: &[(String, String)]) -> String {
    complete_url("", &[], members)
        .trim_start_matches('?')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_completed() {
        let url = complete_url(
            "https://h/*/x/*?a=1",
            &["one/two".to_owned(), "é".to_owned()],
            &[("q".to_owned(), "a b&c".to_owned())],
        );
        assert_eq!(url, "https://h/one%2Ftwo/x/%C3%A9?a=1&q=a%20b%26c");
        assert_eq!(
            form(&[("a".into(), "1".into()), ("b".into(), "=".into())]),
            "a=1&b=%3D"
        );
        assert!(check_url("https://h/*").is_ok());
        assert!(check_url("ftp://h").is_err() && check_url("h").is_err());
    }

    #[test]
    fn members_join_a_body_that_is_an_object() {
        let parameters = Parameters {
            body: vec![Parameter {
                key: "k".into(),
                value: "v".into(),
                is_secret: true,
            }],
            ..Parameters::default()
        };
        assert_eq!(
            parameters.added_to(r#"{"a":1}"#.into()),
            r#"{"a":1,"k":"v"}"#
        );
        assert_eq!(parameters.added_to("[1]".into()), "[1]");
        let shown = parameters.shown().unwrap().body_parameters.unwrap();
        assert_eq!(shown[0].value, None);
    }
}
