//! Rebuilding a queue's messages from the store, when the queue is first used.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use service::ServiceError;
use store::{Key, StoreError};

use super::{Contents, Queue};
use crate::domain::backlog::{Arrival, Backlog};
use crate::domain::deduplication::Window;
use crate::domain::message::{Message, Receives};
use crate::domain::sequence::{Sequence, Sequencer};
use crate::error;
use crate::records::{ACCEPTED, MESSAGES, RECEIVES, sequence_of};

const PAGE: usize = 1000;

impl Queue {
    /// Makes sure that the messages are in memory.
    pub(super) async fn loaded(&self) -> Result<(), ServiceError> {
        self.check_there()?;
        self.contents
            .get_or_try_init(|| async { self.load().await.map(Mutex::new) })
            .await
            .map(|_| ())
            .map_err(error::store_failed)
    }

    async fn load(&self) -> Result<Contents, StoreError> {
        let receives = self.load_receives().await?;
        let mut contents = Contents {
            backlog: Backlog::new(self.is_fifo()),
            window: self.load_window().await?,
            sequencer: Sequencer::default(),
        };
        let mut last = 0;
        let mut after: Option<Key> = None;
        loop {
            let page = MESSAGES
                .scan(&*self.shared.store, self.id, after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                last = sequence_of(&row.key)?;
                self.restore(&mut contents, last, row.value, receives.get(&last));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        contents.sequencer = Sequencer::after(last);
        Ok(contents)
    }

    fn restore(
        &self,
        contents: &mut Contents,
        sequence: Sequence,
        message: Message,
        receives: Option<&Receives>,
    ) {
        let message = Arc::new(message);
        let receives = receives.copied().unwrap_or(message.received_before);
        let attributes = &self.record().attributes;
        let arrival = Arrival {
            group: message.group_id.clone(),
            enqueued_at: message.enqueued_at,
            // The delay may have been changed since it was stored.
            visible_at: if attributes.fifo && receives.is_none() {
                message.enqueued_at + attributes.delay()
            } else {
                message.visible_at
            },
            receives,
            received_before: message.received_before.count,
            kept: self.shared.budget.keep(&message),
        };
        contents.backlog.reserve(sequence, arrival);
        contents.backlog.settle(sequence, self.shared.clock.now());
    }

    async fn load_receives(&self) -> Result<HashMap<Sequence, Receives>, StoreError> {
        let mut receives = HashMap::new();
        let mut after: Option<Key> = None;
        loop {
            let page = RECEIVES
                .scan(&*self.shared.store, self.id, after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                receives.insert(sequence_of(&row.key)?, row.value);
            }
            after = page.next;
            if after.is_none() {
                return Ok(receives);
            }
        }
    }

    async fn load_window(&self) -> Result<Window, StoreError> {
        let mut window = Window::default();
        let mut after: Option<Key> = None;
        loop {
            let page = ACCEPTED
                .scan(&*self.shared.store, self.id, after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                window.insert(row.value.key, row.value.accepted);
            }
            after = page.next;
            if after.is_none() {
                return Ok(window);
            }
        }
    }
}
