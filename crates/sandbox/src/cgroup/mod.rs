//! Control groups: limits, accounts and freezing for all processes of one environment.
//!
//! Version 1 and version 2 stand behind one trait, and on a hybrid host both are used: version 1
//! for the controllers it holds, version 2 to freeze, to kill and to be born in. Nothing is ever
//! attached by writing `cgroup.procs`, which waits for an RCU grace period (4 to 12 ms): a sandbox
//! is born in its version 2 group, and moves its own, only thread into the version 1 groups.

mod admission;
mod files;
mod group;
mod ownership;
mod v1;
mod v2;

use std::fmt::Debug;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Finding, SandboxError};

pub(crate) use admission::Admission;
pub use group::Cgroup;

/// As in Lambda: a small share is given out often rather than late.
const CPU_PERIOD_MICROS: u64 = 20_000;
/// The least the kernel accepts.
const LEAST_QUOTA_MICROS: u64 = 1_000;

/// One mounted kind of control groups, in which this server has a folder of its own.
trait Hierarchy: Debug + Send + Sync {
    /// Makes the group; limits come later.
    fn create(&self, name: &str) -> Result<(), SandboxError>;
    /// Each of these sets a limit if this hierarchy holds its controller. Memory in bytes, of all
    /// that the kernel charges; `u64::MAX` is no limit.
    fn limit_memory(&self, name: &str, bytes: u64) -> Result<(), SandboxError>;
    fn limit_pids(&self, name: &str, pids: u32) -> Result<(), SandboxError>;
    /// In thousandths of a processor; `None` is no limit.
    fn limit_cpu(&self, name: &str, cpu_millis: Option<u32>) -> Result<(), SandboxError>;
    /// The files by which init moves itself in, by writing `0`; none where it is born inside.
    fn doors(&self, name: &str) -> Result<Vec<File>, SandboxError>;
    /// The folder to be born in, for `CLONE_INTO_CGROUP`.
    fn birthplace(&self, name: &str) -> Result<Option<OwnedFd>, SandboxError>;
    /// What the hierarchy that holds the memory controller has accounted.
    fn account(&self, name: &str, figure: Figure) -> Result<u64, SandboxError>;
    /// Memory in use, where the controller is here.
    fn memory(&self, name: &str) -> Result<Memory, SandboxError>;
    /// Has the kernel take back this much, where it may be able to and `memory` cannot say so. False
    /// where that cannot be: there is nothing of the sort, or `memory` says it all.
    fn make_room(&self, name: &str, bytes: u64) -> Result<bool, SandboxError>;
    /// Arranges to learn when memory in use reaches this many bytes.
    fn alarm_at(&self, name: &str, bytes: u64) -> Result<MemoryAlarm, SandboxError>;
    /// Acknowledges an alarm and moves it up.
    fn move_alarm(&self, name: &str, alarm: &MemoryAlarm, bytes: u64) -> Result<(), SandboxError>;
    fn can_freeze(&self) -> bool;
    /// Done on return: no process of the group runs any more, or all do again.
    fn set_frozen(&self, name: &str, frozen: bool) -> Result<(), SandboxError>;
    /// Frozen processes of version 1 do not die; this lets them.
    fn release_for_death(&self, name: &str);
    /// Whether no process is in the group.
    fn is_empty(&self, name: &str) -> bool;
    /// Whether the most memory that was ever in use can begin anew.
    fn can_forget_peak(&self) -> bool;
    fn forget_peak(&self, name: &str) -> Result<(), SandboxError>;
    /// Kills what is left inside and removes the group.
    fn remove(&self, name: &str) -> Result<(), SandboxError>;
    /// Whether it limits and accounts with this controller: `memory`, `cpu`, `pids`.
    fn controls(&self, controller: &str) -> bool;
    /// The server's own folder.
    fn folders(&self) -> Vec<PathBuf>;
}

/// Every usable hierarchy of the host.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups {
    hierarchies: Arc<[Box<dyn Hierarchy>]>,
    next: Arc<AtomicU64>,
}

/// What a group has used since it was made.
#[derive(Debug, Clone, Copy)]
enum Figure {
    /// In bytes: in use now, and the most that ever was.
    Memory,
    MemoryPeak,
    /// Processes killed at the limit of memory.
    OomKills,
}

/// Memory of a group, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// All that is charged: memory, `/tmp`, page cache.
    pub(crate) used: u64,
    /// Page cache that the kernel takes back when it needs to, and what else is known to be so.
    pub(crate) reclaimable: u64,
}

/// How memory in use reaching a mark is learnt.
#[derive(Debug)]
pub(crate) enum MemoryAlarm {
    /// The descriptor has one of these epoll events.
    Event { fd: OwnedFd, events: u32 },
    /// By reading this file now and then: version 1 reports marks as well, but setting one waits
    /// for an RCU grace period of many milliseconds.
    Polled { usage: File },
}

/// The group of one environment, as far as its memory goes.
#[derive(Debug, Clone)]
pub(crate) struct MemoryGroup {
    name: String,
    hierarchies: Arc<[Box<dyn Hierarchy>]>,
    /// Which of them holds the memory controller.
    holder: usize,
}

impl MemoryGroup {
    pub(crate) fn memory(&self) -> Result<Memory, SandboxError> {
        self.hierarchies[self.holder].memory(&self.name)
    }

    pub(crate) fn make_room(&self, bytes: u64) -> Result<bool, SandboxError> {
        self.hierarchies[self.holder].make_room(&self.name, bytes)
    }

    pub(crate) fn alarm_at(&self, bytes: u64) -> Result<MemoryAlarm, SandboxError> {
        self.hierarchies[self.holder].alarm_at(&self.name, bytes)
    }

    pub(crate) fn move_alarm(&self, alarm: &MemoryAlarm, bytes: u64) -> Result<(), SandboxError> {
        self.hierarchies[self.holder].move_alarm(&self.name, alarm, bytes)
    }
}

impl Cgroups {
    /// Takes the folder `kagero/<instance>` in every hierarchy that lets this user have one, and
    /// clears it of what an earlier server of that name left; of others that were killed, it removes
    /// what holds no process any more.
    pub(crate) fn claim(instance: &str) -> Self {
        let mut hierarchies: Vec<Box<dyn Hierarchy>> = Vec::new();
        let version2 = v2::Version2::claim(instance);
        let freezes = version2.is_some();
        if let Some(version1) = v1::Version1::claim(instance, !freezes) {
            hierarchies.push(Box::new(version1));
        }
        if let Some(version2) = version2 {
            hierarchies.push(Box::new(version2));
        }
        Self {
            hierarchies: hierarchies.into(),
            next: Arc::default(),
        }
    }

    /// No control groups at all.
    pub(crate) fn none() -> Self {
        Self {
            hierarchies: Arc::new([]),
            next: Arc::default(),
        }
    }

    pub(crate) fn controls(&self, controller: &str) -> bool {
        self.hierarchies.iter().any(|one| one.controls(controller))
    }

    /// A new group without limits; `None` where control groups cannot be used.
    pub(crate) fn create(&self) -> Result<Option<Cgroup>, SandboxError> {
        if self.hierarchies.is_empty() {
            return Ok(None);
        }
        let name = format!("e{}", self.next.fetch_add(1, Ordering::Relaxed));
        Cgroup::create(name, &self.hierarchies).map(Some)
    }

    /// What `kagero doctor` says of them.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let freezer = self.hierarchies.iter().find(|one| one.can_freeze());
        let place = freezer
            .and_then(|one| one.folders().pop())
            .unwrap_or_default();
        vec![
            self.finding(
                "memory limit",
                "memory",
                "a look at its processes every 20 ms, and a data-segment rlimit for each",
            ),
            self.finding(
                "cpu limit",
                "cpu",
                "no limit: functions share the processors freely",
            ),
            self.finding(
                "process limit",
                "pids",
                "a process rlimit for each user namespace or uid",
            ),
            Finding {
                feature: "freezer",
                available: freezer.is_some(),
                detail: if freezer.is_some() {
                    format!("control groups in {}", place.display())
                } else {
                    String::from("no control group; environments are stopped by SIGSTOP")
                },
            },
        ]
    }

    fn finding(&self, feature: &'static str, controller: &str, otherwise: &str) -> Finding {
        let holder = self.hierarchies.iter().find(|one| one.controls(controller));
        let detail = match holder {
            Some(hierarchy) => {
                let mut folders = hierarchy.folders().into_iter();
                let folder = folders.find(|folder| {
                    let folder = folder.to_string_lossy();
                    folder.split(['/', ',']).any(|part| part == controller)
                });
                let folder = folder.or_else(|| hierarchy.folders().into_iter().next());
                format!("control groups in {}", folder.unwrap_or_default().display())
            }
            None => format!("no usable `{controller}` control group; instead, {otherwise}"),
        };
        Finding {
            feature,
            available: holder.is_some(),
            detail,
        }
    }
}

/// The processor time of each period, in microseconds, or the word for no limit.
fn quota(cpu_millis: Option<u32>, unlimited: &str) -> String {
    let micros = |millis| u64::from(millis) * CPU_PERIOD_MICROS / 1000;
    cpu_millis.map_or_else(
        || unlimited.to_owned(),
        |millis| micros(millis).max(LEAST_QUOTA_MICROS).to_string(),
    )
}
