//! Random batches and scans against the standard library's ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::{Batch, Durability, Entry, Expectation, Op, Scan, Store};

type Model = BTreeMap<Bytes, Bytes>;

#[derive(Debug, Clone)]
enum Step {
    Commit {
        ops: Vec<Op>,
        expectations: Vec<Expectation>,
        lazy: bool,
    },
    Scan(Scan),
    Reopen,
}

/// Runs `cases` random histories. `reopen` closes a store and opens it again, where that means
/// something.
pub fn run(
    cases: u32,
    make: impl Fn() -> Arc<dyn Store>,
    reopen: impl Fn(Arc<dyn Store>) -> Arc<dyn Store>,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let history = prop::collection::vec(step(), 1..30);
    TestRunner::new(config)
        .run(&history, |steps| {
            runtime.block_on(replay(steps, make(), &reopen))
        })
        .unwrap();
}

async fn replay(
    steps: Vec<Step>,
    mut store: Arc<dyn Store>,
    reopen: &impl Fn(Arc<dyn Store>) -> Arc<dyn Store>,
) -> Result<(), TestCaseError> {
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Commit {
                ops,
                expectations,
                lazy,
            } => {
                let broken = expectations
                    .iter()
                    .find(|e| model.get(&e.key) != e.value.as_ref());
                let result = store.commit(batch(&ops, &expectations, lazy)).await;
                prop_assert_eq!(result.is_ok(), broken.is_none(), "{:?}", result);
                if broken.is_none() {
                    for op in &ops {
                        apply(&mut model, op);
                    }
                }
            }
            Step::Scan(scan) => {
                let expected = select(&model, &scan);
                prop_assert_eq!(store.scan(scan).await.unwrap(), expected);
            }
            Step::Reopen => store = reopen(store),
        }
    }
    let all = select(&model, &Scan::all());
    let snapshot = store.snapshot().await.unwrap();
    prop_assert_eq!(snapshot.scan(Scan::all()).await.unwrap(), all);
    for (key, value) in &model {
        let found = store.get(key).await.unwrap();
        prop_assert_eq!(found.as_ref(), Some(value));
    }
    Ok(())
}

fn batch(ops: &[Op], expectations: &[Expectation], lazy: bool) -> Batch {
    let mut batch = Batch::new();
    for op in ops {
        match op.clone() {
            Op::Put { key, value } => batch.put(key, value),
            Op::Delete { key } => batch.delete(key),
            Op::DeleteRange {
                start: Bound::Included(start),
                end: Bound::Excluded(end),
            } => batch.delete_range(start, end),
            Op::DeleteRange { .. } => unreachable!("the strategy makes half-open ranges"),
        };
    }
    for expectation in expectations {
        batch.expect(expectation.key.clone(), expectation.value.clone());
    }
    batch.durability(if lazy {
        Durability::Lazy
    } else {
        Durability::Sync
    });
    batch
}

fn apply(model: &mut Model, op: &Op) {
    match op {
        Op::Put { key, value } => drop(model.insert(key.clone(), value.clone())),
        Op::Delete { key } => drop(model.remove(key)),
        Op::DeleteRange { start, end } => {
            let within = |key: &Bytes| contains(start, end, key);
            model.retain(|key, _| !within(key));
        }
    }
}

/// Deliberately not `BTreeMap::range`: a plain filter cannot share a mistake with a backend.
fn select(model: &Model, scan: &Scan) -> Vec<Entry> {
    let mut entries: Vec<Entry> = model
        .iter()
        .filter(|(key, _)| contains(&scan.start, &scan.end, key))
        .map(|(key, value)| Entry {
            key: key.clone(),
            value: value.clone(),
        })
        .collect();
    if scan.reverse {
        entries.reverse();
    }
    entries.truncate(scan.limit);
    entries
}

fn contains(start: &Bound<Bytes>, end: &Bound<Bytes>, key: &Bytes) -> bool {
    let above = match start {
        Bound::Included(low) => key >= low,
        Bound::Excluded(low) => key > low,
        Bound::Unbounded => true,
    };
    let below = match end {
        Bound::Included(high) => key <= high,
        Bound::Excluded(high) => key < high,
        Bound::Unbounded => true,
    };
    above && below
}

fn step() -> impl Strategy<Value = Step> {
    let commit = (
        prop::collection::vec(op(), 0..6),
        prop::collection::vec(expectation(), 0..2),
        any::<bool>(),
    )
        .prop_map(|(ops, expectations, lazy)| Step::Commit {
            ops,
            expectations,
            lazy,
        });
    prop_oneof![8 => commit, 4 => scan().prop_map(Step::Scan), 1 => Just(Step::Reopen)]
}

/// Few and short, so that they meet; with the bytes that order and escape badly.
fn key() -> impl Strategy<Value = Bytes> {
    let byte = prop::sample::select(vec![0x00, b'a', b'b', 0xff]);
    prop::collection::vec(byte, 0..3).prop_map(Bytes::from)
}

fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Bytes::from),
        // Longer than a page.
        any::<u8>().prop_map(|byte| Bytes::from(vec![byte; 9000])),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (key(), value()).prop_map(|(key, value)| Op::Put { key, value }),
        2 => key().prop_map(|key| Op::Delete { key }),
        1 => (key(), key()).prop_map(|(start, end)| Op::DeleteRange {
            start: Bound::Included(start),
            end: Bound::Excluded(end),
        }),
    ]
}

fn expectation() -> impl Strategy<Value = Expectation> {
    (key(), prop::option::weighted(0.2, value()))
        .prop_map(|(key, value)| Expectation { key, value })
}

fn bound() -> impl Strategy<Value = Bound<Bytes>> {
    prop_oneof![
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

fn scan() -> impl Strategy<Value = Scan> {
    (
        bound(),
        bound(),
        prop_oneof![0..4_usize, Just(usize::MAX)],
        any::<bool>(),
    )
        .prop_map(|(start, end, limit, reverse)| Scan {
            start,
            end,
            limit,
            reverse,
        })
}
