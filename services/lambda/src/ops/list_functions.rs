//! ListFunctions and ListVersionsByFunction.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>

use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};

use super::place;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::marker::{MAX_PAGE, PageRequest};
use crate::generated::{
    FunctionVersion, ListFunctionsRequest, ListFunctionsResponse, ListVersionsByFunctionRequest,
    ListVersionsByFunctionResponse,
};
use crate::records::FunctionRecord;
use crate::{Lambda, answer};

pub async fn list_functions(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse, ServiceError> {
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    // One more tells whether there is a next page.
    let functions = lambda
        .functions
        .list(&place(&context), page.after.as_deref(), page.limit + 1);
    let (functions, next_marker) = page.cut(functions, |function| &function.record.name);
    let with_versions = input.function_version == Some(FunctionVersion::All);
    let shown = functions.iter().map(|function| {
        let record = &function.record;
        let arn = if with_versions {
            latest_arn(record)
        } else {
            record.arn()
        };
        answer::listed(record, &arn)
    });
    Ok(ListFunctionsResponse {
        next_marker,
        functions: Some(shown.collect()),
    })
}

pub async fn list_versions_by_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListVersionsByFunctionRequest,
) -> Result<ListVersionsByFunctionResponse, ServiceError> {
    let (function, _) = lambda.resolve(&context, &input.function_name, None)?;
    let record = &function.record;
    Ok(ListVersionsByFunctionResponse {
        next_marker: None,
        versions: Some(vec![answer::listed(record, &latest_arn(record))]),
    })
}

fn latest_arn(record: &FunctionRecord) -> Arn {
    let latest = FunctionName {
        place: record.place(),
        name: record.name.clone(),
        qualifier: Some(Qualifier::Latest),
    };
    latest.arn()
}
