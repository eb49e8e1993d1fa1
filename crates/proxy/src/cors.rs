//! Which pages of browsers may use an address, by its own configuration: a function URL's or an HTTP
//! API's.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What a configuration says; empty lists say nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules<'a> {
    /// Origins, `*` for all, or all of a scheme: `https://*`.
    pub origins: &'a [String],
    pub methods: &'a [String],
    pub headers: &'a [String],
    pub exposed: &'a [String],
    pub with_credentials: bool,
    /// In seconds.
    pub max_age: Option<i64>,
    /// Whether a page of any origin is told `*`, and not its own.
    pub says_any: bool,
}

const OF_THE_RULES: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// Whether this is a preflight, which asks and does nothing.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Sets what the rules say, instead of anything that was said of the same.
pub fn apply(rules: &Rules<'_>, request: &HeaderMap, is_preflight: bool, response: &mut HeaderMap) {
    for name in &OF_THE_RULES {
        response.remove(name);
    }
    if !allow_origin(rules, request, response) {
        return;
    }
    list(
        response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        rules.exposed,
    );
    if !is_preflight {
        return;
    }
    list(
        response,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        rules.methods,
    );
    list(
        response,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        rules.headers,
    );
    if let Some(age) = rules.max_age {
        response.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age));
    }
}

fn allow_origin(rules: &Rules<'_>, request: &HeaderMap, response: &mut HeaderMap) -> bool {
    let Some(origin) = request.get(header::ORIGIN) else {
        return false;
    };
    let given = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
    if !rules.origins.iter().any(|one| fits(one, &given)) {
        return false;
    }
    let is_anyone = rules.origins.iter().any(|one| one == "*");
    if is_anyone && rules.says_any && !rules.with_credentials {
        let any = HeaderValue::from_static("*");
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    } else {
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if rules.with_credentials {
        let yes = HeaderValue::from_static("true");
        response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    }
    true
}

fn fits(pattern: &str, origin: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_suffix('*') {
        Some(prefix) => origin.starts_with(prefix),
        None => pattern == origin,
    }
}

fn list(response: &mut HeaderMap, name: HeaderName, values: &[String]) {
    let joined = values.join(",");
    if !joined.is_empty()
        && let Ok(value) = HeaderValue::from_str(&joined)
    {
        response.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        headers
    }

    #[test]
    fn the_rules_stand_above_what_was_said() {
        let origins = ["https://a.example".to_owned(), "http://*".to_owned()];
        let methods = ["GET".to_owned(), "PUT".to_owned()];
        let rules = Rules {
            origins: &origins,
            methods: &methods,
            max_age: Some(5),
            ..Rules::default()
        };
        let mut response = HeaderMap::new();
        let any = HeaderValue::from_static("*");
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
        response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, any);
        apply(&rules, &from("https://a.example"), false, &mut response);
        assert_eq!(response["access-control-allow-origin"], "https://a.example");
        assert!(!response.contains_key("access-control-allow-methods"));
        apply(&rules, &from("http://b.example"), true, &mut response);
        assert_eq!(response["access-control-allow-methods"], "GET,PUT");
        assert_eq!(response["access-control-max-age"], "5");
        apply(&rules, &from("https://b.example"), true, &mut response);
        assert!(!response.contains_key("access-control-allow-origin"));
    }

    #[test]
    fn anyone_is_told_so_unless_credentials_are_meant() {
        let origins = ["*".to_owned()];
        let mut rules = Rules {
            origins: &origins,
            says_any: true,
            ..Rules::default()
        };
        let mut response = HeaderMap::new();
        apply(&rules, &from("https://a.example"), false, &mut response);
        assert_eq!(response["access-control-allow-origin"], "*");
        rules.with_credentials = true;
        apply(&rules, &from("https://a.example"), false, &mut response);
        assert_eq!(response["access-control-allow-origin"], "https://a.example");
        assert_eq!(response["access-control-allow-credentials"], "true");
    }
}
