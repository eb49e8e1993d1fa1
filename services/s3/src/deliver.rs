//! Events on their way: durable with the change that caused them, then delivered by `routing`.
//!
//! An event that its destination refuses is tried again for a day, whatever the reason: a queue
//! that was deleted may come back, and S3 tells nobody that it does not.

use std::sync::Arc;

use base::{Arn, Region};
use routing::deliveries::{Deliveries, Parcel, Retry, Source, Staged, Target as To};
use serde_json::Map;
use store::{Batch, StoreError};

use crate::domain::event::{self, Cause, Happening, Place, Sequencer};
use crate::domain::notification::{Notifications, Rule, Target};

/// S3 as other services see it.
pub const PRINCIPAL: &str = "s3.amazonaws.com";

const RETRY: Retry = Retry {
    attempts: u32::MAX,
    max_age_seconds: 86_400,
    first_pause_millis: 100,
    longest_pause_millis: 60_000,
    phases: None,
    insists: true,
};

/// Adds the events that the bucket's configuration wants to a batch.
pub fn stage(
    deliveries: &Arc<Deliveries>,
    batch: &mut Batch,
    place: Place<'_>,
    notifications: &Notifications,
    happenings: &[Happening],
    cause: &Cause,
    mut sequence: impl FnMut() -> Sequencer,
) -> Result<Staged, StoreError> {
    let mut parcels = Vec::new();
    if !notifications.is_empty() {
        for happening in happenings {
            wanted(
                notifications,
                happening,
                cause,
                place,
                sequence(),
                &mut parcels,
            );
        }
    }
    deliveries.stage(batch, parcels)
}

fn wanted(
    notifications: &Notifications,
    happening: &Happening,
    cause: &Cause,
    place: Place<'_>,
    sequencer: Sequencer,
    parcels: &mut Vec<Parcel>,
) {
    let wants = |rule: &&Rule| rule.wants(happening.kind, &happening.key);
    for rule in notifications.rules.iter().filter(wants) {
        let body = event::message(happening, cause, place, &rule.id, sequencer);
        parcels.push(parcel(&rule.target, body, place, cause));
    }
    if notifications.event_bridge {
        let to = To::EventBus {
            bus: None,
            source: "aws.s3".to_owned(),
            detail_type: event::detail_type(happening.kind).to_owned(),
            resources: vec![bucket_arn(place.bucket, place.region)],
            time: cause.at,
        };
        let detail = event::detail(happening, cause, place, sequencer);
        parcels.push(addressed(to, detail, place, cause));
    }
}

/// A message for one destination of a bucket.
pub fn parcel(target: &Target, body: String, place: Place<'_>, cause: &Cause) -> Parcel {
    let (to, body) = match target {
        Target::Function(arn) => (To::Function(arn.clone()), body),
        Target::Queue(arn) => (To::queue(arn.clone()), body),
        Target::Topic(arn) => {
            let subject = ("Subject".to_owned(), "Amazon S3 Notification".into());
            To::topic(&arn.to_string(), &body, Map::from_iter([subject]))
        }
    };
    addressed(to, body, place, cause)
}

fn addressed(target: To, body: String, place: Place<'_>, cause: &Cause) -> Parcel {
    Parcel {
        target,
        body,
        source: Source {
            arn: bucket_arn(place.bucket, place.region),
            account: place.owner,
            region: place.region.clone(),
        },
        order: None,
        retry: RETRY,
        dead_letter: None,
        accepted_at: cause.at,
        per_second: None,
        trace: cause.trace.clone(),
    }
}

pub fn bucket_arn(bucket: &str, region: &Region) -> Arn {
    Arn {
        partition: region.partition().to_owned(),
        service: "s3".to_owned(),
        region: String::new(),
        account: String::new(),
        resource: bucket.to_owned(),
    }
}
