//! The path templates of a service, found by what a path shows at once: how many segments it has.

use std::sync::OnceLock;

use crate::Protocol;
use crate::schema::{OperationSchema, ServiceSchema};
use crate::uri::{self, Part, Segments};

/// The templates of one service, put in order when the first is looked for.
#[derive(Debug)]
pub struct PathIndex(OnceLock<Vec<OfMethod>>);

/// A template, and the operation that it leads to.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
    /// The parameters that a request has to have.
    pub(crate) query: Vec<(&'static str, Option<&'static str>)>,
    pub(crate) operation: Found,
}

/// What stands behind a template.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Known(&'static OperationSchema),
    /// An operation of the model that the service does not implement.
    Absent(&'static str),
}

#[derive(Debug)]
struct OfMethod {
    method: &'static str,
    /// Templates that fit paths of just as many segments as their place here.
    by_segments: Vec<Vec<Template>>,
    /// Templates with a greedy label, which fit paths of any length.
    greedy: Vec<Template>,
}

impl PathIndex {
    #[expect(clippy::new_without_default, reason = "for generated statics")]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }
}

/// The templates that may fit a request, those of implemented operations before the others of the same
/// length; none where a service is not called by paths.
pub(crate) fn candidates(
    service: &'static ServiceSchema,
    method: &str,
    path: &Segments<'_>,
) -> impl Iterator<Item = &'static Template> {
    let index = service.paths.0.get_or_init(|| index(service));
    let of_method = index.iter().find(|it| it.method == method);
    let segments = path.count();
    of_method.into_iter().flat_map(move |it| {
        let exact = it.by_segments.get(segments).into_iter().flatten();
        exact.chain(&it.greedy)
    })
}

fn index(service: &'static ServiceSchema) -> Vec<OfMethod> {
    let by_paths = [Protocol::RestJson, Protocol::RestXml];
    if !service.protocols.iter().any(|it| by_paths.contains(it)) {
        return Vec::new();
    }
    let known = service
        .operations
        .iter()
        .map(|operation| (operation.method, operation.uri, Found::Known(operation)));
    let absent = service
        .absent
        .iter()
        .map(|absent| (absent.method, absent.uri, Found::Absent(absent.name)));
    let mut index: Vec<OfMethod> = Vec::new();
    for (method, uri, operation) in known.chain(absent) {
        let at = index.iter().position(|it| it.method == method);
        let at = at.unwrap_or_else(|| {
            index.push(OfMethod {
                method,
                by_segments: Vec::new(),
                greedy: Vec::new(),
            });
            index.len() - 1
        });
        let parts = uri::parts(uri);
        let templates = if parts.iter().any(|part| matches!(part, Part::Greedy(_))) {
            &mut index[at].greedy
        } else {
            let by_segments = &mut index[at].by_segments;
            if by_segments.len() <= parts.len() {
                by_segments.resize(parts.len() + 1, Vec::new());
            }
            &mut by_segments[parts.len()]
        };
        templates.push(Template {
            parts,
            query: uri::fixed_query(uri).collect(),
            operation,
        });
    }
    index
}
