//! Functions that stop where a test wants them to: before a start, in the init, in the handler.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use exec::{
    Code, CredentialsError, EnvironmentState, FunctionCredentials, FunctionSpec, RoleCredentials,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::support::{World, function_of, write_files};

/// Waits where a file says so, and answers with what tells one environment from another.
const CODE: &str = "
import os, time, uuid
ME = str(uuid.uuid4())
def wait(name):
    while not os.path.exists('/var/task/.git/' + name):
        time.sleep(0.002)
if os.path.exists('/var/task/.git/slow'):
    wait('init')
def handler(event, context):
    if event:
        wait(event)
    return [ME, os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']]
";

/// Changes in here are none to a hot-reload folder.
const GATES: &str = ".git";

/// A function that is held, and that counts its starts.
pub struct Gated {
    pub spec: Arc<FunctionSpec>,
    starts: Arc<Starts>,
    folder: tempfile::TempDir,
}

/// Each start asks for credentials, and waits for a permit to get them.
pub struct Starts {
    name: String,
    begun: AtomicUsize,
    permits: Semaphore,
    /// The names of all functions that started, in order.
    order: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl RoleCredentials for Starts {
    async fn get(&self) -> Result<FunctionCredentials, CredentialsError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.order.lock().push(self.name.clone());
        self.permits.acquire().await.unwrap().forget();
        Ok(FunctionCredentials {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
            expires_at: None,
        })
    }
}

impl Gated {
    /// May start this often at first.
    pub fn new(name: &str, permits: usize, order: &Arc<Mutex<Vec<String>>>) -> Self {
        Self::with_code(CODE, name, permits, order)
    }

    pub fn with_code(
        code: &str,
        name: &str,
        permits: usize,
        order: &Arc<Mutex<Vec<String>>>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), &[("app.py", code)]);
        std::fs::create_dir(folder.path().join(GATES)).unwrap();
        let live = Code::HotReload(folder.path().to_owned());
        let mut spec = function_of("python3.12", "app.handler", live);
        let starts = Arc::new(Starts {
            name: name.to_owned(),
            begun: AtomicUsize::new(0),
            permits: Semaphore::new(permits),
            order: Arc::clone(order),
        });
        spec.credentials = Arc::clone(&starts) as Arc<dyn RoleCredentials>;
        Self {
            spec: Arc::new(spec),
            starts,
            folder,
        }
    }

    /// How many environments have been begun.
    pub fn starts(&self) -> usize {
        self.starts.begun.load(Ordering::SeqCst)
    }

    pub fn allow_starts(&self, count: usize) {
        self.starts.permits.add_permits(count);
    }

    /// Opens what the code waits for.
    pub fn open(&self, name: &str) {
        let gates: &Path = self.folder.path();
        std::fs::write(gates.join(GATES).join(name), "").unwrap();
    }
}

/// How many environments of a world are in this state.
pub fn count(world: &World, state: EnvironmentState) -> usize {
    let all = world.exec.environments();
    all.iter().filter(|one| one.state == state).count()
}

pub async fn until(mut condition: impl FnMut() -> bool) {
    let reached = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached)
        .await
        .expect("within twenty seconds");
}
