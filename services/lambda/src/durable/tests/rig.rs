//! The world of these tests: a store, a clock, and the function's side of the protocol.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{ManualClock, Timestamp};
use bytes::Bytes;
use exec::{FunctionError, InvokeError, InvokeEvent, InvokeOutcome, Phases, StartTier};
use parking_lot::Mutex;
use routing::deliveries::{Deliveries, NoWeb};
use serde_json::{Value as Json, json};
use service::ports::ApiCaller;
use service::{RequestContext, ServiceError};
use store::{MemoryStore, Reader as _, Scan, Store};
use tokio::sync::{mpsc, oneshot};
use wire::Value;

use crate::domain::durable_config::DurableSettings;
use crate::durable::arn::ExecutionArn;
use crate::durable::{Checkpoint, Durable, Runs, Start};
use crate::function::{Version, tests::function};
use crate::functions::Functions;
use crate::generated::{
    CheckpointDurableExecutionResponse, EventType, GetDurableExecutionResponse, OperationAction,
    OperationType, OperationUpdate, StepOptions, WaitOptions,
};

pub const YEAR: Duration = Duration::from_hours(365 * 24);

pub struct Rig {
    pub store: Arc<MemoryStore>,
    pub manual: ManualClock,
    pub durable: Arc<Durable>,
    pub functions: Arc<Functions>,
    turns: tokio::sync::Mutex<mpsc::UnboundedReceiver<Turn>>,
    /// Entries that were put on event buses.
    pub calls: Arc<Calls>,
}

/// An invocation, which waits until the test answers it.
pub struct Turn {
    durable: Arc<Mutex<Option<Arc<Durable>>>>,
    pub event: Json,
    pub function: String,
    pub tenant: Option<String>,
    pub token: String,
    answer: oneshot::Sender<Result<InvokeOutcome, InvokeError>>,
}

/// Plays the executor.
struct Script {
    durable: Arc<Mutex<Option<Arc<Durable>>>>,
    turns: mpsc::UnboundedSender<Turn>,
}

#[derive(Default)]
pub struct Calls(Mutex<Vec<(String, Value)>>);

#[async_trait]
impl ApiCaller for Calls {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        _: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        self.0
            .lock()
            .push((format!("{service}.{operation}"), input));
        Ok(Value::Map(Vec::new()))
    }
}

#[async_trait]
impl Runs for Script {
    async fn run(
        &self,
        version: &Version,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError> {
        let (answer, answered) = oneshot::channel();
        let function = version.record.arn().to_string();
        let tenant = event.tenant;
        let event: Json = serde_json::from_slice(&event.payload).unwrap();
        let turn = Turn {
            durable: Arc::clone(&self.durable),
            token: event["CheckpointToken"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            event,
            function,
            tenant,
            answer,
        };
        if self.turns.send(turn).is_err() {
            return Err(InvokeError::ShuttingDown);
        }
        answered.await.unwrap_or(Err(InvokeError::ShuttingDown))
    }
}

impl Rig {
    pub async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let start = Timestamp::parse_iso8601("2026-01-01T00:00:00Z").unwrap();
        let manual = ManualClock::starting_at(start);
        let rig = Self::on(store, manual, Arc::default()).await;
        for (name, durable) in [
            ("order", true),
            ("child", true),
            ("plain", false),
            ("isolated", true),
        ] {
            let mut record = function("None");
            name.clone_into(&mut record.name);
            record.settings.durable = durable.then(|| DurableSettings {
                // A child is not waited for as long as its parent may wait.
                execution_timeout: if name == "child" { 60 } else { 31_622_400 },
                retention_days: 7,
            });
            record.settings.per_tenant = name == "isolated";
            let changing = rig.functions.change(&record.place()).await;
            changing.put(record).await.unwrap();
        }
        rig
    }

    pub async fn on(store: Arc<MemoryStore>, manual: ManualClock, calls: Arc<Calls>) -> Self {
        let dynamic = Arc::clone(&store) as Arc<dyn Store>;
        let functions = Arc::new(Functions::load(Arc::clone(&dynamic)).await.unwrap());
        let deliveries = Deliveries::new(
            "lambda.amazonaws.com",
            Arc::clone(&dynamic),
            manual.clock(),
            Arc::clone(&calls) as Arc<dyn ApiCaller>,
            Arc::new(NoWeb),
        );
        let (sender, turns) = mpsc::unbounded_channel();
        let slot = Arc::new(Mutex::new(None));
        let script = Arc::new(Script {
            durable: Arc::clone(&slot),
            turns: sender,
        });
        let durable = Durable::new(
            dynamic,
            manual.clock(),
            Arc::clone(&functions),
            deliveries,
            script as Arc<dyn Runs>,
        );
        *slot.lock() = Some(Arc::clone(&durable));
        durable.resume().await.unwrap();
        Self {
            store,
            manual,
            durable,
            functions,
            turns: tokio::sync::Mutex::new(turns),
            calls,
        }
    }

    /// As after `kill -9`: nothing of what was in memory is there any more.
    pub async fn restart(self) -> Self {
        self.durable.end();
        Self::on(self.store, self.manual, self.calls).await
    }

    pub async fn version(&self, name: &str) -> Arc<Version> {
        let record = function("None");
        let changing = self.functions.change(&record.place()).await;
        Arc::clone(&changing.find(name).unwrap().latest)
    }

    pub async fn try_start(
        &self,
        name: Option<&str>,
        payload: &str,
        is_sync: bool,
    ) -> Result<ExecutionArn, ServiceError> {
        self.begin("order", name, payload, is_sync, None).await
    }

    /// The same for a tenant, of a function that has some.
    pub async fn start_for(
        &self,
        tenant: &str,
        name: Option<&str>,
    ) -> Result<ExecutionArn, ServiceError> {
        self.begin("isolated", name, "{}", false, Some(tenant))
            .await
    }

    async fn begin(
        &self,
        function: &str,
        name: Option<&str>,
        payload: &str,
        is_sync: bool,
        tenant: Option<&str>,
    ) -> Result<ExecutionArn, ServiceError> {
        let version = self.version(function).await;
        let start = Start {
            name: name.map(str::to_owned),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            is_sync,
            trace: None,
            tenant: tenant.map(str::to_owned),
        };
        let settings = version.record.settings.durable.clone().unwrap();
        self.durable.start(&version, &settings, start).await
    }

    pub async fn start(&self) -> ExecutionArn {
        self.try_start(None, "{}", false).await.unwrap()
    }

    /// The next invocation.
    pub async fn turn(&self) -> Turn {
        let mut turns = self.turns.lock().await;
        let turn = tokio::time::timeout(Duration::from_secs(20), turns.recv()).await;
        turn.expect("the function is invoked").unwrap()
    }

    /// Whether no invocation has begun, once everything that runs by itself has come to rest.
    pub async fn is_quiet(&self) -> bool {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.turns.lock().await.try_recv().is_err()
    }

    pub async fn get(&self, arn: &ExecutionArn) -> GetDurableExecutionResponse {
        self.durable.describe(arn, true).await.unwrap()
    }

    /// Waits until the execution has ended.
    pub async fn ended(&self, arn: &ExecutionArn) -> GetDurableExecutionResponse {
        let ended = self.durable.ended(arn);
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        ended.expect("the execution ends").unwrap();
        self.get(arn).await
    }

    pub async fn kinds(&self, arn: &ExecutionArn) -> Vec<EventType> {
        let history = self.durable.history(arn, true, false, None, 1_000).await;
        let (events, _) = history.unwrap();
        events
            .iter()
            .map(|event| event.event_type.unwrap())
            .collect()
    }

    /// What has been put on the event bus, by status.
    pub async fn statuses(&self) -> Vec<String> {
        let mut last = usize::MAX;
        // Until nothing comes any more.
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let count = self.calls.0.lock().len();
            if count == last {
                break;
            }
            last = count;
        }
        let calls = self.calls.0.lock();
        let entries = calls.iter().filter(|(call, _)| call == "events.PutEvents");
        let detail = |input: &Value| {
            let Some(Value::List(entries)) = input.get("Entries") else {
                panic!("no entries");
            };
            let detail = entries[0].get("Detail").and_then(Value::as_str).unwrap();
            let detail: Json = serde_json::from_str(detail).unwrap();
            detail["status"].as_str().unwrap().to_owned()
        };
        // They are in no order.
        let mut statuses: Vec<_> = entries.map(|(_, input)| detail(input)).collect();
        statuses.sort_unstable();
        statuses
    }

    /// How many records there are under a table's name.
    pub async fn count(&self, table: &str) -> usize {
        let scan = Scan::prefix(store::Key::new().text(table).as_bytes().to_vec());
        self.store.scan(scan).await.unwrap().len()
    }
}

impl Turn {
    pub fn execution(&self) -> ExecutionArn {
        ExecutionArn::parse(self.event["DurableExecutionArn"].as_str().unwrap()).unwrap()
    }

    /// An operation of the event by its id.
    pub fn operation(&self, id: &str) -> &Json {
        let operations = self.event["InitialExecutionState"]["Operations"].as_array();
        let found = operations.unwrap().iter().find(|it| it["Id"] == id);
        found.unwrap_or(&Json::Null)
    }

    pub async fn try_checkpoint(
        &mut self,
        updates: Vec<OperationUpdate>,
    ) -> Result<CheckpointDurableExecutionResponse, ServiceError> {
        let durable = self.durable.lock().clone().unwrap();
        let checkpoint = Checkpoint {
            execution: self.execution(),
            token: self.token.clone(),
            client_token: None,
            updates,
        };
        let answer = durable.checkpoint(checkpoint).await?;
        if let Some(token) = &answer.checkpoint_token {
            self.token.clone_from(token);
        }
        Ok(answer)
    }

    pub async fn checkpoint(
        &mut self,
        updates: Vec<OperationUpdate>,
    ) -> CheckpointDurableExecutionResponse {
        self.try_checkpoint(updates).await.unwrap()
    }

    /// Why a checkpoint is refused.
    pub async fn refused(&mut self, updates: Vec<OperationUpdate>) -> String {
        self.try_checkpoint(updates).await.unwrap_err().message
    }

    pub fn answer(self, payload: &Json) {
        self.end(payload, None);
    }

    pub fn pending(self) {
        self.answer(&json!({"Status": "PENDING"}));
    }

    pub fn succeed(self, result: &str) {
        self.answer(&json!({"Status": "SUCCEEDED", "Result": result}));
    }

    /// As when the handler raises, or the environment is lost.
    pub fn crash(self) {
        let document = json!({"errorMessage": "no", "errorType": "Crash"});
        self.end(&document, Some(FunctionError::Unhandled));
    }

    pub fn throttle(self) {
        let reason = exec::ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
        let _ = self.answer.send(Err(InvokeError::Throttled { reason }));
    }

    fn end(self, payload: &Json, function_error: Option<FunctionError>) {
        let outcome = InvokeOutcome {
            payload: payload.to_string().into(),
            function_error,
            log_tail: None,
            executed_version: "$LATEST".to_owned(),
            start: StartTier::Warm,
            phases: Phases::default(),
            duration: Duration::ZERO,
            billed_ms: 1,
            init_duration: None,
            max_memory_mb: None,
        };
        let _ = self.answer.send(Ok(outcome));
    }
}

pub fn update(id: &str, kind: OperationType, action: OperationAction) -> OperationUpdate {
    OperationUpdate {
        id: id.to_owned(),
        r#type: kind,
        action,
        ..OperationUpdate::default()
    }
}

pub fn step(id: &str, action: OperationAction) -> OperationUpdate {
    update(id, OperationType::Step, action)
}

pub fn step_done(id: &str, result: &str) -> OperationUpdate {
    OperationUpdate {
        payload: Some(result.to_owned()),
        ..step(id, OperationAction::Succeed)
    }
}

pub fn retry(id: &str, seconds: i32) -> OperationUpdate {
    OperationUpdate {
        step_options: Some(StepOptions {
            next_attempt_delay_seconds: Some(seconds),
        }),
        ..step(id, OperationAction::Retry)
    }
}

pub fn wait(id: &str, seconds: i32) -> OperationUpdate {
    OperationUpdate {
        wait_options: Some(WaitOptions {
            wait_seconds: Some(seconds),
        }),
        ..update(id, OperationType::Wait, OperationAction::Start)
    }
}
