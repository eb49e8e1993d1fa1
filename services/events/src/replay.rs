//! Replays: archived events once more, in the background.

use std::sync::Arc;

use store::{Batch, StoreError};

use crate::Events;
use crate::accept::Dispatch;
use crate::directory::name_of;
use crate::domain::names;
use crate::records::{ARCHIVED, Named, REPLAYS, Replay};

/// Events replayed in one commit.
const PAGE: usize = 100;

impl Events {
    pub(crate) async fn resume_replays(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = REPLAYS.scan(&*self.store, (), after.as_ref(), 500).await?;
            for row in page.rows {
                if ["STARTING", "RUNNING"].contains(&row.value.state.as_str()) {
                    self.replay(name_of(&row.key)?.0);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    pub(crate) fn replay(self: &Arc<Self>, name: Named) {
        let events = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut after = None;
            loop {
                let Some(events) = events.upgrade() else {
                    return;
                };
                match events.replay_page(&name, after.take()).await {
                    Ok(Some(next)) => after = Some(next),
                    Ok(None) => return,
                    Err(error) => {
                        tracing::error!(%error, replay = name.name, "a replay goes on at the next start");
                        return;
                    }
                }
            }
        });
    }

    /// Replays some; answers after which key to go on, if there is more and nobody cancelled it.
    async fn replay_page(
        &self,
        name: &Named,
        after: Option<store::Key>,
    ) -> Result<Option<store::Key>, StoreError> {
        let _one_writer = self.writer.lock().await;
        let Some(mut replay) = REPLAYS.get(&*self.store, name.key()).await? else {
            return Ok(None);
        };
        if !["STARTING", "RUNNING"].contains(&replay.state.as_str()) {
            return Ok(None);
        }
        let now = self.clock.now();
        let mut dispatch = Dispatch::new(self);
        let next = match (
            names::of_arn(&replay.source, "archive"),
            names::of_arn(&replay.destination, "event-bus"),
        ) {
            (Some(archive), Some(bus)) => {
                let page = ARCHIVED
                    .scan(&*self.store, archive.key(), after.as_ref(), PAGE)
                    .await?;
                for row in page.rows {
                    let mut event = row.value;
                    if event.time < replay.from || event.time >= replay.until {
                        continue;
                    }
                    replay.last_replayed = Some(event.time);
                    event.replay = Some(name.name.clone());
                    let only = (!replay.filter.is_empty()).then_some(replay.filter.as_slice());
                    dispatch.route(&bus, &event, only, 0)?;
                }
                page.next
            }
            _ => None,
        };
        let state = if next.is_none() {
            replay.ended = Some(now);
            "COMPLETED"
        } else {
            "RUNNING"
        };
        state.clone_into(&mut replay.state);
        put(&mut dispatch.batch, name, &replay)?;
        dispatch.commit().await?;
        Ok(next)
    }
}

pub fn put(batch: &mut Batch, name: &Named, replay: &Replay) -> Result<(), StoreError> {
    REPLAYS.put(batch, name.key(), replay)
}
