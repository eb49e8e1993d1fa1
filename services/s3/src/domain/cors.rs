//! Which pages may use a bucket.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use s3s::dto::{CORSConfiguration, CORSRule};

use crate::error::Error;

const MAX_RULES: usize = 100;
const MAX_ID: usize = 255;
const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// # Errors
/// `MalformedXML` or `InvalidRequest` for the first rule that cannot be.
pub fn check(configuration: &CORSConfiguration) -> Result<(), Error> {
    let rules = &configuration.cors_rules;
    if rules.is_empty() || rules.len() > MAX_RULES {
        return Err(Error::malformed_xml());
    }
    rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &CORSRule) -> Result<(), Error> {
    let is_empty = rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty();
    if is_empty || rule.id.as_ref().is_some_and(|id| id.len() > MAX_ID) {
        return Err(Error::malformed_xml());
    }
    if let Some(method) = rule
        .allowed_methods
        .iter()
        .find(|m| !METHODS.contains(&m.as_str()))
    {
        return Err(Error::invalid_request(format!(
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        )));
    }
    let one_wildcard = |what: &str, texts: &[String]| {
        let many = texts.iter().find(|text| text.matches('*').count() > 1);
        many.map_or(Ok(()), |text| {
            let message = format!("{what} \"{text}\" can not have more than one wildcard.");
            Err(Error::invalid_request(message))
        })
    };
    one_wildcard("AllowedOrigin", &rule.allowed_origins)?;
    one_wildcard(
        "AllowedHeader",
        rule.allowed_headers.as_deref().unwrap_or_default(),
    )?;
    let exposed = rule.expose_headers.as_deref().unwrap_or_default();
    match exposed.iter().find(|name| name.contains('*')) {
        Some(name) => Err(Error::invalid_request(format!(
            "ExposeHeader \"{name}\" contains wildcard. We currently do not support wildcard for \
             ExposeHeader."
        ))),
        None => Ok(()),
    }
}

/// What the first rule that matches allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The page's origin, or `*`.
    pub origin: String,
    pub methods: String,
    pub exposed: Option<String>,
    pub max_age_seconds: Option<i32>,
}

/// Whether a page of this origin may make a request of this method with these headers, in lower
/// case.
pub fn judge(
    configuration: &CORSConfiguration,
    origin: &str,
    method: &str,
    headers: &[String],
) -> Option<Allowed> {
    configuration
        .cors_rules
        .iter()
        .find_map(|rule| allowed(rule, origin, method, headers))
}

fn allowed(rule: &CORSRule, origin: &str, method: &str, headers: &[String]) -> Option<Allowed> {
    let pattern = rule
        .allowed_origins
        .iter()
        .find(|pattern| matches(pattern, origin))?;
    if !rule.allowed_methods.iter().any(|allowed| allowed == method) {
        return None;
    }
    let patterns: Vec<String> = rule
        .allowed_headers
        .iter()
        .flatten()
        .map(|pattern| pattern.to_ascii_lowercase())
        .collect();
    let is_allowed = |header: &String| patterns.iter().any(|pattern| matches(pattern, header));
    if !headers.iter().all(is_allowed) {
        return None;
    }
    let exposed = rule
        .expose_headers
        .as_ref()
        .filter(|names| !names.is_empty());
    Some(Allowed {
        origin: if pattern == "*" { pattern } else { origin }.to_owned(),
        methods: rule.allowed_methods.join(", "),
        exposed: exposed.map(|names| names.join(", ")),
        max_age_seconds: rule.max_age_seconds,
    })
}

/// One `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CORSRule {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        CORSRule {
            allowed_headers: Some(own(headers)),
            allowed_methods: own(methods),
            allowed_origins: own(origins),
            expose_headers: None,
            id: None,
            max_age_seconds: Some(3000),
        }
    }

    #[test]
    fn the_first_rule_that_matches_in_all_counts() {
        let configuration = CORSConfiguration {
            cors_rules: vec![
                rule(&["http://*.example.com"], &["PUT"], &["x-amz-*"]),
                rule(&["*"], &["GET", "HEAD"], &[]),
            ],
        };
        let asked = |origin, method, headers: &[&str]| {
            let headers: Vec<_> = headers.iter().map(|&header| header.to_owned()).collect();
            judge(&configuration, origin, method, &headers).map(|allowed| allowed.origin)
        };
        let page = "http://www.example.com";
        assert_eq!(asked(page, "PUT", &["x-amz-acl"]).as_deref(), Some(page));
        assert_eq!(asked(page, "PUT", &["content-type"]), None);
        assert_eq!(asked(page, "GET", &[]).as_deref(), Some("*"));
        assert_eq!(asked("http://example.com", "PUT", &[]), None);
        assert_eq!(asked("null", "GET", &["x"]), None);
    }

    #[test]
    fn rules_that_cannot_be() {
        let fine = |rule| {
            check(&CORSConfiguration {
                cors_rules: vec![rule],
            })
            .is_ok()
        };
        assert!(fine(rule(&["*"], &["GET"], &["*"])));
        assert!(!fine(rule(&["*"], &["PATCH"], &[])));
        assert!(!fine(rule(&["*://*"], &["GET"], &[])));
        assert!(!fine(rule(&[], &["GET"], &[])));
        assert!(!fine(rule(&["*"], &[], &[])));
        assert!(!fine(rule(&["*"], &["GET"], &["**"])));
        assert!(check(&CORSConfiguration { cors_rules: vec![] }).is_err());
    }
}
