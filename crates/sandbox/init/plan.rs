//! The plan: a program of system calls that the server writes and the sandbox's init carries out.
//!
//! The server lays the plan out as if it stood at [`ADDRESS`], and init maps it there, so every
//! pointer in it is final before the sandbox exists: init neither parses nor allocates.

/// Where init maps the plan. Far from a static executable's own segments, heap, stack and mmap
/// area, and below the 39-bit address space of the smallest aarch64 kernels.
pub const ADDRESS: u64 = 0x2_0000_0000;

/// Where init maps the plan that completes an open sandbox.
pub const COMPLETION_ADDRESS: u64 = 0x2_4000_0000;

/// Number of the first descriptor that a plan inherits, its control socket. Above whatever the
/// launcher or a zygote itself has open.
pub const FIRST_KEPT: i32 = 300;

/// Where a zygote finds its socket to the server, and the sandbox's init as a file.
pub const ZYGOTE_SOCKET: i32 = 3;
pub const ZYGOTE_INIT: i32 = 5;

/// The start of every plan.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Run by init, as pid 1, before it forks the payload: mounts, identity.
    pub setup: Steps,
    /// Run by the forked payload; its last step is `execve`.
    pub payload: Steps,
    /// Run by init once the payload has been executed: drop what only the payload needs. Where a
    /// zygote forks, by the payload, once it has said that it runs.
    pub after: Steps,
    /// Init's end of the control socket.
    pub control: i32,
    /// One of the `MODE_*` values.
    pub mode: i32,
}

/// Init forks the payload and stays.
pub const MODE_SUPERVISE: i32 = 0;
/// Init itself becomes the payload: a zygote, which is no environment.
pub const MODE_BECOME: i32 = 1;

/// An array of [`Step`]s in the plan.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Steps {
    pub address: u64,
    pub count: u64,
}

/// One system call.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub number: u32,
    /// Bit i set: argument i is the address of an `i32` to load, such as an earlier result.
    pub indirect: u32,
    /// Where to keep the result, as an `i32`; 0 for nowhere.
    pub result: u64,
    pub arguments: [u64; 6],
}

/// What init sends on the control socket; each is one packet.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// One of the `REPORT_*` values.
    pub kind: u32,
    /// Failed: the phase, one of the `PHASE_*` values. Exited: the wait status.
    pub detail: i32,
    /// Failed: the index of the step in its phase. Exited: peak resident memory in KiB.
    pub value: i64,
    /// Failed: the errno.
    pub errno: i64,
}

/// A step failed, and the sandbox is going away.
pub const REPORT_FAILED: u32 = 1;
/// The payload has been executed; carries its pidfd.
pub const REPORT_STARTED: u32 = 2;
/// The payload ended.
pub const REPORT_EXITED: u32 = 3;
/// Carries the listening sockets, in the order in which they were asked for.
pub const REPORT_LISTENERS: u32 = 4;
/// Every process but init has been sent the stop or the continue signal.
pub const REPORT_SIGNALLED: u32 = 5;
/// The sandbox is complete.
pub const REPORT_COMPLETED: u32 = 6;

pub const PHASE_SETUP: i32 = 1;
pub const PHASE_PAYLOAD: i32 = 2;
pub const PHASE_AFTER: i32 = 3;

/// What the server sends on the control socket; each is one packet.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Command {
    /// One of the `COMMAND_*` values.
    pub kind: u32,
    /// Of the plan that comes with it, in bytes.
    pub length: u32,
}

/// Stop every other process of the pid namespace.
pub const COMMAND_STOP: u32 = 1;
/// Continue every other process of the pid namespace.
pub const COMMAND_CONTINUE: u32 = 2;
/// Carry out the plan in the file that comes with it: an open sandbox becomes somebody's.
pub const COMMAND_COMPLETE: u32 = 3;

/// What the server sends a zygote, and behind it in the same packet the plan. With it come the
/// descriptors that the plan inherits, then the version 2 control group if there is one. Without a plan
/// it is an order to fork another zygote, and the socket comes with it on which that one takes orders.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ForkOrder {
    /// Of the clone: new namespaces, whose child it is, whether it is born in a control group.
    pub flags: u64,
    pub exit_signal: u64,
    /// Of the plan, in bytes; none for a twin.
    pub length: u64,
}

/// The longest plan of an order, in bytes.
pub const MOST_ORDERED: usize = 64 << 10;

/// A zygote's answer: the pid, with a pidfd, or the errno.
pub const REPORT_FORKED: u32 = 7;
/// A zygote takes orders from now on.
pub const REPORT_SERVING: u32 = 8;
