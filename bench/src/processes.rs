//! What processes weigh, by what the kernel tells.

use std::time::Duration;

use anyhow::Context;

/// The memory of a process and all below it in KiB, each shared page counted by the part of those
/// who share it.
pub fn proportional_kib(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = text.lines().find(|line| line.starts_with("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    let own: u64 = number.context("no Pss")?.parse()?;
    let below: u64 = children(pid)
        .into_iter()
        // One that has just ended weighs nothing.
        .filter_map(|child| proportional_kib(child).ok())
        .sum();
    Ok(own + below)
}

/// What a process has used of processors since it began, in user and kernel mode.
pub fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name before it may contain spaces.
    let (_, fields) = text.rsplit_once(')').context("a name")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks
        .map(str::parse::<u64>)
        .sum::<Result<u64, _>>()
        .context("times")?;
    // Linux counts in hundredths wherever it tells programs.
    Ok(Duration::from_millis(ticks * 10))
}

fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    threads
        .into_iter()
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|text| {
            let pids = text.split_whitespace().map(str::parse);
            pids.filter_map(Result::ok).collect::<Vec<_>>()
        })
        .collect()
}

pub fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1_024.0)
}

/// Kills a child of ours and every process below it, by their numbers.
pub fn end(child: &mut std::process::Child) {
    let mut doomed = vec![child.id()];
    let mut next = 0;
    while let Some(pid) = doomed.get(next) {
        doomed.extend(children(*pid));
        next += 1;
    }
    // The parents first, so that none starts another.
    let mut kill = std::process::Command::new("kill");
    kill.arg("-KILL").args(doomed.iter().map(u32::to_string));
    let _ = kill.stderr(std::process::Stdio::null()).status();
    let _ = child.wait();
}
