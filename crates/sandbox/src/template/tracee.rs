//! A stopped process that carries out system calls for its tracer, one at a time.
//!
//! It runs no instruction but `syscall`, and that single-stepped, so whatever lies in its memory
//! has no say in what it does.

use std::cell::RefCell;
use std::io;

use libc::{c_int, c_void, pid_t};

/// `PTRACE_O_SUSPEND_SECCOMP`, which takes privilege and a kernel built for checkpoints.
const SUSPEND_SECCOMP: c_int = 1 << 21;
const BASE: c_int = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
const BIRTHS: c_int =
    libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK;

/// What the tracer wants to be told, and what its tracee is spared. Children inherit it.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(super) enum Watch {
    /// Only that it ends with its tracer.
    Held = BASE,
    /// Births and executions; its filter of system calls rests.
    Forked = BASE | BIRTHS | libc::PTRACE_O_TRACEEXEC | SUSPEND_SECCOMP,
}

const GET_SIGMASK: libc::c_uint = 0x420a;
const SET_SIGMASK: libc::c_uint = 0x420b;
const GET_SYSCALL_INFO: libc::c_uint = 0x420e;
const SYSCALL_ENTRY: u8 = 1;
/// The bit by which a stop at a system call differs from a signal.
const SYSGOOD: c_int = 0x80;
/// `syscall`, as the two bytes of the instruction.
const SYSCALL: u16 = 0x050f;

/// Why a tracee stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Syscall,
    /// One of the `PTRACE_EVENT_*` values.
    Event(c_int),
    Signal(c_int),
}

/// A traced thread. Every method is for the thread that attached to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tracee(pub(super) pid_t);

impl Tracee {
    /// Attaches to a thread, and stops it.
    pub(super) fn seize(pid: pid_t) -> io::Result<Self> {
        let tracee = Self(pid);
        tracee.request(libc::PTRACE_SEIZE, 0, Watch::Held as usize)?;
        tracee.request(libc::PTRACE_INTERRUPT, 0, 0)?;
        loop {
            match tracee.wait()? {
                Stop::Event(libc::PTRACE_EVENT_STOP) => return Ok(tracee),
                Stop::Signal(signal) => tracee.resume(libc::PTRACE_CONT, signal)?,
                Stop::Event(_) | Stop::Syscall => tracee.resume(libc::PTRACE_CONT, 0)?,
            }
        }
    }

    pub(super) fn watch(self, watch: Watch) -> io::Result<()> {
        self.request(libc::PTRACE_SETOPTIONS, 0, watch as usize)
    }

    /// `request` is one of those that let it go on.
    pub(super) fn resume(self, request: libc::c_uint, signal: c_int) -> io::Result<()> {
        self.request(request, 0, signal as usize)
    }

    pub(super) fn detach(self) -> io::Result<()> {
        self.request(libc::PTRACE_DETACH, 0, 0)
    }

    /// Waits until it stops; an error when it has ended.
    pub(super) fn wait(self) -> io::Result<Stop> {
        loop {
            if let Some(stop) = self.wait_with(0)? {
                return Ok(stop);
            }
        }
    }

    /// How it stands now, if it does.
    pub(super) fn poll(self) -> io::Result<Option<Stop>> {
        self.wait_with(libc::WNOHANG)
    }

    fn wait_with(self, flags: c_int) -> io::Result<Option<Stop>> {
        if let Some(status) = take_stashed(self.0) {
            return stop_of(status).map(Some);
        }
        loop {
            let mut status = 0;
            // Of all that this thread traces: a process whose threads have ended shows its own end
            // only when theirs have been collected.
            let flags = flags | libc::__WALL | libc::__WNOTHREAD;
            // SAFETY: the status is a live local.
            match unsafe { libc::waitpid(-1, &raw mut status, flags) } {
                0 => return Ok(None),
                waited if waited == self.0 => return stop_of(status).map(Some),
                waited if waited > 0 => stash(waited, status),
                _ => match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => {}
                    error => return Err(error),
                },
            }
        }
    }

    pub(super) fn registers(self) -> io::Result<libc::user_regs_struct> {
        // SAFETY: zeroed is a valid set of registers.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        self.request(libc::PTRACE_GETREGS, 0, &raw mut registers as usize)?;
        Ok(registers)
    }

    pub(super) fn set_registers(self, registers: &libc::user_regs_struct) -> io::Result<()> {
        self.request(
            libc::PTRACE_SETREGS,
            0,
            std::ptr::from_ref(registers) as usize,
        )
    }

    pub(super) fn signal_mask(self) -> io::Result<u64> {
        let mut mask = 0_u64;
        self.request(GET_SIGMASK, 8, &raw mut mask as usize)?;
        Ok(mask)
    }

    pub(super) fn set_signal_mask(self, mask: u64) -> io::Result<()> {
        self.request(SET_SIGMASK, 8, &raw const mask as usize)
    }

    /// The number and arguments of the system call that it is about to make, if that is why it
    /// stopped.
    pub(super) fn entering(self) -> io::Result<Option<(u64, [u64; 6])>> {
        let mut info = [0_u64; 11];
        let address = info.as_mut_ptr() as usize;
        self.request(GET_SYSCALL_INFO, size_of_val(&info), address)?;
        // One byte of kind, then the architecture, the instruction and the stack pointer.
        if info[0].to_le_bytes()[0] != SYSCALL_ENTRY {
            return Ok(None);
        }
        let mut arguments = [0; 6];
        arguments.copy_from_slice(&info[4..10]);
        Ok(Some((info[3], arguments)))
    }

    /// The process that it has just given birth to.
    pub(super) fn newborn(self) -> io::Result<Self> {
        let mut pid: libc::c_ulong = 0;
        self.request(libc::PTRACE_GETEVENTMSG, 0, &raw mut pid as usize)?;
        let pid = pid as pid_t;
        // Of an earlier one of the same number.
        STASHED.with_borrow_mut(|stashed| {
            stashed.retain(|(other, status)| *other != pid || libc::WIFSTOPPED(*status));
        });
        Ok(Self(pid))
    }

    /// Whether `syscall` is what it would execute at this address.
    pub(super) fn has_syscall_at(self, address: u64) -> io::Result<bool> {
        let mut bytes = [0; 2];
        self.read(address, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes) == SYSCALL)
    }

    pub(super) fn read(self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        let local = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        let remote = libc::iovec {
            iov_base: address as *mut c_void,
            iov_len: bytes.len(),
        };
        // SAFETY: the local part is a live slice; the kernel checks the other.
        let moved =
            unsafe { libc::process_vm_readv(self.0, &raw const local, 1, &raw const remote, 1, 0) };
        whole(moved, bytes.len())
    }

    pub(super) fn write(self, address: u64, bytes: &[u8]) -> io::Result<()> {
        let local = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let remote = libc::iovec {
            iov_base: address as *mut c_void,
            iov_len: bytes.len(),
        };
        // SAFETY: the local part is a live slice, only read; the kernel checks the other.
        let moved = unsafe {
            libc::process_vm_writev(self.0, &raw const local, 1, &raw const remote, 1, 0)
        };
        whole(moved, bytes.len())
    }

    fn request(self, request: libc::c_uint, address: usize, data: usize) -> io::Result<()> {
        // SAFETY: every address passed is that of a live local as large as the request wants.
        let result =
            unsafe { libc::ptrace(request, self.0, address as *mut c_void, data as *mut c_void) };
        if result == -1 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

thread_local! {
    /// What has been said of others while one was waited for, in its order.
    static STASHED: RefCell<Vec<(pid_t, c_int)>> = const { RefCell::new(Vec::new()) };
}

fn stash(pid: pid_t, status: c_int) {
    STASHED.with_borrow_mut(|stashed| {
        // A number may come round again; its end is nobody's to miss.
        if libc::WIFSTOPPED(status) {
            stashed.push((pid, status));
        } else {
            stashed.retain(|(other, _)| *other != pid);
            stashed.push((pid, status));
        }
    });
}

fn take_stashed(pid: pid_t) -> Option<c_int> {
    STASHED.with_borrow_mut(|stashed| {
        let at = stashed.iter().position(|(other, _)| *other == pid)?;
        Some(stashed.remove(at).1)
    })
}

fn stop_of(status: c_int) -> io::Result<Stop> {
    if !libc::WIFSTOPPED(status) {
        return Err(ended());
    }
    Ok(match (libc::WSTOPSIG(status), status >> 16) {
        (_, event) if event != 0 => Stop::Event(event),
        (signal, _) if signal == libc::SIGTRAP | SYSGOOD => Stop::Syscall,
        (signal, _) => Stop::Signal(signal),
    })
}

fn whole(moved: isize, length: usize) -> io::Result<()> {
    match moved {
        -1 => Err(io::Error::last_os_error()),
        moved if moved == length as isize => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}

pub(super) fn ended() -> io::Error {
    io::Error::from_raw_os_error(libc::ESRCH)
}

/// A tracee and the place of a `syscall` instruction in its memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote {
    pub(super) tracee: Tracee,
    /// What its registers are but for those of a system call.
    pub(super) registers: libc::user_regs_struct,
    /// Address of the instruction.
    pub(super) at: u64,
}

impl Remote {
    /// The same place in a process that has a copy of this one's memory, or shares it.
    pub(super) fn in_child(&self, tracee: Tracee) -> Self {
        Self { tracee, ..*self }
    }

    /// Has it make one system call, and returns what the kernel answered.
    pub(super) fn call(&self, number: i64, arguments: [u64; 6]) -> io::Result<i64> {
        self.prepare(number, arguments)?;
        self.tracee.resume(libc::PTRACE_SINGLESTEP, 0)?;
        self.stepped()
    }

    /// The same, for a call that must succeed.
    pub(super) fn must(&self, number: i64, arguments: [u64; 6]) -> io::Result<u64> {
        let answer = self.call(number, arguments)?;
        u64::try_from(answer).map_err(|_| io::Error::from_raw_os_error(-answer as i32))
    }

    /// Has it clone itself, and returns the clone, stopped before its first instruction.
    pub(super) fn clone_with(&self, flags: u64) -> io::Result<Self> {
        self.clone_by(libc::SYS_clone, [flags, 0, 0, 0, 0, 0])
    }

    /// The same, by whichever system call clones.
    pub(super) fn clone_by(&self, number: i64, arguments: [u64; 6]) -> io::Result<Self> {
        self.prepare(number, arguments)?;
        self.tracee.resume(libc::PTRACE_SINGLESTEP, 0)?;
        let newborn = match self.tracee.wait()? {
            Stop::Event(
                libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK,
            ) => self.tracee.newborn()?,
            // Not born: the step has ended.
            Stop::Signal(libc::SIGTRAP) => {
                let answer = self.tracee.registers()?.rax as i64;
                return Err(io::Error::from_raw_os_error(-answer as i32));
            }
            stop => return Err(unexpected(stop)),
        };
        self.tracee.resume(libc::PTRACE_SINGLESTEP, 0)?;
        self.stepped()?;
        match newborn.wait()? {
            Stop::Event(libc::PTRACE_EVENT_STOP) => Ok(self.in_child(newborn)),
            stop => Err(unexpected(stop)),
        }
    }

    /// Has it execute another program, and lets it go.
    pub(super) fn execute(&self, arguments: [u64; 6]) -> io::Result<()> {
        self.prepare(libc::SYS_execveat, arguments)?;
        self.tracee.resume(libc::PTRACE_SYSCALL, 0)?;
        loop {
            match self.tracee.wait()? {
                Stop::Event(libc::PTRACE_EVENT_EXEC) => return self.tracee.detach(),
                Stop::Syscall if self.tracee.entering()?.is_some() => {
                    self.tracee.resume(libc::PTRACE_SYSCALL, 0)?;
                }
                Stop::Syscall => {
                    let answer = self.tracee.registers()?.rax as i64;
                    return Err(io::Error::from_raw_os_error(-answer as i32));
                }
                stop => return Err(unexpected(stop)),
            }
        }
    }

    fn prepare(&self, number: i64, arguments: [u64; 6]) -> io::Result<()> {
        let mut registers = self.registers;
        [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ] = arguments;
        registers.rax = number.cast_unsigned();
        // No call is under way that the kernel would have to restart.
        registers.orig_rax = u64::MAX;
        registers.rip = self.at;
        self.tracee.set_registers(&registers)
    }

    fn stepped(&self) -> io::Result<i64> {
        match self.tracee.wait()? {
            Stop::Signal(libc::SIGTRAP) => {}
            stop => return Err(unexpected(stop)),
        }
        let registers = self.tracee.registers()?;
        // One instruction, and no other than the one meant.
        if registers.rip != self.at + 2 {
            return Err(io::Error::other("a tracee went astray"));
        }
        Ok(registers.rax.cast_signed())
    }
}

fn unexpected(stop: Stop) -> io::Error {
    io::Error::other(format!("a tracee stopped out of turn: {stop:?}"))
}
