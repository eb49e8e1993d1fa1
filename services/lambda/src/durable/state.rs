//! An execution in memory while something happens to it, and a change to it that is not yet durable.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::Timestamp;
use store::{Batch, StoreError};
use uuid::Uuid;

use super::records::{
    Detail, EVENTS, Event, Failure, HEADS, Head, NAMES, OPERATIONS, OUTCOMES, Operation, STARTS,
};
use super::tokens::CheckpointToken;
use crate::generated::{EventType, ExecutionStatus, OperationStatus, OperationType};

/// An execution as it is in the store, and what is known of its invocation.
#[derive(Debug)]
pub struct State {
    pub head: Head,
    /// By number; the first is the execution itself.
    pub operations: Vec<Arc<Operation>>,
    numbers: HashMap<String, usize>,
    /// The one that is under way.
    pub invocation: Option<Invocation>,
    /// The last change that the function has been told of.
    pub seen: u64,
}

/// An invocation that is under way. Nothing of it is stored: it ends with this process.
#[derive(Debug)]
pub struct Invocation {
    /// In its tokens.
    pub id: Uuid,
    /// Checkpoints so far.
    pub sequence: u64,
    /// The last checkpoint, so that it can be answered again.
    pub last: Option<Answered>,
}

/// A checkpoint that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    pub client_token: String,
    pub token: CheckpointToken,
    pub next: CheckpointToken,
    pub operations: Vec<Arc<Operation>>,
}

impl State {
    pub fn new(head: Head, operations: Vec<Operation>) -> Self {
        let seen = head.seen;
        let numbers = operations
            .iter()
            .enumerate()
            // The execution itself is updated without its id.
            .skip(1)
            .map(|(number, operation)| (operation.id.clone(), number))
            .collect();
        Self {
            head,
            operations: operations.into_iter().map(Arc::new).collect(),
            numbers,
            invocation: None,
            seen,
        }
    }

    /// Those that have changed since, in the order in which they began.
    pub fn changed_since(&self, seen: u64) -> Vec<Arc<Operation>> {
        let changed = self.operations.iter().filter(|it| it.changed > seen);
        changed.cloned().collect()
    }

    pub fn has_pending(&self) -> bool {
        self.operations.iter().any(|it| it.is_pending())
    }

    /// What a replay needs: all but what stands below a context that has ended.
    pub fn for_replay(&self) -> Vec<&Arc<Operation>> {
        let mut hidden: HashMap<&str, bool> = HashMap::new();
        let shown = self.operations.iter().filter(|operation| {
            // Parents come before their children.
            let below = operation.parent_id.as_deref();
            let is_hidden = below.is_some_and(|parent| hidden.get(parent) == Some(&true));
            let hides_children = operation.kind == OperationType::Context
                && operation.ended.is_some()
                && !operation.replays_children;
            hidden.insert(&operation.id, is_hidden || hides_children);
            !is_hidden
        });
        shown.collect()
    }

    /// Takes over a change that has become durable.
    pub fn take(&mut self, change: Change) {
        self.head = change.head;
        for (number, operation) in change.operations {
            let operation = Arc::new(operation);
            if number < self.operations.len() {
                self.operations[number] = operation;
            } else {
                self.numbers.insert(operation.id.clone(), number);
                self.operations.push(operation);
            }
        }
    }

    /// When something happens to it by itself next.
    fn next_due(&self, draft: &Draft<'_>) -> Option<Timestamp> {
        let head = &draft.head;
        if let Some(ended) = head.ended {
            return Some(ended + super::days(head.retention));
        }
        let unchanged = self
            .operations
            .iter()
            .enumerate()
            .filter(|(number, _)| !draft.touched.contains_key(number))
            .filter_map(|(_, operation)| operation.next_due());
        let changed = draft.touched.values().filter_map(Operation::next_due);
        let retry = head.retry_at.filter(|_| head.owed && !head.is_paused());
        unchanged
            .chain(changed)
            .chain(retry)
            .chain([super::control::expected_timeout(head)])
            .min()
    }
}

/// A change under construction. The state is untouched until it is durable.
#[derive(Debug)]
pub struct Draft<'a> {
    state: &'a State,
    pub head: Head,
    touched: BTreeMap<usize, Operation>,
    new: HashMap<String, usize>,
    events: Vec<Event>,
    pub now: Timestamp,
}

/// A change that is ready to be stored.
#[derive(Debug)]
pub struct Change {
    pub head: Head,
    operations: BTreeMap<usize, Operation>,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub fn of(state: &'a State, now: Timestamp) -> Self {
        Self {
            state,
            head: state.head.clone(),
            touched: BTreeMap::new(),
            new: HashMap::new(),
            events: Vec::new(),
            now,
        }
    }

    pub fn number(&self, id: &str) -> Option<usize> {
        let known = self.new.get(id).or_else(|| self.state.numbers.get(id));
        known.copied()
    }

    pub fn operation(&self, number: usize) -> Option<&Operation> {
        let touched = self.touched.get(&number);
        touched.or_else(|| self.state.operations.get(number).map(Arc::as_ref))
    }

    pub fn find(&self, id: &str) -> Option<&Operation> {
        self.operation(self.number(id)?)
    }

    /// How many there are, the execution itself among them.
    pub fn count(&self) -> usize {
        self.state.operations.len() + self.new.len()
    }

    /// Changes an operation, which the function is then told of. The number is of one that is there.
    pub fn change(&mut self, number: usize, change: impl FnOnce(&mut Operation)) {
        let Some(mut operation) = self.operation(number).cloned() else {
            return;
        };
        self.head.changes += 1;
        operation.changed = self.head.changes;
        change(&mut operation);
        self.touched.insert(number, operation);
    }

    /// The same, of nothing that the function sees.
    pub fn amend(&mut self, number: usize, change: impl FnOnce(&mut Operation)) {
        if let Some(mut operation) = self.operation(number).cloned() {
            change(&mut operation);
            self.touched.insert(number, operation);
        }
    }

    pub fn add(&mut self, mut operation: Operation) -> usize {
        let number = self.count();
        self.head.changes += 1;
        operation.changed = self.head.changes;
        self.new.insert(operation.id.clone(), number);
        self.touched.insert(number, operation);
        number
    }

    pub fn event(&mut self, kind: EventType, operation: Option<usize>, detail: Detail) {
        self.events.push(Event {
            kind,
            at: self.now,
            operation: operation.map(|number| number as u64),
            detail,
        });
    }

    /// Whether there is anything to store.
    pub fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.events.is_empty()
    }

    /// Ends the execution.
    pub fn close(
        &mut self,
        status: ExecutionStatus,
        result: Option<String>,
        error: Option<Failure>,
    ) {
        let (operation_status, event) = match status {
            ExecutionStatus::Succeeded => {
                (OperationStatus::Succeeded, EventType::ExecutionSucceeded)
            }
            ExecutionStatus::TimedOut => (OperationStatus::TimedOut, EventType::ExecutionTimedOut),
            ExecutionStatus::Stopped => (OperationStatus::Stopped, EventType::ExecutionStopped),
            _ => (OperationStatus::Failed, EventType::ExecutionFailed),
        };
        let now = self.now;
        self.head.status = status;
        self.head.ended = Some(now);
        self.head.owed = false;
        self.head.retry_at = None;
        self.head.pause = None;
        self.change(0, |execution| {
            execution.status = operation_status;
            execution.ended = Some(now);
            execution.result = result;
            execution.error = error;
        });
        self.event(event, Some(0), Detail::None);
    }

    /// Ready to be stored.
    pub fn done(mut self) -> Change {
        self.head.due = self.state.next_due(&self);
        Change {
            head: self.head,
            operations: self.touched,
            events: self.events,
        }
    }
}

impl Change {
    /// The execution's own, if it fails by this.
    pub fn error(&self) -> Option<&Failure> {
        self.operations.get(&0)?.error.as_ref()
    }

    /// Adds it to a batch.
    pub fn put(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        let id = self.head.id.clone();
        for (number, operation) in &self.operations {
            let key = (&id, *number as u64);
            if *number == 0 && operation.ended.is_some() {
                // Input and result together may be more than one record holds.
                let (input, outcome) = operation.clone().split();
                OUTCOMES.put(batch, &id, &outcome)?;
                OPERATIONS.put(batch, key, &input)?;
            } else {
                OPERATIONS.put(batch, key, operation)?;
            }
        }
        for event in std::mem::take(&mut self.events) {
            self.head.events += 1;
            EVENTS.put(batch, (&id, self.head.events), &event)?;
        }
        HEADS.put(batch, &id, &self.head)
    }
}

/// An execution that is about to begin.
#[derive(Clone, Debug)]
pub struct Beginning {
    pub head: Head,
    pub input: Option<String>,
}

impl Beginning {
    /// Adds it to a batch, which does not come about if the name is taken, and gives what it will
    /// be in memory.
    pub fn put(mut self, batch: &mut Batch) -> Result<State, StoreError> {
        let (id, now) = (self.head.id.clone(), self.head.started);
        self.head.changes = 1;
        self.head.events = 1;
        self.head.written = self.input.as_ref().map_or(0, String::len) as u64;
        self.head.owed = true;
        self.head.due = Some(self.head.deadline);
        let execution = Operation {
            id: id.clone(),
            parent_id: None,
            name: Some(self.head.name.clone()),
            kind: OperationType::Execution,
            sub_type: None,
            status: OperationStatus::Started,
            started: now,
            ended: None,
            changed: 1,
            attempt: 0,
            due: None,
            input: self.input,
            result: None,
            error: None,
            replays_children: false,
            callback: None,
            target: None,
        };
        let started = Event {
            kind: EventType::ExecutionStarted,
            at: now,
            operation: Some(0),
            detail: Detail::None,
        };
        NAMES.expect_absent(batch, self.head.name_key());
        NAMES.put(batch, self.head.name_key(), &id)?;
        STARTS.put(batch, self.head.start_key(), &id)?;
        OPERATIONS.put(batch, (&id, 0_u64), &execution)?;
        EVENTS.put(batch, (&id, 1_u64), &started)?;
        HEADS.put(batch, &id, &self.head)?;
        Ok(State::new(self.head, vec![execution]))
    }
}

/// Takes an execution and everything about it out of the store.
pub fn removal(head: &Head) -> Batch {
    let mut batch = Batch::new();
    HEADS.delete(&mut batch, &head.id);
    OPERATIONS.delete_prefix(&mut batch, &head.id);
    OUTCOMES.delete(&mut batch, &head.id);
    EVENTS.delete_prefix(&mut batch, &head.id);
    NAMES.delete(&mut batch, head.name_key());
    STARTS.delete(&mut batch, head.start_key());
    batch
}
