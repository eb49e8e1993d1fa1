//! Measures the embedded store on the mix that chose it (docs/decisions/0002-embedded-engine.md):
//! `cargo run --release -p store --example engine_mix -- DIR [SECONDS]`.
//!
//! DIR is created and should be on the disk to be measured; what it makes there stays.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Batch, Blobs, EmbeddedStore, FileBlobs, Key, Reader, Scan, Store, StoreError};

const VALUE_BYTES: usize = 1024;
const LOADED: u64 = 200_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("usage: engine_mix DIR [SECONDS]")?;
    let seconds = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let (dir, length) = (Path::new(&dir), Duration::from_secs(seconds));

    let before = resident_kib();
    let (store, opened) = open(&dir.join("store"))?;
    println!(
        "open, empty: {opened:.2?}; resident {before} KiB before, {} after",
        resident_kib()
    );
    let blobs = Arc::new(FileBlobs::open(dir.join("blobs"))?);
    for clients in [1, 64] {
        for work in [Work::Put, Work::Queue, Work::Blob] {
            run(work, clients, length, &store, &blobs).await?;
        }
    }
    load(&store).await?;
    println!("{LOADED} more entries: resident {} KiB", resident_kib());
    read(&store).await?;
    drop(store);
    let (_store, opened) = open(&dir.join("store"))?;
    println!(
        "open, loaded: {opened:.2?}; resident {} KiB",
        resident_kib()
    );
    Ok(())
}

fn open(dir: &Path) -> Result<(Arc<EmbeddedStore>, Duration), StoreError> {
    let start = Instant::now();
    let store = EmbeddedStore::open(dir)?;
    Ok((Arc::new(store), start.elapsed()))
}

/// What a client does, over and over.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// Commits a new 1 KiB entry under a random key.
    Put,
    /// Sends a message to a queue of its own, receives it (which moves its entry in the visibility
    /// index) and deletes it: three commits and two reads.
    Queue,
    /// Writes a blob of 4 KiB.
    Blob,
}

struct Client {
    number: u64,
    store: Arc<EmbeddedStore>,
    blobs: Arc<FileBlobs>,
    random: Random,
    latencies: Vec<Duration>,
}

impl Client {
    async fn turn(&mut self, work: Work) -> Result<(), StoreError> {
        match work {
            Work::Put => {
                let mut batch = Batch::new();
                batch.put(Key::of(("put", self.random.next())), self.random.value());
                self.commit(batch).await
            }
            Work::Queue => self.queue().await,
            Work::Blob => self.blob().await,
        }
    }

    async fn queue(&mut self) -> Result<(), StoreError> {
        let (queue, sent) = (self.number, self.random.next());
        let message = Key::of(("message", queue, sent));
        let mut batch = Batch::new();
        batch.put(message.clone(), self.random.value());
        batch.put(Key::of(("visible", queue, sent)), message);
        self.commit(batch).await?;

        let visible = Scan::prefix(Key::of(("visible", queue))).limit(1);
        let Some(first) = self.store.scan(visible).await?.pop() else {
            return Ok(());
        };
        self.store.get(&first.value).await?;
        let hidden = Key::of(("hidden", queue, self.random.next()));
        let mut batch = Batch::new();
        batch
            .delete(first.key)
            .put(hidden.clone(), first.value.clone());
        self.commit(batch).await?;

        let mut batch = Batch::new();
        batch.delete(hidden).delete(first.value);
        self.commit(batch).await
    }

    async fn blob(&mut self) -> Result<(), StoreError> {
        let content: Vec<u8> = (0..4).flat_map(|_| self.random.value()).collect();
        let start = Instant::now();
        let mut writer = self.blobs.create().await?;
        writer.write(content.into()).await?;
        writer.finish().await?;
        self.latencies.push(start.elapsed());
        Ok(())
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let start = Instant::now();
        self.store.commit(batch).await?;
        self.latencies.push(start.elapsed());
        Ok(())
    }
}

async fn run(
    work: Work,
    clients: u64,
    length: Duration,
    store: &Arc<EmbeddedStore>,
    blobs: &Arc<FileBlobs>,
) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..clients {
        let mut client = Client {
            number,
            store: Arc::clone(store),
            blobs: Arc::clone(blobs),
            random: Random::new(number),
            latencies: Vec::new(),
        };
        tasks.spawn(async move {
            let mut turns = 0_u64;
            while start.elapsed() < length {
                client.turn(work).await?;
                turns += 1;
            }
            Ok::<_, StoreError>((turns, client.latencies))
        });
    }
    let (mut turns, mut latencies) = (0, Vec::new());
    while let Some(task) = tasks.join_next().await {
        let (of_client, mut waited) = task??;
        turns += of_client;
        latencies.append(&mut waited);
    }
    report(work, clients, turns, start.elapsed(), latencies);
    Ok(())
}

fn report(work: Work, clients: u64, turns: u64, length: Duration, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize];
    let seconds = length.as_secs_f64();
    println!(
        "{work:?}, {clients} clients: {:.0}/s, {:.0} durable/s, p50 {:.2?}, p99 {:.2?}, \
         resident {} KiB",
        turns as f64 / seconds,
        latencies.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        resident_kib(),
    );
}

async fn load(store: &EmbeddedStore) -> Result<(), StoreError> {
    let mut random = Random::new(1);
    for thousand in 0..LOADED / 1000 {
        let mut batch = Batch::new();
        for i in 0..1000 {
            let number = scattered(thousand * 1000 + i);
            batch.put(Key::of(("item", number)), random.value());
        }
        store.commit(batch).await?;
    }
    Ok(())
}

async fn read(store: &EmbeddedStore) -> Result<(), StoreError> {
    let mut random = Random::new(2);
    let mut key = || Key::of(("item", scattered(random.next() % LOADED)));
    let (gets, scans) = (50_000, 2_000);
    let start = Instant::now();
    for _ in 0..gets {
        store.get(key().as_bytes()).await?;
    }
    println!("get: {:.2?}", start.elapsed() / gets);
    let start = Instant::now();
    for _ in 0..scans {
        store
            .scan(Scan::prefix(Key::of("item")).after(key()).limit(100))
            .await?;
    }
    println!("scan of 100: {:.2?}", start.elapsed() / scans);
    Ok(())
}

/// Xorshift: fast, and the same in every run.
struct Random {
    state: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        Self {
            state: 7919 * (seed + 1),
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn value(&mut self) -> Vec<u8> {
        (0..VALUE_BYTES)
            .map(|_| b'a' + (self.next() % 26) as u8)
            .collect()
    }
}

/// Spreads consecutive numbers over the key space.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
