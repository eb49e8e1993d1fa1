//! ListVersionsByFunction.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::function_named;
use crate::domain::marker::{self, MAX_PAGE, PageRequest};
use crate::domain::version::VersionId;
use crate::generated::{ListVersionsByFunctionRequest, ListVersionsByFunctionResponse};
use crate::{Lambda, answer};

pub async fn list_versions_by_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListVersionsByFunctionRequest,
) -> Result<ListVersionsByFunctionResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let after: Option<VersionId> = match &page.after {
        Some(after) => Some(after.parse().map_err(|_| marker::invalid())?),
        None => None,
    };
    let versions = function
        .all_versions()
        .filter(|version| after.is_none_or(|after| version.record.version > after))
        .take(page.limit + 1)
        .collect();
    let (versions, next_marker) = page.cut(versions, |version| version.record.version.to_string());
    let shown = versions
        .iter()
        .map(|version| answer::listed(version, &version.record.arn()));
    Ok(ListVersionsByFunctionResponse {
        next_marker,
        versions: Some(shown.collect()),
    })
}
