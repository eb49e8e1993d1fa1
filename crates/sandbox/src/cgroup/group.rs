//! The control group of one environment, and then of another: making and ending one takes the kernel
//! longer than all that is done with it.
//!
//! What can be told apart stays apart. A group is used again only when no process is left in it, none
//! was killed in it for its memory, and almost nothing is charged to it any more; its peak begins anew.
//! Its limits stay as long as the next one's are the same.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Figure, Hierarchy, MemoryGroup};
use crate::SandboxError;
use crate::plan::{Call, Phase, Plan};
use crate::sandbox::Usage;
use crate::spec::Limits;
use crate::stock::Taken;

/// What may still be charged to a group that is used again, in bytes: caches that the kernel keeps, of
/// names for instance. The next environment has so much less, and none of it in what it used.
const MOST_LEFT: u64 = 512 << 10;

/// The control group of one environment; removed when dropped.
#[derive(Debug)]
pub struct Cgroup {
    name: String,
    hierarchies: Arc<[Box<dyn Hierarchy>]>,
    /// As they were set last.
    limits: Mutex<Option<Limits>>,
    /// Whether it was frozen and not thawed.
    frozen: AtomicBool,
    /// Whether its limits may be others, since setting them failed.
    in_doubt: AtomicBool,
    /// Bytes that those before have left; `None` where nobody was.
    left: Option<u64>,
    /// The stock that it goes back to.
    pub(crate) home: Option<Sender<Taken>>,
    removed: bool,
}

impl Cgroup {
    /// A new one, without limits.
    pub(super) fn create(
        name: String,
        hierarchies: &Arc<[Box<dyn Hierarchy>]>,
    ) -> Result<Self, SandboxError> {
        let group = Self {
            name,
            hierarchies: Arc::clone(hierarchies),
            limits: Mutex::default(),
            frozen: AtomicBool::new(false),
            in_doubt: AtomicBool::new(false),
            left: None,
            home: None,
            removed: false,
        };
        for hierarchy in hierarchies.iter() {
            hierarchy.create(&group.name)?;
        }
        Ok(group)
    }

    /// Gives it back once no process of its environment lives, or removes it.
    pub(crate) fn give_back(mut self) -> Result<(), SandboxError> {
        let home = self.home.take().filter(|_| self.can_be_used_again());
        match home {
            Some(stock) => {
                self.left = Some(0);
                // Without its thread the stock is no more, and what is dropped is removed.
                let _ = stock.send(Taken::CgroupBack(self));
                Ok(())
            }
            None => self.take_down(),
        }
    }

    fn can_be_used_again(&self) -> bool {
        let thawed = !self.frozen.load(Ordering::Relaxed) || self.set_frozen(false).is_ok();
        let mut all = self.hierarchies.iter();
        thawed
            && !self.in_doubt.load(Ordering::Relaxed)
            && all.all(|one| one.can_forget_peak() && one.is_empty(&self.name))
            && self
                .accounted(Figure::OomKills)
                .is_ok_and(|kills| kills == 0)
    }

    /// Makes it as new, should somebody have been in it. False where it cannot be.
    pub(crate) fn begin(&mut self) -> bool {
        if self.left.is_none() {
            return true;
        }
        let begin = || -> Result<u64, SandboxError> {
            for one in self.hierarchies.iter() {
                one.forget_peak(&self.name)?;
            }
            self.accounted(Figure::Memory)
        };
        self.left = begin().ok();
        self.left.is_some_and(|left| left <= MOST_LEFT)
    }

    /// Sets the limits, those that have changed: each write takes the kernel its time, and a group
    /// gets up to three sets of them until its function runs.
    pub(crate) fn limit(&self, limits: &Limits) -> Result<(), SandboxError> {
        self.try_limit(limits).inspect_err(|_| self.doubt())
    }

    fn try_limit(&self, limits: &Limits) -> Result<(), SandboxError> {
        self.limit_cpu(limits.cpu_millis)?;
        let mut current = self.current();
        let bytes = limits.hard_memory_bytes();
        for one in self.hierarchies.iter() {
            if current.map_or(u64::MAX, |now| now.hard_memory_bytes()) != bytes {
                one.limit_memory(&self.name, bytes)?;
            }
            if current.is_none_or(|now| now.pids != limits.pids) {
                one.limit_pids(&self.name, limits.pids)?;
            }
        }
        *current = Some(*limits);
        Ok(())
    }

    /// The limits of a program that is nobody's yet and never looks at them: what memory those before
    /// had may be its limit until then, which often is the next one's too.
    pub(crate) fn limit_for_now(&self, limits: &Limits) -> Result<(), SandboxError> {
        let kept = self.current().map(|now| Limits {
            memory_bytes: now.memory_bytes,
            tmp_bytes: now.tmp_bytes,
            ..*limits
        });
        self.limit(kept.as_ref().unwrap_or(limits))
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
                one.limit_cpu(&self.name, after)
                    .inspect_err(|_| self.doubt())?;
            }
        }
        if let Some(now) = current.as_mut() {
            now.cpu_millis = cpu_millis;
        }
        Ok(())
    }

    fn doubt(&self) {
        self.in_doubt.store(true, Ordering::Relaxed);
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

    /// What its environment has used.
    pub(crate) fn usage(&self) -> Result<Usage, SandboxError> {
        let memory = self.accounted(Figure::Memory)?;
        Ok(Usage {
            memory_bytes: memory.saturating_sub(self.left.unwrap_or(0)),
            memory_peak_bytes: self.memory_peak()?,
            oom_kills: self.oom_kills()?,
        })
    }

    /// The most memory that was ever in use, in bytes; 0 where that is not known.
    pub(crate) fn memory_peak(&self) -> Result<u64, SandboxError> {
        let peak = self.accounted(Figure::MemoryPeak)?;
        Ok(peak.saturating_sub(self.left.unwrap_or(0)))
    }

    /// How many processes the kernel killed at the limit of memory.
    pub(crate) fn oom_kills(&self) -> Result<u64, SandboxError> {
        self.accounted(Figure::OomKills)
    }

    /// What all that were in it have used; 0 where that is not accounted.
    fn accounted(&self, figure: Figure) -> Result<u64, SandboxError> {
        let mut all = self.hierarchies.iter();
        let holder = all.find(|one| one.controls("memory"));
        holder.map_or(Ok(0), |one| one.account(&self.name, figure))
    }

    pub(crate) fn can_freeze(&self) -> bool {
        self.hierarchies.iter().any(|one| one.can_freeze())
    }

    pub(crate) fn set_frozen(&self, frozen: bool) -> Result<(), SandboxError> {
        let mut freezers = self.hierarchies.iter().filter(|one| one.can_freeze());
        // Where it fails, it may be either.
        self.frozen.store(true, Ordering::Relaxed);
        freezers.try_for_each(|one| one.set_frozen(&self.name, frozen))?;
        self.frozen.store(frozen, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn release_for_death(&self) {
        self.hierarchies
            .iter()
            .for_each(|one| one.release_for_death(&self.name));
    }

    fn take_down(&mut self) -> Result<(), SandboxError> {
        self.removed = true;
        self.hierarchies
            .iter()
            .try_for_each(|one| one.remove(&self.name))
    }
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
            tracing::warn!(%error, "remove a control group");
        }
    }
}
