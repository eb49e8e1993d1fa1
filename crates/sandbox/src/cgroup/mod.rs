//! Control groups: limits, accounts and freezing for all processes of one environment.
//!
//! Version 1 and version 2 stand behind one trait, and on a hybrid host both are used: version 1
//! for the controllers it holds, version 2 to freeze, to kill and to be born in. Nothing is ever
//! attached by writing `cgroup.procs`, which waits for an RCU grace period (4 to 12 ms): a sandbox
//! is born in its version 2 group, and moves its own, only thread into the version 1 groups.

mod files;
mod ownership;
mod v1;
mod v2;

use std::fmt::Debug;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::plan::{Call, Phase, Plan};
use crate::sandbox::Usage;
use crate::spec::Limits;
use crate::{Finding, SandboxError};

/// As in Lambda: a small share is given out often rather than late.
const CPU_PERIOD_MICROS: u64 = 20_000;
/// The least the kernel accepts.
const LEAST_QUOTA_MICROS: u64 = 1_000;

/// One mounted kind of control groups, in which this server has a folder of its own.
trait Hierarchy: Debug + Send + Sync {
    /// Makes the group; limits come later.
    fn create(&self, name: &str) -> Result<(), SandboxError>;
    /// Each of these sets a limit if this hierarchy holds its controller. Memory in bytes, of all
    /// that the kernel charges.
    fn limit_memory(&self, name: &str, bytes: u64) -> Result<(), SandboxError>;
    fn limit_pids(&self, name: &str, pids: u32) -> Result<(), SandboxError>;
    /// In thousandths of a processor; `None` is no limit.
    fn limit_cpu(&self, name: &str, cpu_millis: Option<u32>) -> Result<(), SandboxError>;
    /// The files by which init moves itself in, by writing `0`; none where it is born inside.
    fn doors(&self, name: &str) -> Result<Vec<File>, SandboxError>;
    /// The folder to be born in, for `CLONE_INTO_CGROUP`.
    fn birthplace(&self, name: &str) -> Result<Option<OwnedFd>, SandboxError>;
    /// Adds what this hierarchy has accounted.
    fn account(&self, name: &str, usage: &mut Usage) -> Result<(), SandboxError>;
    /// Memory in use, where the controller is here.
    fn memory(&self, name: &str) -> Result<Memory, SandboxError>;
    /// Arranges to learn when memory in use reaches this many bytes.
    fn alarm_at(&self, name: &str, bytes: u64) -> Result<MemoryAlarm, SandboxError>;
    /// Acknowledges an alarm and moves it up.
    fn move_alarm(&self, name: &str, alarm: &MemoryAlarm, bytes: u64) -> Result<(), SandboxError>;
    fn can_freeze(&self) -> bool;
    /// Done on return: no process of the group runs any more, or all do again.
    fn set_frozen(&self, name: &str, frozen: bool) -> Result<(), SandboxError>;
    /// Frozen processes of version 1 do not die; this lets them.
    fn release_for_death(&self, name: &str);
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

/// The control group of one environment; removed by its sandbox, or when dropped unused.
#[derive(Debug)]
pub struct Cgroup {
    name: String,
    hierarchies: Arc<[Box<dyn Hierarchy>]>,
    /// As they were set last.
    limits: Mutex<Option<Limits>>,
    removed: bool,
}

/// Memory of a group, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// All that is charged: memory, `/tmp`, page cache.
    pub(crate) used: u64,
    /// Page cache that the kernel takes back when it needs to.
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
#[derive(Debug)]
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
        let group = Cgroup {
            name,
            hierarchies: Arc::clone(&self.hierarchies),
            limits: Mutex::default(),
            removed: false,
        };
        for hierarchy in self.hierarchies.iter() {
            hierarchy.create(&group.name)?;
        }
        Ok(Some(group))
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

impl Cgroup {
    /// Sets the limits, those that have changed: each write takes the kernel its time, and a group
    /// gets three sets of them until its function runs.
    pub(crate) fn limit(&self, limits: &Limits) -> Result<(), SandboxError> {
        self.limit_cpu(limits.cpu_millis)?;
        let mut current = self.current();
        let bytes = limits.hard_memory_bytes();
        for one in self.hierarchies.iter() {
            if current.is_none_or(|now| now.hard_memory_bytes() != bytes) && bytes < u64::MAX {
                one.limit_memory(&self.name, bytes)?;
            }
            if current.is_none_or(|now| now.pids != limits.pids) {
                one.limit_pids(&self.name, limits.pids)?;
            }
        }
        *current = Some(*limits);
        Ok(())
    }

    pub(crate) fn limit_cpu(&self, cpu_millis: u32) -> Result<(), SandboxError> {
        let mut current = self.current();
        // A new group has no limit. Each that is set has the kernel look at all groups there are.
        let (before, after) = (
            current.and_then(|now| below_all(now.cpu_millis)),
            below_all(cpu_millis),
        );
        if before != after {
            for one in self.hierarchies.iter() {
                one.limit_cpu(&self.name, after)?;
            }
        }
        if let Some(now) = current.as_mut() {
            now.cpu_millis = cpu_millis;
        }
        Ok(())
    }

    fn current(&self) -> MutexGuard<'_, Option<Limits>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the steps by which init moves itself in, and returns the files they need open until
    /// then: their paths are not visible where a zygote forks.
    pub(crate) fn join(&self, plan: &mut Plan) -> Result<Vec<File>, SandboxError> {
        let mut doors = Vec::new();
        for hierarchy in self.hierarchies.iter() {
            doors.extend(hierarchy.doors(&self.name)?);
        }
        let zero = plan.bytes(b"0");
        for door in &doors {
            let inside = plan.keep(door.as_raw_fd());
            let write = Call::new(libc::SYS_write)
                .with_int(inside)
                .with(zero)
                .with(1);
            plan.push(Phase::Setup, "join a control group", write);
        }
        Ok(doors)
    }

    pub(crate) fn birthplace(&self) -> Result<Option<OwnedFd>, SandboxError> {
        for hierarchy in self.hierarchies.iter() {
            if let Some(folder) = hierarchy.birthplace(&self.name)? {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    }

    /// The part of it that the memory guard needs; `None` without a memory controller.
    pub(crate) fn memory_group(&self) -> Option<MemoryGroup> {
        let holder = self
            .hierarchies
            .iter()
            .position(|one| one.controls("memory"))?;
        let hierarchies = Arc::clone(&self.hierarchies);
        Some(MemoryGroup {
            name: self.name.clone(),
            hierarchies,
            holder,
        })
    }

    pub(crate) fn usage(&self) -> Result<Usage, SandboxError> {
        let mut usage = Usage::default();
        for hierarchy in self.hierarchies.iter() {
            hierarchy.account(&self.name, &mut usage)?;
        }
        Ok(usage)
    }

    pub(crate) fn can_freeze(&self) -> bool {
        self.hierarchies.iter().any(|one| one.can_freeze())
    }

    pub(crate) fn set_frozen(&self, frozen: bool) -> Result<(), SandboxError> {
        let mut freezers = self.hierarchies.iter().filter(|one| one.can_freeze());
        freezers.try_for_each(|one| one.set_frozen(&self.name, frozen))
    }

    pub(crate) fn release_for_death(&self) {
        self.hierarchies
            .iter()
            .for_each(|one| one.release_for_death(&self.name));
    }

    /// Removes the group, which should be empty by now.
    pub(crate) fn remove(mut self) -> Result<(), SandboxError> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<(), SandboxError> {
        self.removed = true;
        self.hierarchies
            .iter()
            .try_for_each(|one| one.remove(&self.name))
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

/// What is less than all processors together; as much, or more, is no limit.
fn below_all(cpu_millis: u32) -> Option<u32> {
    static ALL_MILLIS: OnceLock<u32> = OnceLock::new();
    let all = ALL_MILLIS.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(usize::MAX, usize::from);
        u32::try_from(processors.saturating_mul(1000)).unwrap_or(u32::MAX)
    });
    (cpu_millis < *all).then_some(cpu_millis)
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if !self.removed
            && let Err(error) = self.take_down()
        {
            tracing::warn!(%error, "remove an unused control group");
        }
    }
}
