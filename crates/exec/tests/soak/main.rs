//! Cold starts in great number leave nothing behind: descriptors, threads, mounts, links, loop
//! devices, control groups, processes, files and memory are counted before and after.
//!
//! The test runs itself again in namespaces of its own for mounts and the network, so that it counts
//! nobody else's. It starts a few hundred environments; `KAGERO_SOAK` says how many instead.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where it unwraps, and says what it skips"
)]

mod census;
mod kinds;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../functions/support.rs"]
mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base::Clock;
use exec::Outbound;
use futures::StreamExt;

use census::{Census, Ground, difference, group_folders, memory};
use support::World;

const STARTS: usize = 240;
const AT_ONCE: usize = 4;
/// Says that the namespaces are there.
const ROLE: &str = "SOAK_TEST";
/// What stands for the machine's network: a way out that leads nowhere, in documentation addresses.
const NETWORK: &str = "ip link set lo up && ip link add out type veth peer name far \
    && ip address add 198.51.100.1/24 dev out && ip link set out up && ip link set far up \
    && ip route add default via 198.51.100.2 && exec \"$0\" \"$@\"";
/// What an allocator may keep on top, and what a start may.
const MEMORY_SLACK: u64 = 8 << 20;
const MEMORY_EACH: u64 = 512;
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn cold_starts_leave_nothing() {
    if std::env::var_os(ROLE).is_none() && rustix::process::geteuid().is_root() {
        return in_namespaces();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // So that their number says something.
        .thread_keep_alive(Duration::from_millis(100))
        .enable_all()
        .build()
        .unwrap();
    let starts = std::env::var("KAGERO_SOAK").map_or(STARTS, |text| text.parse().unwrap());
    runtime.block_on(soak(starts));
}

fn in_namespaces() {
    let itself = std::env::current_exe().unwrap();
    let status = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", NETWORK])
        .arg(itself)
        .args(["--exact", "cold_starts_leave_nothing", "--nocapture"])
        .env(ROLE, "inside")
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

async fn soak(starts: usize) {
    let live = kinds::live_folder();
    let mut instance = String::new();
    let mut most_disks = 0;
    let world = World::with(Clock::system(), |config| {
        config.parking.idle = Duration::from_secs(1);
        config.parking.most = 2;
        config.sandbox.ready = 2;
        config.outbound = Outbound::Nat;
        instance.clone_from(&config.sandbox.instance);
        most_disks = 4 * config.sandbox.ready as u64;
    });
    let kinds = kinds::kinds(&world);
    if kinds.is_empty() {
        return;
    }
    let mut groups = Vec::new();
    group_folders(Path::new("/sys/fs/cgroup"), &instance, &mut groups);
    let ground = Ground {
        folder: world.folder().to_owned(),
        groups,
        most_disks,
    };
    let run = async |count: usize| {
        let calls = (0..count).map(|turn| kinds[turn % kinds.len()].run(&world, live.path()));
        futures::stream::iter(calls)
            .buffer_unordered(AT_ONCE)
            .for_each(async |()| world.recorded.clear())
            .await;
    };
    run(3 * kinds.len()).await;
    let before = calm(&world, &ground).await;
    run(starts / 2).await;
    settled(&world, &ground, &before).await;
    let half = memory();
    let since = Instant::now();
    run(starts - starts / 2).await;
    let took = since.elapsed();
    settled(&world, &ground, &before).await;
    let (end, second) = (memory(), (starts - starts / 2) as u64);
    eprintln!(
        "{starts} starts; the second half took {took:.1?}; memory {} KiB, then {} KiB",
        half / 1024,
        end / 1024
    );
    assert!(
        end.saturating_sub(half) < MEMORY_SLACK + MEMORY_EACH * second,
        "{half} bytes after half of {starts} starts, {end} after all"
    );
    world.exec.shutdown().await;
}

/// What there is when nothing happens any more.
async fn calm(world: &World, ground: &Ground) -> Census {
    let since = Instant::now();
    let (mut last, mut same) = (Census::new(), 0);
    while same < 12 {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let now = ground.count();
        assert!(
            since.elapsed() < PATIENCE,
            "never calm: {:?} {:?} {:#?}",
            world.exec.environments(),
            world.exec.spares(),
            difference(&last, &now)
        );
        let at_rest = world.exec.environments().is_empty() && world.exec.spares().is_empty();
        same = if at_rest && now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// Waits until everything is as it was.
async fn settled(world: &World, ground: &Ground, before: &Census) {
    let since = Instant::now();
    loop {
        let difference = difference(before, &ground.count());
        if difference.is_empty() && world.exec.spares().is_empty() {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "left behind: {difference:#?}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}
