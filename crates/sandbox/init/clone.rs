//! The arguments of `clone3`, for the server's launcher and for a zygote.

/// `struct clone_args` as of Linux 5.7.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct CloneArguments {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

/// Be born in the version 2 control group that `cgroup` is open on.
pub const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
