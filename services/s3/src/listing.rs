//! Listing the records of a bucket in key order, with what a delimiter rolls up.

use serde::de::DeserializeOwned;
use store::{Key, Reader, Table};

use crate::domain::roll_up::{Place, common_prefix};
use crate::error::Error;

/// Records read at once.
const PAGE: usize = 1000;
/// Above every byte that text can go on with.
const PAST: u8 = 0xFF;

/// What to list.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    /// Where to go on; `None` from the beginning. Made with [`start`].
    pub start: Option<Start>,
    pub limit: usize,
}

/// A place in the keys of a bucket.
#[derive(Clone, Debug)]
pub struct Start {
    place: Place,
    /// Of records with a third part in their key: those up to it are left out as well.
    third: Option<String>,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Listed<T> {
    /// Keys rolled up.
    Prefix(String),
    Entry {
        key: String,
        /// The third part of the record's key, where it has one.
        third: Option<String>,
        value: T,
    },
}

#[derive(Debug)]
pub struct Listing<T> {
    pub entries: Vec<Listed<T>>,
    /// Whether there is more after them.
    pub truncated: bool,
}

impl<T> Listing<T> {
    /// The key or common prefix that the page ends with.
    pub fn last(&self) -> Option<&str> {
        self.entries.last().map(|entry| match entry {
            Listed::Prefix(prefix) => prefix.as_str(),
            Listed::Entry { key, .. } => key.as_str(),
        })
    }
}

pub fn start(place: Place) -> Start {
    Start { place, third: None }
}

/// After one of the records of a key.
pub fn start_within(key: &str, third: &str) -> Start {
    Start {
        place: Place::AfterKey(key.to_owned()),
        third: Some(third.to_owned()),
    }
}

/// Lists records whose keys are (bucket, key) or (bucket, key, third).
pub async fn list<T: DeserializeOwned>(
    reader: &(impl Reader + ?Sized),
    table: &Table<T>,
    bucket: &str,
    query: Query<'_>,
) -> Result<Listing<T>, Error> {
    let mut entries = Vec::new();
    if query.limit == 0 {
        return Ok(Listing {
            entries,
            truncated: false,
        });
    }
    let within = Key::new().text(bucket).text_prefix(query.prefix);
    let mut after = query.start.as_ref().map(|start| lower_bound(bucket, start));
    loop {
        let left = query.limit - entries.len();
        let page = table
            .scan(reader, &within, after.as_ref(), PAGE.min(left + 1))
            .await?;
        after = page.next;
        for row in page.rows {
            let mut parts = row.key.reader();
            parts.text()?;
            let key = parts.text()?;
            if entries.len() == query.limit {
                return Ok(Listing {
                    entries,
                    truncated: true,
                });
            }
            let Some(prefix) = common_prefix(&key, query.prefix, query.delimiter) else {
                let third = if parts.is_done() {
                    None
                } else {
                    Some(parts.text()?)
                };
                entries.push(Listed::Entry {
                    key,
                    third,
                    value: row.value,
                });
                continue;
            };
            let prefix = prefix.to_owned();
            after = Some(past_prefix(bucket, &prefix));
            entries.push(Listed::Prefix(prefix));
            break;
        }
        if after.is_none() {
            return Ok(Listing {
                entries,
                truncated: false,
            });
        }
    }
}

/// The key after which a list goes on.
fn lower_bound(bucket: &str, start: &Start) -> Key {
    match (&start.place, &start.third) {
        (Place::AfterPrefix(prefix), _) => past_prefix(bucket, prefix),
        (Place::AfterKey(key), Some(third)) => Key::of((bucket, key, third)),
        (Place::AfterKey(key), None) => past(&Key::of((bucket, key))),
    }
}

/// Above every key that begins with a prefix.
pub fn past_prefix(bucket: &str, prefix: &str) -> Key {
    past(&Key::new().text(bucket).text_prefix(prefix))
}

/// Above every key that begins with these parts.
pub fn past(key: &Key) -> Key {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(PAST);
    Key::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::{Batch, MemoryStore, Store as _};

    use super::*;
    use crate::domain::roll_up::place_of_marker;

    const THINGS: Table<u32> = Table::new("test.thing", 1);

    /// What S3 lists, worked out the slow way.
    fn model(keys: &[String], prefix: &str, delimiter: Option<&str>) -> Vec<String> {
        let mut sorted: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
        sorted.sort();
        let rolled = sorted.into_iter().map(|key| {
            common_prefix(key, prefix, delimiter).map_or_else(|| key.clone(), str::to_owned)
        });
        let mut listed: Vec<String> = rolled.collect();
        listed.dedup();
        listed
    }

    async fn walk(
        keys: &[String],
        prefix: &str,
        delimiter: Option<&str>,
        limit: usize,
    ) -> Vec<String> {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        for key in keys {
            THINGS.put(&mut batch, ("b", key), &1).unwrap();
        }
        for other in ["a", "b\u{0}", "ba", "c"] {
            THINGS.put(&mut batch, (other, "a/elsewhere"), &1).unwrap();
        }
        store.commit(batch).await.unwrap();
        let mut listed = Vec::new();
        let mut next: Option<Start> = None;
        loop {
            let query = Query {
                prefix,
                delimiter,
                start: next,
                limit,
            };
            let page = list(&store, &THINGS, "b", query).await.unwrap();
            assert!(page.entries.len() <= limit);
            let last = page.last().map(str::to_owned);
            listed.extend(page.entries.into_iter().map(|entry| match entry {
                Listed::Prefix(text) | Listed::Entry { key: text, .. } => text,
            }));
            if !page.truncated {
                return listed;
            }
            let last = last.expect("a truncated page has entries");
            next = Some(start(place_of_marker(&last, prefix, delimiter)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn pages_add_up_to_what_s3_lists(
            keys in prop::collection::hash_set("[ab/\u{0}\u{ff}\u{10ffff}]{1,6}", 0..30),
            prefix in "[ab/]{0,2}",
            delimiter in prop::option::of(prop::sample::select(vec!["/", "a", "//", "\u{ff}"])),
            limit in 1..7_usize,
        ) {
            let keys: Vec<String> = keys.into_iter().collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let listed = runtime.block_on(walk(&keys, &prefix, delimiter, limit));
            prop_assert_eq!(listed, model(&keys, &prefix, delimiter));
        }
    }
}
