//! Functions whose answers a test decides, and which tell it what they were given.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{ManualClock, RequestId, Timestamp};
use bytes::Bytes;
use parking_lot::Mutex;
use routing::async_queue::{Answer, AsyncEvent, Ended, Ending, EventRunner, RunOutcome};
use routing::deliveries::Staged;
use store::{Batch, StoreError};
use tokio::sync::{mpsc, watch};

type Decide = dyn Fn(&AsyncEvent) -> RunOutcome + Send + Sync;

pub struct Functions {
    decide: Mutex<Arc<Decide>>,
    holds: Mutex<HashMap<String, watch::Receiver<bool>>>,
    concurrency: Mutex<Concurrency>,
    runs: mpsc::UnboundedSender<AsyncEvent>,
    seen_runs: Mutex<mpsc::UnboundedReceiver<AsyncEvent>>,
    endings: mpsc::UnboundedSender<(RequestId, Ending)>,
    seen_endings: Mutex<mpsc::UnboundedReceiver<(RequestId, Ending)>>,
}

#[derive(Default)]
struct Concurrency {
    limit: Option<usize>,
    now: usize,
    most: usize,
}

pub struct Hold(watch::Sender<bool>);

impl Hold {
    pub fn release(&self) {
        self.0.send_replace(true);
    }
}

impl Functions {
    pub fn new() -> Arc<Self> {
        let (runs, seen_runs) = mpsc::unbounded_channel();
        let (endings, seen_endings) = mpsc::unbounded_channel();
        Arc::new(Self {
            decide: Mutex::new(Arc::new(|_| RunOutcome::Succeeded(answer()))),
            holds: Mutex::default(),
            concurrency: Mutex::default(),
            runs,
            seen_runs: Mutex::new(seen_runs),
            endings,
            seen_endings: Mutex::new(seen_endings),
        })
    }

    pub fn answer_with(&self, decide: impl Fn(&AsyncEvent) -> RunOutcome + Send + Sync + 'static) {
        *self.decide.lock() = Arc::new(decide);
    }

    /// Runs of this function do not end before the hold is released.
    pub fn hold(&self, function: &str) -> Hold {
        let (sender, receiver) = watch::channel(false);
        self.holds
            .lock()
            .insert(format!("function:{function}"), receiver);
        Hold(sender)
    }

    pub fn limit_concurrency(&self, limit: usize) {
        self.concurrency.lock().limit = Some(limit);
    }

    pub fn most_at_once(&self) -> usize {
        self.concurrency.lock().most
    }

    pub async fn next_run(&self) -> AsyncEvent {
        next(&self.seen_runs).await
    }

    pub fn no_run_yet(&self) -> bool {
        self.seen_runs.lock().is_empty()
    }

    pub async fn next_ending(&self) -> (RequestId, Ending) {
        next(&self.seen_endings).await
    }

    pub fn ending_so_far(&self) -> Option<(RequestId, Ending)> {
        self.seen_endings.lock().try_recv().ok()
    }
}

async fn next<T>(receiver: &Mutex<mpsc::UnboundedReceiver<T>>) -> T {
    for _ in 0..10_000 {
        if let Ok(value) = receiver.lock().try_recv() {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("nothing happened within ten seconds");
}

#[async_trait]
impl EventRunner for Functions {
    async fn run(&self, event: &AsyncEvent) -> RunOutcome {
        {
            let mut concurrency = self.concurrency.lock();
            if concurrency
                .limit
                .is_some_and(|limit| concurrency.now >= limit)
            {
                return RunOutcome::Throttled;
            }
            concurrency.now += 1;
            concurrency.most = concurrency.most.max(concurrency.now);
        }
        self.runs
            .send(event.clone())
            .expect("the receiver is self's own");
        let hold = self.holds.lock().get(&event.function.resource).cloned();
        if let Some(mut hold) = hold {
            let _ = hold.wait_for(|released| *released).await;
        }
        tokio::task::yield_now().await;
        self.concurrency.lock().now -= 1;
        let decide = Arc::clone(&self.decide.lock());
        decide(event)
    }

    fn ended(&self, ended: &Ended<'_>, _: &mut Batch) -> Result<Staged, StoreError> {
        self.endings
            .send((ended.event.request_id, ended.ending))
            .expect("the receiver is self's own");
        Ok(Staged::default())
    }
}

pub fn answer() -> Answer {
    Answer {
        payload: Bytes::from_static(b"null"),
        executed_version: "$LATEST".to_owned(),
    }
}

pub fn clock_at_zero() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_millis(0))
}

pub fn event(function: &str, manual: &ManualClock) -> AsyncEvent {
    let request_id = RequestId::random();
    AsyncEvent {
        request_id,
        function: format!("arn:aws:lambda:us-east-1:000000000000:function:{function}")
            .parse()
            .expect("the test names a function"),
        payload: Bytes::from(format!("{{\"id\":\"{request_id}\"}}")),
        accepted_at: manual.clock().now(),
        trace: None,
        client_context: None,
        tenant: None,
    }
}

/// Lets every task that can run do so. Tests have one thread, and only the embedded store works on
/// another.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
