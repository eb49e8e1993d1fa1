//! A host with something to steal, a neighbour to disturb, and a hostile function.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exec::{Code, ExecConfig, FunctionSpec, InvokeOutcome, SpareInfo, StartTier};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{World, json as document};

/// Every way in which an environment of Python comes to be.
pub const WAYS: [StartTier; 4] = [
    StartTier::Exec,
    StartTier::Parked,
    StartTier::Zygote,
    StartTier::Template,
];

const HOSTILE: &str = include_str!("hostile.py");

/// Says who it is: the same as long as its environment lives.
const NEIGHBOUR: &str = "
import os, uuid
ME = str(uuid.uuid4())
SECRET = os.environ['SECRET'] * 1000
def handler(event, context):
    return ME
";

/// The name of a file that nobody but its owner may find.
pub const SECRET_FILE: &str = "whose-secret-is-this.txt";

pub struct Stage {
    pub world: World,
    way: StartTier,
    neighbour: Arc<FunctionSpec>,
    /// Who the neighbour is.
    me: Value,
    marker: String,
    pub host: tempfile::TempDir,
}

impl Stage {
    /// `None`, which is said, where environments do not come to be in this way.
    pub async fn open(way: StartTier) -> Option<Self> {
        Self::with(way, |_| {}).await
    }

    /// On a server with other settings.
    pub async fn with(way: StartTier, configure: impl FnOnce(&mut ExecConfig)) -> Option<Self> {
        let world = World::with(base::Clock::system(), |config| {
            configure(config);
            config.parking.most = usize::from(is_spare(way));
            // An event that arrives while its environment is being frozen may get another one, which
            // here would be taken for the end of the first.
            config.freeze_after = Duration::from_mins(1);
        });
        if way == StartTier::Template
            && let Some(why) = world.exec.host().templates_missing()
        {
            eprintln!("skipped: {why}");
            return None;
        }
        let host = tempfile::tempdir().unwrap();
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(host.path(), all).unwrap();
        let marker = format!("marker-{}", base::RequestId::random());
        std::fs::write(host.path().join(SECRET_FILE), &marker).unwrap();
        let files = [("app.py", NEIGHBOUR), (SECRET_FILE, marker.as_str())];
        let mut neighbour = world.function("python3.12", "app.handler", &files);
        let secret = ("SECRET".to_owned(), marker.clone());
        neighbour.environment.extend([secret]);
        let neighbour = Arc::new(neighbour);
        let me = document(&world.run(&neighbour, &json!({})).await?);
        let stage = Self {
            world,
            way,
            neighbour,
            me,
            marker,
            host,
        };
        if is_spare(way) {
            stage.wait_for_spares().await;
        }
        let has_zygote = stage.world.exec.spares().iter().any(|one| one.is_zygote);
        if way == StartTier::Zygote && !has_zygote {
            eprintln!("skipped: no zygote without root");
            return None;
        }
        Some(stage)
    }

    pub async fn wait_for_spares(&self) {
        let waits = |spare: &SpareInfo| !spare.is_zygote;
        for _ in 0..2_000 {
            if self.world.exec.spares().iter().any(waits) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing is parked");
    }

    /// The hostile function, with files of its own.
    pub fn hostile<C: AsRef<[u8]>>(&self, files: &[(&str, C)]) -> FunctionSpec {
        let own = [("app.py", HOSTILE.as_bytes())].into_iter();
        let others = files.iter().map(|(name, file)| (*name, file.as_ref()));
        let files: Vec<_> = own.chain(others).collect();
        let package = crate::support::package(&files);
        let image = self.world.images.import_zip(&package).unwrap();
        crate::support::function_of("python3.12", "app.handler", Code::Image(image))
    }

    /// What a function did in an environment that came to be in this stage's way.
    pub async fn run(&self, mut function: FunctionSpec, event: &Value) -> InvokeOutcome {
        if self.way == StartTier::Template {
            "1".clone_into(&mut function.key.version);
            function.snap_start = true;
        }
        let function = Arc::new(function);
        if self.way == StartTier::Template {
            self.world.exec.prepare(&function).await.unwrap();
        }
        // One is parked: of some at once, the others are forked, if it does not answer them all first.
        // So each stays for a while, and longer the more often that was not enough.
        let at_once = if self.way == StartTier::Zygote { 3 } else { 1 };
        for round in 1..=20 {
            let mut event = event.clone();
            if self.way == StartTier::Zygote {
                event["stay"] = json!(0.1 * f64::from(round));
            }
            let runs = (0..at_once).map(|_| self.world.run(&function, &event));
            for outcome in join_all(runs).await.into_iter().flatten() {
                if outcome.start == self.way {
                    return outcome;
                }
            }
            self.world.exec.retire(&function.key);
            if is_spare(self.way) {
                self.wait_for_spares().await;
            }
        }
        panic!("no environment was {:?}", self.way);
    }

    /// Has the hostile function try something, which must get it nothing; returns what it says.
    pub async fn tries(&self, what: &str, event: Value) -> Value {
        self.tries_with(what, event, &[] as &[(&str, &str)]).await
    }

    pub async fn tries_with<C: AsRef<[u8]>>(
        &self,
        what: &str,
        mut event: Value,
        files: &[(&str, C)],
    ) -> Value {
        event["try"] = what.into();
        let (begin, end) = self.marker.split_at(20);
        event["marker"] = json!([begin, end]);
        let outcome = self.run(self.hostile(files), &event).await;
        let answer = document(&outcome);
        let way = self.way;
        assert_eq!(answer["got"], json!([]), "{what}, {way:?}: {answer:#}");
        assert!(answer["tried"].as_u64() > Some(0), "{what}: {answer:#}");
        self.neighbour_is_well().await;
        answer["more"].clone()
    }

    /// The neighbour answers, from the very process that it was in before.
    pub async fn neighbour_is_well(&self) {
        let outcome = self.world.run(&self.neighbour, &json!({})).await.unwrap();
        let log = self.world.recorded.log();
        assert_eq!(outcome.start, StartTier::Warm, "{log:?}");
        assert_eq!(document(&outcome), self.me, "{log:?}");
    }

    /// Whether the host reports this feature of isolation.
    pub fn has(&self, feature: &str) -> bool {
        let report = self.world.exec.host().capabilities_report();
        report
            .iter()
            .any(|one| one.feature == feature && one.available)
    }

    /// The folder of the neighbour's code.
    pub fn neighbours_code(&self) -> &Path {
        match &self.neighbour.code {
            Code::Image(image) => image.path(),
            Code::HotReload(folder) => folder,
            Code::Container(container) => container.image.path(),
        }
    }

    /// Processes of this host that are none of the hostile function's business.
    pub fn others(&self) -> Vec<u32> {
        let environments = self.world.exec.environments();
        let spares = self.world.exec.spares();
        let of_environments = environments.iter().filter_map(|one| one.pid);
        let of_spares = spares.iter().map(|spare| spare.pid);
        let all = of_environments.chain(of_spares);
        all.chain([std::process::id()]).collect()
    }
}

/// Whether such an environment was there before it was anybody's.
fn is_spare(way: StartTier) -> bool {
    matches!(way, StartTier::Parked | StartTier::Zygote)
}
