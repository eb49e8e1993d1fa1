//! Mapping expressions: where a parameter's value comes from, and where it goes.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html>

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `method.request.*`, or `integration.response.*` for responses.
    Parameter(Place, String),
    /// Every value of a header or of a query parameter.
    MultiValue(Place, String),
    /// The whole body, or what a JSONPath finds in it.
    Body(Option<String>),
    Context(String),
    StageVariable(String),
    Static(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
}

/// A request parameter's name, such as `method.request.header.X-Id`.
pub fn parameter<'n>(name: &'n str, before: &str) -> Option<(Place, &'n str)> {
    let rest = name.strip_prefix(before)?.strip_prefix('.')?;
    let (kind, name) = rest.split_once('.')?;
    let place = match kind {
        "path" => Place::Path,
        "querystring" => Place::Query,
        "header" => Place::Header,
        _ => return None,
    };
    (!name.is_empty()).then_some((place, name))
}

/// Reads an expression; `before` is `method.request` or `integration.response`.
pub fn source(text: &str, before: &str) -> Option<Source> {
    if let Some(text) = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
    {
        return Some(Source::Static(text.to_owned()));
    }
    if let Some(name) = text.strip_prefix("context.") {
        return Some(Source::Context(name.to_owned()));
    }
    if let Some(name) = text.strip_prefix("stageVariables.") {
        return Some(Source::StageVariable(name.to_owned()));
    }
    let rest = text.strip_prefix(before)?.strip_prefix('.')?;
    if rest == "body" {
        return Some(Source::Body(None));
    }
    if let Some(path) = rest.strip_prefix("body.") {
        let path = path.strip_prefix("JSONPath_EXPRESSION.").unwrap_or(path);
        return Some(Source::Body(Some(format!(
            "$.{}",
            path.trim_start_matches("$.")
        ))));
    }
    let multi = [
        ("multivaluequerystring.", Place::Query),
        ("multivalueheader.", Place::Header),
    ];
    for (kind, place) in multi {
        if let Some(name) = rest.strip_prefix(kind) {
            return Some(Source::MultiValue(place, name.to_owned()));
        }
    }
    let (place, name) = parameter(text, before)?;
    Some(Source::Parameter(place, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let of = |text| source(text, "method.request");
        assert_eq!(of("'x'"), Some(Source::Static("x".into())));
        assert_eq!(
            of("method.request.header.A.b"),
            Some(Source::Parameter(Place::Header, "A.b".into()))
        );
        assert_eq!(
            of("method.request.multivaluequerystring.q"),
            Some(Source::MultiValue(Place::Query, "q".into()))
        );
        assert_eq!(of("method.request.body"), Some(Source::Body(None)));
        assert_eq!(
            of("method.request.body.a.b"),
            Some(Source::Body(Some("$.a.b".into())))
        );
        assert_eq!(
            of("context.identity.sourceIp"),
            Some(Source::Context("identity.sourceIp".into()))
        );
        assert_eq!(
            of("stageVariables.v"),
            Some(Source::StageVariable("v".into()))
        );
        assert_eq!(of("method.request.cookie.a"), None);
        assert_eq!(of("integration.response.header.a"), None);
        assert_eq!(of("x"), None);
    }
}
