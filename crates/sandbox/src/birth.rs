//! The clone itself, and its few system calls until it is init.
//!
//! It shares the server's memory, so it allocates nothing, takes no lock and touches nothing but
//! its [`Job`], on a stack of its own.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::SandboxError;
use crate::clone_format::{CLONE_INTO_CGROUP, CloneArguments};
use crate::launch::Order;
use crate::raw::syscall;
use crate::spec::{GUEST_GID, GUEST_UID};

const CHILD_STACK: usize = 64 << 10;

/// Capabilities that init needs in its own user namespace; ambient, to survive its execution.
const INIT_CAPABILITIES: [u32; 3] = [CAP_SETPCAP, CAP_NET_ADMIN, CAP_SYS_ADMIN];
pub(crate) const CAP_SETPCAP: u32 = 8;
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

const FAILED_MAP: i32 = 1;
const FAILED_CAPABILITIES: i32 = 2;
const FAILED_EXEC: i32 = 3;

/// What the clone reads, and where it leaves its errno; it shares this memory.
pub(crate) struct Job {
    init: RawFd,
    #[expect(dead_code, reason = "owns what `argv` points to")]
    arguments: [CString; 3],
    /// The arguments' addresses, then null.
    argv: [*const c_char; 4],
    environment: [*const c_char; 1],
    map_users: bool,
    uid_map: Vec<u8>,
    gid_map: Vec<u8>,
    failed: i32,
    errno: i32,
}

impl Job {
    /// Becoming init, with the plan under this number.
    pub(crate) fn new(init: &OwnedFd, plan: RawFd, order: &Order) -> Self {
        let number = |text: String| CString::new(text).expect("digits hold no NUL");
        let length = order.plan.len().to_string();
        let arguments = [
            c"kagero-init".to_owned(),
            number(plan.to_string()),
            number(length),
        ];
        let [name, fd, length] = arguments.each_ref().map(|one| one.as_ptr());
        // SAFETY: neither call has preconditions.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        Self {
            init: init.as_raw_fd(),
            arguments,
            argv: [name, fd, length, std::ptr::null()],
            environment: [std::ptr::null()],
            map_users: order.namespaces & libc::CLONE_NEWUSER as u64 != 0,
            uid_map: format!("{GUEST_UID} {uid} 1\n").into_bytes(),
            gid_map: format!("{GUEST_GID} {gid} 1\n").into_bytes(),
            failed: 0,
            errno: 0,
        }
    }

    /// The clone's failure, once it is gone.
    fn failure(&self) -> Option<SandboxError> {
        let action = match self.failed {
            FAILED_MAP => "map the user in a new user namespace",
            FAILED_CAPABILITIES => "keep capabilities in a new user namespace",
            FAILED_EXEC => "execute the sandbox's init",
            _ => return None,
        };
        Some(SandboxError::Host {
            action,
            source: io::Error::from_raw_os_error(self.errno),
        })
    }
}

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// Clones, and returns the pid once the clone has become init.
pub(crate) fn clone_into_init(
    namespaces: u64,
    cgroup: Option<&OwnedFd>,
    stack: &Stack,
    mut job: Job,
) -> Result<u32, SandboxError> {
    let shared = libc::CLONE_VM | libc::CLONE_VFORK;
    let mut arguments = CloneArguments {
        flags: shared as u64 | CLONE_CLEAR_SIGHAND | namespaces,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.start as u64,
        stack_size: CHILD_STACK as u64,
        ..CloneArguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    let shared_job = &raw mut job;
    // SAFETY: the child runs `become_init` on its own stack and never returns from it; this thread
    // is suspended meanwhile, so the job and what it points to stay, and nobody else touches them.
    let pid = unsafe { clone3(&arguments, shared_job) };
    if pid < 0 {
        let source = io::Error::from_raw_os_error(-pid as i32);
        return Err(SandboxError::Host {
            action: "clone into new namespaces",
            source,
        });
    }
    // SAFETY: the child has left our memory; the pointer is to a live local.
    let failure = unsafe { &*shared_job }.failure();
    if let Some(failure) = failure {
        // SAFETY: a null status is allowed.
        unsafe { libc::waitpid(pid as i32, std::ptr::null_mut(), 0) };
        return Err(failure);
    }
    Ok(pid as u32)
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
        job.argv.as_ptr() as usize,
        environment,
        flags,
        0,
    ];
    call(libc::SYS_execveat, arguments)
        .map(|_| ())
        .map_err(|errno| (FAILED_EXEC, errno))
}

fn prepare(job: &Job) -> Result<(), (i32, i32)> {
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
pub(crate) fn call(number: libc::c_long, arguments: [usize; 6]) -> Result<usize, i32> {
    // SAFETY: used only here and by the launcher, with numbers and with pointers to memory that
    // outlives the call.
    let result = unsafe { syscall(number as usize, arguments) };
    if result < 0 {
        Err(-result as i32)
    } else {
        Ok(result as usize)
    }
}

/// The child's stack, with an unmapped page below it.
pub(crate) struct Stack {
    start: usize,
}

const GUARD: usize = 64 << 10;

impl Stack {
    pub(crate) fn map() -> io::Result<Self> {
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
