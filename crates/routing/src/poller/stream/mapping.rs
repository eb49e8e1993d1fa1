//! One running mapping: its shards, each read by lanes, children after their parents.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use service::ServiceError;
use tokio::task::JoinSet;

use super::checkpoint::Begun;
use super::dynamodb::DynamoDbStream;
use super::lane::{Ended, Lane};
use super::source::{Position, Shard, StreamSource};
use super::{Ports, Start, StreamMapping, checkpoint};
use crate::poller::phase::Life;
use crate::poller::retry::BackOff;

pub const FIRST_DELAY: Duration = Duration::from_secs(1);
pub const LONGEST_DELAY: Duration = Duration::from_mins(1);

pub struct Mapping {
    pub settings: StreamMapping,
    pub ports: Arc<Ports>,
    pub source: Box<dyn StreamSource>,
    pub life: Life,
    last_result: Mutex<String>,
}

impl Mapping {
    pub fn new(settings: StreamMapping, ports: Arc<Ports>) -> Arc<Self> {
        let source = DynamoDbStream::new(Arc::clone(&ports), settings.clone());
        Arc::new(Self {
            settings,
            ports,
            source: Box::new(source),
            life: Life::new(),
            last_result: Mutex::new("No records processed".to_owned()),
        })
    }

    pub fn last_result(&self) -> String {
        self.last_result.lock().clone()
    }

    pub fn set_ok(&self) {
        "OK".clone_into(&mut self.last_result.lock());
    }

    pub fn set_problem(&self, problem: &str) {
        *self.last_result.lock() = format!("PROBLEM: {problem}");
    }

    /// The lanes of a shard, each where it left off.
    async fn lanes(self: &Arc<Self>, shard: &Shard) -> Result<Vec<Lane>, store::StoreError> {
        let settings = &self.settings;
        let lanes = settings.parallelization;
        let store = &*self.ports.store;
        let begun = checkpoint::resume(store, &settings.uuid, &shard.id, lanes).await?;
        let start = match settings.start {
            Start::TrimHorizon => Position::TrimHorizon,
            Start::At(at) => Position::At(at),
        };
        let lane = |(number, begun): (u32, Begun)| {
            let position = begun.after.map_or_else(|| start.clone(), Position::After);
            let length = settings.tumbling_window;
            let window = begun.window;
            let window = window.filter(|it| length.is_some_and(|length| it.has_length(length)));
            Lane::new(Arc::clone(self), &shard.id, number, position, window)
        };
        Ok((0..).zip(begun).map(lane).collect())
    }
}

/// Reads until the mapping is told to stop, or the stream has ended.
pub async fn run(mapping: Arc<Mapping>, before: Option<Arc<Mapping>>) {
    if let Some(before) = before {
        before.life.stopped().await;
    }
    let mut lanes = JoinSet::new();
    read_shards(&mapping, &mut lanes).await;
    while lanes.join_next().await.is_some() {}
    mapping.life.has_stopped();
}

async fn read_shards(mapping: &Arc<Mapping>, lanes: &mut JoinSet<(String, Ended)>) {
    let mut back_off = BackOff::new(FIRST_DELAY, LONGEST_DELAY);
    // By shard, how many of its lanes have not reached its end.
    let mut left: HashMap<String, usize> = HashMap::new();
    while !mapping.life.is_stopping() {
        match start_shards(mapping, lanes, &mut left).await {
            Ok(()) => back_off.reset(),
            Err(error) if is_gone(&error) => {
                mapping.set_problem("Stream not found");
                return;
            }
            Err(error) => {
                mapping.set_problem(&error.message);
                tracing::warn!(mapping = mapping.settings.uuid, %error, "stream mapping: shards");
                tokio::select! {
                    () = mapping.ports.clock.sleep(back_off.next_delay()) => continue,
                    () = mapping.life.stopping() => return,
                }
            }
        }
        // None is left when the stream has ended.
        let Some(ended) = lanes.join_next().await else {
            return;
        };
        match ended {
            Ok((shard, Ended::AtEnd)) => {
                if let Some(left) = left.get_mut(&shard) {
                    *left -= 1;
                }
            }
            Ok((_, Ended::Stopped | Ended::Gone)) => {}
            Err(error) => tracing::error!(%error, "stream mapping: a lane was lost"),
        }
    }
}

/// Starts the shards that can begin: those without a parent that is still being read.
async fn start_shards(
    mapping: &Arc<Mapping>,
    lanes: &mut JoinSet<(String, Ended)>,
    left: &mut HashMap<String, usize>,
) -> Result<(), ServiceError> {
    let shards = mapping.source.shards().await?;
    let known: HashSet<&str> = shards.iter().map(|shard| shard.id.as_str()).collect();
    for shard in &shards {
        let waits = shard.parent.as_deref().is_some_and(|parent| {
            known.contains(parent) && left.get(parent).is_none_or(|left| *left > 0)
        });
        if waits || left.contains_key(&shard.id) {
            continue;
        }
        let of_shard = mapping.lanes(shard).await.map_err(|error| {
            tracing::error!(%error, "stream mapping: read checkpoints");
            ServiceError::internal()
        })?;
        left.insert(shard.id.clone(), of_shard.len());
        for lane in of_shard {
            let id = shard.id.clone();
            lanes.spawn(async move { (id, lane.run().await) });
        }
    }
    Ok(())
}

pub fn is_gone(error: &ServiceError) -> bool {
    error.code == "ResourceNotFoundException"
}
