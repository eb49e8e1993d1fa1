//! One execution at a time: whoever changes it has entered it, and others wait.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use store::StoreError;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use uuid::Uuid;

use super::Durable;
use super::records::{HEADS, OPERATIONS, OUTCOMES, Operation};
use super::state::State;

/// Records read at once.
const PAGE: usize = 500;

/// An execution's place in memory. It goes when nobody is in it, nobody waits, and no invocation
/// is under way.
pub struct Slot {
    /// `None` until it is read.
    state: Arc<Mutex<Option<State>>>,
    ended: watch::Sender<bool>,
}

/// The right to change an execution.
pub struct Entered {
    pub id: Uuid,
    durable: Arc<Durable>,
    slot: Arc<Slot>,
    /// `Some` but while it is dropped, and so is what it holds, but after [`Entered::forget`],
    /// whose caller gives up.
    state: Option<OwnedMutexGuard<Option<State>>>,
    forgotten: bool,
}

pub async fn enter(durable: &Arc<Durable>, id: Uuid) -> Result<Option<Entered>, StoreError> {
    let slot = {
        let mut slots = durable.slots.lock();
        let slot = slots.entry(id).or_insert_with(|| {
            Arc::new(Slot {
                state: Arc::default(),
                ended: watch::channel(false).0,
            })
        });
        Arc::clone(slot)
    };
    let state = Arc::clone(&slot.state).lock_owned().await;
    let mut entered = Entered {
        id,
        durable: Arc::clone(durable),
        slot,
        state: Some(state),
        forgotten: false,
    };
    let is_read = entered.guard().is_some();
    if !is_read {
        let Some(read) = read(durable, id).await? else {
            entered.forgotten = true;
            return Ok(None);
        };
        let has_ended = read.head.is_closed();
        *entered.guard_mut() = Some(read);
        if has_ended {
            entered.tell_ended();
        }
    }
    Ok(Some(entered))
}

async fn read(durable: &Durable, id: Uuid) -> Result<Option<State>, StoreError> {
    let (store, id) = (&durable.store, id.to_string());
    let Some(head) = HEADS.get(store, &id).await? else {
        return Ok(None);
    };
    let mut operations: Vec<Operation> = Vec::new();
    let mut after = None;
    loop {
        let page = OPERATIONS.scan(store, &id, after.as_ref(), PAGE).await?;
        operations.extend(page.rows.into_iter().map(|row| row.value));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let Some(execution) = operations.first_mut() else {
        return Err(StoreError::corrupt(format!(
            "execution {id} has no operations"
        )));
    };
    if let Some(outcome) = OUTCOMES.get(store, &id).await? {
        execution.result = outcome.result;
        execution.error = outcome.error;
    }
    Ok(Some(State::new(head, operations)))
}

impl Entered {
    fn guard(&self) -> Option<&State> {
        let state = self.state.as_ref().expect("it is given up by drop alone");
        state.as_ref()
    }

    fn guard_mut(&mut self) -> &mut Option<State> {
        self.state.as_mut().expect("it is given up by drop alone")
    }

    /// Has it read again by whoever comes next. The caller must give up.
    pub fn forget(&mut self) {
        self.forgotten = true;
    }

    /// Tells those who wait that it has ended.
    pub fn tell_ended(&self) {
        self.slot.ended.send_replace(true);
    }

    pub fn watch_end(&self) -> watch::Receiver<bool> {
        self.slot.ended.subscribe()
    }

    /// Keeps it in memory.
    pub fn hold(&self) -> Arc<Slot> {
        Arc::clone(&self.slot)
    }
}

impl Deref for Entered {
    type Target = State;

    fn deref(&self) -> &State {
        self.guard().expect("it has been read")
    }
}

impl DerefMut for Entered {
    fn deref_mut(&mut self) -> &mut State {
        self.guard_mut().as_mut().expect("it has been read")
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let forgotten = self.forgotten;
        let state = self.guard_mut();
        if forgotten {
            *state = None;
        }
        let is_idle = state
            .as_ref()
            .is_none_or(|state| state.invocation.is_none());
        // Under the lock nobody else comes to hold it.
        let mut slots = self.durable.slots.lock();
        self.state = None;
        // This one's and the map's.
        if is_idle && Arc::strong_count(&self.slot) == 2 {
            slots.remove(&self.id);
        }
    }
}
