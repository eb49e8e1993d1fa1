//! An event on a bus.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>

use base::{AccountId, Region, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub source: String,
    pub detail_type: String,
    pub account: AccountId,
    pub region: Region,
    pub time: Timestamp,
    pub resources: Vec<String>,
    /// JSON, as its source wrote it.
    pub detail: String,
    /// The replay that brings it back.
    pub replay: Option<String>,
    /// `X-Amzn-Trace-Id` of what caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// What goes on of a trace header: Lambda's count of loops ends here, as Lambda finds those through
/// SQS, SNS, S3 and functions only.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>
pub fn handed_on(trace: &str) -> String {
    let fields = trace.split(';');
    let others = fields.filter(|field| !field.trim_start().starts_with("Lineage="));
    others.collect::<Vec<_>>().join(";")
}

impl Event {
    /// As targets get it, in the order that AWS writes.
    pub fn text(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let replay = self.replay.as_deref().map_or(String::new(), |name| {
            format!("\"replay-name\":{},", quoted(name))
        });
        format!(
            "{{\"version\":\"0\",\"id\":{},\"detail-type\":{},\"source\":{},\"account\":{},\
             \"time\":\"{}\",\"region\":{},\"resources\":{},{replay}\"detail\":{}}}",
            quoted(&self.id),
            quoted(&self.detail_type),
            quoted(&self.source),
            quoted(self.account.as_str()),
            self.time.iso8601_seconds(),
            quoted(self.region.as_str()),
            Value::from(self.resources.clone()),
            self.detail,
        )
    }

    /// As patterns and input paths see it.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_without_its_count_of_loops() {
        let trace = "Root=1-6748f0a1-0;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(handed_on(&format!("{trace};Lineage=0badcafe:7")), trace);
        assert_eq!(handed_on(trace), trace);
    }
}
