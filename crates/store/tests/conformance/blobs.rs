//! What every blob store must do.

use bytes::Bytes;
use store::{BlobId, BlobReader, Blobs, StoreError};

/// Runs the whole suite on an empty blob store.
pub async fn run(blobs: &dyn Blobs) {
    for length in [0, 1, 4096, 65_536, 65_537, 3 << 20] {
        round_trip(blobs, length).await;
    }
    a_missing_blob(blobs).await;
    a_reader_outlives_deletion(blobs).await;
    ids_differ(blobs).await;
}

pub async fn write(blobs: &dyn Blobs, content: &[u8], chunk: usize) -> BlobId {
    let mut writer = blobs.create().await.unwrap();
    for chunk in content.chunks(chunk) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

pub async fn read(reader: &dyn BlobReader, start: u64, end: u64) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let chunk = reader
            .read(start + content.len() as u64..end)
            .await
            .unwrap();
        if chunk.is_empty() {
            return content;
        }
        content.extend_from_slice(&chunk);
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

async fn round_trip(blobs: &dyn Blobs, length: usize) {
    let content = content(length);
    let id = write(blobs, &content, 40_000).await;
    let reader = blobs.open(&id).await.unwrap();
    assert_eq!(reader.len(), length as u64);
    assert_eq!(reader.is_empty(), length == 0);
    assert_eq!(read(&*reader, 0, u64::MAX).await, content);
    let (start, end) = (length / 3, length / 3 * 2);
    assert_eq!(
        read(&*reader, start as u64, end as u64).await,
        content[start..end]
    );
    assert!(
        reader
            .read(length as u64..u64::MAX)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        reader
            .read(u64::MAX - 1..u64::MAX)
            .await
            .unwrap()
            .is_empty()
    );
    if let Some(path) = blobs.local_path(&id) {
        assert_eq!(std::fs::read(path).unwrap(), content);
    }
}

async fn a_missing_blob(blobs: &dyn Blobs) {
    let id = write(blobs, b"gone", 4).await;
    blobs.delete(&id).await.unwrap();
    blobs.delete(&id).await.unwrap();
    let error = blobs.open(&id).await.err().expect("the blob is deleted");
    assert!(matches!(error, StoreError::BlobMissing { id: missing } if missing == id));
}

async fn a_reader_outlives_deletion(blobs: &dyn Blobs) {
    let content = content(1 << 20);
    let id = write(blobs, &content, 1 << 20).await;
    let reader = blobs.open(&id).await.unwrap();
    blobs.delete(&id).await.unwrap();
    assert_eq!(read(&*reader, 0, u64::MAX).await, content);
}

async fn ids_differ(blobs: &dyn Blobs) {
    let (first, second) = (
        write(blobs, b"same", 4).await,
        write(blobs, b"same", 4).await,
    );
    assert_ne!(first, second);
}
