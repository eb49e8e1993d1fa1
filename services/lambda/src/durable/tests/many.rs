//! Many executions that wait: each costs its id and its time.

use std::time::Duration;

use super::rig::{Rig, wait};

const MANY: usize = 300;

#[tokio::test]
async fn those_that_wait_are_not_in_memory_and_all_wake() {
    let rig = Rig::new().await;
    for _ in 0..MANY {
        rig.start().await;
        let mut turn = rig.turn().await;
        turn.checkpoint(vec![wait("w", 3_600)]).await;
        turn.pending();
    }
    assert!(rig.is_quiet().await);
    assert!(rig.durable.slots.lock().is_empty());
    rig.manual.advance(Duration::from_hours(1));
    for _ in 0..MANY {
        rig.turn().await.succeed("1");
    }
    assert!(rig.is_quiet().await);
}
