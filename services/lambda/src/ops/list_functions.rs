//! ListFunctions.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>

use std::ops::Bound;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::place;
use crate::domain::function_name::Place;
use crate::domain::marker::{self, MAX_PAGE, PageRequest};
use crate::domain::version::VersionId;
use crate::function::Version;
use crate::generated::{FunctionVersion, ListFunctionsRequest, ListFunctionsResponse};
use crate::{Lambda, answer};

pub async fn list_functions(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse, ServiceError> {
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let here = place(&context);
    if input.function_version == Some(FunctionVersion::All) {
        return every_version(&lambda, &here, &page);
    }
    let from = page
        .after
        .as_deref()
        .map_or(Bound::Unbounded, Bound::Excluded);
    // One more tells whether there is a next page.
    let functions = lambda.functions.list(&here, from, page.limit + 1);
    let (functions, next_marker) = page.cut(functions, |function| function.record.name.clone());
    let shown = functions
        .iter()
        .map(|function| answer::listed(&function.latest, &function.record.arn()));
    Ok(ListFunctionsResponse {
        next_marker,
        functions: Some(shown.collect()),
    })
}

/// A page of versions, of function after function. Its marker is the last one's name and version.
fn every_version(
    lambda: &Lambda,
    here: &Place,
    page: &PageRequest,
) -> Result<ListFunctionsResponse, ServiceError> {
    let after: Option<(&str, VersionId)> = match page.after.as_deref() {
        Some(text) => {
            let (name, version) = text.split_once(':').ok_or_else(marker::invalid)?;
            Some((name, version.parse().map_err(|_| marker::invalid())?))
        }
        None => None,
    };
    let from = after.map_or(Bound::Unbounded, |(name, _)| Bound::Included(name));
    // Each has one version at least, and the first may have none left.
    let functions = lambda.functions.list(here, from, page.limit + 2);
    let versions: Vec<&Arc<Version>> = functions
        .iter()
        .flat_map(|function| function.all_versions())
        .filter(|version| {
            let record = &version.record;
            after.is_none_or(|after| (record.name.as_str(), record.version) > after)
        })
        .take(page.limit + 1)
        .collect();
    let (versions, next_marker) = page.cut(versions, |version| {
        format!("{}:{}", version.record.name, version.record.version)
    });
    let shown = versions
        .iter()
        .map(|version| answer::listed(version, &version.record.arn()));
    Ok(ListFunctionsResponse {
        next_marker,
        functions: Some(shown.collect()),
    })
}
