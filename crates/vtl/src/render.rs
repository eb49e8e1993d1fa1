//! The way in: a template, what it is filled with, and what comes out.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::ast::Block;
use crate::error::{ParseError, RenderError};
use crate::eval::Run;
use crate::heap::Heap;
use crate::value::Value;
use crate::{Json, Limits, parse};

/// A template that has been read. AWS lets one have 300 KB.
#[derive(Debug)]
pub struct Template(Block);

/// What `$input.params()` gives, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    pub path: IndexMap<String, String>,
    pub querystring: IndexMap<String, String>,
    pub header: IndexMap<String, String>,
}

impl Parameters {
    /// As `$input.params(name)` looks for it: path, query string, then headers.
    pub fn find(&self, name: &str) -> Option<&str> {
        let exact = self.path.get(name).or_else(|| self.querystring.get(name));
        let exact = exact.or_else(|| self.header.get(name));
        exact.map(String::as_str).or_else(|| {
            let mut headers = self.header.iter();
            let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        })
    }
}

/// What a rendering is about.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The payload: the request's, or the integration's answer.
    pub body: &'a str,
    pub parameters: &'a Parameters,
    /// An object.
    pub context: &'a Json,
    pub stage_variables: &'a BTreeMap<String, String>,
}

/// What came of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    pub text: String,
    /// `$context.requestOverride` and `$context.responseOverride` as the template left them.
    pub request_override: Json,
    pub response_override: Json,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A directive that does not end or is not complete, and nesting that has no measure.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::template(text).map(Self)
    }

    /// Fills the template in.
    ///
    /// # Errors
    /// When it passes a limit.
    pub fn render(&self, inputs: &Inputs<'_>, limits: Limits) -> Result<Rendered, RenderError> {
        let mut run = Run::new(inputs, Heap::new(limits));
        let context = context(&mut run, inputs.context)?;
        run.define("context", context);
        let variables = inputs.stage_variables.iter();
        let variables = Json::object(variables.map(|(name, value)| (name, Json::text(value))));
        let variables = run.heap.import(&variables)?;
        run.define("stageVariables", variables);
        run.define("input", Value::Input);
        run.define("util", Value::Util);
        run.render(&self.0)?;
        let mut left = |name: &str| {
            let Some(Value::Map(context)) = run.variable("context") else {
                return Ok(Json::Null);
            };
            let value = run.heap.members(*context).get(name).cloned();
            value.map_or(Ok(Json::Null), |value| run.heap.export(&value))
        };
        Ok(Rendered {
            request_override: left("requestOverride")?,
            response_override: left("responseOverride")?,
            text: run.out,
        })
    }
}

/// With the maps that templates put overrides in.
fn context(run: &mut Run<'_>, given: &Json) -> Result<Value, RenderError> {
    let mut context = match given {
        Json::Map(members) => members.clone(),
        _ => IndexMap::new(),
    };
    let parts =
        |parts: &[&str]| Json::object(parts.iter().map(|part| (*part, Json::object::<String>([]))));
    let overrides = [
        ("requestOverride", parts(&["header", "path", "querystring"])),
        ("responseOverride", parts(&["header"])),
    ];
    for (name, empty) in overrides {
        context.entry(name.to_owned()).or_insert(empty);
    }
    run.heap.import(&Json::Map(context))
}
