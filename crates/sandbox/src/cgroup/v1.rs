//! Version 1: a tree for each controller, joined by the only thread of init writing `0`.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{CPU_PERIOD_MICROS, Hierarchy, Memory, MemoryAlarm};
use super::{files, ownership, quota};
use crate::SandboxError;
use crate::sandbox::Usage;

/// The limit of memory and swap together.
const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";

const FREEZE_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Version1 {
    memory: Option<PathBuf>,
    cpu: Option<PathBuf>,
    accounts: Option<PathBuf>,
    pids: Option<PathBuf>,
    freezer: Option<PathBuf>,
    /// Whether memory and swap together are accounted.
    accounts_swap: bool,
    /// The same folders, marked as a living server's.
    _held: Vec<File>,
}

impl Version1 {
    /// `whole` also takes the controllers that version 2 has built in: accounts and freezer.
    pub(super) fn claim(instance: &str, whole: bool) -> Option<Self> {
        let mounts = files::mounts("cgroup");
        let mut held = Vec::new();
        let mut claim = |controller: &str| {
            let holds = |options: &str| options.split(',').any(|option| option == controller);
            let (mount, _) = mounts.iter().find(|(_, options)| holds(options))?;
            let (folder, lock) = claim_folder(mount, controller, instance)?;
            held.push(lock);
            Some(folder)
        };
        let memory = claim("memory");
        let with_swap = |folder: &PathBuf| folder.join(WITH_SWAP).exists();
        let version = Self {
            accounts_swap: memory.as_ref().is_some_and(with_swap),
            memory,
            cpu: claim("cpu"),
            accounts: whole.then(|| claim("cpuacct")).flatten(),
            pids: claim("pids"),
            freezer: whole.then(|| claim("freezer")).flatten(),
            _held: held,
        };
        let mut folders = version.all();
        folders.next().is_some().then_some(())?;
        drop(folders);
        Some(version)
    }

    fn memory_folder(&self, name: &str) -> PathBuf {
        self.memory
            .as_ref()
            .map(|memory| memory.join(name))
            .unwrap_or_default()
    }

    /// Each folder once, though controllers may share a tree (`cpu,cpuacct`).
    fn all(&self) -> impl Iterator<Item = &Path> {
        let mut seen = Vec::new();
        let all = [
            &self.memory,
            &self.cpu,
            &self.accounts,
            &self.pids,
            &self.freezer,
        ];
        all.into_iter().flatten().filter_map(move |folder| {
            let new = !seen.contains(&folder);
            seen.push(folder);
            new.then_some(folder.as_path())
        })
    }
}

/// Makes `kagero/<instance>` below the server's own group and clears it.
fn claim_folder(mount: &Path, controller: &str, instance: &str) -> Option<(PathBuf, File)> {
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
    files::is_writable(&folder.join("tasks")).then_some((folder, held))
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
        self.all()
            .try_for_each(|folder| files::create(&folder.join(name)))?;
        let Some(cpu) = &self.cpu else { return Ok(()) };
        // Here, because groups are made ahead: what all have in common is not a start's to do.
        let period = cpu.join(name).join("cpu.cfs_period_us");
        files::write(&period, &CPU_PERIOD_MICROS.to_string())
    }

    fn limit_memory(&self, name: &str, bytes: u64) -> Result<(), SandboxError> {
        if let Some(memory) = &self.memory {
            let folder = memory.join(name);
            let bytes = bytes.to_string();
            files::write(&folder.join("memory.limit_in_bytes"), &bytes)?;
            if self.accounts_swap {
                files::write(&folder.join(WITH_SWAP), &bytes)?;
            }
        }
        Ok(())
    }

    fn limit_pids(&self, name: &str, pids: u32) -> Result<(), SandboxError> {
        let Some(folder) = &self.pids else {
            return Ok(());
        };
        // And one for init.
        let most = (u64::from(pids) + 1).to_string();
        files::write(&folder.join(name).join("pids.max"), &most)
    }

    fn limit_cpu(&self, name: &str, cpu_millis: Option<u32>) -> Result<(), SandboxError> {
        let Some(cpu) = &self.cpu else { return Ok(()) };
        let quota = quota(cpu_millis, "-1");
        files::write(&cpu.join(name).join("cpu.cfs_quota_us"), &quota)
    }

    fn doors(&self, name: &str) -> Result<Vec<File>, SandboxError> {
        let door = |folder: &Path| {
            let tasks = folder.join(name).join("tasks");
            let opened = fs::OpenOptions::new().write(true).open(&tasks);
            opened.map_err(|source| files::failed("open", &tasks, source))
        };
        self.all().map(door).collect()
    }

    fn birthplace(&self, _name: &str) -> Result<Option<OwnedFd>, SandboxError> {
        Ok(None)
    }

    fn account(&self, name: &str, usage: &mut Usage) -> Result<(), SandboxError> {
        if let Some(memory) = &self.memory {
            let folder = memory.join(name);
            usage.memory_bytes = files::read_number(&folder.join("memory.usage_in_bytes"))?;
            let peak = folder.join("memory.max_usage_in_bytes");
            usage.memory_peak_bytes = files::read_number(&peak)?;
            let control = files::read(&folder.join("memory.oom_control"))?;
            usage.oom_kills = files::field(&control, "oom_kill").unwrap_or(0);
        }
        if let Some(accounts) = &self.accounts {
            let nanos = files::read_number(&accounts.join(name).join("cpuacct.usage"))?;
            usage.cpu_time = Duration::from_nanos(nanos);
        }
        Ok(())
    }

    fn memory(&self, name: &str) -> Result<Memory, SandboxError> {
        let folder = self.memory_folder(name);
        let used = files::read_number(&folder.join("memory.usage_in_bytes"))?;
        let stat = files::read(&folder.join("memory.stat"))?;
        // The cache of version 1 includes what lies in a tmpfs.
        let field = |key| files::field(&stat, key).unwrap_or(0);
        Ok(Memory {
            used,
            reclaimable: field("cache").saturating_sub(field("shmem")),
        })
    }

    fn alarm_at(&self, name: &str, _bytes: u64) -> Result<MemoryAlarm, SandboxError> {
        let path = self.memory_folder(name).join("memory.usage_in_bytes");
        let usage = File::open(&path).map_err(|source| files::failed("open", &path, source))?;
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
        let path = freezer.join(name).join("freezer.state");
        files::write(&path, wanted)?;
        let started = Instant::now();
        while files::read(&path)?.trim() != wanted {
            if started.elapsed() > FREEZE_PATIENCE {
                // Not left half frozen: a freeze that fails is none.
                let _ = files::try_write(&path, "THAWED");
                return Err(SandboxError::Unresponsive { what: "freezer" });
            }
            thread::yield_now();
        }
        Ok(())
    }

    fn release_for_death(&self, name: &str) {
        if let Some(freezer) = &self.freezer {
            // Gone already when the sandbox is.
            let _ = files::try_write(&freezer.join(name).join("freezer.state"), "THAWED");
        }
    }

    fn remove(&self, name: &str) -> Result<(), SandboxError> {
        self.all()
            .try_for_each(|folder| files::remove(&folder.join(name)))
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
        self.all().map(Path::to_owned).collect()
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
