//! A server's worth of execution for one test: images, logs, usage, and functions to run.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{AccountId, Arn, Clock, Region, RequestId};
use bytes::Bytes;
use exec::{
    Code, CredentialsError, Exec, ExecConfig, ExecPorts, FunctionCredentials, FunctionKey,
    FunctionSpec, GatewaySockets, Images, InterpreterSearch, InvokeError, InvokeEvent,
    InvokeOutcome, Logging, RoleCredentials, UsageRecord, UsageSink,
};
use parking_lot::Mutex;
use serde_json::Value;
use service::ports::{LogLine, LogSink, LogStream};
use zip::write::SimpleFileOptions;

pub struct World {
    pub exec: Arc<Exec>,
    pub images: Images,
    pub recorded: Arc<Recorded>,
    folder: tempfile::TempDir,
}

/// What the function's environment wrote and used.
#[derive(Default)]
pub struct Recorded {
    lines: Mutex<Vec<(Arc<LogStream>, LogLine)>>,
    usage: Mutex<Vec<UsageRecord>>,
}

impl LogSink for Recorded {
    fn append(&self, stream: &Arc<LogStream>, lines: Vec<LogLine>) {
        let lines = lines.into_iter().map(|line| (Arc::clone(stream), line));
        self.lines.lock().extend(lines);
    }
}

impl UsageSink for Recorded {
    fn record(&self, usage: UsageRecord) {
        self.usage.lock().push(usage);
    }
}

impl Recorded {
    /// Every log event so far.
    pub fn log(&self) -> Vec<String> {
        self.lines
            .lock()
            .iter()
            .map(|(_, line)| line.message.clone())
            .collect()
    }

    /// The names of the streams, each once.
    pub fn streams(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .lines
            .lock()
            .iter()
            .map(|(stream, _)| stream.name.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub fn usage(&self) -> Vec<UsageRecord> {
        self.usage.lock().clone()
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        *self.lines.lock() = Vec::new();
        *self.usage.lock() = Vec::new();
    }
}

struct Fixed;

#[async_trait]
impl RoleCredentials for Fixed {
    async fn get(&self) -> Result<FunctionCredentials, CredentialsError> {
        Ok(FunctionCredentials {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: Some("token".to_owned()),
            expires_at: None,
        })
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(Clock::system(), |_| {})
    }

    pub fn with_gateway(gateway: Arc<dyn GatewaySockets>) -> Self {
        Self::build(Clock::system(), Some(gateway), |_| {})
    }

    pub fn with(clock: Clock, configure: impl FnOnce(&mut ExecConfig)) -> Self {
        Self::build(clock, None, configure)
    }

    pub fn build(
        clock: Clock,
        gateway: Option<Arc<dyn GatewaySockets>>,
        configure: impl FnOnce(&mut ExecConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ExecConfig::new(folder.path().join("exec"));
        config.interpreters = InterpreterSearch::from_variables(|name| std::env::var_os(name));
        config.freeze_after = Duration::from_millis(5);
        configure(&mut config);
        let recorded = Arc::new(Recorded::default());
        let ports = ExecPorts {
            clock,
            logs: Arc::clone(&recorded) as Arc<dyn LogSink>,
            usage: Arc::clone(&recorded) as Arc<dyn UsageSink>,
            gateway,
        };
        let exec = Exec::new(config, ports).unwrap();
        let images = Images::new(folder.path().join("images")).unwrap();
        Self {
            exec,
            images,
            recorded,
            folder,
        }
    }

    /// Where it keeps everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A function of these files, on a runtime that this host has exactly or nearly.
    pub fn function(&self, runtime: &str, handler: &str, files: &[(&str, &str)]) -> FunctionSpec {
        let image = self.images.import_zip(&package(files)).unwrap();
        function_of(runtime, handler, Code::Image(image))
    }

    /// Invokes with an event; `None` if this host has no interpreter, which is said.
    pub async fn run(&self, function: &Arc<FunctionSpec>, event: &Value) -> Option<InvokeOutcome> {
        match self
            .exec
            .invoke(function, event_for(function, event.to_string()))
            .await
        {
            Ok(outcome) => Some(outcome),
            Err(InvokeError::RuntimeUnavailable { message, .. }) => {
                eprintln!("skipped: {message}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A function of this code.
pub fn function_of(runtime: &str, handler: &str, code: Code) -> FunctionSpec {
    let region = Region::us_east_1();
    let name = format!("f-{}", &RequestId::random().to_string()[..8]);
    FunctionSpec {
        arn: Arn::regional(
            "lambda",
            &region,
            AccountId::DEFAULT,
            format!("function:{name}"),
        ),
        log_group: format!("/aws/lambda/{name}"),
        logging: Logging::default(),
        key: FunctionKey {
            account: AccountId::DEFAULT,
            region,
            name,
            version: "$LATEST".to_owned(),
        },
        revision_id: RequestId::random().to_string(),
        runtime: runtime.parse().unwrap(),
        handler: handler.to_owned(),
        code,
        environment: BTreeMap::new(),
        memory_mb: 256,
        timeout: Duration::from_secs(20),
        tmp_mb: 512,
        max_response: exec::MAX_RESPONSE_BYTES,
        role: Arn::global("iam", AccountId::DEFAULT, "role/lambda-role"),
        credentials: Arc::new(Fixed),
        reserved_concurrency: None,
        layers: None,
        snap_start: false,
        managed: None,
    }
}

pub fn event_for(function: &FunctionSpec, payload: impl Into<Bytes>) -> InvokeEvent {
    InvokeEvent {
        request_id: RequestId::random(),
        payload: payload.into(),
        invoked_arn: function.arn.to_string(),
        trace: None,
        client_context: None,
        cognito_identity: None,
        tenant: None,
        tail: true,
        asynchronous: false,
        sink: None,
    }
}

/// A deployment package; files named `bootstrap` and extensions are executable.
pub fn package<C: AsRef<[u8]>>(files: &[(&str, C)]) -> Bytes {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let mode = if name.ends_with("bootstrap") || name.starts_with("extensions/") {
            0o755
        } else {
            0o644
        };
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(mode))
            .unwrap();
        zip.write_all(content.as_ref()).unwrap();
    }
    zip.finish().unwrap().into_inner().into()
}

pub fn write_files(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// The payload as JSON.
pub fn json(outcome: &InvokeOutcome) -> Value {
    serde_json::from_slice(&outcome.payload)
        .unwrap_or_else(|error| panic!("{error}: {:?}", outcome.payload))
}
