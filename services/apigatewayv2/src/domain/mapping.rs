//! Parameter mappings: what becomes of a request on its way to an integration, and of its answer.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proxy::request::pairs;
use service::ServiceError;

use super::expression::{Sources, evaluate};
use crate::error;
use crate::records::Texts;

/// Where a mapping puts a value, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target<'a> {
    action: Action,
    place: Place<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Append,
    Overwrite,
    Remove,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    Header(&'a str),
    Query(&'a str),
    Path,
    Status,
}

impl<'a> Target<'a> {
    fn parse(key: &'a str) -> Option<Self> {
        let (action, place) = key.split_once(':')?;
        let action = match action {
            "append" => Action::Append,
            "overwrite" => Action::Overwrite,
            "remove" => Action::Remove,
            _ => return None,
        };
        let place = match place.split_once('.') {
            Some(("header", name)) if !name.is_empty() => Place::Header(name),
            Some(("querystring", name)) if !name.is_empty() => Place::Query(name),
            None if place == "path" && action == Action::Overwrite => Place::Path,
            None if place == "statuscode" && action == Action::Overwrite => Place::Status,
            _ => return None,
        };
        Some(Self { action, place })
    }
}

/// A request that mappings change.
pub struct Outgoing {
    pub headers: HeaderMap,
    /// Decoded.
    pub query: Vec<(String, String)>,
    pub path: String,
}

impl Outgoing {
    pub fn new(headers: HeaderMap, query: &str, path: &str) -> Self {
        Self {
            headers,
            query: pairs(query).collect(),
            path: path.to_owned(),
        }
    }

    /// Applies the mappings of a request.
    pub fn apply(&mut self, mappings: &Texts, sources: &Sources<'_>) {
        for (key, text) in mappings {
            let Some(target) = Target::parse(key) else {
                continue;
            };
            let value = evaluate(text, sources);
            match target.place {
                Place::Header(name) => {
                    header(&mut self.headers, target.action, name, value.as_deref());
                }
                Place::Query(name) => {
                    if target.action != Action::Append {
                        self.query.retain(|(own, _)| own != name);
                    }
                    if target.action != Action::Remove
                        && let Some(value) = value
                    {
                        self.query.push((name.to_owned(), value));
                    }
                }
                Place::Path => {
                    if let Some(value) = value {
                        self.path = value;
                    }
                }
                Place::Status => {}
            }
        }
    }
}

/// Applies the mappings of an answer.
pub fn apply_to_answer(
    mappings: &Texts,
    sources: &Sources<'_>,
    status: &mut StatusCode,
    headers: &mut HeaderMap,
) {
    for (key, text) in mappings {
        let Some(target) = Target::parse(key) else {
            continue;
        };
        let value = evaluate(text, sources);
        match target.place {
            Place::Header(name) => header(headers, target.action, name, value.as_deref()),
            Place::Status => {
                let given = value.and_then(|value| value.parse::<u16>().ok());
                let given = given.filter(|given| (200..600).contains(given));
                if let Some(Ok(given)) = given.map(StatusCode::from_u16) {
                    *status = given;
                }
            }
            Place::Query(_) | Place::Path => {}
        }
    }
}

/// A value that may not be sent changes nothing.
fn header(headers: &mut HeaderMap, action: Action, name: &str, value: Option<&str>) {
    let Ok(name) = HeaderName::try_from(name) else {
        return;
    };
    let value = value.and_then(|value| HeaderValue::from_str(value).ok());
    match (action, value) {
        (Action::Remove, _) => {
            headers.remove(name);
        }
        (Action::Append, Some(value)) => {
            headers.append(name, value);
        }
        (Action::Overwrite, Some(value)) => {
            headers.insert(name, value);
        }
        (_, None) => {}
    }
}

/// Headers that mappings must not touch.
fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 26] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-location",
        "forwarded",
        "keep-alive",
        "origin",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "via",
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
        "access-control-request-headers",
        "access-control-request-method",
    ];
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&name.as_str())
        || name.starts_with("x-amz-")
        || name.starts_with("x-amzn-")
        || name.starts_with("apigw-")
}

/// Refuses mappings that are none; `is_answer` where they are of an answer.
pub fn check(mappings: &Texts, is_answer: bool) -> Result<(), ServiceError> {
    for key in mappings.keys() {
        let target = Target::parse(key);
        let fits = target.is_some_and(|target| match target.place {
            Place::Header(_) => true,
            Place::Query(_) | Place::Path => !is_answer,
            Place::Status => is_answer,
        });
        if !fits {
            return Err(error::bad_request(format!(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : \
                 [Invalid mapping expression parameter specified: {key}]"
            )));
        }
        if let Some(Target {
            place: Place::Header(name),
            ..
        }) = target
            && is_reserved(name)
        {
            return Err(error::bad_request(format!(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : \
                 [Operations on header {name} are restricted]"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn requests_and_answers_are_changed() {
        let empty = Map::new();
        let none = HeaderMap::new();
        let sources = Sources {
            headers: &none,
            query: "",
            path: "/",
            path_parameters: &empty,
            body: b"",
            stage_variables: &empty,
            context: &|_| None,
            response: None,
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-a", "1".parse().unwrap());
        headers.insert("x-b", "1".parse().unwrap());
        let mut outgoing = Outgoing::new(headers, "p=1&q=2", "/old");
        let mappings = [
            ("append:header.x-a", "2"),
            ("remove:header.x-b", "''"),
            ("overwrite:querystring.p", "3"),
            ("remove:querystring.q", "''"),
            ("overwrite:path", "/new"),
            ("overwrite:header.x-c", "$request.header.none"),
        ];
        outgoing.apply(&texts(&mappings), &sources);
        assert_eq!(outgoing.headers.get_all("x-a").iter().count(), 2);
        assert_eq!(outgoing.headers.len(), 2);
        assert_eq!(outgoing.query, [("p".to_owned(), "3".to_owned())]);
        assert_eq!(outgoing.path, "/new");
        let mut status = StatusCode::OK;
        let mappings = texts(&[("overwrite:statuscode", "403"), ("append:header.y", "z")]);
        apply_to_answer(&mappings, &sources, &mut status, &mut outgoing.headers);
        assert_eq!(
            (status.as_u16(), outgoing.headers["y"].as_bytes()),
            (403, &b"z"[..])
        );
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        assert!(check(&texts(&[("append:header.x", "1")]), false).is_ok());
        assert!(check(&texts(&[("overwrite:statuscode", "200")]), true).is_ok());
        for bad in [
            "header.x",
            "append:path",
            "set:header.x",
            "overwrite:statuscode",
            "append:header.Authorization",
        ] {
            assert!(check(&texts(&[(bad, "1")]), false).is_err(), "{bad}");
        }
    }
}
