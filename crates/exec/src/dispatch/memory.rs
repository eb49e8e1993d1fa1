//! How much memory the host can still give.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long a reading is good: it costs a tenth of a start, and that many starts take little.
const FRESH: Duration = Duration::from_millis(50);

/// The memory of the host, or of the control group that limits the server to less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostMemory {
    /// In bytes.
    pub total: u64,
    /// What can be had without swapping, in bytes.
    pub available: u64,
}

/// Reads [`HostMemory`]; `None` where the kernel does not tell.
#[derive(Clone)]
pub struct MemoryProbe(Arc<dyn Fn() -> Option<HostMemory> + Send + Sync>);

impl MemoryProbe {
    pub fn new(read: impl Fn() -> Option<HostMemory> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub fn read(&self) -> Option<HostMemory> {
        (self.0)()
    }
}

/// What the kernel says of this host.
impl Default for MemoryProbe {
    fn default() -> Self {
        let groups = groups_of_this_process();
        let last = Mutex::new(None);
        let read = move || {
            let host = host(&fs::read_to_string("/proc/meminfo").ok()?)?;
            let limits = groups.iter().filter_map(|group| limited(group));
            let tightest = limits.min_by_key(|limit| limit.available);
            Some(match tightest {
                Some(limit) if limit.available < host.available => limit,
                _ => host,
            })
        };
        Self::new(move || {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            match *last {
                Some((at, memory)) if now.duration_since(at) < FRESH => memory,
                _ => {
                    let memory = read();
                    *last = Some((now, memory));
                    memory
                }
            }
        })
    }
}

impl fmt::Debug for MemoryProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryProbe")
    }
}

fn host(meminfo: &str) -> Option<HostMemory> {
    Some(HostMemory {
        total: field(meminfo, "MemTotal:")? * 1024,
        available: field(meminfo, "MemAvailable:")? * 1024,
    })
}

/// The number after a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// What a control group leaves, if it limits memory at all.
fn limited(group: &Path) -> Option<HostMemory> {
    let read = |name| fs::read_to_string(group.join(name)).ok();
    let number = |names: [&'static str; 2]| {
        let text = names.into_iter().find_map(read)?;
        text.trim().parse::<u64>().ok()
    };
    let total = number(["memory.max", "memory.limit_in_bytes"])?;
    let used = number(["memory.current", "memory.usage_in_bytes"])?;
    // Files that were read and may be forgotten count as used.
    let stat = read("memory.stat").unwrap_or_default();
    let cache = field(&stat, "total_inactive_file ").or_else(|| field(&stat, "inactive_file "));
    let used = used.saturating_sub(cache.unwrap_or_default());
    Some(HostMemory {
        total,
        available: total.saturating_sub(used),
    })
}

/// The control groups whose limits hold for this process, by both versions of the interface.
fn groups_of_this_process() -> Vec<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut folders = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            "memory" => Path::new("/sys/fs/cgroup/memory"),
            _ => continue,
        };
        let own = root.join(path.trim_start_matches('/'));
        let with_parents = own
            .ancestors()
            .take_while(|folder| folder.starts_with(root));
        folders.extend(with_parents.map(Path::to_owned));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_host_and_the_limits_of_both_kinds_of_group() {
        let meminfo = "MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n";
        let (total, available) = (2 << 20, 1 << 20);
        assert_eq!(host(meminfo), Some(HostMemory { total, available }));
        assert!(
            MemoryProbe::default()
                .read()
                .is_some_and(|memory| { memory.available > 0 && memory.available <= memory.total })
        );
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("memory.current", "900\n");
        write("memory.max", "max\n");
        write("memory.stat", "anon 100\ninactive_file 300\n");
        assert_eq!(limited(folder.path()), None, "no limit");
        write("memory.max", "1000\n");
        let (total, available) = (1_000, 400);
        assert_eq!(
            limited(folder.path()),
            Some(HostMemory { total, available })
        );
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("memory.limit_in_bytes", "1000\n");
        write("memory.usage_in_bytes", "1100\n");
        write("memory.stat", "inactive_file 1\ntotal_inactive_file 300\n");
        let available = 200;
        assert_eq!(
            limited(folder.path()),
            Some(HostMemory { total, available })
        );
    }
}
