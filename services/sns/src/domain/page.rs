//! Lists are cut at a hundred.

use service::ServiceError;
use service::page::{self, Page};

use crate::error;

const PAGE: usize = 100;

/// The items after the token, each with its key, in the order of keys.
pub fn cut<T>(
    items: impl IntoIterator<Item = (String, T)>,
    token: Option<&str>,
) -> Result<Page<T>, ServiceError> {
    page::cut(items, token, PAGE)
        .ok_or_else(|| error::invalid("NextToken Reason: Invalid token provided in request"))
}
