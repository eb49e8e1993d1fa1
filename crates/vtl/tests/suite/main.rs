//! Templates as AWS documents them, JSONPath as Jayway has it, and what no template may cost.

#![allow(clippy::unwrap_used)]

mod amazon;
mod bounds;
mod jsonpath;
mod language;

use std::collections::BTreeMap;

use vtl::{Inputs, Json, Limits, Parameters, RenderError, Rendered, Template};

/// Fills a template in, with a body and a few of everything else.
pub fn rendered(template: &str, body: &str) -> Result<Rendered, RenderError> {
    let pairs = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let parameters = Parameters {
        path: pairs(&[("id", "7")]),
        querystring: pairs(&[("q", "a b"), ("id", "other")]),
        header: pairs(&[("Accept", "*/*"), ("X-Name", "it's")]),
    };
    let context = Json::parse(
        r#"{"stage":"prod","identity":{"sourceIp":"1.2.3.4"},"authorizer":{"principalId":"me"}}"#,
    )
    .unwrap();
    let variables = BTreeMap::from([("version".to_owned(), "v1".to_owned())]);
    let inputs = Inputs {
        body,
        parameters: &parameters,
        context: &context,
        stage_variables: &variables,
    };
    let template = Template::parse(template).map_err(RenderError::Evaluate)?;
    template.render(&inputs, Limits::default())
}

/// What a template writes, with a body.
pub fn with(body: &str, template: &str) -> String {
    rendered(template, body).unwrap().text
}

/// What a template writes.
pub fn text(template: &str) -> String {
    with("", template)
}
