//! Measures many environments that each write to a `/tmp` of their own: start, memory, removal.
//!
//! `cargo run --release -p sandbox --example tmp_disks [COUNT [MEGABYTES]]`, as root for disks.

#![allow(clippy::print_stdout)]

use std::io::{Read, pipe};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use sandbox::{Host, HostConfig, Spec, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count = args
        .next()
        .map_or(Ok(100), |count| count.parse::<usize>())?;
    let megabytes = args.next().map_or(Ok(1), |size| size.parse::<u64>())?;
    let state = tempfile::tempdir()?;
    let instance = format!("tmp-disks-{}", std::process::id());
    let host = Host::open(&HostConfig::new(state.path(), instance))?;
    for finding in host.capabilities_report() {
        if finding.feature == "tmp on disk" {
            println!("{}: {}", finding.feature, finding.detail);
        }
    }

    let before = available_memory();
    let mut starts = Vec::with_capacity(count);
    let mut writes = Vec::with_capacity(count);
    let mut sandboxes = Vec::with_capacity(count);
    for _ in 0..count {
        let (mut reader, writer) = pipe()?;
        let mut spec = Spec::new("/bin/sh");
        let script = format!("head -c {megabytes}M /dev/zero > /tmp/f; echo; exec sleep 1000");
        spec.args = vec!["-c".into(), script.into()];
        spec.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        spec.limits.cpu_millis = 1000;
        spec.stdio.stdout = Stream::Fd(OwnedFd::from(writer));
        let begun = Instant::now();
        let sandbox = host.spawn(spec)?;
        starts.push(begun.elapsed());
        reader.read_exact(&mut [0])?;
        writes.push(begun.elapsed());
        sandboxes.push(sandbox);
    }
    report("start", &mut starts);
    report("started and written", &mut writes);
    let used = before.saturating_sub(available_memory());
    println!("memory of each         {:>8} KiB", used / count as u64);

    let mut resizes = Vec::with_capacity(count);
    for sandbox in &sandboxes {
        let begun = Instant::now();
        sandbox.resize_tmp(1 << 30)?;
        resizes.push(begun.elapsed());
    }
    report("change of the size", &mut resizes);

    let begun = Instant::now();
    drop(sandboxes);
    drop(host);
    let all = begun.elapsed();
    println!(
        "removal of each        {:>8} µs",
        all.as_micros() / count as u128
    );
    Ok(())
}

fn report(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let least = times[0].as_micros();
    let median = times[times.len() / 2].as_micros();
    println!("{name:<22} {least:>8} / {median} µs");
}

/// In KiB.
fn available_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let number = line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok());
    number.unwrap_or(0)
}
