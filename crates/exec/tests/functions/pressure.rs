//! What rests leaves where memory is short, or where too much rests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::{ManualClock, Timestamp};
use exec::{EnvironmentState, ExecConfig, HostMemory, MemoryProbe};

use crate::gates::{Gated, count, until};
use crate::support::World;

const GIB: u64 = 1 << 30;

fn clock() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_000))
}

/// Three functions that rest, each for a minute longer than the next, and one provisioned
/// environment older than all.
async fn resting(
    manual: &ManualClock,
    configure: impl FnOnce(&mut ExecConfig),
) -> Option<(World, [Gated; 3], Gated)> {
    let world = World::with(manual.clock(), |config| {
        config.freeze_after = Duration::from_hours(1);
        config.idle_timeout = Duration::from_hours(2);
        configure(config);
    });
    let kept = Gated::new("kept", 9, &Arc::default());
    let functions = ["a", "b", "c"].map(|name| Gated::new(name, 9, &Arc::default()));
    world.run(&functions[0].spec, &"".into()).await?;
    world.exec.provision(&kept.spec, 1).await.unwrap();
    until(|| {
        let status = world.exec.provisioned(&kept.spec.key);
        status.is_some_and(|status| status.available == 1)
    })
    .await;
    for function in &functions {
        manual.advance(Duration::from_mins(1));
        world.run(&function.spec, &"".into()).await?;
        until(|| count(&world, EnvironmentState::Busy) == 0).await;
    }
    Some((world, functions, kept))
}

/// The names of the functions whose environments live.
fn alive(world: &World, functions: &[Gated; 3]) -> Vec<usize> {
    let all = world.exec.environments();
    let lives = |at: &usize| {
        all.iter()
            .any(|one| one.function == functions[*at].spec.key)
    };
    (0..functions.len()).filter(lives).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_environments_leave_oldest_first_when_memory_is_short() {
    let short = Arc::new(AtomicUsize::new(0));
    let readings = Arc::clone(&short);
    let probe = MemoryProbe::new(move || {
        let fewer = |left: usize| left.checked_sub(1);
        let is_short = readings.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
        let available = if is_short.is_ok() { GIB / 2 } else { GIB };
        let total = 10 * GIB;
        Some(HostMemory { total, available })
    });
    let manual = clock();
    let configured = resting(&manual, |config| config.memory = probe).await;
    let Some((world, functions, kept)) = configured else {
        return;
    };
    assert_eq!(alive(&world, &functions), [0, 1, 2]);
    for expected in [vec![1, 2], vec![2], vec![]] {
        short.store(1, Ordering::SeqCst);
        until(|| {
            manual.advance(Duration::from_millis(250));
            short.load(Ordering::SeqCst) == 0
        })
        .await;
        until(|| alive(&world, &functions) == expected).await;
        // With enough memory nothing more leaves.
        manual.advance(Duration::from_mins(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(alive(&world, &functions), expected);
    }
    // What is provisioned would only have to be made again.
    let status = world.exec.provisioned(&kept.spec.key).unwrap();
    assert_eq!((status.available, kept.starts()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_too_many_that_rest_the_oldest_leave() {
    let manual = clock();
    let configured = resting(&manual, |config| config.idle_environments = Some(2)).await;
    let Some((world, functions, _)) = configured else {
        return;
    };
    until(|| {
        manual.advance(Duration::from_secs(1));
        alive(&world, &functions) == [1, 2]
    })
    .await;
    manual.advance(Duration::from_mins(1));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(alive(&world, &functions), [1, 2]);
}
