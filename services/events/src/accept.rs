//! An event's way from a bus to the targets of the rules that want it.

use std::sync::Arc;

use base::Timestamp;
use patterns::Event as Matched;
use routing::deliveries::{Parcel, Source, Target as To};
use serde_json::Value;
use service::ServiceError;
use service::ports::{Seen, Verdict};
use store::{Batch, StoreError};

use crate::domain::event::Event;
use crate::domain::input::Surroundings;
use crate::domain::{names, policy, target};
use crate::records::{ARCHIVED, Named, Rule};
use crate::{Events, error};

/// A bus may hand events on to a bus, so often.
const MAX_HOPS: usize = 5;
/// And one event reaches so many buses, counted as often as it comes: rules that send it round fan out.
const MAX_BUSES: usize = 100;

impl Events {
    /// Takes events: they are durable, with all their deliveries, once this returns.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        events: Vec<(Named, Event)>,
    ) -> Result<(), ServiceError> {
        let mut dispatch = Dispatch::new(self);
        let mut routed = Ok(());
        for (bus, event) in &events {
            routed = routed.and_then(|()| dispatch.route(bus, event, None, 0));
        }
        let committed = match routed {
            Ok(()) => dispatch.commit().await,
            Err(error) => Err(error),
        };
        committed.map_err(|error| error::unavailable(&error))
    }
}

/// Events on their way: what they add to archives, and the parcels they become.
pub struct Dispatch<'a> {
    events: &'a Events,
    /// What else has to be written with them.
    pub batch: Batch,
    parcels: Vec<Parcel>,
    now: Timestamp,
    /// Buses that the present event has reached.
    reached: usize,
}

impl<'a> Dispatch<'a> {
    pub fn new(events: &'a Events) -> Self {
        Self {
            events,
            batch: Batch::new(),
            parcels: Vec::new(),
            now: events.clock.now(),
            reached: 0,
        }
    }

    /// Finds where an event goes. `only` are ARNs of rules, where a replay names some.
    pub fn route(
        &mut self,
        bus: &Named,
        event: &Event,
        only: Option<&[String]>,
        hops: usize,
    ) -> Result<(), StoreError> {
        self.reached = if hops == 0 { 1 } else { self.reached + 1 };
        let value = event.value();
        let matched = Matched::of(&value);
        for archive in self.events.directory.keeping(bus, event, &matched) {
            let key = (archive.key(), self.now.millis(), event.id.as_str());
            ARCHIVED.put(&mut self.batch, key, event)?;
        }
        let wanted = self.events.directory.matching(bus, &matched);
        self.tell(bus, event, &value, &wanted);
        for (name, rule) in wanted {
            let arn = bus.rule_arn(&name).to_string();
            if only.is_none_or(|only| only.contains(&arn)) {
                self.send(bus, &name, &rule, event, hops)?;
            }
        }
        Ok(())
    }

    /// Shows an event to whoever looks on: the rules that want it, and why the others do not.
    fn tell(&self, bus: &Named, event: &Event, value: &Value, wanted: &[(String, Arc<Rule>)]) {
        let Some(onlooker) = &self.events.onlooker else {
            return;
        };
        let mut verdicts: Vec<_> = wanted
            .iter()
            .map(|(name, rule)| Verdict {
                by: bus.rule_arn(name).to_string(),
                targets: rule.targets.values().map(|one| one.arn.clone()).collect(),
                why_not: None,
            })
            .collect();
        if onlooker.is_looking() {
            for (name, rule) in self.events.directory.rules(bus) {
                if rule.managed_by.is_some() {
                    continue;
                }
                let Some(pattern) = &rule.pattern else {
                    continue;
                };
                if wanted.iter().any(|(known, _)| *known == name) {
                    continue;
                }
                let why_not = if rule.is_enabled() {
                    let unmet = patterns::unmet_fields(pattern, value);
                    format!("does not match in {}", unmet.join(", "))
                } else {
                    "the rule is disabled".to_owned()
                };
                verdicts.push(Verdict {
                    by: bus.rule_arn(&name).to_string(),
                    targets: Vec::new(),
                    why_not: Some(why_not),
                });
            }
        }
        let resources = event.resources.iter().cloned().map(wire::Value::Str);
        let entry = wire::Value::of_members([
            Some((
                "EventBusName",
                wire::Value::Str(bus.arn("event-bus").to_string()),
            )),
            Some(("Source", wire::Value::Str(event.source.clone()))),
            Some(("DetailType", wire::Value::Str(event.detail_type.clone()))),
            Some(("Detail", wire::Value::Str(event.detail.clone()))),
            Some(("Resources", wire::Value::List(resources.collect()))),
        ]);
        let entries = wire::Value::List(vec![entry]);
        onlooker.saw(Seen {
            id: event.id.clone(),
            at: self.now,
            account: bus.account,
            region: bus.region.clone(),
            place: bus.arn("event-bus").to_string(),
            event: event.text(),
            verdicts,
            again: (
                "events",
                "PutEvents",
                wire::Value::of_members([Some(("Entries", entries))]),
            ),
        });
    }

    /// Adds a parcel for each of a rule's targets; a bus among them gets the event at once.
    pub fn send(
        &mut self,
        bus: &Named,
        name: &str,
        rule: &Rule,
        event: &Event,
        hops: usize,
    ) -> Result<(), StoreError> {
        let text = event.text();
        let value = event.value();
        let arn = bus.rule_arn(name);
        let around = Surroundings {
            rule_arn: arn.to_string(),
            rule_name: name,
            accepted_at: self.now,
            text: &text,
            event: &value,
        };
        for one in rule.targets.values() {
            let source = Source {
                arn: arn.clone(),
                account: bus.account,
                region: bus.region.clone(),
            };
            let mut parcel = target::parcel(one, one.input.of(&around), source, self.now);
            parcel.per_second = self.events.directory.rate(&one.arn);
            parcel.trace.clone_from(&event.trace);
            if let Some(next) = names::of_arn(&one.arn, "event-bus") {
                let Err((code, message)) = self.check_bus(bus, &next, hops) else {
                    self.route(&next, event, None, hops + 1)?;
                    continue;
                };
                parcel.target = To::Refused { code, message };
            }
            self.parcels.push(parcel);
        }
        Ok(())
    }

    /// Whether a bus hands events on to a bus; else why not, as dead letters say it.
    fn check_bus(&self, from: &Named, to: &Named, hops: usize) -> Result<(), (String, String)> {
        let arn = to.arn("event-bus");
        let refuse = |code: &str, message: String| Err((code.to_owned(), message));
        let Some(found) = self.events.directory.bus(to) else {
            return refuse("NO_RESOURCE", format!("{arn} does not exist."));
        };
        if to.account != from.account && !policy::lets_in(&found, to, from.account) {
            return refuse(
                "NO_PERMISSIONS",
                format!("{arn} does not let {} in.", from.account),
            );
        }
        if hops >= MAX_HOPS || self.reached >= MAX_BUSES {
            return refuse(
                "TOO_MANY_HOPS",
                format!("The event has come too far to go on to {arn}."),
            );
        }
        Ok(())
    }

    /// Commits what has come together, and sends it off.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self {
            events,
            mut batch,
            parcels,
            ..
        } = self;
        let staged = events.deliveries.stage(&mut batch, parcels)?;
        if !batch.is_empty() {
            events.store.commit(batch).await?;
        }
        staged.send_off();
        Ok(())
    }
}
