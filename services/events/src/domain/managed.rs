//! The rules that EventBridge makes for its archives, which clients see and may not change.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive-event.html>

use base::AccountId;
use serde_json::{Map, Value, json};
use service::ServiceError;

use crate::error;
use crate::records::Rule;

/// Whose rules they are.
const ARCHIVES: &str = "prod.vhs.events.aws.internal";

pub fn name(archive: &str) -> String {
    format!("Events-Archive-{archive}")
}

/// It wants what the archive wants and was not replayed. What goes into archives goes there without
/// targets, so it has none.
pub fn rule(pattern: Option<&str>, account: AccountId) -> Rule {
    let mut wanted: Map<String, Value> = pattern
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    wanted.insert("replay-name".to_owned(), json!([{"exists": false}]));
    Rule {
        pattern: Some(Value::Object(wanted).to_string()),
        state: "ENABLED".to_owned(),
        created_by: Some(account),
        managed_by: Some(ARCHIVES.to_owned()),
        ..Rule::default()
    }
}

/// For operations that change a rule.
pub fn check(name: &str, rule: &Rule) -> Result<(), ServiceError> {
    if rule.managed_by.is_some() {
        return Err(error::managed_rule(name));
    }
    Ok(())
}
