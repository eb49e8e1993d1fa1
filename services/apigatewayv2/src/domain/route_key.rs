//! Keys of routes: `GET /pets/{id}`, `$default`, and for WebSocket APIs any word.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use service::ServiceError;

use crate::error;
use crate::records::DEFAULT_ROUTE;

const METHODS: [&str; 8] = [
    "ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT",
];

/// A key of an HTTP API's route, apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteKey<'a> {
    pub method: &'a str,
    pub segments: Vec<Segment<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    Literal(&'a str),
    Variable(&'a str),
    /// The rest, at least one segment.
    Greedy(&'a str),
}

impl<'a> RouteKey<'a> {
    /// `None` if it is no such key; `$default` is none.
    pub fn parse(key: &'a str) -> Option<Self> {
        let (method, path) = key.split_once(' ')?;
        if !METHODS.contains(&method) || path.contains(char::is_whitespace) {
            return None;
        }
        let rest = path.strip_prefix('/')?;
        if rest.is_empty() {
            let segments = Vec::new();
            return Some(Self { method, segments });
        }
        let mut segments = Vec::new();
        for text in rest.split('/') {
            if matches!(segments.last(), Some(Segment::Greedy(_))) {
                return None;
            }
            segments.push(Segment::parse(text)?);
        }
        let names = segments.iter().filter_map(Segment::name);
        let mut names: Vec<_> = names.collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        (names.len() == count).then_some(Self { method, segments })
    }
}

impl<'a> Segment<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let Some(inner) = text.strip_prefix('{') else {
            let is_plain = !text.contains(['{', '}']);
            return is_plain.then_some(Self::Literal(text));
        };
        let name = inner.strip_suffix('}')?;
        let (name, is_greedy) = match name.strip_suffix('+') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let is_name = !name.is_empty()
            && name.bytes().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'$' | b':')
            });
        if !is_name {
            return None;
        }
        Some(if is_greedy {
            Self::Greedy(name)
        } else {
            Self::Variable(name)
        })
    }

    fn name(&self) -> Option<&'a str> {
        match self {
            Self::Literal(_) => None,
            Self::Variable(name) | Self::Greedy(name) => Some(name),
        }
    }
}

/// Refuses what is no key of a route of this protocol.
pub fn check(key: &str, is_websocket: bool) -> Result<(), ServiceError> {
    if is_websocket {
        let is_word = !key.is_empty() && !key.contains(char::is_whitespace);
        let is_special = key.starts_with('$');
        let is_known = matches!(key, "$connect" | "$disconnect" | "$default");
        return if is_word && (!is_special || is_known) {
            Ok(())
        } else {
            Err(error::bad_request(format!(
                "The provided route key {key} is not formatted properly for WEBSOCKET protocol."
            )))
        };
    }
    if key == DEFAULT_ROUTE || RouteKey::parse(key).is_some() {
        return Ok(());
    }
    Err(error::bad_request(
        "The provided route key is not formatted properly for HTTP protocol. Format should be \
         \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\"",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_every_form() {
        let key = RouteKey::parse("GET /pets/{id}/{rest+}").unwrap();
        assert_eq!(key.method, "GET");
        let expected = [
            Segment::Literal("pets"),
            Segment::Variable("id"),
            Segment::Greedy("rest"),
        ];
        assert_eq!(key.segments, expected);
        assert_eq!(RouteKey::parse("ANY /").unwrap().segments, []);
        for bad in [
            "$default",
            "GET",
            "GET pets",
            "get /pets",
            "TRACE /pets",
            "GET /{a+}/b",
            "GET /{a}/{a}",
            "GET /{}",
            "GET /x{a}",
            "GET /a b",
        ] {
            assert_eq!(RouteKey::parse(bad), None, "{bad}");
        }
        assert!(check("sendMessage", true).is_ok() && check("$connect", true).is_ok());
        assert!(check("$other", true).is_err() && check("GET", false).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_key_is_read_without_a_panic(key in ".{0,40}") {
            let _ = (RouteKey::parse(&key), check(&key, true));
        }
    }
}
