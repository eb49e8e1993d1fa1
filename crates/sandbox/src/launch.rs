//! Doing: the thread that clones, and the few system calls of the clone until it becomes init.
//!
//! One thread, as long-lived as the server, clones every sandbox: the parent-death signal of a
//! child is bound to the thread that created it. The clone shares the server's memory and suspends
//! this thread (as `posix_spawn` does), so a start costs the same however large the server is; it
//! runs on a stack of its own, makes system calls only, and is init after its last one.

use std::ffi::{CStr, CString, c_char};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::SandboxError;
use crate::raw::syscall;
use crate::spec::{GUEST_GID, GUEST_UID};
use crate::worker::Worker;

/// Init, as `build.rs` made it.
const INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

const CHILD_STACK: usize = 64 << 10;

/// Capabilities that init needs in its own user namespace; ambient, to survive its execution.
const INIT_CAPABILITIES: [u32; 3] = [CAP_SETPCAP, CAP_NET_ADMIN, CAP_SYS_ADMIN];
const CAP_SETPCAP: u32 = 8;
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// One clone to make.
#[derive(Debug)]
pub(crate) struct Order {
    /// The finished plan, laid out for its address in init.
    pub(crate) plan: Vec<u8>,
    /// Descriptors that init inherits under their own numbers; open until the answer.
    pub(crate) keep: Vec<RawFd>,
    /// `CLONE_NEW*` flags.
    pub(crate) namespaces: u64,
    /// The version 2 control group to be born in.
    pub(crate) cgroup: Option<RawFd>,
}

/// The clone, which runs init by now.
#[derive(Debug)]
pub(crate) struct Clone {
    pub(crate) pidfd: OwnedFd,
    pub(crate) pid: u32,
}

/// Handle to the cloning thread. Every sandbox is gone before it is: the thread's end kills them.
#[derive(Debug)]
pub(crate) struct Launcher {
    orders: Worker<Errand>,
}

/// An order and where its outcome is waited for.
type Errand = (Order, SyncSender<Result<Clone, SandboxError>>);

impl Launcher {
    /// `last_capability` is the kernel's highest.
    pub(crate) fn start(last_capability: u32) -> Result<Self, SandboxError> {
        let init = memory_file(c"kagero-init", INIT)
            .map_err(SandboxError::host("load the sandbox's init"))?;
        let stack = Stack::map().map_err(SandboxError::host("map a stack"))?;
        let serve = move |orders| serve(&orders, &init, &stack, last_capability);
        Worker::start("launcher", serve).map(|orders| Self { orders })
    }

    /// Blocks until the clone has been executed as init: about a tenth of a millisecond.
    pub(crate) fn launch(&self, order: Order) -> Result<Clone, SandboxError> {
        let (answer, answered) = sync_channel(1);
        let gone = || SandboxError::Unresponsive {
            what: "launcher thread",
        };
        self.orders.send((order, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

fn serve(orders: &Receiver<Errand>, init: &File, stack: &Stack, last_capability: u32) {
    block_all_signals();
    shed_bounding_set(last_capability);
    for (order, answer) in orders {
        // A caller that went away drops the clone, and with its control socket the sandbox ends.
        let _ = answer.send(launch(&order, init, stack));
    }
}

fn launch(order: &Order, init: &File, stack: &Stack) -> Result<Clone, SandboxError> {
    let plan =
        memory_file(c"kagero-plan", &order.plan).map_err(SandboxError::host("write the plan"))?;
    let number = |value: usize| CString::new(value.to_string()).expect("digits hold no NUL");
    let arguments = [
        c"kagero-init".to_owned(),
        number(plan.as_raw_fd() as usize),
        number(order.plan.len()),
    ];
    let mut argv: Vec<*const c_char> = arguments.iter().map(|one| one.as_ptr()).collect();
    argv.push(std::ptr::null());
    let mut keep = order.keep.clone();
    keep.push(plan.as_raw_fd());
    let user_namespace = order.namespaces & libc::CLONE_NEWUSER as u64 != 0;
    // SAFETY: neither call has preconditions.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let mut job = Job {
        init: init.as_raw_fd(),
        keep: keep.as_ptr(),
        keep_count: keep.len(),
        argv: argv.as_ptr(),
        environment: [std::ptr::null()],
        map_users: user_namespace,
        uid_map: format!("{GUEST_UID} {uid} 1\n").into_bytes(),
        gid_map: format!("{GUEST_GID} {gid} 1\n").into_bytes(),
        failed: 0,
        errno: 0,
    };
    let cloned = clone_into_init(order, stack, &mut job);
    drop(plan);
    let clone = cloned.map_err(SandboxError::host("clone into new namespaces"))?;
    if job.errno != 0 {
        let action = match job.failed {
            FAILED_MAP => "map the user in a new user namespace",
            FAILED_CAPABILITIES => "keep capabilities in a new user namespace",
            _ => "execute the sandbox's init",
        };
        reap(&clone.pidfd);
        return Err(SandboxError::Host {
            action,
            source: io::Error::from_raw_os_error(job.errno),
        });
    }
    Ok(clone)
}

const FAILED_MAP: i32 = 1;
const FAILED_CAPABILITIES: i32 = 2;
const FAILED_EXEC: i32 = 3;

/// What the clone reads, and where it leaves its errno; it shares this memory.
struct Job {
    init: RawFd,
    keep: *const RawFd,
    keep_count: usize,
    argv: *const *const c_char,
    environment: [*const c_char; 1],
    map_users: bool,
    uid_map: Vec<u8>,
    gid_map: Vec<u8>,
    failed: i32,
    errno: i32,
}

/// `struct clone_args` as of Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

fn clone_into_init(order: &Order, stack: &Stack, job: &mut Job) -> io::Result<Clone> {
    let mut pidfd: RawFd = -1;
    let shared = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    let mut arguments = CloneArguments {
        flags: shared as u64 | CLONE_CLEAR_SIGHAND | order.namespaces,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.start as u64,
        stack_size: CHILD_STACK as u64,
        ..CloneArguments::default()
    };
    if let Some(cgroup) = order.cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup as u64;
    }
    let job: *mut Job = job;
    // SAFETY: the child runs `become_init` on its own stack and never returns from it; this thread
    // is suspended meanwhile, so `job` and what it points to stay, and nobody else touches them.
    let pid = unsafe { clone3(&arguments, job) };
    if pid < 0 {
        return Err(io::Error::from_raw_os_error(-pid as i32));
    }
    // SAFETY: the kernel stored a fresh descriptor there.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Clone {
        pidfd,
        pid: pid as u32,
    })
}

/// Clones; the child calls `become_init(job)` on the stack that the arguments name.
///
/// # Safety
/// The flags include `CLONE_VM | CLONE_VFORK`, the stack is unused, `job` outlives the child's use.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3(arguments: &CloneArguments, job: *mut Job) -> isize {
    let result;
    // SAFETY: the system call convention; the child leaves for `become_init`, and the parent sees
    // an ordinary system call.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call {child}",
            "ud2",
            "2:",
            child = sym become_init,
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") std::ptr::from_ref(arguments),
            in("rsi") size_of::<CloneArguments>(),
            in("r12") job,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// Clones; the child calls `become_init(job)` on the stack that the arguments name.
///
/// # Safety
/// The flags include `CLONE_VM | CLONE_VFORK`, the stack is unused, `job` outlives the child's use.
#[cfg(target_arch = "aarch64")]
unsafe fn clone3(arguments: &CloneArguments, job: *mut Job) -> isize {
    let result;
    // SAFETY: the system call convention; the child leaves for `become_init`, and the parent sees
    // an ordinary system call.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "bl {child}",
            "brk #1",
            "2:",
            child = sym become_init,
            in("x8") libc::SYS_clone3,
            inlateout("x0") std::ptr::from_ref(arguments) => result,
            in("x1") size_of::<CloneArguments>(),
            in("x20") job,
            lateout("x30") _,
        );
    }
    result
}

/// The child between clone and exec: system calls only, no allocation, no lock, no return.
unsafe extern "C" fn become_init(job: *mut Job) -> ! {
    // SAFETY: the parent is suspended and lends us its job.
    let job = unsafe { &mut *job };
    let failure = prepare(job).err().or_else(|| execute_init(job).err());
    (job.failed, job.errno) = failure.unwrap_or_default();
    loop {
        let _ = call(libc::SYS_exit_group, [127, 0, 0, 0, 0, 0]);
    }
}

/// Returns only with an error.
fn execute_init(job: &Job) -> Result<(), (i32, i32)> {
    let environment = job.environment.as_ptr() as usize;
    let flags = libc::AT_EMPTY_PATH as usize;
    let empty = c"".as_ptr() as usize;
    let arguments = [
        job.init as usize,
        empty,
        job.argv as usize,
        environment,
        flags,
        0,
    ];
    call(libc::SYS_execveat, arguments)
        .map(|_| ())
        .map_err(|errno| (FAILED_EXEC, errno))
}

fn prepare(job: &Job) -> Result<(), (i32, i32)> {
    for index in 0..job.keep_count {
        // SAFETY: `keep` points to `keep_count` descriptors, lent by the suspended parent.
        let fd = unsafe { *job.keep.add(index) };
        let _ = call(
            libc::SYS_fcntl,
            [fd as usize, libc::F_SETFD as usize, 0, 0, 0, 0],
        );
    }
    if job.map_users {
        let maps = [
            (c"/proc/self/setgroups", b"deny".as_slice()),
            (c"/proc/self/uid_map", &job.uid_map),
            (c"/proc/self/gid_map", &job.gid_map),
        ];
        for (path, contents) in maps {
            write_file(path, contents).map_err(|errno| (FAILED_MAP, errno))?;
        }
        keep_capabilities().map_err(|errno| (FAILED_CAPABILITIES, errno))?;
    }
    Ok(())
}

fn write_file(path: &CStr, contents: &[u8]) -> Result<(), i32> {
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as usize;
    let at = libc::AT_FDCWD as usize;
    let fd = call(
        libc::SYS_openat,
        [at, path.as_ptr() as usize, flags, 0, 0, 0],
    )?;
    let written = call(
        libc::SYS_write,
        [fd, contents.as_ptr() as usize, contents.len(), 0, 0, 0],
    );
    let _ = call(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
    written.map(|_| ())
}

/// Init is no root in its user namespace, so only ambient capabilities survive its execution.
fn keep_capabilities() -> Result<(), i32> {
    let header: [u32; 2] = [0x2008_0522, 0];
    let mask = INIT_CAPABILITIES
        .iter()
        .fold(0, |mask, capability| mask | 1_u32 << capability);
    let sets: [u32; 6] = [mask, mask, mask, 0, 0, 0];
    call(
        libc::SYS_capset,
        [header.as_ptr() as usize, sets.as_ptr() as usize, 0, 0, 0, 0],
    )?;
    for capability in INIT_CAPABILITIES {
        let option = libc::PR_CAP_AMBIENT as usize;
        let raise = libc::PR_CAP_AMBIENT_RAISE as usize;
        call(
            libc::SYS_prctl,
            [option, raise, capability as usize, 0, 0, 0],
        )?;
    }
    Ok(())
}

#[inline]
fn call(number: libc::c_long, arguments: [usize; 6]) -> Result<usize, i32> {
    // SAFETY: used only above, with descriptors and with pointers to memory lent by the parent.
    let result = unsafe { syscall(number as usize, arguments) };
    if result < 0 {
        Err(-result as i32)
    } else {
        Ok(result as usize)
    }
}

/// An anonymous file with these contents, closed on exec.
fn memory_file(name: &CStr, contents: &[u8]) -> io::Result<File> {
    // SAFETY: a valid C string; the result is checked.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nobody else owns.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(contents)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Waits for a clone that is ending by itself.
fn reap(pidfd: &OwnedFd) {
    // SAFETY: zeroed is a valid siginfo_t, and the kernel fills it in.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(
            libc::P_PIDFD,
            pidfd.as_raw_fd() as u32,
            &raw mut info,
            libc::WEXITED,
        );
    }
}

/// As root: empties this thread's capability bounding set, for every clone to inherit, at the
/// price of forty system calls once. Init still becomes capable when it is executed, because a
/// root program receives what is inheritable whatever the bound.
fn shed_bounding_set(last_capability: u32) {
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut sets = [0_u32; 6];
    let output = sets.as_mut_ptr() as usize;
    let got = call(
        libc::SYS_capget,
        [header.as_ptr() as usize, output, 0, 0, 0, 0],
    );
    // Of each half: effective, permitted, inheritable.
    let [effective, permitted, _, effective_high, permitted_high, _] = sets;
    if got.is_err() || permitted & (1 << CAP_SETPCAP) == 0 {
        return;
    }
    let inheritable = [
        effective,
        permitted,
        permitted,
        effective_high,
        permitted_high,
        permitted_high,
    ];
    let input = inheritable.as_ptr() as usize;
    if call(
        libc::SYS_capset,
        [header.as_ptr() as usize, input, 0, 0, 0, 0],
    )
    .is_err()
    {
        return;
    }
    for capability in 0..=last_capability {
        let drop = [
            libc::PR_CAPBSET_DROP as usize,
            capability as usize,
            0,
            0,
            0,
            0,
        ];
        let _ = call(libc::SYS_prctl, drop);
    }
}

fn block_all_signals() {
    // SAFETY: sigset_t is plain memory that sigfillset initialises; the mask is this thread's own.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

/// The child's stack, with an unmapped page below it.
struct Stack {
    start: usize,
}

const GUARD: usize = 64 << 10;

impl Stack {
    fn map() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let length = GUARD + CHILD_STACK;
        // SAFETY: a fresh anonymous mapping, then a change of the upper part of the same.
        unsafe {
            let base = libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0);
            if base == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let start = base as usize + GUARD;
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            if libc::mprotect(start as *mut _, CHILD_STACK, protection) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self { start })
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `map`, used by no clone any more.
        unsafe { libc::munmap((self.start - GUARD) as *mut _, GUARD + CHILD_STACK) };
    }
}
