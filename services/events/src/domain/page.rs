//! How many items a page has, and what a wrong token is told.

use service::ServiceError;
use service::page::{self, Page};

use crate::error;

/// Items of a page when the caller names no number.
const DEFAULT_LIMIT: usize = 100;

/// The items after the token, each with its key, in the order of keys.
pub fn cut<T>(
    items: impl IntoIterator<Item = (String, T)>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<Page<T>, ServiceError> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    page::cut(items, token, limit.unwrap_or(DEFAULT_LIMIT))
        .ok_or_else(|| error::validation("Parameter NextToken is not valid."))
}

/// The filters of archives and replays exclude each other.
pub fn check_filters(
    operation: &str,
    state: bool,
    source: bool,
    prefix: bool,
) -> Result<(), ServiceError> {
    if [state, source, prefix]
        .iter()
        .filter(|given| **given)
        .count()
        > 1
    {
        return Err(error::validation(format!(
            "At most one filter is allowed for {operation}. \
             Use either : State, EventSourceArn, or NamePrefix."
        )));
    }
    Ok(())
}
