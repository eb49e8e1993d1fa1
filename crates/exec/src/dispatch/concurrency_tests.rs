//! Limits are reached and never exceeded, whatever comes at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use base::{AccountId, Region, Timestamp};

use super::concurrency::{Concurrency, Gauges, Limits, Slot};
use crate::config::ExecConfig;
use crate::error::{InvokeError, ThrottleReason};
use crate::function::FunctionKey;

const NOW: Timestamp = Timestamp::from_millis(1_795_466_144_000);

fn concurrency(limit: u32) -> Concurrency {
    let mut config = ExecConfig::new("unused");
    config.account_concurrency = limit;
    Concurrency::new(Limits::new(&config))
}

fn key(name: &str, version: &str) -> FunctionKey {
    FunctionKey {
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
        name: name.to_owned(),
        version: version.to_owned(),
    }
}

fn enter(gauges: &Gauges, reserved: Option<u32>) -> Result<Slot, InvokeError> {
    gauges.enter(reserved, false, NOW)
}

fn reason<T: std::fmt::Debug>(refused: Result<T, InvokeError>) -> ThrottleReason {
    match refused {
        Err(InvokeError::Throttled { reason }) => reason,
        other => panic!("expected to be throttled, got {other:?}"),
    }
}

/// As many as fit.
fn fill(gauges: &Gauges, reserved: Option<u32>) -> Vec<Slot> {
    std::iter::from_fn(|| enter(gauges, reserved).ok()).collect()
}

fn set_reserved(concurrency: &Concurrency, total: u32) {
    concurrency.set_reserved(AccountId::DEFAULT, &Region::us_east_1(), total);
}

#[test]
fn reserved_concurrency_counts_all_versions_and_leaves_the_rest_to_others() {
    let concurrency = concurrency(3);
    set_reserved(&concurrency, 1);
    let latest = concurrency.gauges(&key("own", "$LATEST"));
    let first = concurrency.gauges(&key("own", "1"));
    let slot = enter(&latest, Some(1)).unwrap();
    assert_eq!(
        reason(enter(&first, Some(1))),
        ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded
    );
    let other = concurrency.gauges(&key("other", "$LATEST"));
    let _others = (enter(&other, None).unwrap(), enter(&other, None).unwrap());
    assert_eq!(
        reason(enter(&other, None)),
        ThrottleReason::ConcurrentInvocationLimitExceeded
    );
    drop(slot);
    assert!(enter(&first, Some(1)).is_ok());
    assert!(enter(&latest, Some(0)).is_err());
}

#[test]
fn a_new_reservation_waits_for_those_who_use_what_it_took() {
    let concurrency = concurrency(10);
    let others = concurrency.gauges(&key("others", "$LATEST"));
    let mut busy = fill(&others, None);
    assert_eq!(busy.len(), 10);
    set_reserved(&concurrency, 4);
    let own = concurrency.gauges(&key("own", "$LATEST"));
    assert_eq!(
        reason(enter(&own, Some(4))),
        ThrottleReason::ConcurrentInvocationLimitExceeded
    );
    busy.truncate(7);
    let reserved = fill(&own, Some(4));
    assert_eq!(reserved.len(), 3, "ten are under way again");
    drop(busy);
    assert_eq!(fill(&others, None).len(), 6);
    assert_eq!(fill(&own, Some(4)).len(), 1);
    // It is given up while in use: what it frees is everybody's, not more.
    set_reserved(&concurrency, 0);
    assert_eq!(fill(&others, None).len(), 7);
}

#[test]
fn invocations_from_before_a_reservation_count_in_it() {
    let concurrency = concurrency(10);
    let own = concurrency.gauges(&key("own", "$LATEST"));
    let before = (enter(&own, None).unwrap(), enter(&own, None).unwrap());
    set_reserved(&concurrency, 3);
    let _one = enter(&own, Some(3)).unwrap();
    assert!(enter(&own, Some(3)).is_err());
    drop(before);
    assert_eq!(fill(&own, Some(3)).len(), 2);
}

#[test]
fn provisioned_concurrency_is_set_aside_for_its_version_alone() {
    let concurrency = concurrency(10);
    let provisioned = concurrency.gauges(&key("own", "1"));
    provisioned.set_provisioned(4);
    let others = concurrency.gauges(&key("own", "2"));
    let busy = fill(&others, None);
    assert_eq!(busy.len(), 6);
    let own = fill(&provisioned, None);
    assert_eq!(own.len(), 4);
    drop(busy);
    // Beyond what is provisioned it uses what is anybody's.
    assert_eq!(fill(&provisioned, None).len(), 6);
    provisioned.set_provisioned(0);
    drop(own);
    assert_eq!(fill(&others, None).len(), 10);
    // Within a reservation it takes nothing more from others.
    set_reserved(&concurrency, 5);
    provisioned.note_reserved(Some(5), NOW);
    provisioned.set_provisioned(4);
    let others = concurrency.gauges(&key("others", "$LATEST"));
    let _busy = fill(&others, None);
    assert_eq!(fill(&provisioned, Some(5)).len(), 5);
}

#[test]
fn a_function_gains_a_thousand_environments_at_once_and_a_hundred_a_second() {
    let concurrency = concurrency(10_000);
    let (one, two) = (key("own", "1"), key("own", "2"));
    let (one, two) = (concurrency.gauges(&one), concurrency.gauges(&two));
    let starts = |gauges: &Gauges, at| (0..3_000).filter(|_| gauges.take_start(at).is_ok()).count();
    assert_eq!(starts(&one, NOW), 1_000);
    assert_eq!(
        reason(two.take_start(NOW)),
        ThrottleReason::ConcurrentInvocationLimitExceeded
    );
    one.put_back_start();
    assert_eq!(starts(&two, NOW), 1);
    let other = concurrency.gauges(&key("other", "1"));
    assert_eq!(starts(&other, NOW), 1_000);
    let later = NOW + std::time::Duration::from_secs(1);
    assert_eq!(starts(&one, later), 100);
}

#[test]
fn ten_invocations_a_second_for_each_unit_of_concurrency() {
    let concurrency = concurrency(10);
    set_reserved(&concurrency, 2);
    let mut others = 0;
    for (name, reserved, expected, why) in [
        (
            "own",
            Some(2),
            20,
            ThrottleReason::ReservedFunctionInvocationRateLimitExceeded,
        ),
        (
            "other",
            None,
            100,
            ThrottleReason::FunctionInvocationRateLimitExceeded,
        ),
    ] {
        let gauges = concurrency.gauges(&key(name, "$LATEST"));
        let begun = (0..200)
            .filter(|_| gauges.enter(reserved, true, NOW).is_ok())
            .count();
        assert_eq!(begun, expected);
        assert_eq!(reason(gauges.enter(reserved, true, NOW)), why);
        // What is asynchronous has only the limit of the concurrency.
        assert!(gauges.enter(reserved, false, NOW).is_ok());
        others += 1;
    }
    assert_eq!(others, 2);
}

#[test]
fn functions_that_are_gone_are_forgotten() {
    let concurrency = concurrency(10);
    let kept = concurrency.gauges(&key("kept", "$LATEST"));
    let _busy = enter(&kept, None).unwrap();
    for n in 0..10_000 {
        let gauges = concurrency.gauges(&key(&format!("f-{n}"), "$LATEST"));
        drop(enter(&gauges, None).unwrap());
    }
    assert!(kept.counted_functions() <= 200);
    assert_eq!(fill(&kept, None).len(), 9);
}

/// Threads enter and leave as fast as they can while the reservation changes; each counts those
/// inside, between entering and leaving.
#[test]
fn limits_hold_exactly_while_threads_race_and_the_reservation_changes() {
    const LIMIT: u32 = 8;
    const ROUNDS: u32 = 4_000;
    let concurrency = concurrency(LIMIT);
    let others = concurrency.gauges(&key("others", "$LATEST"));
    let own = concurrency.gauges(&key("own", "$LATEST"));
    let (inside, highest, highest_own) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let inside_own = AtomicU32::new(0);
    let barrier = Barrier::new(13);
    thread::scope(|scope| {
        for number in 0..12 {
            let (others, own) = (&others, &own);
            let (inside, highest) = (&inside, &highest);
            let (inside_own, highest_own, barrier) = (&inside_own, &highest_own, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..ROUNDS {
                    let is_own = number % 3 == 0;
                    let entered = if is_own {
                        enter(own, Some(3))
                    } else {
                        enter(others, None)
                    };
                    let Ok(slot) = entered else {
                        thread::yield_now();
                        continue;
                    };
                    highest.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    if is_own {
                        let now = inside_own.fetch_add(1, Ordering::SeqCst) + 1;
                        highest_own.fetch_max(now, Ordering::SeqCst);
                    }
                    thread::yield_now();
                    if is_own {
                        inside_own.fetch_sub(1, Ordering::SeqCst);
                    }
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(slot);
                }
            });
        }
        barrier.wait();
        for round in 0..ROUNDS {
            set_reserved(&concurrency, round % 4);
            thread::yield_now();
        }
    });
    assert!(highest.into_inner() <= LIMIT);
    assert!(highest_own.into_inner() <= 3);
    // Nothing was lost: what there is can be had, all of it, by as many at once.
    set_reserved(&concurrency, 3);
    let got = AtomicU32::new(0);
    let barrier = Barrier::new(20);
    thread::scope(|scope| {
        for number in 0..20 {
            let (others, own, got, barrier) = (&others, &own, &got, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let entered = if number % 2 == 0 {
                    enter(own, Some(3))
                } else {
                    enter(others, None)
                };
                got.fetch_add(u32::from(entered.is_ok()), Ordering::SeqCst);
                // Everybody keeps what they have until all have tried.
                barrier.wait();
                drop(entered);
            });
        }
    });
    assert_eq!(got.into_inner(), LIMIT);
}
