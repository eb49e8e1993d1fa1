//! Version 2: one tree for every controller; sandboxes are born inside, frozen and killed as one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::files::{self, Folder};
use super::{CPU_PERIOD_MICROS, Figure, Hierarchy, Memory, MemoryAlarm, ownership, quota};
use crate::SandboxError;

const WANTED: [&str; 3] = ["memory", "cpu", "pids"];

const CURRENT: &str = "memory.current";
const SWAP: &str = "memory.swap.max";
const FREEZER: &str = "cgroup.freeze";
const FREEZE_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Version2 {
    /// Open and so marked as a living server's.
    folder: Folder,
    /// Those of `WANTED` that the folder's children have.
    controllers: Vec<&'static str>,
}

impl Version2 {
    /// Looks for the place with the most controllers, from the server's own group upwards: a group
    /// with processes of its own, as the server's, cannot give controllers to children.
    pub(super) fn claim(instance: &str) -> Option<Self> {
        let (mount, _) = files::mounts("cgroup2").into_iter().next()?;
        let own = mount.join(files::own_group("").unwrap_or_default());
        let own = if own.is_dir() { own } else { mount.clone() };
        let places = own
            .ancestors()
            .take_while(|place| place.starts_with(&mount));
        let places: Vec<&Path> = places.filter(|place| may_join_below(place)).collect();
        let best = places.iter().copied().map(|place| (offer(place), place));
        // The nearest among equals.
        let best = best.rev().max_by_key(|(controllers, _)| controllers.len());
        let (controllers, place) = best?;

        let parent = place.join("kagero");
        let folder = parent.join(instance);
        let held = ownership::hold(&folder).ok()?;
        enable(&parent, &controllers);
        enable(&folder, &controllers);
        ownership::sweep(&parent);
        for leftover in files::children(&folder) {
            if let Err(error) = clear(&leftover) {
                tracing::warn!(%error, "remove a control group of an earlier server");
            }
        }
        let enabled = files::read(&folder.join("cgroup.subtree_control")).ok()?;
        let enabled: Vec<&str> = enabled.split_whitespace().collect();
        let controllers = WANTED
            .into_iter()
            .filter(|one| enabled.contains(one))
            .collect();
        Some(Self {
            folder: Folder::new(folder, held),
            controllers,
        })
    }
}

/// Being born in a group takes the right to write the `cgroup.procs` of the nearest group that
/// holds both it and the server.
fn may_join_below(place: &Path) -> bool {
    files::is_writable(place) && files::is_writable(&place.join("cgroup.procs"))
}

/// Which controllers children of this group have or can be given; tries, and changes nothing else.
fn offer(place: &Path) -> Vec<&'static str> {
    let control = place.join("cgroup.subtree_control");
    let available = files::read(&place.join("cgroup.controllers")).unwrap_or_default();
    let available: Vec<&str> = available.split_whitespace().collect();
    let mut offered = Vec::new();
    for controller in WANTED.into_iter().filter(|one| available.contains(one)) {
        let enabled = files::read(&control).unwrap_or_default();
        let is_enabled = enabled.split_whitespace().any(|one| one == controller);
        if is_enabled || files::try_write(&control, &format!("+{controller}")).is_ok() {
            offered.push(controller);
        }
    }
    offered
}

fn enable(folder: &Path, controllers: &[&str]) {
    for controller in controllers {
        // What does not come out enabled is reported as not controlled.
        let _ = files::try_write(
            &folder.join("cgroup.subtree_control"),
            &format!("+{controller}"),
        );
    }
}

/// Kills what is in a group and removes it.
fn clear(folder: &Path) -> Result<(), SandboxError> {
    // Linux 5.14; before it, the sandbox's init is dead by its own means.
    let _ = files::try_write(&folder.join("cgroup.kill"), "1");
    files::remove(folder)
}

/// What the kernel takes back when it needs to, of a `memory.stat`: page cache, of which `file` includes
/// what lies in a tmpfs, and names of files and the like.
fn reclaimable(stat: &str) -> u64 {
    let field = |key| files::field(stat, key).unwrap_or(0);
    field("file").saturating_sub(field("shmem")) + field("slab_reclaimable")
}

impl Hierarchy for Version2 {
    fn create(&self, name: &str) -> Result<(), SandboxError> {
        self.folder.create(name)
    }

    fn limit_memory(&self, name: &str, bytes: u64) -> Result<(), SandboxError> {
        if self.controls("memory") {
            let most = match bytes {
                u64::MAX => String::from("max"),
                bytes => bytes.to_string(),
            };
            self.folder.write(name, "memory.max", &most)?;
            // An environment dies as a whole, as in Lambda.
            self.folder.write(name, "memory.oom.group", "1")?;
            match self.folder.try_write(name, SWAP, "0") {
                // The kernel accounts none.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.folder.failed("configure", name, SWAP, error)),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn limit_pids(&self, name: &str, pids: u32) -> Result<(), SandboxError> {
        if !self.controls("pids") {
            return Ok(());
        }
        // And one for init.
        let most = (u64::from(pids) + 1).to_string();
        self.folder.write(name, "pids.max", &most)
    }

    fn limit_cpu(&self, name: &str, cpu_millis: Option<u32>) -> Result<(), SandboxError> {
        if !self.controls("cpu") {
            return Ok(());
        }
        let quota = quota(cpu_millis, "max");
        self.folder
            .write(name, "cpu.max", &format!("{quota} {CPU_PERIOD_MICROS}"))
    }

    fn doors(&self, _name: &str) -> Result<Vec<File>, SandboxError> {
        Ok(Vec::new())
    }

    fn birthplace(&self, name: &str) -> Result<Option<OwnedFd>, SandboxError> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        Ok(Some(self.folder.open(name, "", flags)?.into()))
    }

    fn account(&self, name: &str, figure: Figure) -> Result<u64, SandboxError> {
        match figure {
            Figure::Memory => self.folder.read_number(name, CURRENT),
            Figure::MemoryPeak => {
                // Linux 5.19.
                let peak = self.folder.read_number(name, "memory.peak").unwrap_or(0);
                Ok(peak.max(self.folder.read_number(name, CURRENT)?))
            }
            Figure::OomKills => {
                let events = self.folder.read(name, "memory.events")?;
                Ok(files::field(&events, "oom_kill").unwrap_or(0))
            }
        }
    }

    fn memory(&self, name: &str) -> Result<Memory, SandboxError> {
        let used = self.folder.read_number(name, CURRENT)?;
        let stat = self.folder.read(name, "memory.stat")?;
        Ok(Memory {
            used,
            reclaimable: reclaimable(&stat),
        })
    }

    fn make_room(&self, _: &str, _: u64) -> Result<bool, SandboxError> {
        Ok(false)
    }

    fn alarm_at(&self, name: &str, bytes: u64) -> Result<MemoryAlarm, SandboxError> {
        let file = self.folder.open(name, "memory.events", libc::O_RDONLY)?;
        let events = (libc::EPOLLPRI | libc::EPOLLERR) as u32;
        let alarm = MemoryAlarm::Event {
            fd: file.into(),
            events,
        };
        self.move_alarm(name, &alarm, bytes)?;
        Ok(alarm)
    }

    /// `memory.high` counts an event, and takes page cache back before it does.
    fn move_alarm(&self, name: &str, alarm: &MemoryAlarm, bytes: u64) -> Result<(), SandboxError> {
        if let MemoryAlarm::Event { fd, .. } = alarm {
            // Reading is what makes the next event report again. Before the move: an event at the
            // new mark must not be taken for one at the old.
            let mut seen = [0_u8; 256];
            // SAFETY: a live descriptor and a buffer of the stated size.
            unsafe { libc::pread(fd.as_raw_fd(), seen.as_mut_ptr().cast(), seen.len(), 0) };
        }
        self.folder.write(name, "memory.high", &bytes.to_string())
    }

    fn can_freeze(&self) -> bool {
        true
    }

    fn set_frozen(&self, name: &str, frozen: bool) -> Result<(), SandboxError> {
        self.folder
            .write(name, FREEZER, if frozen { "1" } else { "0" })?;
        let started = Instant::now();
        let is_frozen = || {
            let events = self.folder.read(name, "cgroup.events")?;
            Ok(files::field(&events, "frozen"))
        };
        while is_frozen()? != Some(u64::from(frozen)) {
            if started.elapsed() > FREEZE_PATIENCE {
                // Not left half frozen: a freeze that fails is none.
                let _ = self.folder.try_write(name, FREEZER, "0");
                return Err(SandboxError::Unresponsive { what: "freezer" });
            }
            thread::yield_now();
        }
        Ok(())
    }

    fn release_for_death(&self, _name: &str) {}

    fn is_empty(&self, name: &str) -> bool {
        let events = self.folder.read(name, "cgroup.events").unwrap_or_default();
        files::field(&events, "populated") == Some(0)
    }

    /// `memory.peak` cannot be written before Linux 6.12, and from then on begins anew only for whoever
    /// keeps it open.
    fn can_forget_peak(&self) -> bool {
        !self.controls("memory")
    }

    fn forget_peak(&self, _name: &str) -> Result<(), SandboxError> {
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), SandboxError> {
        self.folder.remove(name)
    }

    fn controls(&self, controller: &str) -> bool {
        self.controllers.contains(&controller)
    }

    fn folders(&self) -> Vec<PathBuf> {
        vec![self.folder.path().to_owned()]
    }
}

impl Drop for Version2 {
    fn drop(&mut self) {
        // Stays where another server's folder or a last environment still is.
        let folder = self.folder.path();
        let _ = fs::remove_dir(folder);
        let _ = folder.parent().map(fs::remove_dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_cache_and_names_of_files_can_be_taken_back_and_a_tmpfs_cannot() {
        let stat = "anon 700\nfile 500\nkernel 90\nshmem 200\nslab_reclaimable 60\n\
                    slab_unreclaimable 8\nslab 68\n";
        assert_eq!(reclaimable(stat), 360);
        assert_eq!(reclaimable("anon 700\n"), 0);
    }
}
