//! Version 1: a tree for each controller, joined by the only thread of init writing `0`.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::files::{self, Folder};
use super::{CPU_PERIOD_MICROS, Figure, Hierarchy, Memory, MemoryAlarm, ownership, quota};
use crate::SandboxError;

const USAGE: &str = "memory.usage_in_bytes";
/// The most memory that was ever in use; writing to it has it begin anew.
const PEAK: &str = "memory.max_usage_in_bytes";
const ALONE: &str = "memory.limit_in_bytes";
/// What the kernel itself keeps for the group: names of files, for instance, and page tables.
const KERNEL: &str = "memory.kmem.usage_in_bytes";
/// The limit of memory and swap together.
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";

const FREEZER: &str = "freezer.state";
const FREEZE_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Version1 {
    // Each open and so marked as a living server's.
    memory: Option<Folder>,
    cpu: Option<Folder>,
    pids: Option<Folder>,
    freezer: Option<Folder>,
    /// Whether memory and swap together are accounted.
    accounts_swap: bool,
}

impl Version1 {
    /// `freezer` is to be taken where version 2, which has one built in, is not there.
    pub(super) fn claim(instance: &str, freezer: bool) -> Option<Self> {
        let mounts = files::mounts("cgroup");
        let claim = |controller: &str| {
            let holds = |options: &str| options.split(',').any(|option| option == controller);
            let (mount, _) = mounts.iter().find(|(_, options)| holds(options))?;
            claim_folder(mount, controller, instance)
        };
        let memory = claim("memory");
        let with_swap = |folder: &Folder| folder.path().join(WITH_SWAP).exists();
        let version = Self {
            accounts_swap: memory.as_ref().is_some_and(with_swap),
            memory,
            cpu: claim("cpu"),
            pids: claim("pids"),
            freezer: freezer.then(|| claim("freezer")).flatten(),
        };
        let mut folders = version.all();
        folders.next().is_some().then_some(())?;
        drop(folders);
        Some(version)
    }

    /// Each folder once, though controllers may share a tree (`cpu,cpuacct`).
    fn all(&self) -> impl Iterator<Item = &Folder> {
        let mut seen = Vec::new();
        let all = [&self.memory, &self.cpu, &self.pids, &self.freezer];
        all.into_iter().flatten().filter(move |folder| {
            let new = !seen.contains(&folder.path());
            seen.push(folder.path());
            new
        })
    }
}

/// Makes `kagero/<instance>` below the server's own group and clears it.
fn claim_folder(mount: &Path, controller: &str, instance: &str) -> Option<Folder> {
    let own = mount.join(files::own_group(controller)?);
    // Inside a container the mount may already be the server's own group.
    let own = if own.is_dir() { own } else { mount.to_owned() };
    let parent = own.join("kagero");
    let folder = parent.join(instance);
    let held = ownership::hold(&folder).ok()?;
    ownership::sweep(&parent);
    for leftover in files::children(&folder) {
        if let Err(error) = clear(&leftover) {
            tracing::warn!(%error, "remove a control group of an earlier server");
        }
    }
    files::is_writable(&folder.join("tasks")).then(|| Folder::new(folder, held))
}

/// Kills what is in a group and removes it.
fn clear(folder: &Path) -> Result<(), SandboxError> {
    let state = folder.join("freezer.state");
    if state.exists() {
        files::write(&state, "THAWED")?;
    }
    for pid in files::read(&folder.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
    {
        if let Ok(pid) = pid.parse::<i32>() {
            // SAFETY: takes only numbers. The group is ours, and so is every process in it.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }
    files::remove(folder)
}

impl Hierarchy for Version1 {
    fn create(&self, name: &str) -> Result<(), SandboxError> {
        self.all().try_for_each(|folder| folder.create(name))?;
        let Some(cpu) = &self.cpu else { return Ok(()) };
        // Here, because groups are made ahead: what all have in common is not a start's to do.
        cpu.write(name, "cpu.cfs_period_us", &CPU_PERIOD_MICROS.to_string())
    }

    fn limit_memory(&self, name: &str, bytes: u64) -> Result<(), SandboxError> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let bytes = match bytes {
            u64::MAX => String::from("-1"),
            bytes => bytes.to_string(),
        };
        if !self.accounts_swap {
            return memory.write(name, ALONE, &bytes);
        }
        // The second may never be less than the first.
        match memory.try_write(name, ALONE, &bytes) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                memory.write(name, WITH_SWAP, &bytes)?;
                memory.write(name, ALONE, &bytes)
            }
            Err(error) => Err(memory.failed("configure", name, ALONE, error)),
            Ok(()) => memory.write(name, WITH_SWAP, &bytes),
        }
    }

    fn limit_pids(&self, name: &str, pids: u32) -> Result<(), SandboxError> {
        let Some(folder) = &self.pids else {
            return Ok(());
        };
        // And one for init.
        folder.write(name, "pids.max", &(u64::from(pids) + 1).to_string())
    }

    fn limit_cpu(&self, name: &str, cpu_millis: Option<u32>) -> Result<(), SandboxError> {
        let Some(cpu) = &self.cpu else { return Ok(()) };
        cpu.write(name, "cpu.cfs_quota_us", &quota(cpu_millis, "-1"))
    }

    fn doors(&self, name: &str) -> Result<Vec<File>, SandboxError> {
        self.all()
            .map(|folder| folder.open(name, "tasks", libc::O_WRONLY))
            .collect()
    }

    fn birthplace(&self, _name: &str) -> Result<Option<OwnedFd>, SandboxError> {
        Ok(None)
    }

    fn account(&self, name: &str, figure: Figure) -> Result<u64, SandboxError> {
        let Some(folder) = &self.memory else {
            return Ok(0);
        };
        match figure {
            Figure::Memory => folder.read_number(name, USAGE),
            Figure::MemoryPeak => folder.read_number(name, PEAK),
            Figure::OomKills => {
                let control = folder.read(name, "memory.oom_control")?;
                Ok(files::field(&control, "oom_kill").unwrap_or(0))
            }
        }
    }

    fn memory(&self, name: &str) -> Result<Memory, SandboxError> {
        let Some(folder) = &self.memory else {
            return Err(SandboxError::Ended);
        };
        let used = folder.read_number(name, USAGE)?;
        let stat = folder.read(name, "memory.stat")?;
        // The cache of version 1 includes what lies in a tmpfs.
        let field = |key| files::field(&stat, key).unwrap_or(0);
        Ok(Memory {
            used,
            reclaimable: field("cache").saturating_sub(field("shmem")),
        })
    }

    /// Nothing says how much of the kernel's own could be taken back, as version 2 does, so the kernel is
    /// asked to: no limit can be set below what is in use, and it makes room before it refuses one, which may
    /// take it some 100 ms.
    fn make_room(&self, name: &str, bytes: u64) -> Result<bool, SandboxError> {
        let Some(folder) = &self.memory else {
            return Ok(false);
        };
        let used = folder.read_number(name, USAGE)?;
        if folder.read_number(name, KERNEL).unwrap_or(0) < bytes {
            return Ok(false);
        }
        let limit = folder.read_number(name, ALONE)?.to_string();
        let lower = used.saturating_sub(bytes).to_string();
        // Whatever it answers: names of files it does not count as room, though they are gone then.
        let _ = folder.try_write(name, ALONE, &lower);
        folder.write(name, ALONE, &limit)?;
        Ok(true)
    }

    fn alarm_at(&self, name: &str, _bytes: u64) -> Result<MemoryAlarm, SandboxError> {
        let Some(folder) = &self.memory else {
            return Err(SandboxError::Ended);
        };
        let usage = folder.open(name, USAGE, libc::O_RDONLY)?;
        Ok(MemoryAlarm::Polled { usage })
    }

    fn move_alarm(&self, _: &str, _: &MemoryAlarm, _: u64) -> Result<(), SandboxError> {
        Ok(())
    }

    fn can_freeze(&self) -> bool {
        self.freezer.is_some()
    }

    fn set_frozen(&self, name: &str, frozen: bool) -> Result<(), SandboxError> {
        let Some(freezer) = &self.freezer else {
            return Ok(());
        };
        let wanted = if frozen { "FROZEN" } else { "THAWED" };
        freezer.write(name, FREEZER, wanted)?;
        let started = Instant::now();
        while freezer.read(name, FREEZER)?.trim() != wanted {
            if started.elapsed() > FREEZE_PATIENCE {
                // Not left half frozen: a freeze that fails is none.
                let _ = freezer.try_write(name, FREEZER, "THAWED");
                return Err(SandboxError::Unresponsive { what: "freezer" });
            }
            thread::yield_now();
        }
        Ok(())
    }

    fn release_for_death(&self, name: &str) {
        if let Some(freezer) = &self.freezer {
            // Gone already when the sandbox is.
            let _ = freezer.try_write(name, FREEZER, "THAWED");
        }
    }

    fn is_empty(&self, name: &str) -> bool {
        // Whoever joins one joins all.
        let Some(folder) = self.all().next() else {
            return true;
        };
        folder
            .read(name, "tasks")
            .is_ok_and(|tasks| tasks.is_empty())
    }

    fn can_forget_peak(&self) -> bool {
        true
    }

    fn forget_peak(&self, name: &str) -> Result<(), SandboxError> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        memory.write(name, PEAK, "0")
    }

    fn remove(&self, name: &str) -> Result<(), SandboxError> {
        self.all().try_for_each(|folder| folder.remove(name))
    }

    fn controls(&self, controller: &str) -> bool {
        match controller {
            "memory" => self.memory.is_some(),
            "cpu" => self.cpu.is_some(),
            "pids" => self.pids.is_some(),
            _ => false,
        }
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.all().map(|folder| folder.path().to_owned()).collect()
    }
}

impl Drop for Version1 {
    fn drop(&mut self) {
        for folder in self.folders() {
            // Stays where another server's folder or a last environment still is.
            let _ = fs::remove_dir(&folder);
            let _ = folder.parent().map(fs::remove_dir);
        }
    }
}
