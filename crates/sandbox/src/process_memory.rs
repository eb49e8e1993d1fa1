//! The memory of an environment's processes, added up where no control group counts it.
//!
//! Only what is in no file is the function's: the pages of `/usr` are everybody's, and `/tmp` does not
//! count. Memory that is no process's is not found in this way, and pid 1, some pages, is left out.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::detached::owned;
use crate::process::bytes_of;
use crate::process_stat::{self, Stat};

/// The processes of one environment.
#[derive(Debug)]
pub(crate) struct ProcessMemory {
    /// Its pid 1, as this server sees it.
    init: u32,
    /// The environment's own `/proc`, once it is there.
    proc: Option<OwnedFd>,
    /// Those that were looked at last, by their numbers in there.
    last: BTreeMap<u32, Size>,
}

/// How large a process is, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Size {
    addresses: u64,
    /// Of memory, in no file and in files.
    anonymous: u64,
    files: u64,
}

/// One of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) pid: u32,
    /// In no file, in bytes, as in `Found`.
    pub(crate) anonymous: u64,
    /// Pages that it was given, in bytes as if all of them were small.
    pub(crate) faulted: u64,
}

/// What one process has of the memory of all, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Of each page in no file, divided by how many have it.
    pub(crate) bytes: u64,
    /// In pages that nobody else has, at least.
    pub(crate) own: u64,
}

/// What a look at the processes found, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// In no file. Pages that a process shares with what it was forked from count for both.
    pub(crate) anonymous: u64,
    /// The same, and the most that one of them has in files.
    pub(crate) resident: u64,
}

/// What tells that one of the processes is not stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bustle {
    pub(crate) sleeps: bool,
    /// Processor time of them all, in hundredths of a second.
    pub(crate) ticks: u64,
}

impl ProcessMemory {
    pub(crate) fn of(init: u32) -> Self {
        Self {
            init,
            proc: None,
            last: BTreeMap::new(),
        }
    }

    /// Some microseconds a process.
    pub(crate) fn look(&mut self) -> Found {
        let sizes = self.processes().into_iter();
        let sizes: BTreeMap<u32, Size> = sizes
            .map(|(pid, process)| (pid, Size::of(&process)))
            .collect();
        let mut alike: HashMap<Size, u32> = HashMap::new();
        for size in sizes.values() {
            *alike.entry(*size).or_default() += 1;
        }
        let own = sizes
            .iter()
            .filter(|(pid, size)| alike[size] == 1 || !self.has_its_parents(**pid, size, &sizes));
        self.last = own.map(|(pid, size)| (*pid, *size)).collect();
        let anonymous = self.last.values().map(|size| size.anonymous).sum();
        let in_files = self.last.values().map(|size| size.files).max();
        Found {
            anonymous,
            resident: anonymous + in_files.unwrap_or(0),
        }
    }

    /// Those that were looked at last. Some microseconds a process.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let share = |(&pid, size): (&u32, &Size)| {
            let stat = Stat::of(&self.folder(pid)?)?;
            Some(Share {
                pid,
                anonymous: size.anonymous,
                faulted: stat.faults * page_bytes(),
            })
        };
        self.last.iter().filter_map(share).collect()
    }

    /// What a process has in no file by now, in bytes.
    pub(crate) fn now(&self, pid: u32) -> u64 {
        let folder = self.folder(pid);
        folder.map_or(0, |folder| Size::of(&folder).anonymous)
    }

    /// Some microseconds a process.
    pub(crate) fn bustle(&mut self) -> Bustle {
        let mut bustle = Bustle::default();
        for (_, process) in self.processes() {
            if let Some(stat) = Stat::of(&process) {
                bustle.sleeps |= process_stat::sleeps(&process, stat);
                bustle.ticks += stat.ticks;
            }
        }
        bustle
    }

    /// Memory of one in no file, of each page its part. Some milliseconds, as the kernel visits all pages.
    pub(crate) fn part(&self, share: &Share) -> Part {
        let Some(process) = self.folder(share.pid) else {
            return Part::default();
        };
        let text = fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
        let field = |name| bytes_of(&text, name).unwrap_or(0);
        let Some(bytes) = bytes_of(&text, "Pss_Anon:") else {
            // Of one that lets nobody look, and before Linux 5.9: whole.
            let whole = Size::of(&process).anonymous;
            return Part {
                bytes: whole,
                own: whole,
            };
        };
        let in_files = field("Pss_File:") + field("Pss_Shmem:");
        let own = field("Private_Dirty:").saturating_sub(in_files);
        Part {
            bytes,
            own: own.min(bytes),
        }
    }

    /// Their numbers and folders, but for pid 1's.
    fn processes(&mut self) -> Vec<(u32, PathBuf)> {
        if self.proc.is_none() {
            self.proc = own_proc(self.init).ok().flatten();
        }
        let Some(all) = self.proc.as_ref().map(path_of) else {
            return Vec::new();
        };
        let entries = fs::read_dir(&all).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers
            .filter(|number| *number != 1)
            .map(|number: u32| (number, all.join(number.to_string())))
            .collect()
    }

    /// Whether a process has its parent's memory until it executes a program (`vfork`). What has a copy has
    /// page tables of its own, which differ in what is in files.
    fn has_its_parents(&self, pid: u32, size: &Size, sizes: &BTreeMap<u32, Size>) -> bool {
        let stat = self.folder(pid).and_then(|folder| Stat::of(&folder));
        stat.is_some_and(|stat| stat.is_a_fork && sizes.get(&stat.parent) == Some(size))
    }

    fn folder(&self, pid: u32) -> Option<PathBuf> {
        Some(path_of(self.proc.as_ref()?).join(pid.to_string()))
    }
}

fn path_of(folder: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

/// The `/proc` of an environment; `None` before it has one. Until it has entered its root, what it
/// sees there is the host's.
fn own_proc(init: u32) -> io::Result<Option<OwnedFd>> {
    let path = format!("/proc/{init}/root/proc");
    let own = fs::read_link(format!("/proc/{init}/ns/pid"))?;
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let name = CString::new(path)?;
    // SAFETY: a valid C string; the result is checked.
    let proc = owned(unsafe { libc::open(name.as_ptr(), flags) }.into())?;
    let first = format!("/proc/self/fd/{}/1/ns/pid", proc.as_raw_fd());
    Ok((fs::read_link(first)? == own).then_some(proc))
}

impl Size {
    fn of(process: &Path) -> Self {
        let text = fs::read_to_string(process.join("statm")).unwrap_or_default();
        Self::parse(&text, page_bytes())
    }

    /// From `/proc/<pid>/statm`; zeroes when the process is gone.
    fn parse(statm: &str, page_bytes: u64) -> Self {
        let mut fields = statm.split(' ').map(|field| field.parse().unwrap_or(0_u64));
        let mut next = || fields.next().unwrap_or(0);
        let (size, resident, in_files) = (next(), next(), next());
        Self {
            addresses: size * page_bytes,
            anonymous: resident.saturating_sub(in_files) * page_bytes,
            files: in_files * page_bytes,
        }
    }
}

fn page_bytes() -> u64 {
    // SAFETY: no preconditions.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_files_is_told_from_what_is_not() {
        let size = Size::parse("3580 2569 1574 691 0 1298 0\n", 4096);
        let expected = Size {
            addresses: 3580 << 12,
            anonymous: 995 << 12,
            files: 1574 << 12,
        };
        assert_eq!(size, expected);
        assert_eq!(Size::parse("", 4096), Size::default());
    }

    #[test]
    fn a_process_in_no_environment_is_not_taken_for_one() {
        // The root of this one shows the host's processes, of which it is not the first.
        let own = std::process::id();
        assert!(!matches!(own_proc(own), Ok(Some(_))));
        assert_eq!(ProcessMemory::of(own).look(), Found::default());
    }
}
