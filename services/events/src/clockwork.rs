//! Rules with a schedule, and what else happens by the clock.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use jiff::tz::TimeZone;
use routing::schedule::Schedule;
use store::{Batch, StoreError};
use tokio::task::JoinHandle;

use crate::Events;
use crate::accept::Dispatch;
use crate::domain::event::Event;
use crate::records::{ARCHIVED, DUE, DueAt, Named, Rule};

/// How often events past their archive's retention are removed.
const SWEEP_INTERVAL: Duration = Duration::from_hours(1);
/// When what could not be written is tried again.
const SOON: Duration = Duration::from_secs(1);

/// What can be due.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Due {
    Rule(Named, String),
    Sweep,
}

/// Takes up all schedules. What was missed while no server ran happens once.
pub async fn start(events: &Arc<Events>) -> Result<JoinHandle<()>, StoreError> {
    for (bus, name, rule) in events.directory.all_rules() {
        if rule.schedule.is_none() || !rule.is_enabled() {
            continue;
        }
        let stored = DUE.get(&*events.store, (bus.key(), name.as_str())).await?;
        if let Some(due) = stored {
            events.agenda.set(&Due::Rule(bus, name), Some(due.next));
        }
    }
    let first_sweep = events.clock.now() + SWEEP_INTERVAL;
    events.agenda.set(&Due::Sweep, Some(first_sweep));
    let (agenda, clock) = (Arc::clone(&events.agenda), events.clock.clone());
    let events = Arc::downgrade(events);
    Ok(tokio::spawn(async move {
        loop {
            let due = agenda.due(&clock).await;
            let Some(events) = events.upgrade() else {
                return;
            };
            for (at, what) in due {
                let done = match &what {
                    Due::Rule(bus, name) => events.fire(bus, name, at).await,
                    Due::Sweep => events.sweep().await,
                };
                if let Err(error) = done {
                    tracing::error!(%error, "a schedule was not carried out; it is tried again");
                    events.agenda.set(&what, Some(events.clock.now() + SOON));
                }
            }
        }
    }))
}

/// When a rule is due first. EventBridge's rules go by UTC.
pub fn first(rule: &Rule, now: Timestamp) -> Option<DueAt> {
    let schedule = Schedule::parse(rule.schedule.as_deref()?)?;
    let next = schedule.next(now, now, &TimeZone::UTC)?;
    Some(DueAt { next, anchor: now })
}

impl Events {
    /// Sends a rule's targets their scheduled event, and notes when it is due again.
    async fn fire(&self, bus: &Named, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let _one_writer = self.writer.lock().await;
        let Some(rule) = self.directory.rule(bus, name) else {
            return Ok(());
        };
        let key = (bus.key(), name);
        let (Some(due), true) = (DUE.get(&*self.store, key).await?, rule.is_enabled()) else {
            return Ok(());
        };
        let what = Due::Rule(bus.clone(), name.to_owned());
        if due.next > at {
            // It has been changed meanwhile.
            self.agenda.set(&what, Some(due.next));
            return Ok(());
        }
        let now = self.clock.now();
        let event = Event {
            id: uuid::Uuid::new_v4().to_string(),
            source: "aws.events".to_owned(),
            detail_type: "Scheduled Event".to_owned(),
            account: bus.account,
            region: bus.region.clone(),
            time: at,
            resources: vec![bus.rule_arn(name).to_string()],
            detail: "{}".to_owned(),
            replay: None,
            trace: None,
        };
        let mut dispatch = Dispatch::new(self);
        dispatch.send(bus, name, &rule, &event, 0)?;
        let schedule = rule.schedule.as_deref().and_then(Schedule::parse);
        let next = schedule.and_then(|one| one.next(now.max(at), due.anchor, &TimeZone::UTC));
        match next {
            Some(next) => DUE.put(&mut dispatch.batch, key, &DueAt { next, ..due })?,
            None => DUE.delete(&mut dispatch.batch, key),
        }
        dispatch.commit().await?;
        self.agenda.set(&what, next);
        Ok(())
    }

    /// Removes archived events that are older than their archive keeps them.
    async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for archive in self.directory.archives() {
            let Ok(days @ 1..) = u64::try_from(archive.record.retention_days) else {
                continue;
            };
            let cutoff = now - Duration::from_hours(24 * days);
            let key = archive.name.key();
            loop {
                let old = ARCHIVED
                    .scan_range(&*self.store, (key, 0_i64), (key, cutoff.millis()), 500)
                    .await?;
                if old.rows.is_empty() {
                    break;
                }
                let mut batch = Batch::new();
                for row in &old.rows {
                    ARCHIVED.delete(&mut batch, &row.key);
                }
                self.store.commit(batch).await?;
            }
        }
        self.agenda.set(&Due::Sweep, Some(now + SWEEP_INTERVAL));
        Ok(())
    }
}
