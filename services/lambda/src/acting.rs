//! Calls that Lambda makes on other services for a function, in its own name.

use base::{Arn, Timestamp};
use service::{Principal, RequestContext};
use wire::Value;

use crate::domain::function_name::Place;

/// The name by which roles and queues know Lambda.
pub const LAMBDA: &str = "lambda.amazonaws.com";

/// A call about something in `place`, for a function.
pub fn for_function(function: &Arn, place: &Place, now: Timestamp) -> RequestContext {
    let principal = Principal::Service {
        name: LAMBDA,
        source_arn: Some(function.clone()),
        source_account: function.account_id(),
    };
    RequestContext::internal(principal, place.account, place.region.clone(), now)
}

/// The input of such a call: the members that are there.
pub fn input<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let present = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Map(present.collect())
}
