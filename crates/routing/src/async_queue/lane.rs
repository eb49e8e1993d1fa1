//! The events of one function: takes them in, hands them over when due, keeps track of those that
//! run. One task a lane; nothing but messages reaches it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::{RequestId, Timestamp};
use store::StoreError;
use tokio::sync::mpsc;
use tokio::task::{self, JoinError, JoinSet};

use super::Shared;
use super::records::HEADS;
use super::run::{Finished, run};
use super::throttle::Throttle;
use super::window::{CAPACITY, Slot, Waiting, Window};

/// How long a lane leaves a store alone that has failed it.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What a lane is told.
#[derive(Debug)]
pub enum Message {
    /// An event is being stored. If it has run before its arrival is told, that is no news.
    Coming(Box<Waiting>),
    /// An event is in the store.
    Arrived(Box<Waiting>),
    /// An event that was coming is in the store or is not: nobody will tell.
    Unsure(RequestId),
    /// The function's events are no longer in the store.
    Purged,
}

pub struct Lane {
    shared: Arc<Shared>,
    name: String,
    inbox: mpsc::UnboundedReceiver<Message>,
    /// Whether messages may still come. Once not, nothing is started.
    is_open: bool,
    window: Window,
    running: JoinSet<Finished>,
    running_ids: HashMap<task::Id, RequestId>,
    /// Events whose arrival is still to come. The store may show them before.
    coming: HashSet<RequestId>,
    /// Those of them that have run, or do.
    early: HashSet<RequestId>,
    /// Events whose run could not be recorded. They run again when the server has restarted.
    stuck: HashSet<RequestId>,
    throttle: Throttle,
    store_paused_until: Option<Timestamp>,
}

impl Lane {
    /// Starts a lane, which ends when its sender is dropped and what runs has finished.
    pub fn start(shared: Arc<Shared>, name: String) -> mpsc::UnboundedSender<Message> {
        let (sender, inbox) = mpsc::unbounded_channel();
        shared.lanes_alive.send_modify(|lanes| *lanes += 1);
        let lane = Self {
            shared,
            name,
            inbox,
            is_open: true,
            window: Window::new(),
            running: JoinSet::new(),
            running_ids: HashMap::new(),
            coming: HashSet::new(),
            early: HashSet::new(),
            stuck: HashSet::new(),
            throttle: Throttle::new(),
            store_paused_until: None,
        };
        tokio::spawn(lane.live());
        sender
    }

    async fn live(mut self) {
        while self.is_open || !self.running.is_empty() {
            self.start_due();
            if self.is_open && self.window.wants_more() && !self.is_store_paused() {
                self.read_store().await;
                continue;
            }
            let wake = self.next_wake();
            let clock = self.shared.clock.clone();
            tokio::select! {
                // What is purged must not be started.
                biased;
                message = self.inbox.recv(), if self.is_open => self.take(message),
                Some(finished) = self.running.join_next_with_id() => self.finish(finished),
                () = clock.sleep_until(wake.unwrap_or_default()), if wake.is_some() => {}
            }
        }
        self.shared.lanes_alive.send_modify(|lanes| *lanes -= 1);
    }

    fn take(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Coming(waiting)) => {
                self.coming.insert(waiting.head.id);
                self.start_early(*waiting);
            }
            Some(Message::Arrived(waiting)) => {
                self.coming.remove(&waiting.head.id);
                if !self.early.remove(&waiting.head.id) {
                    self.window.insert(*waiting);
                }
            }
            Some(Message::Unsure(id)) => {
                self.coming.remove(&id);
                if !self.early.remove(&id) {
                    self.window.look_again();
                }
            }
            Some(Message::Purged) => self.window.clear(),
            None => self.is_open = false,
        }
    }

    fn take_all(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.take(Some(message));
        }
    }

    fn start_due(&mut self) {
        if !self.is_open {
            return;
        }
        let now = self.shared.clock.now();
        while self.throttle.admits(self.running.len(), now) {
            let Some(waiting) = self.window.pop_due(now) else {
                return;
            };
            self.start_run(waiting);
        }
    }

    /// Runs an event that is not yet stored, if it overtakes none that is.
    fn start_early(&mut self, waiting: Waiting) {
        let now = self.shared.clock.now();
        let is_first = waiting.slot.due <= now && self.window.is_drained();
        // A payload that memory has no room for is read from the store.
        let is_runnable = is_first && waiting.payload.is_some();
        if self.is_open && is_runnable && self.throttle.admits(self.running.len(), now) {
            self.start_run(waiting);
        }
    }

    fn start_run(&mut self, waiting: Waiting) {
        let id = waiting.head.id;
        if self.coming.contains(&id) {
            self.early.insert(id);
        }
        let shared = Arc::clone(&self.shared);
        let task = self.running.spawn(run(shared, self.name.clone(), waiting));
        self.running_ids.insert(task.id(), id);
    }

    fn finish(&mut self, finished: Result<(task::Id, Finished), JoinError>) {
        let (task, finished) = match finished {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(lane = %self.name, %error, "async queue: a run was lost");
                (error.id(), Finished::Stuck)
            }
        };
        let id = self.running_ids.remove(&task);
        match finished {
            Finished::Ran(None) => self.throttle.ran(),
            Finished::Ran(Some(again)) => {
                self.throttle.ran();
                self.window.insert(*again);
            }
            Finished::Skipped => self.throttle.skipped(),
            Finished::Refused(waiting) => {
                let now = self.shared.clock.now();
                self.throttle.refused(self.running.len(), now);
                self.window.insert(*waiting);
            }
            Finished::Stuck => {
                self.throttle.ran();
                self.stuck.extend(id);
            }
        }
    }

    /// Fills the window with the first events of the store.
    async fn read_store(&mut self) {
        match self.first_stored().await {
            Ok((stored, is_all)) => {
                // Whatever the store had of it, an event that has arrived is taken only once.
                self.take_all();
                self.window.fill(stored, is_all);
                self.store_paused_until = None;
            }
            Err(error) => {
                tracing::error!(lane = %self.name, %error, "async queue: read events");
                self.store_paused_until = Some(self.shared.clock.now() + STORE_PAUSE);
            }
        }
    }

    async fn first_stored(&self) -> Result<(Vec<Waiting>, bool), StoreError> {
        // Events that run are still in the store.
        let taken: HashSet<&RequestId> = self.running_ids.values().chain(&self.stuck).collect();
        let limit = CAPACITY + taken.len();
        let page = HEADS
            .scan(&self.shared.store, self.name.as_str(), None, limit)
            .await?;
        let waiting = page.rows.into_iter().filter_map(|row| {
            let slot = Slot::of(&row.key, &row.value)?;
            (!taken.contains(&slot.id)).then_some(Waiting {
                slot,
                head: row.value,
                payload: None,
                stored: None,
            })
        });
        Ok((waiting.collect(), page.next.is_none()))
    }

    fn is_store_paused(&self) -> bool {
        let now = self.shared.clock.now();
        self.store_paused_until.is_some_and(|until| until > now)
    }

    /// When something is to be done without a message.
    fn next_wake(&self) -> Option<Timestamp> {
        if !self.is_open {
            return None;
        }
        let next_run = match self.throttle.paused_until() {
            Some(until) => self.window.next_due().map(|due| due.max(until)),
            // What is due already waits for a run to finish.
            None => self
                .window
                .next_due()
                .filter(|due| *due > self.shared.clock.now()),
        };
        let next_read = self.store_paused_until.filter(|_| self.window.wants_more());
        next_run.into_iter().chain(next_read).min()
    }
}
