//! Which object a page of a static website is, or where it leads.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>

use s3s::dto::{Condition, Redirect, RoutingRule, WebsiteConfiguration};

use crate::error::Error;

const MAX_RULES: usize = 50;

/// # Errors
/// `InvalidArgument`, `InvalidRequest` or `MalformedXML` for what cannot be.
pub fn check(configuration: &WebsiteConfiguration) -> Result<(), Error> {
    let rules = configuration.routing_rules.as_deref().unwrap_or_default();
    if let Some(redirect) = &configuration.redirect_all_requests_to {
        let is_alone = configuration.index_document.is_none()
            && configuration.error_document.is_none()
            && rules.is_empty();
        if !is_alone || redirect.host_name.is_empty() {
            let message = "RedirectAllRequestsTo cannot be provided in conjunction with other \
                           Routing Rules.";
            return Err(Error::invalid_request(message));
        }
        return check_protocol(redirect.protocol.as_ref().map(s3s::dto::Protocol::as_str));
    }
    let Some(index) = &configuration.index_document else {
        let message = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo \
                       is empty";
        return Err(Error::invalid_argument(message, "IndexDocument", "null"));
    };
    if index.suffix.is_empty() || index.suffix.contains('/') {
        let message = "The IndexDocument Suffix is not well formed";
        return Err(Error::invalid_argument(
            message,
            "IndexDocument",
            &index.suffix,
        ));
    }
    if configuration
        .error_document
        .as_ref()
        .is_some_and(|error| error.key.is_empty())
    {
        let message = "The ErrorDocument Key is not well formed";
        return Err(Error::invalid_argument(message, "ErrorDocument", ""));
    }
    if rules.len() > MAX_RULES {
        return Err(Error::invalid_request(format!(
            "{} routing rules provided, the number of routing rules in a website configuration is \
             limited to {MAX_RULES}.",
            rules.len()
        )));
    }
    rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &RoutingRule) -> Result<(), Error> {
    if let Some(condition) = &rule.condition {
        let code = condition.http_error_code_returned_equals.as_deref();
        if code.is_none() && condition.key_prefix_equals.is_none() {
            let message = "Condition cannot be empty. To redirect all requests without a \
                           condition, the condition element shouldn't be present.";
            return Err(Error::invalid_request(message));
        }
        if code.is_some_and(|code| !is_in(code, 400..=599)) {
            return Err(Error::invalid_request(format!(
                "The provided HTTP error code ({}) is not valid. Valid codes are 4XX or 5XX.",
                code.unwrap_or_default()
            )));
        }
    }
    let redirect = &rule.redirect;
    if redirect.replace_key_with.is_some() && redirect.replace_key_prefix_with.is_some() {
        let message = "You can only define ReplaceKeyPrefix or ReplaceKey but not both.";
        return Err(Error::invalid_request(message));
    }
    if let Some(code) = &redirect.http_redirect_code
        && !is_in(code, 301..=399)
    {
        return Err(Error::invalid_request(format!(
            "The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except \
             300."
        )));
    }
    check_protocol(redirect.protocol.as_ref().map(s3s::dto::Protocol::as_str))
}

fn is_in(code: &str, codes: std::ops::RangeInclusive<u16>) -> bool {
    code.parse().is_ok_and(|code: u16| codes.contains(&code))
}

fn check_protocol(protocol: Option<&str>) -> Result<(), Error> {
    if matches!(protocol, None | Some("http" | "https")) {
        return Ok(());
    }
    let message = "Invalid protocol, protocol can be http or https. If not defined the protocol \
                   will be selected automatically.";
    Err(Error::invalid_request(message))
}

/// Where a request is sent instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    pub status: u16,
    pub location: String,
}

/// A key asked for at `scheme://host`, as the page's own address had it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub host: &'a str,
    /// The path before the key, such as `/`.
    pub base: &'a str,
    pub key: &'a str,
}

/// Whether everything is sent elsewhere.
pub fn away_at_all(configuration: &WebsiteConfiguration, asked: Asked<'_>) -> Option<Away> {
    let redirect = configuration.redirect_all_requests_to.as_ref()?;
    let protocol = redirect.protocol.as_ref().map_or("http", |p| p.as_str());
    Some(Away {
        status: 301,
        location: format!("{protocol}://{}/{}", redirect.host_name, asked.key),
    })
}

/// Where the routing rules send a request: before its object is looked for (`None`), or for the
/// error that this led to.
pub fn away(
    configuration: &WebsiteConfiguration,
    asked: Asked<'_>,
    error: Option<u16>,
) -> Option<Away> {
    let rules = configuration.routing_rules.as_deref().unwrap_or_default();
    let rule = rules
        .iter()
        .find(|rule| holds(rule.condition.as_ref(), asked.key, error))?;
    Some(lead(&rule.redirect, rule.condition.as_ref(), asked))
}

fn holds(condition: Option<&Condition>, key: &str, error: Option<u16>) -> bool {
    let Some(condition) = condition else {
        return error.is_none();
    };
    let of_error = condition.http_error_code_returned_equals.as_deref();
    // A condition on errors is judged when there is one, and the others before.
    let matches_error = match (of_error, error) {
        (None, None) => true,
        (Some(code), Some(error)) => code.parse() == Ok(error),
        _ => false,
    };
    let prefix = condition.key_prefix_equals.as_deref().unwrap_or_default();
    matches_error && key.starts_with(prefix)
}

fn lead(redirect: &Redirect, condition: Option<&Condition>, asked: Asked<'_>) -> Away {
    let replaced = condition.and_then(|condition| condition.key_prefix_equals.as_deref());
    let key = match (
        &redirect.replace_key_with,
        &redirect.replace_key_prefix_with,
    ) {
        (Some(key), _) => key.clone(),
        (None, Some(prefix)) => {
            let rest = asked.key.strip_prefix(replaced.unwrap_or_default());
            format!("{prefix}{}", rest.unwrap_or(asked.key))
        }
        (None, None) => asked.key.to_owned(),
    };
    let protocol = redirect.protocol.as_ref().map_or("http", |p| p.as_str());
    let location = match &redirect.host_name {
        Some(host) => format!("{protocol}://{host}/{key}"),
        None => format!("{protocol}://{}{}{key}", asked.host, asked.base),
    };
    let code = redirect.http_redirect_code.as_deref();
    Away {
        status: code.and_then(|code| code.parse().ok()).unwrap_or(301),
        location,
    }
}

#[cfg(test)]
mod tests {
    use s3s::dto::IndexDocument;

    use super::*;

    fn site(rules: Vec<RoutingRule>) -> WebsiteConfiguration {
        WebsiteConfiguration {
            error_document: None,
            index_document: Some(IndexDocument {
                suffix: "index.html".into(),
            }),
            redirect_all_requests_to: None,
            routing_rules: Some(rules),
        }
    }

    fn rule(prefix: Option<&str>, error: Option<&str>, redirect: Redirect) -> RoutingRule {
        RoutingRule {
            condition: (prefix.is_some() || error.is_some()).then(|| Condition {
                http_error_code_returned_equals: error.map(str::to_owned),
                key_prefix_equals: prefix.map(str::to_owned),
            }),
            redirect,
        }
    }

    #[test]
    fn rules_lead_by_prefix_and_by_error() {
        let moved = Redirect {
            replace_key_prefix_with: Some("documents/".into()),
            ..Redirect::default()
        };
        let lost = Redirect {
            host_name: Some("example.com".into()),
            http_redirect_code: Some("302".into()),
            protocol: Some("https".to_owned().into()),
            ..Redirect::default()
        };
        let site = site(vec![
            rule(Some("docs/"), None, moved),
            rule(None, Some("404"), lost),
        ]);
        check(&site).unwrap();
        let asked = |key| Asked {
            host: "b.example",
            base: "/",
            key,
        };
        let led = away(&site, asked("docs/a"), None).unwrap();
        assert_eq!(
            (led.status, led.location.as_str()),
            (301, "http://b.example/documents/a")
        );
        assert_eq!(away(&site, asked("x"), None), None);
        let led = away(&site, asked("x"), Some(404)).unwrap();
        assert_eq!(
            (led.status, led.location.as_str()),
            (302, "https://example.com/x")
        );
        assert_eq!(away(&site, asked("x"), Some(403)), None);
    }

    #[test]
    fn sites_that_cannot_be() {
        let empty = Redirect::default;
        assert!(check(&site(vec![rule(Some("a"), Some("200"), empty())])).is_err());
        let both = Redirect {
            replace_key_with: Some("a".into()),
            replace_key_prefix_with: Some("b".into()),
            ..Redirect::default()
        };
        assert!(check(&site(vec![rule(Some("a"), None, both)])).is_err());
        let mut slash = site(vec![]);
        slash.index_document = Some(IndexDocument {
            suffix: "a/b".into(),
        });
        assert!(check(&slash).is_err());
        slash.index_document = None;
        assert!(check(&slash).is_err());
    }
}
