//! One function for each promise or few; the table in `ALL` is docs/promises.md's.

mod cold;
mod control_plane;
mod crowd;
mod durable;
mod dynamodb;
mod events;
mod executions;
mod http_api;
mod idle;
mod images;
mod large_table;
mod layers;
mod objects;
mod queues;
mod rules;
mod template;
mod unpacking;
mod warm;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{Row, Tools};

type Measure = fn(&Tools) -> anyhow::Result<Vec<Row>>;

pub const ALL: [(&str, Measure); 39] = [
    ("start-and-idle", idle::start_and_idle),
    ("warm-invoke", warm::warm_invoke),
    ("warm-throughput", warm::warm_throughput),
    ("cold-exec", cold::by_exec),
    ("cold-python", cold::python),
    ("cold-node", cold::node),
    ("cold-rust", cold::rust),
    ("cold-layers", layers::added),
    ("cold-burst", cold::burst),
    ("cold-template", template::boto3),
    ("image-start", images::starts),
    ("image-pull", images::pull),
    ("thousand-at-once", crowd::thousand_at_once),
    ("environments-a-second", crowd::environments_a_second),
    ("environment-memory", crowd::memory),
    ("sqs-to-function", events::sqs_to_function),
    ("s3-to-function", events::s3_to_function),
    ("stream-to-function", events::stream_to_function),
    ("http-api", http_api::request),
    ("http-api-throughput", http_api::throughput),
    ("http-api-routes", http_api::routes),
    ("streamed-first-byte", http_api::first_byte),
    ("idle-websockets", http_api::idle_websockets),
    ("durable-send", durable::durable_send),
    ("receive-delete", queues::receive_and_delete),
    ("sqs-throughput", queues::through_a_function),
    ("event-matching", rules::matching),
    ("idle-schedules", rules::idle_schedules),
    ("durable-object", objects::durable_put),
    ("large-object", objects::large_put),
    ("large-read", objects::large_get),
    ("durable-put-item", dynamodb::durable_put_item),
    ("get-item", dynamodb::get_item),
    ("query-100", dynamodb::query_100),
    ("durable-step", executions::step),
    ("durable-waiting", executions::waiting),
    ("create-function", control_plane::creation),
    ("list-functions", control_plane::list_page),
    ("weighted-alias", control_plane::weighted_alias),
];

/// What takes many minutes: run only where it is asked for by its whole name.
pub const LONG: [(&str, Measure); 1] = [("ten-million-items", large_table::ten_million_items)];

pub fn timed(
    count: usize,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    (0..count)
        .map(|_| {
            let began = Instant::now();
            work()?;
            Ok(began.elapsed())
        })
        .collect()
}

/// Runs the same work on so many threads at once, each told its number, and joins what they give.
pub fn counted<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> anyhow::Result<Vec<T>> + Sync,
) -> anyhow::Result<Vec<T>> {
    let work = &work;
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        let mut all = Vec::new();
        for thread in running {
            all.extend(thread.join().expect("a caller does not panic")?);
        }
        Ok(all)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with the function's own system clock"
)]
fn unix_nanos() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}
