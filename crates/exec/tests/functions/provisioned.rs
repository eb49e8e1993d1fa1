//! Environments that are made ahead, kept and replaced.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base::{ManualClock, Timestamp};
use exec::{EnvironmentState, FunctionSpec, InvokeOutcome, ProvisionedStatus};
use serde_json::{Value, json};

use crate::gates::{Gated, count, until};
use crate::support::{World, event_for, json as document};

const AHEAD: &str = "provisioned-concurrency";

struct Scene {
    world: World,
    manual: ManualClock,
    function: Gated,
}

/// `None` if this host has no interpreter.
async fn scene(freeze_after: Duration) -> Option<Scene> {
    let manual = ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_000));
    let world = World::with(manual.clock(), |config| config.freeze_after = freeze_after);
    // Tells whether there is an interpreter, and is gone.
    let probe = Gated::new("probe", 1, &Arc::default());
    world.run(&probe.spec, &"".into()).await?;
    world.exec.retire(&probe.spec.key);
    until(|| world.exec.environments().is_empty()).await;
    Some(Scene {
        world,
        manual,
        function: Gated::new("f", 100, &Arc::default()),
    })
}

impl Scene {
    fn status(&self) -> Option<ProvisionedStatus> {
        self.world.exec.provisioned(&self.function.spec.key)
    }

    async fn provision(&self, count: u32) {
        let provisioned = self.world.exec.provision(&self.function.spec, count);
        provisioned.await.unwrap();
    }

    /// Waits for this many that have no invocation.
    async fn available(&self, count: u32) {
        until(|| {
            self.status()
                .is_some_and(|status| status.available == count)
        })
        .await;
    }

    async fn call(&self, event: &str) -> InvokeOutcome {
        let event = event_for(&self.function.spec, json!(event).to_string());
        self.world
            .exec
            .invoke(&self.function.spec, event)
            .await
            .unwrap()
    }
}

fn kind(outcome: &InvokeOutcome) -> Value {
    document(outcome)[1].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_use_what_was_made_ahead_and_beyond_it_what_they_start() {
    let Some(scene) = scene(Duration::from_hours(1)).await else {
        return;
    };
    assert_eq!(scene.status(), None);
    scene.provision(2).await;
    scene.available(2).await;
    assert_eq!(scene.function.starts(), 2);
    let expected = ProvisionedStatus {
        requested: 2,
        allocated: 2,
        available: 2,
        failure: None,
    };
    assert_eq!(scene.status(), Some(expected));
    assert!(
        scene
            .world
            .exec
            .environments()
            .iter()
            .all(|one| one.provisioned)
    );

    let first = scene.call("").await;
    assert_eq!(kind(&first), AHEAD);
    assert!(!first.cold());
    // Shown, and not paid for by this invocation.
    let init = first.init_duration.unwrap();
    let log = first.log_tail.as_deref().unwrap();
    assert!(log.contains("\tInit Duration: "), "{log}");
    assert!(first.billed_ms <= first.duration.as_millis() as u64 + 1);
    assert!(init.as_millis() > 0);
    scene.available(2).await;

    let calls = async { tokio::join!(scene.call("go"), scene.call("go"), scene.call("go")) };
    let opens = async {
        until(|| count(&scene.world, EnvironmentState::Busy) == 3).await;
        assert_eq!(scene.status().unwrap().available, 0);
        scene.function.open("go");
    };
    let ((one, two, three), ()) = tokio::join!(calls, opens);
    let ahead = [&one, &two, &three]
        .into_iter()
        .filter(|one| kind(one) == AHEAD);
    assert_eq!((ahead.count(), scene.function.starts()), (2, 3));
    scene.available(2).await;
    until(|| count(&scene.world, EnvironmentState::Busy) == 0).await;
    // The one started for a call was used last, and still is not used first.
    for _ in 0..3 {
        assert_eq!(kind(&scene.call("").await), AHEAD);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_stay_however_long_they_are_idle_and_go_when_no_longer_wanted() {
    let Some(scene) = scene(Duration::from_millis(5)).await else {
        return;
    };
    scene.provision(2).await;
    scene.available(2).await;
    until(|| {
        scene.manual.advance(Duration::from_hours(1));
        count(&scene.world, EnvironmentState::Frozen) == 2
    })
    .await;
    scene.manual.advance(Duration::from_hours(24));
    assert_eq!(kind(&scene.call("").await), AHEAD);
    assert_eq!(scene.function.starts(), 2);
    scene.available(2).await;
    scene.provision(1).await;
    until(|| scene.world.exec.environments().len() == 1).await;
    scene.available(1).await;
    scene.provision(0).await;
    until(|| scene.world.exec.environments().is_empty()).await;
    assert_eq!(scene.status(), None);
    assert_eq!(scene.function.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_dies_is_replaced_whether_it_rested_or_ran() {
    let Some(scene) = scene(Duration::from_hours(1)).await else {
        return;
    };
    scene.provision(1).await;
    scene.available(1).await;
    kill(&scene.world);
    until(|| {
        scene.manual.advance(Duration::from_secs(1));
        scene.function.starts() == 2
    })
    .await;
    scene.available(1).await;
    let dies = async {
        until(|| count(&scene.world, EnvironmentState::Busy) == 1).await;
        kill(&scene.world);
    };
    let (ended, ()) = tokio::join!(scene.call("never"), dies);
    assert!(ended.function_error.is_some());
    scene.available(1).await;
    assert_eq!(scene.function.starts(), 3);
    assert_eq!(kind(&scene.call("").await), AHEAD);
}

/// Kills the only environment.
fn kill(world: &World) {
    let environments = world.exec.environments();
    let [one] = &environments[..] else {
        panic!("one environment expected: {environments:?}");
    };
    let pid = one.pid.unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-9", &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_fails_is_told_and_tried_again_one_at_a_time() {
    let Some(mut scene) = scene(Duration::from_hours(1)).await else {
        return;
    };
    let code = "import nothing_of_this_name\n";
    scene.function = Gated::with_code(code, "f", 100, &Arc::default());
    scene.provision(3).await;
    until(|| {
        scene
            .status()
            .is_some_and(|status| status.failure.is_some())
    })
    .await;
    let status = scene.status().unwrap();
    let failure = status.failure.unwrap();
    assert!(
        failure.starts_with("Runtime.ImportModuleError: ") && failure.contains("nothing_of_this"),
        "{failure}"
    );
    assert_eq!(
        (status.requested, status.allocated, status.available),
        (3, 0, 0)
    );
    until(|| scene.function.starts() == 3 && scene.world.exec.environments().is_empty()).await;
    for starts in [4, 5] {
        until(|| {
            scene.manual.advance(Duration::from_secs(1));
            scene.function.starts() == starts
        })
        .await;
        until(|| scene.world.exec.environments().is_empty()).await;
        assert_eq!(scene.function.starts(), starts);
    }
    scene.provision(0).await;
    assert_eq!(scene.status(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_has_as_many_and_retiring_ends_them() {
    let Some(mut scene) = scene(Duration::from_hours(1)).await else {
        return;
    };
    scene.provision(2).await;
    scene.available(2).await;
    let mut changed = FunctionSpec::clone(&scene.function.spec);
    changed.revision_id = "another".to_owned();
    scene.function.spec = Arc::new(changed);
    scene.call("").await;
    scene.available(2).await;
    until(|| {
        scene
            .world
            .exec
            .environments()
            .iter()
            .filter(|one| one.provisioned)
            .count()
            == 2
    })
    .await;
    scene.world.exec.retire(&scene.function.spec.key);
    until(|| scene.world.exec.environments().is_empty()).await;
    assert_eq!(scene.status(), None);
}
