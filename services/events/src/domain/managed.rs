//! The rules that EventBridge makes for its archives, which clients see and may not change.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive-event.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use service::ServiceError;

use crate::error;
use crate::records::{Input, Named, Rule, Target};

/// Whose rules they are.
const ARCHIVES: &str = "prod.vhs.events.aws.internal";

pub fn name(archive: &str) -> String {
    format!("Events-Archive-{archive}")
}

/// It wants what the archive wants and was not replayed. Its target is there to see as well: what
/// archives keep, they take from the bus themselves.
pub fn rule(archive: &Named, pattern: Option<&str>) -> Rule {
    let mut wanted: Map<String, Value> = pattern
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    wanted.insert("replay-name".to_owned(), json!([{"exists": false}]));
    Rule {
        pattern: Some(Value::Object(wanted).to_string()),
        state: "ENABLED".to_owned(),
        created_by: Some(archive.account),
        managed_by: Some(ARCHIVES.to_owned()),
        targets: BTreeMap::from([(archive.name.clone(), target(archive))]),
        ..Rule::default()
    }
}

fn target(archive: &Named) -> Target {
    let arn = archive.arn("archive");
    Target {
        arn: format!("arn:aws:events:{}:::", archive.region),
        role: None,
        input: Input::Template {
            paths: BTreeMap::new(),
            template: format!(
                r#"{{"archive-arn": "{arn}", "event": <aws.events.event.json>, "ingestion-time": <aws.events.event.ingestion-time>}}"#
            ),
        },
        group: None,
        dead_letters: None,
        retries: None,
        max_age_seconds: None,
        http: None,
    }
}

/// For operations that change a rule.
pub fn check(name: &str, rule: &Rule) -> Result<(), ServiceError> {
    if rule.managed_by.is_some() {
        return Err(error::managed_rule(name));
    }
    Ok(())
}
