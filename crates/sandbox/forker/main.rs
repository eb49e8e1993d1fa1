//! The part of a zygote that forks: an extension module for CPython, written against the stable
//! ABI, built without std by `build.rs` and embedded in the server.
//!
//! `_kagero_fork.serve()` waits for orders of the server on descriptor 3 and returns in the forked
//! process alone, once that has its own namespaces, user, limits and system call filter. In the
//! zygote it never returns: no Python runs there between two forks, so nothing that a fork copies
//! ever changes.
//!
//! For each order the zygote clones a process into new namespaces, as a child of the server, which
//! borrows the zygote's memory. That one carries out the setup of its plan, forks the payload and
//! executes the sandbox's init, which from then on is the same as in every sandbox. The payload is
//! forked by the C library, for it is to go on as a Python process; nothing but system calls is made
//! by the one between.
//!
//! The zygote is suspended for as long as that takes, so one of them keeps no more than a processor
//! busy. Where there are several it has twins, forks of itself that serve as it does: they share its
//! memory, and each has a socket of its own.

#![no_std]

mod birth;
#[path = "../init/clone.rs"]
mod clone;
mod gathering;
mod mappings;
#[path = "../init/numbers.rs"]
mod numbers;
#[path = "../init/plan.rs"]
mod plan;
mod sharing;
#[path = "../init/steps.rs"]
mod steps;
#[path = "../init/syscall.rs"]
mod syscall;

use core::ffi::{c_char, c_int, c_long, c_void};
use core::mem::{MaybeUninit, size_of};
use core::ptr::{null, null_mut, with_exposed_provenance};

use birth::{Job, ProcessorNote};
use clone::{CLONE_INTO_CGROUP, CloneArguments};
use numbers as nr;
use plan::{ForkOrder, Header, Report};
use steps::{call, exit, run, send, send_with, unmap_plan};

/// The socket to the server, and the sandbox's init as a file.
const SERVER: usize = plan::ZYGOTE_SOCKET as usize;
const INIT: usize = plan::ZYGOTE_INIT as usize;

const EXIT_FAILED: usize = 125;
const EINTR: isize = -4;
/// The kernel's limit for one packet.
const MOST_DESCRIPTORS: usize = 253;

unsafe extern "C" {
    fn fork() -> c_int;
    fn PyModule_Create2(definition: *mut ModuleDefinition, api: c_int) -> *mut c_void;
    fn PyLong_FromLong(value: c_long) -> *mut c_void;
    fn PyOS_BeforeFork();
    fn PyOS_AfterFork_Parent();
    fn PyOS_AfterFork_Child();
}

extern "C" fn serve(_module: *mut c_void, _none: *mut c_void) -> *mut c_void {
    let serving = Report {
        kind: plan::REPORT_SERVING,
        ..Report::default()
    };
    sharing::fill_gaps();
    gathering::gather();
    if !map_orders() {
        exit(EXIT_FAILED)
    }
    let note = ProcessorNote::find();
    send(SERVER, &serving);
    loop {
        let mut fds = [0_i32; MOST_DESCRIPTORS];
        let Some((order, count)) = receive(&mut fds) else {
            // The server is gone.
            exit(0)
        };
        let answer = if order.length == 0 {
            Some(fork_twin(&order, fds[0] as usize))
        } else {
            carry_out(&order, &fds[..count], note)
        };
        let Some((pid, pidfd)) = answer else {
            // SAFETY: this is the forked process, with the interpreter's lock held as before.
            return unsafe { PyLong_FromLong(0) };
        };
        if pid == 0 {
            // This is the twin, which has nobody to answer yet.
            continue;
        }
        let mut report = Report {
            kind: plan::REPORT_FORKED,
            ..Report::default()
        };
        if pid > 0 {
            report.value = pid as i64;
            send_with(SERVER, &report, pidfd);
        } else {
            report.errno = -pid as i64;
            send(SERVER, &report);
        }
    }
}

/// Maps where the plans of all orders lie, one after the other. False if that cannot be.
fn map_orders() -> bool {
    let (address, length) = (plan::ADDRESS as usize, plan::MOST_ORDERED);
    let protection = nr::PROT_READ | nr::PROT_WRITE;
    let flags = nr::MAP_PRIVATE | nr::MAP_ANONYMOUS | nr::MAP_FIXED_NOREPLACE;
    call(
        nr::MMAP,
        [address, length, protection, flags, usize::MAX, 0],
    ) >= 0
}

/// Forks another zygote. Returns its pid, 0 in the twin itself, or the negated errno.
fn fork_twin(order: &ForkOrder, socket: usize) -> (isize, i32) {
    let mut pidfd: i32 = -1;
    let arguments = CloneArguments {
        flags: order.flags,
        pidfd: &raw mut pidfd as u64,
        exit_signal: order.exit_signal,
        ..CloneArguments::default()
    };
    let address = &raw const arguments as usize;
    // A fork of a process with one thread, in which no Python runs. The C library learns of it when it
    // forks itself.
    let pid = call(
        nr::CLONE3,
        [address, size_of::<CloneArguments>(), 0, 0, 0, 0],
    );
    if pid == 0 {
        // Not inherited.
        call(nr::PRCTL, [nr::PR_SET_PDEATHSIG, nr::SIGKILL, 0, 0, 0, 0]);
        call(nr::DUP3, [socket, SERVER, 0, 0, 0, 0]);
    }
    call(nr::CLOSE, [socket, 0, 0, 0, 0, 0]);
    (pid, pidfd)
}

/// Forks as ordered. `None` in the payload; in the zygote the pid, or the negated errno.
fn carry_out(order: &ForkOrder, fds: &[i32], note: Option<ProcessorNote>) -> Option<(isize, i32)> {
    let job = Job { note };
    let into_cgroup = order.flags & CLONE_INTO_CGROUP != 0;
    let mut kept = fds;
    let mut cgroup = -1;
    if into_cgroup {
        cgroup = kept[kept.len() - 1];
        kept = &kept[..kept.len() - 1];
    }
    let first = plan::FIRST_KEPT as usize;
    for (index, &fd) in kept.iter().enumerate() {
        call(nr::DUP3, [fd as usize, first + index, 0, 0, 0, 0]);
        call(nr::CLOSE, [fd as usize, 0, 0, 0, 0, 0]);
    }
    let mut pidfd: i32 = -1;
    let mut arguments = CloneArguments {
        flags: order.flags | birth::BORROWED,
        pidfd: &raw mut pidfd as u64,
        exit_signal: order.exit_signal,
        cgroup: cgroup as u64,
        ..CloneArguments::default()
    };
    // SAFETY: the interpreter's lock is held; each call has its counterpart on either side.
    unsafe { PyOS_BeforeFork() };
    // SAFETY: it borrows the memory, in which the clone changes nothing but the plan; the C
    // library's `fork`, of a process with one thread, takes no lock that a killed clone could
    // leave behind.
    let pid = unsafe { birth::clone_into(&mut arguments, become_sandbox, &job) };
    if pid == 0 {
        return None;
    }
    // SAFETY: as above.
    unsafe { PyOS_AfterFork_Parent() };
    let last = first + kept.len();
    call(nr::CLOSE_RANGE, [first, last, 0, 0, 0, 0]);
    if into_cgroup {
        call(nr::CLOSE, [cgroup as usize, 0, 0, 0, 0, 0]);
    }
    Some((pid, pidfd))
}

/// In the clone: sets the sandbox up, and returns in the payload alone.
extern "C" fn become_sandbox(job: &Job) {
    // SAFETY: the plan is there and starts with its header.
    let header = unsafe { &*with_exposed_provenance::<Header>(plan::ADDRESS as usize) };
    let control = header.control as usize;
    if let Err(failed) = run(header.setup, plan::PHASE_SETUP) {
        give_up(control, &failed);
    }
    // SAFETY: the C library's own fork, in a process that has one thread.
    let payload = unsafe { fork() };
    if payload == 0 {
        if let Some(note) = job.note {
            note.register();
        }
        if let Err(failed) = run(header.payload, plan::PHASE_PAYLOAD) {
            give_up(control, &failed);
        }
        // Not before: what completes the sandbox must not meet a payload half confined.
        let own = call(nr::GETPID, [0; 6]) as usize;
        let pidfd = call(nr::PIDFD_OPEN, [own, 0, 0, 0, 0, 0]);
        let started = Report {
            kind: plan::REPORT_STARTED,
            ..Report::default()
        };
        send_with(control, &started, pidfd as i32);
        if run(header.after, plan::PHASE_AFTER).is_err() {
            exit(EXIT_FAILED);
        }
        // It names folders of the host.
        unmap_plan(plan::ADDRESS, plan::MOST_ORDERED);
        // SAFETY: `PyOS_BeforeFork` was called before the clone, in what is a copy of this memory.
        unsafe { PyOS_AfterFork_Child() };
        return;
    }
    if payload < 0 {
        give_up(control, &steps::failure(plan::PHASE_PAYLOAD, 0, 11));
    }
    become_init(control, payload as usize)
}

/// Executes the sandbox's init, which takes over from here.
fn become_init(control: usize, payload: usize) -> ! {
    let all = u32::MAX as usize;
    call(nr::CLOSE_RANGE, [0, all, nr::CLOSE_RANGE_CLOEXEC, 0, 0, 0]);
    call(nr::FCNTL, [control, nr::F_SETFD, 0, 0, 0, 0]);
    let (mut first, mut second) = ([0_u8; 21], [0_u8; 21]);
    let arguments = [
        c"kagero-init".as_ptr(),
        decimal(control, &mut first),
        decimal(payload, &mut second),
        c"0".as_ptr(),
        null(),
    ];
    let environment: [*const c_char; 1] = [null()];
    let (empty, flags) = (c"".as_ptr() as usize, nr::AT_EMPTY_PATH);
    let arguments = arguments.as_ptr() as usize;
    let environment = environment.as_ptr() as usize;
    call(
        nr::EXECVEAT,
        [INIT, empty, arguments, environment, flags, 0],
    );
    exit(EXIT_FAILED)
}

fn give_up(control: usize, report: &Report) -> ! {
    send(control, report);
    exit(EXIT_FAILED)
}

/// The next order, its plan where plans lie, and how many descriptors came with it; `None` when there
/// will be no more.
fn receive(fds: &mut [i32; MOST_DESCRIPTORS]) -> Option<(ForkOrder, usize)> {
    let mut order = ForkOrder::default();
    let parts = [
        [&raw mut order as usize, size_of::<ForkOrder>()],
        [plan::ADDRESS as usize, plan::MOST_ORDERED],
    ];
    // A header of sixteen bytes, then the descriptors.
    let mut rights = MaybeUninit::<[u64; 2 + MOST_DESCRIPTORS.div_ceil(2)]>::zeroed();
    let mut message = steps::MessageHeader {
        name: 0,
        name_length: 0,
        parts: parts.as_ptr() as usize,
        part_count: parts.len(),
        control: rights.as_mut_ptr() as usize,
        control_length: size_of_val(&rights),
        flags: 0,
    };
    let address = &raw mut message as usize;
    let read = loop {
        let arguments = [SERVER, address, nr::MSG_CMSG_CLOEXEC, 0, 0, 0];
        let read = call(nr::RECVMSG, arguments);
        if read != EINTR {
            break read;
        }
    };
    // SAFETY: zeroed before, and written by the kernel.
    let rights = unsafe { rights.assume_init_ref() };
    let count = (rights[0] as usize).saturating_sub(16) / size_of::<i32>();
    let length = size_of::<ForkOrder>() + order.length as usize;
    if read != length as isize || count == 0 || count > MOST_DESCRIPTORS {
        return None;
    }
    for (index, fd) in fds.iter_mut().take(count).enumerate() {
        let pair = rights[2 + index / 2];
        *fd = (pair >> (32 * (index % 2))) as i32;
    }
    Some((order, count))
}

/// Writes a number as a C string.
fn decimal(mut number: usize, text: &mut [u8; 21]) -> *const c_char {
    let mut at = text.len() - 1;
    text[at] = 0;
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return text[at..].as_ptr().cast();
        }
    }
}

/// `PyModuleDef` of the stable ABI.
#[repr(C)]
struct ModuleDefinition {
    references: isize,
    kind: *mut c_void,
    initialise: *mut c_void,
    index: isize,
    copy: *mut c_void,
    name: *const c_char,
    documentation: *const c_char,
    size: isize,
    methods: *const Method,
    slots: *mut c_void,
    traverse: *mut c_void,
    clear: *mut c_void,
    free: *mut c_void,
}

/// `PyMethodDef`.
#[repr(C)]
struct Method {
    name: *const c_char,
    function: Option<extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void>,
    flags: c_int,
    documentation: *const c_char,
}

const METH_NOARGS: c_int = 4;
const METH_O: c_int = 8;
/// What `PYTHON_ABI_VERSION` is for the stable ABI.
const STABLE_ABI: c_int = 3;

static mut METHODS: [Method; 3] = [
    Method {
        name: c"serve".as_ptr(),
        function: Some(serve),
        flags: METH_NOARGS,
        documentation: null(),
    },
    Method {
        name: c"immortalise".as_ptr(),
        function: Some(sharing::immortalise),
        flags: METH_O,
        documentation: null(),
    },
    Method {
        name: null(),
        function: None,
        flags: 0,
        documentation: null(),
    },
];

static mut DEFINITION: ModuleDefinition = ModuleDefinition {
    references: 1,
    kind: null_mut(),
    initialise: null_mut(),
    index: 0,
    copy: null_mut(),
    name: c"_kagero_fork".as_ptr(),
    documentation: null(),
    size: -1,
    methods: (&raw const METHODS).cast(),
    slots: null_mut(),
    traverse: null_mut(),
    clear: null_mut(),
    free: null_mut(),
};

/// What CPython calls to import the module.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit__kagero_fork() -> *mut c_void {
    // SAFETY: the interpreter calls it once, with its lock held, and owns the definition from then.
    unsafe { PyModule_Create2(&raw mut DEFINITION, STABLE_ABI) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(EXIT_FAILED)
}

/// Core's panic paths name it; nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
