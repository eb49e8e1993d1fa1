//! Carrying out what is due.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use routing::deliveries::Parcel;
use store::{Batch, StoreError};
use tokio::task::JoinHandle;

use crate::Scheduler;
use crate::domain::{target, timing};
use crate::records::{SCHEDULES, Schedule, ScheduleId};

/// When what could not be written is tried again.
const SOON: Duration = Duration::from_secs(1);
/// Schedules carried out in one commit.
const TOGETHER: usize = 500;

/// Takes up all schedules. What was missed while no server ran happens once.
pub fn start(scheduler: &Arc<Scheduler>) -> JoinHandle<()> {
    for (id, schedule) in &*scheduler.schedules.read() {
        scheduler.agenda.set(id, schedule.due);
    }
    let (agenda, clock) = (Arc::clone(&scheduler.agenda), scheduler.clock.clone());
    let scheduler = Arc::downgrade(scheduler);
    tokio::spawn(async move {
        loop {
            let due = agenda.due(&clock).await;
            let Some(scheduler) = scheduler.upgrade() else {
                return;
            };
            for some in due.chunks(TOGETHER) {
                if let Err(error) = scheduler.fire(some).await {
                    tracing::error!(%error, "schedules were not carried out; they are tried again");
                    let again = Some(scheduler.clock.now() + SOON);
                    for (_, id) in some {
                        agenda.set(id, again);
                    }
                }
            }
        }
    })
}

/// What one carried-out schedule changes.
struct Carried {
    id: ScheduleId,
    /// `None` if it has deleted itself.
    after: Option<Schedule>,
    due: Option<Timestamp>,
}

impl Scheduler {
    /// Calls targets, and notes in the same batch when their schedules are due again.
    async fn fire(&self, due: &[(Timestamp, ScheduleId)]) -> Result<(), StoreError> {
        let _one_writer = self.writer.lock().await;
        let mut batch = Batch::new();
        let mut parcels = Vec::with_capacity(due.len());
        let mut carried = Vec::with_capacity(due.len());
        for (at, id) in due {
            if let Some((one, parcel)) = self.carry_out(id, *at) {
                match &one.after {
                    Some(after) => SCHEDULES.put(&mut batch, id.key(), after)?,
                    None => SCHEDULES.delete(&mut batch, id.key()),
                }
                carried.push(one);
                parcels.push(parcel);
            }
        }
        if carried.is_empty() {
            return Ok(());
        }
        let staged = self.deliveries.stage(&mut batch, parcels)?;
        self.store.commit(batch).await?;
        let mut schedules = self.schedules.write();
        for Carried { id, after, due } in carried {
            self.agenda.set(&id, due);
            match after {
                Some(after) => schedules.insert(id, Arc::new(after)),
                None => schedules.remove(&id),
            };
        }
        drop(schedules);
        staged.send_off();
        Ok(())
    }

    fn carry_out(&self, id: &ScheduleId, at: Timestamp) -> Option<(Carried, Parcel)> {
        let schedule = self.schedules.read().get(id).cloned()?;
        let (scheduled, due) = (schedule.next?, schedule.due?);
        if due > at {
            // It has been changed meanwhile.
            self.agenda.set(id, Some(due));
            return None;
        }
        let now = self.clock.now();
        let parcel = target::parcel(id, &schedule.settings.target, scheduled, now);
        let next = timing::next(&schedule, scheduled, now);
        let due = next.map(|next| timing::due(&schedule.settings, next, rand::random()));
        let is_over = next.is_none() && schedule.settings.deletes_itself;
        let after = (!is_over).then(|| Schedule {
            next,
            due,
            ..(*schedule).clone()
        });
        let id = id.clone();
        Some((Carried { id, after, due }, parcel))
    }
}
