//! A schedule's target as a parcel.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html>
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html>

use base::{Arn, Timestamp};
use routing::deliveries::{Attribute, DeadLetter, Parcel, Retry, Source, Style, Target as To};
use serde_json::{Map, json};

use crate::records::{ScheduleId, Target};

/// An operation of any service.
pub struct Call {
    pub service: String,
    pub operation: String,
}

/// The operation that `arn:aws:scheduler:::aws-sdk:sqs:sendMessage` names.
pub fn universal(arn: &Arn) -> Option<Call> {
    if arn.service != "scheduler" {
        return None;
    }
    let (service, operation) = arn.resource.strip_prefix("aws-sdk:")?.split_once(':')?;
    let service = match service {
        "eventbridge" | "cloudwatchevents" => "events",
        "cloudwatchlogs" => "logs",
        "sfn" => "states",
        other => other,
    };
    let mut operation = operation.to_owned();
    operation.get_mut(..1)?.make_ascii_uppercase();
    Some(Call {
        service: service.to_owned(),
        operation,
    })
}

/// One call of a target, for the time that the schedule says.
pub fn parcel(id: &ScheduleId, target: &Target, at: Timestamp, now: Timestamp) -> Parcel {
    let execution = uuid::Uuid::new_v4().to_string();
    let arn = id.arn().to_string();
    let filled = |text: &str| {
        text.replace("<aws.scheduler.schedule-arn>", &arn)
            .replace("<aws.scheduler.scheduled-time>", &at.iso8601_seconds())
            .replace("<aws.scheduler.execution-id>", &execution)
            .replace("<aws.scheduler.attempt-number>", "1")
    };
    let input = target.input.as_deref().map(filled);
    let (to, body) = destination(id, target, input, at, now, &execution);
    let text = |name: &str, value: &str| Attribute::text(name, value);
    let dead_letter = target
        .dead_letters
        .as_deref()
        .and_then(|arn| arn.parse().ok())
        .map(|queue| DeadLetter {
            queue,
            body: None,
            style: Style::Events,
            attributes: vec![
                text("SCHEDULE_ARN", &arn),
                text("TARGET_ARN", &target.arn),
                text("SCHEDULED_TIME", &at.iso8601_seconds()),
                text("EXECUTION_ID", &execution),
                text("IS_PAYLOAD_TRUNCATED", "false"),
            ],
        });
    Parcel {
        target: to,
        body,
        source: Source {
            arn: id.arn(),
            account: id.group.account,
            region: id.group.region.clone(),
        },
        order: target.group.clone(),
        retry: Retry::events(target.retries, target.max_age_seconds),
        dead_letter,
        accepted_at: now,
        per_second: None,
        trace: None,
    }
}

fn destination(
    id: &ScheduleId,
    target: &Target,
    input: Option<String>,
    at: Timestamp,
    now: Timestamp,
    execution: &str,
) -> (To, String) {
    let body = input
        .clone()
        .unwrap_or_else(|| plain_event(id, at, execution));
    let Ok(arn) = target.arn.parse::<Arn>() else {
        return (To::Nowhere(target.arn.clone()), body);
    };
    if let Some(Call { service, operation }) = universal(&arn) {
        let to = To::Call {
            service,
            operation,
            arn: id.arn().to_string(),
            reach: target.reach,
        };
        return (to, input.unwrap_or_else(|| "{}".to_owned()));
    }
    match (arn.service.as_str(), &target.event) {
        ("lambda", _) => (To::Function(arn), body),
        ("sqs", _) => {
            let to = To::Queue {
                queue: arn,
                // A FIFO queue must deduplicate by content to be a target.
                deduplication: None,
                group: target.group.clone(),
                attributes: Vec::new(),
            };
            (to, body)
        }
        ("sns", _) => To::topic(&target.arn, &body, Map::new()),
        ("events", Some((detail_type, source))) => {
            let to = To::EventBus {
                bus: Some(arn),
                source: source.clone(),
                detail_type: detail_type.clone(),
                resources: vec![id.arn()],
                time: now,
            };
            (to, input.unwrap_or_else(|| "{}".to_owned()))
        }
        (service, _) => (To::Nowhere(format!("{service} ({})", target.arn)), body),
    }
}

/// What a target gets whose schedule has no input.
fn plain_event(id: &ScheduleId, at: Timestamp, execution: &str) -> String {
    json!({
        "version": "0",
        "id": execution,
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": id.group.account.as_str(),
        "time": at.iso8601_seconds(),
        "region": id.group.region.as_str(),
        "resources": [id.arn().to_string()],
        "detail": "{}",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use base::{AccountId, Region};

    use super::*;
    use crate::records::GroupId;

    #[test]
    fn a_fifo_queue_deduplicates_by_content() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
        let target = Target {
            arn: arn.to_owned(),
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            input: None,
            dead_letters: None,
            retries: None,
            max_age_seconds: None,
            group: Some("group".to_owned()),
            event: None,
            reach: service::Reach::Function,
        };
        let group = GroupId {
            account: AccountId::DEFAULT,
            region: Region::us_east_1(),
            name: "default".to_owned(),
        };
        let name = "s".to_owned();
        let id = ScheduleId { group, name };
        let at = Timestamp::from_millis(0);
        let (to, _) = destination(&id, &target, None, at, at, "execution");
        let expected = To::Queue {
            queue: arn.parse().unwrap(),
            group: Some("group".to_owned()),
            deduplication: None,
            attributes: Vec::new(),
        };
        assert_eq!(to, expected);
    }
}
