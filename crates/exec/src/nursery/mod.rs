//! Environments that are nobody's yet, ready before anybody asks.
//!
//! For each [`Recipe`] in use there is a [`Line`]: a few parked environments, whose runtime has
//! booted and waits to be told its function, and, where the runtime can fork, a zygote that makes
//! more of them. A start takes a parked one, else forks one, else executes one. Afterwards the
//! line's keeper fills up what was taken, as many as the recent rate of starts asks for and memory
//! allows, and never while invocations are under way if it can wait. A recipe that nobody uses any
//! more is left with nothing, and so is every one while the host is short of memory.

mod keeper;
mod line;
mod recipe;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sandbox::Completion;

pub(crate) use recipe::Recipe;

use crate::config::ExecConfig;
use crate::environment::{Body, Maker, StartError};
use crate::info::SpareInfo;
use line::Line;

/// How many environments wait for functions, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Parking {
    /// Parked environments of one runtime, at most. 0 turns parking off. Default 16.
    pub most: usize,
    /// Memory of all parked environments together, in bytes. Default: a sixteenth of the host's.
    pub memory_bytes: u64,
    /// A runtime that no function was started in for this long keeps nothing ready. Default 10
    /// minutes.
    pub idle: Duration,
}

/// The spare environments of one server.
pub(crate) struct Nursery {
    maker: Maker,
    config: ExecConfig,
    lines: Mutex<HashMap<Recipe, Arc<Line>>>,
    /// Memory of all that is parked.
    parked_bytes: AtomicU64,
    closed: AtomicBool,
}

impl Nursery {
    pub(crate) fn new(maker: Maker, config: ExecConfig) -> Arc<Self> {
        Arc::new(Self {
            maker,
            config,
            lines: Mutex::default(),
            parked_bytes: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// An environment that has become somebody's, in the fastest way that there is.
    pub(crate) async fn take(
        self: &Arc<Self>,
        recipe: &Recipe,
        completion: &Arc<Completion>,
    ) -> Result<Body, StartError> {
        let line = self.line(recipe);
        line.note_start(Instant::now());
        loop {
            let parked = line.take_parked(self);
            self.tend(&line);
            let Some(body) = parked else { break };
            match body.complete(completion).await {
                Ok(()) => return Ok(body),
                // Its process may have been ended from outside; a fresh one tells what is wrong.
                Err(error) => tracing::warn!(?error, "a parked environment cannot be used"),
            }
        }
        if let Some(body) = self.fork(&line, Some(&**completion)).await {
            return Ok(body);
        }
        let body = self.maker.generic(recipe).await?;
        body.complete(completion).await.map(|()| body)
    }

    /// A generic environment for work of our own, which says nothing of how many will be needed.
    pub(crate) async fn spare_or_new(&self, recipe: &Recipe) -> Result<Body, StartError> {
        let line = self.lines.lock().get(recipe).cloned();
        if let Some(line) = line
            && let Some(body) = self.fork(&line, None).await
        {
            return Ok(body);
        }
        self.maker.generic(recipe).await
    }

    /// One from the line's zygote, if there is one; if that fails, it will be replaced, but for what
    /// may be the function's own: then what is executed tells.
    async fn fork(&self, line: &Line, completion: Option<&Completion>) -> Option<Body> {
        let zygote = line.zygote()?;
        let outbound = line.recipe.outbound;
        let forked = self.maker.fork(&zygote, outbound, completion).await;
        let failed = |error: &StartError| {
            tracing::warn!(?error, pid = zygote.pid(), "a zygote does not fork");
            if completion.is_none() || zygote.has_ended() {
                line.lose(&zygote);
            }
        };
        forked.inspect_err(failed).ok()
    }

    /// Has something ready soon: a function of this recipe was deployed, and will be called.
    pub(crate) fn expect(self: &Arc<Self>, recipe: &Recipe) {
        let line = self.line(recipe);
        line.expect(Instant::now());
        self.tend(&line);
    }

    /// What waits, for `kagero ps`.
    pub(crate) fn spares(&self) -> Vec<SpareInfo> {
        let lines: Vec<_> = self.lines.lock().values().cloned().collect();
        lines.iter().flat_map(|line| line.describe()).collect()
    }

    /// Ends everything that waits, for good.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for (_, line) in self.lines.lock().drain() {
            line.clear(self);
        }
    }

    fn line(&self, recipe: &Recipe) -> Arc<Line> {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get(recipe) {
            return Arc::clone(line);
        }
        let line = Arc::new(Line::new(recipe.clone()));
        lines.insert(recipe.clone(), Arc::clone(&line));
        line
    }

    /// Makes sure that somebody keeps the line filled.
    fn tend(self: &Arc<Self>, line: &Arc<Line>) {
        if self.config.parking.most > 0 && !self.closed.load(Ordering::Acquire) && line.hire() {
            tokio::spawn(keeper::keep(Arc::clone(self), Arc::clone(line)));
        }
    }

    /// Removes a line that has nothing and that nobody uses.
    fn forget(&self, line: &Arc<Line>) {
        self.lines
            .lock()
            .retain(|_, known| !Arc::ptr_eq(known, line) || line.is_in_use());
    }
}

impl Default for Parking {
    fn default() -> Self {
        Self {
            most: 16,
            memory_bytes: host_memory() / 16,
            idle: Duration::from_mins(10),
        }
    }
}

/// All memory of the host, in bytes.
fn host_memory() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|total| total.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(1 << 20) * 1024
}
