//! A running environment: how it is watched, frozen, killed and cleaned up.

use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::SandboxError;
use crate::cgroup::Cgroup;
use crate::control::Control;
use crate::egress::WayOut;
use crate::host::Inner;
use crate::janitor::Remains;
use crate::memory_guard::{Activity, Seen, Watch};
use crate::opening::Opening;
use crate::plan_format::{COMMAND_CONTINUE, COMMAND_STOP, REPORT_EXITED, REPORT_SIGNALLED};
use crate::process::{self, Pidfd};
use crate::renewal::Lent;
use crate::template::Kept;
use crate::tmp_disk::{self, TmpDisk};
use crate::uids::Lease;

/// A program in its sandbox. Dropping it kills every process of the sandbox and cleans up in the
/// background.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) host: Arc<Inner>,
    /// Pid 1 of the sandbox; taken only by `drop`.
    pub(crate) init: Option<Pidfd>,
    pub(crate) pid: u32,
    pub(crate) program: Pidfd,
    pub(crate) control: Control,
    pub(crate) listeners: Vec<TcpListener>,
    /// Ends with the sandbox, and before its group.
    pub(crate) watch: Option<Watch>,
    /// What the memory guard found out.
    pub(crate) seen: Arc<Seen>,
    pub(crate) cgroup: Option<Cgroup>,
    /// Its `/tmp`, where that lies on disk.
    pub(crate) tmp: Option<TmpDisk>,
    /// Its `pasta`, where that leads it out.
    pub(crate) way_out: Option<WayOut>,
    pub(crate) uid: Option<Lease>,
    /// Its network, where that may be another's when nothing went through it.
    pub(crate) lent: Option<Lent>,
    pub(crate) exit: Mutex<Option<Exit>>,
    /// Held while init is told something that it answers.
    pub(crate) speaking: Mutex<()>,
    /// Until it is complete.
    pub(crate) opening: Mutex<Option<Opening>>,
    /// What it was forked from, whose pid namespace has its own in it.
    pub(crate) _parent: Option<Arc<Kept>>,
}

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The program's own status, or SIGKILL when the sandbox was killed as a whole.
    pub status: ExitStatus,
    /// Peak resident memory of the program alone, where it ended by itself.
    pub peak_resident_bytes: Option<u64>,
}

/// What a sandbox has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory in use now by all its processes, page cache included, and a `/tmp` in memory.
    pub memory_bytes: u64,
    /// The most that was ever in use, page cache and a `/tmp` in memory included; where something
    /// was written to a `/tmp` on disk, without page cache.
    pub memory_peak_bytes: u64,
    /// Kills at the memory limit: processes by the kernel, or the environment as a whole.
    pub oom_kills: u64,
}

impl Sandbox {
    /// Pid 1 of the sandbox, as the host sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The program's pid, as the host sees it; `None` once it has ended.
    pub fn program_pid(&self) -> Option<u32> {
        self.program.pid()
    }

    /// Whether the program runs no more, which shows before the whole sandbox has ended: while it
    /// is frozen, that does not end by itself.
    pub fn program_has_ended(&self) -> Result<bool, SandboxError> {
        let ended = self.program.has_ended();
        ended.map_err(SandboxError::host("look at the program"))
    }

    /// Becomes readable when the whole sandbox has ended. To be watched, not waited on: use
    /// [`Self::try_wait`] for the status.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.init().as_fd()
    }

    /// The listening sockets inside the sandbox, in the order of the spec's ports, non-blocking.
    /// Empty once taken.
    pub fn take_listeners(&mut self) -> Vec<TcpListener> {
        std::mem::take(&mut self.listeners)
    }

    /// How the program ended, or `None` while the sandbox lives.
    pub fn try_wait(&self) -> Result<Option<Exit>, SandboxError> {
        let mut exit = self.exit();
        if exit.is_none() && self.init().try_reap().map_err(SandboxError::host("wait"))? {
            *exit = Some(self.last_words());
        }
        Ok(*exit)
    }

    /// Blocks until the sandbox has ended.
    pub fn wait(&self) -> Result<Exit, SandboxError> {
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
            process::wait_readable(self.pidfd(), None).map_err(SandboxError::host("wait"))?;
        }
    }

    /// Blocks until the sandbox has ended or the time is over.
    pub fn wait_timeout(&self, patience: Duration) -> Result<Option<Exit>, SandboxError> {
        process::wait_readable(self.pidfd(), Some(patience)).map_err(SandboxError::host("wait"))?;
        self.try_wait()
    }

    /// Sends the program (not its children) a signal. `Ok` also when it has already ended.
    pub fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        self.program
            .signal(signal)
            .map_err(SandboxError::host("signal the program"))
    }

    /// Kills every process of the sandbox, frozen or not. `Ok` also when it has already ended.
    pub fn kill(&self) -> Result<(), SandboxError> {
        let killed = self.init().signal(libc::SIGKILL);
        if let Some(cgroup) = &self.cgroup {
            cgroup.release_for_death();
        }
        killed.map_err(SandboxError::host("kill the sandbox"))
    }

    /// Stops every process until [`Self::thaw`]; takes microseconds. With a control group nothing
    /// runs any more on return; by signals, each process stops when it would next be scheduled, and a
    /// sandbox that has itself continued is killed by the memory guard.
    pub fn freeze(&self) -> Result<(), SandboxError> {
        let activity = match &self.cgroup {
            Some(cgroup) if cgroup.can_freeze() => {
                cgroup.set_frozen(true)?;
                Activity::Resting
            }
            _ => {
                self.tell(COMMAND_STOP)?;
                Activity::Stopped(Instant::now())
            }
        };
        self.watch.iter().for_each(|watch| watch.sees(activity));
        Ok(())
    }

    /// Lets a frozen sandbox continue.
    pub fn thaw(&self) -> Result<(), SandboxError> {
        let activity = Activity::Running;
        self.watch.iter().for_each(|watch| watch.sees(activity));
        match &self.cgroup {
            Some(cgroup) if cgroup.can_freeze() => cgroup.set_frozen(false),
            _ => self.tell(COMMAND_CONTINUE),
        }
    }

    /// What the sandbox has used. Without a memory control group, memory in use is the program's own,
    /// and its peak what the program's was, or all its processes' when it was last looked at.
    pub fn usage(&self) -> Result<Usage, SandboxError> {
        let mut usage = match &self.cgroup {
            Some(cgroup) => cgroup.usage()?,
            None => Usage::default(),
        };
        if self.tmp.as_ref().is_some_and(TmpDisk::was_used) {
            usage.memory_peak_bytes = self.peak_without_cache(&usage);
        }
        usage.oom_kills += u64::from(self.seen.exceeded.load(Ordering::Acquire));
        if usage.memory_peak_bytes == 0 {
            let program = self.program.pid().map(process::resident);
            let (now, peak) = program.unwrap_or_default();
            let at_its_end = self.exit().and_then(|exit| exit.peak_resident_bytes);
            let peaks = [
                peak,
                at_its_end.unwrap_or(0),
                self.seen.peak_bytes.load(Ordering::Relaxed),
            ];
            usage.memory_bytes = now;
            usage.memory_peak_bytes = peaks.into_iter().max().unwrap_or(0);
        }
        Ok(usage)
    }

    /// The most memory ever in use, in bytes.
    pub fn memory_peak(&self) -> Result<u64, SandboxError> {
        let peak = self.cgroup.as_ref().map(Cgroup::memory_peak).transpose()?;
        // Each figure is a file of the kernel's to be read.
        match peak.filter(|peak| *peak > 0) {
            Some(peak) if !self.tmp.as_ref().is_some_and(TmpDisk::was_used) => Ok(peak),
            _ => Ok(self.usage()?.memory_peak_bytes),
        }
    }

    /// How many processes the kernel killed at the memory limit.
    pub fn oom_kills(&self) -> Result<u64, SandboxError> {
        let by_kernel = self.cgroup.as_ref().map(Cgroup::oom_kills).transpose()?;
        let by_guard = u64::from(self.seen.exceeded.load(Ordering::Acquire));
        Ok(by_kernel.unwrap_or(0) + by_guard)
    }

    /// Changes the CPU share of the running sandbox, as between the init and the invoke phase.
    pub fn set_cpu_millis(&self, cpu_millis: u32) -> Result<(), SandboxError> {
        self.cgroup
            .as_ref()
            .map_or(Ok(()), |cgroup| cgroup.limit_cpu(cpu_millis))
    }

    pub(crate) fn take_opening(&self) -> Option<Opening> {
        self.opening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Changes the size of `/tmp` while the sandbox runs, in microseconds. Where `/tmp` lies in
    /// memory, the limit on memory is not changed, and without root the size cannot be either.
    pub fn resize_tmp(&self, bytes: u64) -> Result<(), SandboxError> {
        match &self.tmp {
            Some(disk) => disk.resize(bytes),
            None => tmp_disk::resize_tmpfs(self.pid, bytes),
        }
    }

    /// Whether `/tmp` lies on disk, and so does not count as memory at all.
    pub fn has_tmp_on_disk(&self) -> bool {
        self.tmp.is_some()
    }

    /// The right to tell init something and to hear its answer.
    pub(crate) fn speak(&self) -> MutexGuard<'_, ()> {
        self.speaking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what init said last, because the packet that said so is gone.
    pub(crate) fn note_exit(&self, exit: Exit) {
        *self.exit() = Some(exit);
    }

    fn tell(&self, command: u32) -> Result<(), SandboxError> {
        let _alone = self.speak();
        self.control
            .command(command, None)
            .map_err(SandboxError::host("command the sandbox's init"))?;
        match self.control.receive()? {
            Some(packet) if packet.report.kind == REPORT_SIGNALLED => Ok(()),
            Some(packet) if packet.report.kind == REPORT_EXITED => {
                self.note_exit(exit_of(packet.report.detail, packet.report.value));
                Err(SandboxError::Ended)
            }
            _ => Err(SandboxError::Ended),
        }
    }

    /// The kernel's peak counts the page cache of what was written to `/tmp`, up to the limit, and
    /// does not say how much of it that was. So where something was written, the peak is what is
    /// in use without that, or the program's own peak, whichever is more: a lower bound.
    fn peak_without_cache(&self, usage: &Usage) -> u64 {
        let group = self.cgroup.as_ref().and_then(Cgroup::memory_group);
        let now = group.and_then(|group| group.memory().ok());
        let now = now.map_or(0, |now| now.used.saturating_sub(now.reclaimable));
        let program = self.program.pid().map_or(0, |pid| process::resident(pid).1);
        now.max(program).min(usage.memory_peak_bytes)
    }

    /// What init said when the program ended; nothing, when init itself was killed.
    fn last_words(&self) -> Exit {
        while let Ok(Some(packet)) = self.control.poll() {
            if packet.report.kind == REPORT_EXITED {
                return exit_of(packet.report.detail, packet.report.value);
            }
        }
        Exit {
            status: ExitStatus::from_raw(libc::SIGKILL),
            peak_resident_bytes: None,
        }
    }

    fn init(&self) -> &Pidfd {
        self.init.as_ref().expect("taken only by drop")
    }

    fn exit(&self) -> MutexGuard<'_, Option<Exit>> {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn exit_of(wait_status: i32, peak_kib: i64) -> Exit {
    let peak = u64::try_from(peak_kib).ok().map(|kib| kib * 1024);
    Exit {
        status: ExitStatus::from_raw(wait_status),
        peak_resident_bytes: peak,
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(%error, pid = self.pid, "kill a dropped sandbox");
        }
        self.watch = None;
        if let Some(init) = self.init.take() {
            let mut cgroup = self.cgroup.take();
            if let Some(cgroup) = &mut cgroup
                && self.seen.exceeded.load(Ordering::Acquire)
            {
                // Memory ran out in it, and nobody else has it.
                cgroup.home = None;
            }
            self.host.janitor.bury(Remains {
                init,
                cgroup,
                tmp: self.tmp.take(),
                way_out: self.way_out.take(),
                uid: self.uid.take(),
                network: self.lent.take(),
            });
        }
    }
}

impl AsFd for Sandbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd()
    }
}

impl AsRawFd for Sandbox {
    fn as_raw_fd(&self) -> i32 {
        self.pidfd().as_raw_fd()
    }
}
