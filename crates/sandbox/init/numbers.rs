//! The kernel's numbers that init uses itself; the plan brings its own.

#[cfg(target_arch = "x86_64")]
mod calls {
    pub const READ: usize = 0;
    pub const CLOSE: usize = 3;
    pub const MPROTECT: usize = 10;
    pub const MREMAP: usize = 25;
    pub const MADVISE: usize = 28;
    pub const OPENAT: usize = 257;
    pub const DUP3: usize = 292;
    pub const GETPID: usize = 39;
    pub const EXECVEAT: usize = 322;
    pub const PIDFD_OPEN: usize = 434;
    pub const CLONE3: usize = 435;
    pub const RSEQ: usize = 334;
    pub const CLOSE_RANGE: usize = 436;
    pub const MMAP: usize = 9;
    pub const MUNMAP: usize = 11;
    pub const RT_SIGACTION: usize = 13;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const SENDTO: usize = 44;
    pub const SENDMSG: usize = 46;
    pub const RECVMSG: usize = 47;
    pub const CLONE: usize = 56;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const FCNTL: usize = 72;
    pub const EXIT_GROUP: usize = 231;
    pub const PPOLL: usize = 271;
    pub const PRCTL: usize = 157;
    pub const SIGNALFD4: usize = 289;
}

#[cfg(target_arch = "aarch64")]
mod calls {
    pub const FCNTL: usize = 25;
    pub const DUP3: usize = 24;
    pub const GETPID: usize = 172;
    pub const EXECVEAT: usize = 281;
    pub const PIDFD_OPEN: usize = 434;
    pub const CLONE3: usize = 435;
    pub const RSEQ: usize = 293;
    pub const CLOSE_RANGE: usize = 436;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const READ: usize = 63;
    pub const PPOLL: usize = 73;
    pub const PRCTL: usize = 167;
    pub const SIGNALFD4: usize = 74;
    pub const EXIT_GROUP: usize = 94;
    pub const KILL: usize = 129;
    pub const RT_SIGACTION: usize = 134;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const SENDTO: usize = 206;
    pub const SENDMSG: usize = 211;
    pub const RECVMSG: usize = 212;
    pub const MUNMAP: usize = 215;
    pub const MREMAP: usize = 216;
    pub const MPROTECT: usize = 226;
    pub const CLONE: usize = 220;
    pub const MMAP: usize = 222;
    pub const MADVISE: usize = 233;
    pub const WAIT4: usize = 260;
}

pub use calls::*;

pub const FSOPEN: usize = 430;
pub const FSCONFIG: usize = 431;
pub const FSMOUNT: usize = 432;

pub const PR_SET_PDEATHSIG: usize = 1;
pub const PR_SET_DUMPABLE: usize = 4;
pub const F_SETFD: usize = 2;
pub const FD_CLOEXEC: usize = 1;
pub const PROT_READ: usize = 1;
pub const PROT_WRITE: usize = 2;
pub const PROT_EXEC: usize = 4;
pub const MAP_SHARED: usize = 0x1;
pub const MAP_PRIVATE: usize = 0x2;
pub const MAP_ANONYMOUS: usize = 0x20;
pub const MAP_NORESERVE: usize = 0x4000;
pub const MAP_POPULATE: usize = 0x8000;
pub const MAP_FIXED_NOREPLACE: usize = 0x10_0000;
pub const MREMAP_MAYMOVE: usize = 1;
pub const MREMAP_FIXED: usize = 2;
pub const MADV_DONTNEED: usize = 4;
pub const MADV_HUGEPAGE: usize = 14;
pub const MADV_NOHUGEPAGE: usize = 15;
pub const FSOPEN_CLOEXEC: usize = 1;
pub const FSCONFIG_CMD_CREATE: usize = 6;
pub const FSMOUNT_CLOEXEC: usize = 1;
pub const O_CLOEXEC: usize = 0o2_000_000;
pub const SIG_SETMASK: usize = 2;
pub const SIGKILL: usize = 9;
pub const SIGCHLD: usize = 17;
pub const SIGCONT: usize = 18;
pub const SIGSTOP: usize = 19;
pub const SFD_CLOEXEC: usize = 0o2_000_000;
pub const SFD_NONBLOCK: usize = 0o4000;
pub const POLLIN: i16 = 1;
pub const WNOHANG: usize = 1;
pub const WALL: usize = 0x4000_0000;
pub const MSG_NOSIGNAL: usize = 0x4000;
pub const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
pub const SOL_SOCKET: i32 = 1;
pub const SCM_RIGHTS: i32 = 1;
pub const CMSG_LENGTH_ONE_FD: usize = 20;
pub const CLONE_PIDFD: u64 = 0x1000;
pub const CLONE_VM: u64 = 0x100;
pub const CLONE_VFORK: u64 = 0x4000;
pub const CLOSE_RANGE_CLOEXEC: usize = 4;
pub const AT_EMPTY_PATH: usize = 0x1000;
