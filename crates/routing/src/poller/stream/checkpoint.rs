//! How far each lane of a shard has come, in the store.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use store::{Batch, Store, StoreError, Table};

use super::window::Window;

/// Key: mapping, shard, lane.
const CHECKPOINTS: Table<Checkpoint> = Table::new("routing.stream_checkpoint", 1);
/// More than a shard can have of them.
const PAGE: usize = 100;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Of how many lanes this was one.
    lanes: u32,
    /// The sequence number of the last record that is done.
    after: String,
    /// What the function has made of the window that this record is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
}

/// Where a lane goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Begun {
    /// After this record; `None` for one that has not begun.
    pub after: Option<String>,
    pub window: Option<Window>,
}

pub fn put(
    batch: &mut Batch,
    mapping: &str,
    shard: &str,
    (lane, lanes): (u32, u32),
    after: &str,
    window: Option<&Window>,
) -> Result<(), StoreError> {
    let checkpoint = Checkpoint {
        lanes,
        after: after.to_owned(),
        window: window.cloned(),
    };
    CHECKPOINTS.put(batch, (mapping, shard, u64::from(lane)), &checkpoint)
}

pub fn forget(batch: &mut Batch, mapping: &str) {
    CHECKPOINTS.delete_prefix(batch, mapping);
}

/// Where each lane goes on.
///
/// With another number of lanes than before, items have moved between them: all go on from the
/// lane that was furthest behind, and unless every lane had begun, from the beginning.
pub async fn resume(
    store: &dyn Store,
    mapping: &str,
    shard: &str,
    lanes: u32,
) -> Result<Vec<Begun>, StoreError> {
    let page = CHECKPOINTS
        .scan(store, (mapping, shard), None, PAGE)
        .await?;
    let mut found = Vec::new();
    for row in page.rows {
        let mut parts = row.key.reader();
        parts.text()?;
        parts.text()?;
        found.push((parts.u64()?, row.value));
    }
    Ok(divide(&found, lanes))
}

fn divide(found: &[(u64, Checkpoint)], lanes: u32) -> Vec<Begun> {
    let are_same = found
        .iter()
        .all(|(_, checkpoint)| checkpoint.lanes == lanes);
    if are_same {
        let of = |lane| found.iter().find(|(number, _)| *number == u64::from(lane));
        let begun = |(_, checkpoint): &(u64, Checkpoint)| Begun {
            after: Some(checkpoint.after.clone()),
            window: checkpoint.window.clone(),
        };
        return (0..lanes)
            .map(|lane| of(lane).map(begun).unwrap_or_default())
            .collect();
    }
    let had = found.iter().map(|(_, checkpoint)| checkpoint.lanes).max();
    let has_all = had.is_some_and(|had| found.len() >= had as usize);
    let all = found.iter().map(|(_, checkpoint)| &checkpoint.after);
    let behind = all.min_by(|a, b| in_order(a, b)).filter(|_| has_all);
    let behind = Begun {
        after: behind.cloned(),
        window: None,
    };
    vec![behind; lanes as usize]
}

/// Sequence numbers are decimal, of up to 128 digits.
fn in_order(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lanes: u32, after: &[&str]) -> Vec<(u64, Checkpoint)> {
        let row = |(number, after): (usize, &&str)| {
            let checkpoint = Checkpoint {
                lanes,
                after: (*after).to_owned(),
                window: None,
            };
            (number as u64, checkpoint)
        };
        after.iter().enumerate().map(row).collect()
    }

    #[test]
    fn lanes_go_on_where_they_were_or_all_where_the_last_was() {
        let some = |text: &str| Some(text.to_owned());
        let divide = |found: &[(u64, Checkpoint)], lanes| -> Vec<Option<String>> {
            let begun = divide(found, lanes).into_iter();
            begun.map(|begun| begun.after).collect()
        };
        assert_eq!(divide(&[], 2), [None, None]);
        assert_eq!(divide(&rows(2, &["9", "10"]), 2), [some("9"), some("10")]);
        assert_eq!(divide(&rows(2, &["10", "9"]), 1), [some("9")]);
        assert_eq!(
            divide(&rows(2, &["10"]), 1),
            [None],
            "the other has done nothing"
        );
    }
}
