//! Doing: the thread that clones sandboxes.
//!
//! One thread, as long-lived as the server, clones every sandbox: the parent-death signal of a
//! child is bound to the thread that created it. The clone shares the server's memory and suspends
//! this thread (as `posix_spawn` does), and the thread has a descriptor table of its own, which a
//! clone copies. So a start costs the same however large the server is and however many
//! connections it holds, and no descriptor of the server can leak into a sandbox.
//!
//! This thread must not log: another thread's log file is not open here.

use std::ffi::CStr;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use crate::SandboxError;
use crate::birth::{CAP_SETPCAP, Job, Stack, call, clone_into_init};
use crate::plan_format::FIRST_KEPT;
use crate::process::Pidfd;
use crate::rights;
use crate::worker::Worker;

/// Init, as `build.rs` made it.
const INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// Init as a file of its own, to be executed. Nobody can change it any more: every sandbox of the
/// server runs it.
pub(crate) fn init_file() -> Result<File, SandboxError> {
    let sealed = || {
        let file = memory_file(c"kagero-init", INIT)?;
        let seals =
            libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
        // SAFETY: a live descriptor of ours, and flags.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(file)
    };
    sealed().map_err(SandboxError::host("load the sandbox's init"))
}

/// The same, for a process of a sandbox's own user to execute: who may not read it is undumpable from
/// its first instruction on, so that nobody else of that user reads or writes its memory.
pub(crate) fn unreadable_init_file() -> Result<File, SandboxError> {
    let file = init_file()?;
    file.set_permissions(Permissions::from_mode(0o111))
        .map_err(SandboxError::host("protect the sandbox's init"))?;
    Ok(file)
}

/// One clone to make.
#[derive(Debug)]
pub(crate) struct Order {
    /// The finished plan, laid out for its address in init.
    pub(crate) plan: Vec<u8>,
    /// Descriptors that init inherits, numbered from `FIRST_KEPT`; open until the answer.
    pub(crate) keep: Vec<RawFd>,
    /// `CLONE_NEW*` flags.
    pub(crate) namespaces: u64,
    /// The version 2 control group to be born in.
    pub(crate) cgroup: Option<RawFd>,
}

/// The clone, which runs init by now.
#[derive(Debug)]
pub(crate) struct Clone {
    pub(crate) pidfd: Pidfd,
    pub(crate) pid: u32,
}

/// Handle to the cloning thread. Every sandbox is gone before it is: the thread's end kills them.
#[derive(Debug)]
pub(crate) struct Launcher {
    orders: Worker<Errand>,
    /// Carries each order's descriptors into the thread's own table, in the orders' order.
    hatch: Mutex<OwnedFd>,
}

/// An order and where its outcome is waited for: the pid of the clone.
type Errand = (Order, SyncSender<Result<u32, SandboxError>>);

impl Launcher {
    /// `last_capability` is the kernel's highest.
    pub(crate) fn start(last_capability: u32) -> Result<Self, SandboxError> {
        let init = init_file()?;
        let stack = Stack::map().map_err(SandboxError::host("map a stack"))?;
        let (hatch, inner_hatch) =
            rights::pair().map_err(SandboxError::host("open a socket to the launcher"))?;
        let (ready, is_ready) = sync_channel(1);
        let kept = [inner_hatch.as_raw_fd(), init.as_raw_fd()];
        let orders = Worker::start("launcher", move |orders| {
            block_all_signals();
            shed_bounding_set(last_capability);
            match own_table(kept) {
                Ok([hatch, init]) => {
                    let _ = ready.send(Ok(()));
                    serve(&orders, &hatch, &init, &stack);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        })?;
        let table = is_ready
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("thread ended")));
        table.map_err(SandboxError::host("give the launcher its own descriptors"))?;
        // The copies in the server's table.
        drop((init, inner_hatch));
        Ok(Self {
            orders,
            hatch: Mutex::new(hatch),
        })
    }

    /// Blocks until the clone has been executed as init: about a tenth of a millisecond.
    pub(crate) fn launch(&self, order: Order) -> Result<Clone, SandboxError> {
        let (answer, answered) = sync_channel(1);
        let gone = || SandboxError::Unresponsive {
            what: "launcher thread",
        };
        {
            let hatch = self.hatch.lock().unwrap_or_else(PoisonError::into_inner);
            let cgroup = order.cgroup.iter().copied();
            let descriptors: Vec<RawFd> = order.keep.iter().copied().chain(cgroup).collect();
            rights::send(hatch.as_fd(), b"o", &descriptors, 0)
                .map_err(SandboxError::host("pass descriptors to the launcher"))?;
            self.orders.send((order, answer)).map_err(|_| gone())?;
        }
        let pid = answered.recv().map_err(|_| gone())??;
        // Nobody else collects our children, so the number is still the clone's.
        let pidfd = Pidfd::open(pid).map_err(SandboxError::host("open a pidfd"))?;
        Ok(Clone { pidfd, pid })
    }
}

/// Leaves this thread with a descriptor table of its own, in which only these (and the standard
/// streams) are open, at the lowest numbers: where they were, they might stand in the way of those
/// that init inherits.
fn own_table(kept: [RawFd; 2]) -> io::Result<[OwnedFd; 2]> {
    let mut sorted = kept;
    sorted.sort_unstable();
    // SAFETY: takes only flags, and changes only this thread.
    if unsafe { libc::unshare(libc::CLONE_FILES) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for (first, last) in [
        (3, sorted[0] - 1),
        (sorted[0] + 1, sorted[1] - 1),
        (sorted[1] + 1, i32::MAX),
    ] {
        if first <= last {
            close_range(first, last)?;
        }
    }
    let [hatch, init] = kept;
    Ok([lowest(hatch)?, lowest(init)?])
}

/// Moves a descriptor of this thread's own table to the lowest free number.
fn lowest(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: duplicates a descriptor that is open in this thread's table.
    let moved = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    if moved < 0 {
        return Err(io::Error::last_os_error());
    }
    close_range(fd, fd)?;
    // SAFETY: a fresh descriptor of this thread's table, owned by nobody yet.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

fn serve(orders: &Receiver<Errand>, hatch: &OwnedFd, init: &OwnedFd, stack: &Stack) {
    for (order, answer) in orders {
        let launched = launch(&order, hatch, init, stack);
        let last = FIRST_KEPT + order.keep.len() as RawFd;
        let closed = close_range(FIRST_KEPT, last);
        debug_assert!(closed.is_ok(), "{closed:?}");
        // A caller that went away has closed its control socket, and so ends the sandbox.
        let _ = answer.send(launched);
    }
}

fn launch(
    order: &Order,
    hatch: &OwnedFd,
    init: &OwnedFd,
    stack: &Stack,
) -> Result<u32, SandboxError> {
    let mut received =
        rights::receive(hatch.as_fd()).map_err(SandboxError::host("take descriptors"))?;
    if received.len() != order.keep.len() + usize::from(order.cgroup.is_some()) {
        return Err(SandboxError::Unresponsive {
            what: "descriptors got lost",
        });
    }
    let cgroup = order.cgroup.and_then(|_| received.pop());
    let plan =
        memory_file(c"kagero-plan", &order.plan).map_err(SandboxError::host("write the plan"))?;
    let plan_number = FIRST_KEPT + received.len() as RawFd;
    received.push(plan.into());
    for (number, fd) in (FIRST_KEPT..).zip(&received) {
        place(fd, number).map_err(SandboxError::host("place a descriptor"))?;
    }
    drop(received);
    let job = Job::new(init, plan_number, order);
    clone_into_init(order.namespaces, cgroup.as_ref(), stack, job)
}

/// Copies a descriptor to this number, and leaves it open on exec.
fn place(fd: &OwnedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: the number is in the range of this thread's table that only orders use.
    let placed = unsafe { libc::dup3(fd.as_raw_fd(), number, 0) };
    if placed < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    // SAFETY: called on the launcher thread only, whose table these are in; whoever owned them
    // owns their copies in the server's table.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if closed == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// An anonymous file with these contents, closed on exec.
pub(crate) fn memory_file(name: &CStr, contents: &[u8]) -> io::Result<File> {
    // SAFETY: a valid C string; the result is checked.
    let fd =
        unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nobody else owns.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(contents)?;
    Ok(file)
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
