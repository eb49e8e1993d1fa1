//! Measures spawn → executed `/bin/true` → reaped: minimum, median, and sandboxes a second.
//!
//! `cargo run --release -p sandbox --example spawn_rate [COUNT]`, as root or not.

#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use sandbox::{EgressConfig, Host, HostConfig, Network, SandboxError, Spec};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args()
        .nth(1)
        .map_or(Ok(300), |count| count.parse())?;
    let state = tempfile::tempdir()?;
    let opening = Instant::now();
    let instance = format!("spawn-rate-{}", std::process::id());
    let mut config = HostConfig::new(state.path(), instance);
    // Nothing ready at first: the two cases are measured apart.
    config.ready = 0;
    let host = Host::open(&config)?;
    println!(
        "open host                     {:>8} µs",
        opening.elapsed().as_micros()
    );

    measure("host's network", count, || spec(&host, Network::Host))?;
    measure("own network, made at start", count, || {
        spec(
            &host,
            Network::Isolated {
                listeners: vec![9001],
            },
        )
    })?;
    drop(host);
    config.egress = Some(EgressConfig::default());
    let host = Host::open(&config)?;
    if let Some(why) = host.egress_missing()? {
        println!("no way out: {why}");
    }
    let with_egress = |host: &Host| {
        let listeners = vec![9001];
        spec(host, Network::Egress { listeners })
    };
    measure("with a way out, made at start", count, || {
        with_egress(&host)
    })?;
    drop(host);
    config.ready = 8;
    let host = Host::open(&config)?;
    measure("own network, from the stock", count, || {
        // Time to fill up again: the case of a server that is not at its limit.
        std::thread::sleep(Duration::from_millis(5));
        spec(
            &host,
            Network::Isolated {
                listeners: vec![9001],
            },
        )
    })?;
    measure("with a way out, from the stock", count, || {
        std::thread::sleep(Duration::from_millis(5));
        with_egress(&host)
    })?;
    parallel("the same on two threads", &host, count)?;
    Ok(())
}

/// One start after another; the teardown runs in the background, as in a server.
fn measure(
    name: &str,
    count: usize,
    mut make: impl FnMut() -> (Host, Spec),
) -> Result<(), SandboxError> {
    let mut spawns = Vec::with_capacity(count);
    let mut lives = Vec::with_capacity(count);
    let begun = Instant::now();
    for _ in 0..count {
        let (host, spec) = make();
        let started = Instant::now();
        let sandbox = host.spawn(spec)?;
        spawns.push(started.elapsed());
        let exit = sandbox.wait()?;
        lives.push(started.elapsed());
        assert!(exit.status.success(), "/bin/true failed: {exit:?}");
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let (spawn_least, spawn_median) = least_and_median(&mut spawns);
    let (life_least, life_median) = least_and_median(&mut lives);
    println!(
        "{name:<29} spawn {spawn_least:>5} / {spawn_median:>5} µs   to reaped {life_least:>5} / \
         {life_median:>5} µs   {rate:>5.0}/s"
    );
    Ok(())
}

/// The same from two threads at once, as a burst of requests would.
fn parallel(name: &str, host: &Host, count: usize) -> Result<(), SandboxError> {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let run = || -> Result<(), SandboxError> {
            for _ in 0..count {
                let (host, spec) = spec(
                    host,
                    Network::Isolated {
                        listeners: vec![9001],
                    },
                );
                host.spawn(spec)?.wait()?;
            }
            Ok(())
        };
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("it does not panic"))
    })?;
    println!(
        "{name:<29} {:>5.0}/s",
        2.0 * count as f64 / begun.elapsed().as_secs_f64()
    );
    Ok(())
}

fn spec(host: &Host, network: Network) -> (Host, Spec) {
    let mut spec = Spec::new("/bin/true");
    // A whole CPU, or the measurement would be of the limit.
    spec.limits.cpu_millis = 1000;
    spec.network = network;
    (host.clone(), spec)
}

fn least_and_median(times: &mut [Duration]) -> (u128, u128) {
    times.sort_unstable();
    (times[0].as_micros(), times[times.len() / 2].as_micros())
}
