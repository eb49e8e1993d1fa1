//! How a program becomes a template: it is caught at the moment it forks, and kept there.

use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::thread;
use std::time::{Duration, Instant};

use libc::pid_t;

use super::hatch::{Hatch, SCRATCH, close};
use super::tracee::{Remote, Stop, Tracee, Watch, ended};
use crate::cgroup::Admission;
use crate::clone_format::{CLONE_INTO_CGROUP, CloneArguments};
use crate::process::Pidfd;

/// From being told to fork to doing so.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a program that is about to fork is looked at.
const LOOK: Duration = Duration::from_micros(200);
/// As of what the kernel may tell a child of its own number.
const CHILD_TID: u64 = (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
/// What makes a clone something else than a copy.
const NO_COPY: u64 = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_FILES) as u64;

/// A program that is about to fork, for as long as its template lasts.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) remote: Remote,
    /// What its fork asks the kernel to note in the child.
    pub(super) fork_flags: u64,
    pub(super) child_tid: u64,
    /// The signals that its child is to block.
    pub(super) mask: u64,
    /// For groups that its forks are born in.
    hatch: Hatch,
}

impl Held {
    /// Waits for it to fork, once it has been told to, and stops everything in its sandbox.
    pub(super) fn catch(pid: u32, tell: impl FnOnce() -> io::Result<()>) -> io::Result<Self> {
        let program = Tracee::seize(pid as pid_t)?;
        program.resume(libc::PTRACE_SYSCALL, 0)?;
        tell()?;
        let (flags, child_tid) = until_it_forks(program)?;
        let registers = program.registers()?;
        let mask = program.signal_mask()?;
        program.set_signal_mask(u64::MAX)?;
        let at = registers.rip.wrapping_sub(2);
        // This fork comes to nothing: it is made anew for each child.
        program.set_registers(&libc::user_regs_struct {
            orig_rax: libc::SYS_getpid as u64,
            ..registers
        })?;
        program.resume(libc::PTRACE_SYSCALL, 0)?;
        match program.wait()? {
            Stop::Syscall => {}
            stop => return Err(io::Error::other(format!("no end of a call: {stop:?}"))),
        }
        stop_others(pid, program)?;
        if !program.has_syscall_at(at)? {
            return Err(io::Error::other("its fork is no system call"));
        }
        let remote = Remote {
            tracee: program,
            registers,
            at,
        };
        // Every process that it has started: none of them would be in a fork.
        remote.call(libc::SYS_kill, [u64::MAX, libc::SIGKILL as u64, 0, 0, 0, 0])?;
        refuse_shared_memory(pid)?;
        let hatch = Hatch::open(&remote, &Pidfd::open(pid)?, scratch(&remote)?)?;
        Ok(Self {
            remote,
            fork_flags: flags & CHILD_TID,
            child_tid,
            mask,
            hatch,
        })
    }

    /// Has it clone itself into this control group of version 2, of which it has no right itself.
    pub(super) fn clone_into(&self, group: RawFd, uid: u32, flags: u64) -> io::Result<Remote> {
        let inside = self.hatch.pass(&self.remote, &[group])?;
        let [inside] = inside[..] else {
            return Err(io::Error::other("a control group got lost"));
        };
        let arguments = CloneArguments {
            flags: flags | CLONE_INTO_CGROUP,
            cgroup: inside as u64,
            ..CloneArguments::default()
        };
        let (at, size) = (self.hatch.scratch, size_of::<CloneArguments>() as u64);
        self.remote
            .tracee
            .write(at, crate::plan::as_bytes(&arguments))?;
        let born = {
            let _admission = Admission::to(group, uid)?;
            self.remote
                .clone_by(libc::SYS_clone3, [at, size, 0, 0, 0, 0])
        };
        close(&self.remote, inside)?;
        born
    }
}

/// Memory for what its calls take from there, which no fork has.
fn scratch(remote: &Remote) -> io::Result<u64> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let at = remote.must(libc::SYS_mmap, [0, SCRATCH, protection, flags, u64::MAX, 0])?;
    let advice = libc::MADV_DONTFORK as u64;
    remote.must(libc::SYS_madvise, [at, SCRATCH, advice, 0, 0, 0])?;
    Ok(at)
}

/// The flags of its clone, and where its child's number goes.
fn until_it_forks(program: Tracee) -> io::Result<(u64, u64)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Some(stop) = program.poll()? else {
            if Instant::now() > deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            thread::sleep(LOOK);
            continue;
        };
        let signal = match stop {
            Stop::Syscall => {
                if let Some((number, [flags, _, _, child_tid, ..])) = program.entering()?
                    && number == libc::SYS_clone as u64
                    && flags & NO_COPY == 0
                {
                    return Ok((flags, child_tid));
                }
                0
            }
            Stop::Signal(signal) => signal,
            Stop::Event(_) => 0,
        };
        program.resume(libc::PTRACE_SYSCALL, signal)?;
    }
}

/// Stops its other threads for good, those that appear meanwhile as well.
fn stop_others(pid: u32, program: Tracee) -> io::Result<()> {
    let mut stopped = vec![program.0];
    loop {
        let before = stopped.len();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let name = entry?.file_name();
            let thread = name.to_str().and_then(|name| name.parse().ok());
            let thread: pid_t = thread.ok_or_else(ended)?;
            if stopped.contains(&thread) {
                continue;
            }
            match Tracee::seize(thread) {
                Ok(other) => {
                    other.watch(Watch::Held)?;
                    stopped.push(thread);
                }
                // It has ended meanwhile.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
        if stopped.len() == before {
            return Ok(());
        }
    }
}

/// Memory that is shared and can be written to would join all that is forked.
fn refuse_shared_memory(pid: u32) -> io::Result<()> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps"))?;
    let mut flags = maps
        .lines()
        .filter_map(|line| line.strip_prefix("VmFlags:"));
    let is_shared = |flags: &str| {
        let has = |wanted: &str| flags.split_whitespace().any(|flag| flag == wanted);
        has("sh") && has("mw")
    };
    if flags.any(is_shared) {
        return Err(io::Error::other(
            "it has memory that its forks would share, such as `mmap.mmap(-1, ...)` makes",
        ));
    }
    Ok(())
}
