//! The filter criteria of an event source mapping.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>

use routing::poller::Filters;
use service::ServiceError;

use crate::error;
use crate::generated::{Filter, FilterCriteria};

/// Filters of one mapping, unless an account has been raised.
const MAX_FILTERS: usize = 5;

/// The patterns of a request; none where it takes them away.
///
/// # Errors
/// Too many, and what is no pattern.
pub fn patterns(criteria: &FilterCriteria) -> Result<Vec<String>, ServiceError> {
    let filters = criteria.filters.iter().flatten();
    let patterns: Vec<String> = filters.filter_map(|it| it.pattern.clone()).collect();
    if patterns.len() > MAX_FILTERS {
        return Err(error::invalid_parameter(format!(
            "The number of filters ({}) exceeds the maximum of {MAX_FILTERS} for an event source \
             mapping.",
            patterns.len()
        )));
    }
    match Filters::parse(patterns.iter().map(String::as_str)) {
        Ok(_) => Ok(patterns),
        Err(_) => Err(error::invalid_parameter(
            "Invalid filter pattern definition.",
        )),
    }
}

/// As answers show them.
pub fn shown(patterns: &[String]) -> Option<FilterCriteria> {
    let filter = |pattern: &String| Filter {
        pattern: Some(pattern.clone()),
    };
    let filters = patterns.iter().map(filter).collect();
    (!patterns.is_empty()).then_some(FilterCriteria {
        filters: Some(filters),
    })
}
