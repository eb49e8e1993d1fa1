//! What a registry wants of who asks: the `WWW-Authenticate` header.
//!
//! <https://distribution.github.io/distribution/spec/auth/token/>

use http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer(Bearer),
}

/// Where a token is to be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters_of(parameters);
        let value = |name: &str| {
            let found = parameters
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        Some(Self::Bearer(Bearer {
            realm: value("realm")?,
            service: value("service"),
            scope: value("scope"),
        }))
    }
}

impl Bearer {
    /// The address that gives a token for reading a repository.
    pub(super) fn url(&self, repository: &str) -> Option<Uri> {
        let scope = self.scope.clone();
        let scope = scope.unwrap_or_else(|| format!("repository:{repository}:pull"));
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let realm = &self.realm;
        let before = if realm.contains('?') { '&' } else { '?' };
        let scope = encoded(&scope);
        let service = self.service.as_deref();
        let service = service.map(|service| format!("&service={}", encoded(service)));
        let service = service.unwrap_or_default();
        format!("{realm}{before}scope={scope}{service}")
            .parse()
            .ok()
    }
}

/// `name="value"` or `name=value`, separated by commas.
fn parameters_of(text: &str) -> Vec<(String, String)> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim().trim_start_matches(',').trim().to_owned();
        let (value, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                Some((value, left)) => (value, left),
                None => (quoted, ""),
            },
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name, value.trim().to_owned()));
        rest = left;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_where_the_registry_says() {
        let header = r#"Bearer realm="https://auth.example.com/token",service="example.com",scope="repository:a/b:pull""#;
        let Some(Challenge::Bearer(bearer)) = Challenge::parse(header) else {
            panic!("no bearer");
        };
        let url = bearer.url("a/b").unwrap().to_string();
        let wanted = "https://auth.example.com/token?scope=repository%3Aa%2Fb%3Apull&\
                      service=example%2Ecom";
        assert_eq!(url, wanted);
        assert_eq!(
            Challenge::parse("Basic realm=\"x\""),
            Some(Challenge::Basic)
        );
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer service=x"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in ".{0,100}") {
            if let Some(Challenge::Bearer(bearer)) = Challenge::parse(&header) {
                let _ = bearer.url("a");
            }
        }
    }
}
