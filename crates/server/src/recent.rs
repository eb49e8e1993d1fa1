//! The events of late, for `kagero events tail` and `kagero replay`: a bounded number, in memory.

use std::collections::VecDeque;
use std::time::Duration;

use base::{Clock, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use service::ports::{Onlooker, Seen};
use tokio::sync::Notify;

/// How long a question waits for something new.
const PATIENCE: Duration = Duration::from_secs(10);
/// Somebody looks on as long as they ask this often.
const LOOKING: Duration = Duration::from_secs(30);

pub struct Recent {
    most: usize,
    clock: Clock,
    state: Mutex<State>,
    came: Notify,
}

#[derive(Default)]
struct State {
    events: VecDeque<(u64, Seen)>,
    last: u64,
    asked_at: Option<Timestamp>,
}

impl Recent {
    /// Keeps so many events; with zero, none, and nothing is to be seen.
    pub fn new(most: usize, clock: Clock) -> Self {
        Self {
            most,
            clock,
            state: Mutex::default(),
            came: Notify::new(),
        }
    }

    pub fn is_on(&self) -> bool {
        self.most > 0
    }

    /// The events after a number, once there is one; `None` begins with what is yet to come.
    pub async fn after(&self, number: Option<u64>) -> Value {
        let until = self.clock.now() + PATIENCE;
        let mut from = number;
        loop {
            let mut came = std::pin::pin!(self.came.notified());
            came.as_mut().enable();
            {
                let mut state = self.state.lock();
                state.asked_at = Some(self.clock.now());
                let from = *from.get_or_insert(state.last);
                let new = state.events.iter().filter(|(number, _)| *number > from);
                let new: Vec<Value> = new.map(|(number, seen)| shown(*number, seen)).collect();
                if !new.is_empty() || number.is_none() || self.clock.now() >= until {
                    return json!({"last": state.last, "events": new, "kept": self.most});
                }
            }
            tokio::select! {
                () = came => {}
                () = self.clock.sleep_until(until) => {}
            }
        }
    }

    pub fn find(&self, id: &str) -> Option<Seen> {
        let state = self.state.lock();
        let mut newest_first = state.events.iter().rev();
        let found = newest_first.find(|(_, seen)| seen.id == id);
        found.map(|(_, seen)| seen.clone())
    }
}

impl Onlooker for Recent {
    fn saw(&self, seen: Seen) {
        if self.most == 0 {
            return;
        }
        let mut state = self.state.lock();
        state.last += 1;
        let number = state.last;
        state.events.push_back((number, seen));
        if state.events.len() > self.most {
            state.events.pop_front();
        }
        drop(state);
        self.came.notify_waiters();
    }

    fn is_looking(&self) -> bool {
        let asked_at = self.state.lock().asked_at;
        asked_at.is_some_and(|at| self.clock.now().since(at) < LOOKING)
    }
}

fn shown(number: u64, seen: &Seen) -> Value {
    let (unwanted, wanted): (Vec<_>, Vec<_>) =
        seen.verdicts.iter().partition(|one| one.why_not.is_some());
    let wanted = wanted
        .iter()
        .map(|one| json!({"by": one.by, "targets": one.targets}));
    let unwanted = unwanted
        .iter()
        .map(|one| json!({"by": one.by, "why": one.why_not}));
    json!({
        "number": number,
        "id": seen.id,
        "time": seen.at.iso8601_millis(),
        "account": seen.account.as_str(),
        "region": seen.region.as_str(),
        "place": seen.place,
        "event": seen.event,
        "wanted": wanted.collect::<Vec<_>>(),
        "unwanted": unwanted.collect::<Vec<_>>(),
    })
}
