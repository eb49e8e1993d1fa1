//! TestEventPattern.

use patterns::{Event as Matched, Pattern};
use serde_json::Value;
use service::{RequestContext, ServiceError};

use super::State;
use crate::error;
use crate::generated as g;

/// What an event must have.
const REQUIRED: [&str; 6] = ["id", "account", "source", "time", "region", "detail-type"];

pub async fn test_event_pattern(
    _: State,
    _: RequestContext,
    input: g::TestEventPatternRequest,
) -> Result<g::TestEventPatternResponse, ServiceError> {
    let pattern = Pattern::parse(&input.event_pattern).map_err(error::invalid_pattern)?;
    let event: Value = serde_json::from_str(&input.event)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| error::validation("Parameter Event is not valid."))?;
    if REQUIRED.iter().any(|name| event.get(name).is_none()) {
        return Err(error::validation("Parameter Event is not valid."));
    }
    Ok(g::TestEventPatternResponse {
        result: Some(pattern.matches(&Matched::of(&event))),
    })
}
