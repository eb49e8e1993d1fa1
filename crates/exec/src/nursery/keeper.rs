//! Fills a line up after starts, and empties it when they cease.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Nursery;
use super::line::Line;
use crate::environment::{blocking, zygote};

/// Starts closer than this are a burst, which needs the processor itself.
const LULL: Duration = Duration::from_millis(8);
/// How often it is asked whether starts or invocations are under way, and how long they may hold up
/// a line.
const QUIET_POLL: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_millis(100);
/// How often it is asked, while a runtime is in use, whether the host is short of memory.
const LOOK_AT_MEMORY: Duration = Duration::from_secs(2);

pub(super) async fn keep(nursery: Arc<Nursery>, line: Arc<Line>) {
    loop {
        quiet(&nursery, &line).await;
        if nursery.closed.load(Ordering::Acquire) {
            line.clear(&nursery);
            return;
        }
        let parking = &nursery.config.parking;
        let short = nursery.config.is_memory_short();
        if short {
            // What waits for nobody is the first to go; a zygote saves memory.
            while line.drop_one(&nursery) {}
        } else if line.lacks_zygote() {
            raise(&nursery, &line).await;
        }
        let lacking = line.lacking(parking, Instant::now());
        let parked_bytes = nursery.parked_bytes.load(Ordering::Relaxed);
        let has_room = !short && parked_bytes < parking.memory_bytes;
        if lacking > 0 && has_room && park_one(&nursery, &line).await {
            continue;
        }
        if lacking < 0 && line.drop_one(&nursery) {
            continue;
        }
        let now = Instant::now();
        if line.dismiss(parking, now) {
            line.clear(&nursery);
            nursery.forget(&line);
            return;
        }
        let pause = line.next_change(parking, now).min(LOOK_AT_MEMORY);
        tokio::select! {
            () = line.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Waits until nothing starts and no invocation is under way, or for long enough.
async fn quiet(nursery: &Nursery, line: &Line) {
    let since = Instant::now();
    let is_busy = || !nursery.maker.awaited.is_nobody() || line.started_within(LULL);
    while is_busy() && since.elapsed() < PATIENCE {
        tokio::time::sleep(QUIET_POLL).await;
    }
}

/// Starts the line's zygote.
async fn raise(nursery: &Nursery, line: &Line) {
    let host = nursery.maker.host.clone();
    let spec = zygote(&line.recipe, &nursery.maker.runtime_dir);
    let raised = blocking(move || {
        let zygote = host.zygote(&spec)?;
        if let Some(zygote) = &zygote {
            zygote.serves()?;
        }
        Ok::<_, sandbox::SandboxError>(zygote)
    });
    let zygote = match raised.await {
        Ok(Ok(zygote)) => zygote,
        Ok(Err(error)) => {
            let program = line.recipe.program.display();
            tracing::warn!(%error, %program, "no zygote; environments are executed one by one");
            None
        }
        Err(_) => None,
    };
    line.put_zygote(zygote);
}

/// Makes one more; false if that did not work, which the next start will tell.
async fn park_one(nursery: &Nursery, line: &Line) -> bool {
    let made = match line.zygote() {
        Some(zygote) => {
            let outbound = line.recipe.outbound;
            let forked = nursery.maker.fork(&zygote, outbound, None).await;
            if forked.is_err() {
                line.lose(&zygote);
            }
            forked
        }
        None => nursery.maker.generic(&line.recipe).await,
    };
    let mut body = match made {
        Ok(body) => body,
        Err(error) => {
            tracing::warn!(?error, "park an environment");
            return false;
        }
    };
    if !body.boot(nursery.config.init_timeout).await
        || !body.rehearse(nursery.config.init_timeout).await
    {
        return false;
    }
    let usage = body.sandbox().usage();
    let bytes = usage.map_or(0, |usage| usage.memory_bytes);
    nursery.parked_bytes.fetch_add(bytes, Ordering::Relaxed);
    line.park(body, bytes);
    true
}
