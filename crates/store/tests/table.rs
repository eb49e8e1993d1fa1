//! Typed records: keys, pages, versions.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Batch, Key, MemoryStore, Reader, Scan, Store, StoreError, Table};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Message {
    body: String,
}

const MESSAGES: Table<Message> = Table::new("test.message", 2);

fn message(body: &str) -> Message {
    Message { body: body.into() }
}

async fn filled(queue: &str, count: u64) -> MemoryStore {
    let store = MemoryStore::new();
    let mut batch = Batch::new();
    for i in 0..count {
        MESSAGES
            .put(&mut batch, (queue, i), &message(&i.to_string()))
            .unwrap();
    }
    store.commit(batch).await.unwrap();
    store
}

async fn raw(store: &MemoryStore, key: Key, value: Vec<u8>) {
    let mut batch = Batch::new();
    batch.put(key, value);
    store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn pages_follow_one_another_to_the_end() {
    let store = filled("q", 10).await;
    let mut bodies = Vec::new();
    let mut after = None;
    let mut pages = 0;
    loop {
        let page = MESSAGES.scan(&store, "q", after.as_ref(), 5).await.unwrap();
        bodies.extend(page.rows.into_iter().map(|row| row.value.body));
        pages += 1;
        match page.next {
            Some(next) => after = Some(Key::from_bytes(next.as_bytes())),
            None => break,
        }
    }
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(pages, 2, "no empty page at the end");

    let page = MESSAGES.scan_reversed(&store, "q", None, 3).await.unwrap();
    assert_eq!(page.rows[0].value.body, "9");
    let page = MESSAGES
        .scan_reversed(&store, "q", page.next.as_ref(), 100)
        .await
        .unwrap();
    assert_eq!(
        (page.rows[0].value.body.as_str(), page.rows.len()),
        ("6", 7)
    );
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn a_prefix_and_a_range_are_of_whole_parts() {
    let store = filled("orders", 3).await;
    for prefix in ["order", "orders2", ""] {
        let page = MESSAGES.scan(&store, prefix, None, 9).await.unwrap();
        assert!(page.rows.is_empty(), "{prefix}");
    }
    assert_eq!(
        MESSAGES.scan(&store, (), None, 9).await.unwrap().rows.len(),
        3
    );
    let due = MESSAGES
        .scan_range(&store, ("orders", 0_u64), ("orders", 2_u64), 9)
        .await
        .unwrap();
    assert_eq!(due.rows.len(), 2);
    let mut parts = due.rows[1].key.reader();
    assert_eq!(
        (parts.text().unwrap().as_str(), parts.u64().unwrap()),
        ("orders", 1)
    );
    assert!(parts.is_done());
}

#[tokio::test]
async fn tables_do_not_see_each_other() {
    const OTHER: Table<Message> = Table::new("test.message2", 1);
    let store = filled("q", 1).await;
    let mut batch = Batch::new();
    OTHER
        .put(&mut batch, ("q", 0_u64), &message("other"))
        .unwrap();
    store.commit(batch).await.unwrap();
    let mut batch = Batch::new();
    MESSAGES.delete_prefix(&mut batch, ());
    store.commit(batch).await.unwrap();
    assert_eq!(MESSAGES.get(&store, ("q", 0_u64)).await.unwrap(), None);
    assert_eq!(
        OTHER.get(&store, ("q", 0_u64)).await.unwrap(),
        Some(message("other"))
    );
}

#[tokio::test]
async fn a_changed_record_is_a_conflict() {
    let store = filled("q", 1).await;
    let row = MESSAGES
        .get_row(&store, ("q", 0_u64))
        .await
        .unwrap()
        .unwrap();
    let mut first = Batch::new();
    MESSAGES.expect_unchanged(&mut first, &row);
    MESSAGES
        .put(&mut first, &row.key, &message("first"))
        .unwrap();
    let mut second = Batch::new();
    MESSAGES.expect_unchanged(&mut second, &row);
    MESSAGES.delete(&mut second, &row.key);
    store.commit(first).await.unwrap();
    assert!(store.commit(second).await.unwrap_err().is_conflict());
    let mut third = Batch::new();
    MESSAGES.expect_absent(&mut third, ("q", 0_u64));
    assert!(store.commit(third).await.unwrap_err().is_conflict());
}

#[tokio::test]
async fn an_old_record_is_migrated() {
    const MIGRATED: Table<Message> = MESSAGES.migrated_by(|version, old| match version {
        1 => Ok(json!({ "body": old["text"] })),
        _ => Err(format!("version {version} was never written")),
    });
    let store = MemoryStore::new();
    let key = || MIGRATED.full_key("old");
    raw(&store, key(), [&[1], br#"{"text":"hi"}"# as &[u8]].concat()).await;
    assert_eq!(
        MIGRATED.get(&store, "old").await.unwrap(),
        Some(message("hi"))
    );
    let error = MESSAGES.get(&store, "old").await.unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupt { .. }),
        "no migration: {error}"
    );

    raw(&store, key(), [&[0], b"{}" as &[u8]].concat()).await;
    assert!(matches!(
        MIGRATED.get(&store, "old").await,
        Err(StoreError::Corrupt { .. })
    ));
    raw(&store, key(), [&[3], b"{}" as &[u8]].concat()).await;
    let error = MIGRATED.get(&store, "old").await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 3,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_record_names_its_table() {
    let store = MemoryStore::new();
    for damaged in [&b""[..], b"\x02", b"\x02{\"body\":", b"\x02{\"body\":1}"] {
        raw(&store, MESSAGES.full_key("bad"), damaged.to_vec()).await;
        let error = MESSAGES.get(&store, "bad").await.unwrap_err();
        assert!(error.to_string().contains("test.message"), "{error}");
    }
    assert_eq!(store.scan(Scan::all()).await.unwrap().len(), 1);
}
