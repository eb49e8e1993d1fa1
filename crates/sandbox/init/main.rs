//! Pid 1 of a sandbox: carries out the plan, executes the payload, reaps, and dies with the server.
//!
//! Built without std by `build.rs`, embedded in the server and executed from memory. It exists
//! because the payload must not be pid 1 itself (its default signal actions would be ignored and
//! orphans would stay zombies) and because a process of the server's own memory must not stay
//! inside a sandbox. When it ends, the kernel kills every process of the pid namespace.
//!
//! Arguments, in decimal: the plan's file descriptor and its length in bytes; or, where a process
//! has carried out its plan itself (`forker/`), the control socket, the payload's pid, and 0.

#![no_std]
#![no_main]

mod memory;
mod numbers;
mod plan;
mod steps;
mod syscall;

use core::mem::{MaybeUninit, size_of};
use core::ptr::with_exposed_provenance;
use numbers as nr;
use plan::{Command, Header, Report};
use steps::{
    MessageHeader, Rights, call, exit, failure, map_plan, run, send, send_with, unmap_plan,
};

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    main = sym main,
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "bl {main}",
    "brk #1",
    main = sym main,
);

const EINTR: isize = -4;
const ECHILD: isize = -10;
const EXIT_PLAN_FAILED: usize = 125;
/// Arguments, with the program's name, of an init that has nothing to set up.
const ADOPTING: usize = 4;

extern "C" fn main(stack: *const usize) -> ! {
    // SAFETY: the kernel starts a program with argc, then the argv pointers, on its stack; whoever
    // starts this one passes two numbers, or three.
    let (count, first, second) =
        unsafe { (*stack, decimal(*stack.add(2)), decimal(*stack.add(3))) };
    block_all_signals();
    if count == ADOPTING {
        // Executed by a process that has set everything up and forked the payload. Undumpable it is
        // already where its user may not read this program, but for a host that is told otherwise.
        call(nr::PRCTL, [nr::PR_SET_DUMPABLE, 0, 0, 0, 0, 0]);
        supervise(first, second as isize);
    }
    if map_plan(plan::ADDRESS, first, second) < 0 {
        exit(EXIT_PLAN_FAILED);
    }
    // SAFETY: the plan is mapped now and starts with its header.
    let header = unsafe { &*with_exposed_provenance::<Header>(plan::ADDRESS as usize) };
    let control = header.control as usize;
    call(nr::FCNTL, [control, nr::F_SETFD, nr::FD_CLOEXEC, 0, 0, 0]);
    if let Err(failed) = run(header.setup, plan::PHASE_SETUP) {
        give_up(control, &failed);
    }
    if header.mode == plan::MODE_BECOME {
        default_signals();
        let failed = run(header.payload, plan::PHASE_PAYLOAD)
            .err()
            .unwrap_or_default();
        give_up(control, &failed);
    }

    let mut pidfd: i32 = -1;
    let payload = fork(&mut pidfd);
    if payload == 0 {
        default_signals();
        // The last step never returns once it succeeds.
        let failed = run(header.payload, plan::PHASE_PAYLOAD)
            .err()
            .unwrap_or_default();
        give_up(control, &failed);
    }
    if payload < 0 {
        give_up(control, &failure(plan::PHASE_PAYLOAD, 0, -payload));
    }
    // The payload was forked to be waited for: by now it has been executed, or has said why not.
    let started = Report {
        kind: plan::REPORT_STARTED,
        ..Report::default()
    };
    send_with(control, &started, pidfd);
    if let Err(failed) = run(header.after, plan::PHASE_AFTER) {
        give_up(control, &failed);
    }
    supervise(control, payload)
}

/// Reaps every child until the payload ends or the server is gone.
fn supervise(control: usize, payload: isize) -> ! {
    let child_signal: u64 = 1 << (nr::SIGCHLD - 1);
    let flags = nr::SFD_CLOEXEC | nr::SFD_NONBLOCK;
    let signals = call(
        nr::SIGNALFD4,
        [usize::MAX, &raw const child_signal as usize, 8, flags, 0, 0],
    );
    loop {
        reap(control, payload);
        let mut watched = [
            PollFd {
                fd: control as i32,
                events: nr::POLLIN,
                revents: 0,
            },
            PollFd {
                fd: signals as i32,
                events: nr::POLLIN,
                revents: 0,
            },
        ];
        let polled = call(nr::PPOLL, [watched.as_mut_ptr() as usize, 2, 0, 0, 8, 0]);
        if polled < 0 && polled != EINTR {
            exit(EXIT_PLAN_FAILED);
        }
        if watched[1].revents != 0 {
            let mut drained = MaybeUninit::<[u64; 16]>::uninit();
            call(
                nr::READ,
                [
                    signals as usize,
                    drained.as_mut_ptr() as usize,
                    128,
                    0,
                    0,
                    0,
                ],
            );
        }
        if watched[0].revents & nr::POLLIN != 0 {
            obey(control);
        } else if watched[0].revents != 0 {
            exit(EXIT_PLAN_FAILED);
        }
    }
}

/// Collects every ended child; ends the sandbox when the payload is among them.
fn reap(control: usize, payload: isize) {
    loop {
        let mut status: i32 = 0;
        let mut usage = MaybeUninit::<[i64; 18]>::uninit();
        let arguments = [
            usize::MAX,
            &raw mut status as usize,
            nr::WNOHANG | nr::WALL,
            usage.as_mut_ptr() as usize,
            0,
            0,
        ];
        let ended = call(nr::WAIT4, arguments);
        if ended == payload {
            // SAFETY: the kernel filled it in, as it returned a child.
            let peak_kib = unsafe { usage.assume_init_ref() }[4];
            send(
                control,
                &Report {
                    kind: plan::REPORT_EXITED,
                    detail: status,
                    value: peak_kib,
                    errno: 0,
                },
            );
            let signal = status & 0x7f;
            exit(if signal == 0 {
                status >> 8 & 0xff
            } else {
                128 + signal
            } as usize);
        }
        if ended == 0 || ended == ECHILD {
            return;
        }
        if ended < 0 && ended != EINTR {
            exit(EXIT_PLAN_FAILED);
        }
    }
}

/// Takes one command of the server; an empty packet is its end of the socket closing.
fn obey(control: usize) {
    let mut command = Command::default();
    let mut rights = MaybeUninit::<Rights>::zeroed();
    let part = [&raw mut command as usize, size_of::<Command>()];
    let mut message = MessageHeader {
        name: 0,
        name_length: 0,
        parts: part.as_ptr() as usize,
        part_count: 1,
        control: rights.as_mut_ptr() as usize,
        control_length: size_of::<Rights>(),
        flags: 0,
    };
    let address = &raw mut message as usize;
    let read = call(
        nr::RECVMSG,
        [control, address, nr::MSG_CMSG_CLOEXEC, 0, 0, 0],
    );
    if read == EINTR {
        return;
    }
    if read != size_of::<Command>() as isize {
        exit(EXIT_PLAN_FAILED);
    }
    match command.kind {
        plan::COMMAND_STOP => signal_all(control, nr::SIGSTOP),
        plan::COMMAND_CONTINUE => signal_all(control, nr::SIGCONT),
        plan::COMMAND_COMPLETE if message.control_length >= nr::CMSG_LENGTH_ONE_FD => {
            // SAFETY: the kernel wrote one whole descriptor message.
            let fd = unsafe { rights.assume_init_ref() }.fd;
            complete(control, fd as usize, command.length as usize);
        }
        _ => exit(EXIT_PLAN_FAILED),
    }
}

fn signal_all(control: usize, signal: usize) {
    // Minus one is every process of this pid namespace but init.
    call(nr::KILL, [usize::MAX, signal, 0, 0, 0, 0]);
    let report = Report {
        kind: plan::REPORT_SIGNALLED,
        ..Report::default()
    };
    send(control, &report);
}

/// Carries out what completes an open sandbox. A half completed one must not live on.
fn complete(control: usize, fd: usize, length: usize) {
    if map_plan(plan::COMPLETION_ADDRESS, fd, length) < 0 {
        exit(EXIT_PLAN_FAILED);
    }
    let address = plan::COMPLETION_ADDRESS as usize;
    // SAFETY: the plan is mapped now and starts with its header.
    let header = unsafe { &*with_exposed_provenance::<Header>(address) };
    if let Err(failed) = run(header.setup, plan::PHASE_SETUP) {
        give_up(control, &failed);
    }
    unmap_plan(plan::COMPLETION_ADDRESS, length);
    let report = Report {
        kind: plan::REPORT_COMPLETED,
        ..Report::default()
    };
    send(control, &report);
}

fn give_up(control: usize, report: &Report) -> ! {
    send(control, report);
    exit(EXIT_PLAN_FAILED)
}

/// Forks, and returns in the parent only when the child has executed its program or ended.
fn fork(pidfd: &mut i32) -> isize {
    let flags = nr::CLONE_VFORK | nr::CLONE_PIDFD | nr::SIGCHLD as u64;
    // x86_64 and aarch64 differ in the order of the last two arguments; both are unused.
    call(
        nr::CLONE,
        [
            flags as usize,
            0,
            core::ptr::from_mut(pidfd) as usize,
            0,
            0,
            0,
        ],
    )
}

fn block_all_signals() {
    let all = u64::MAX;
    call(
        nr::RT_SIGPROCMASK,
        [nr::SIG_SETMASK, &raw const all as usize, 0, 8, 0, 0],
    );
}

/// Every signal at its default action and none blocked, whatever the server ignores or blocks.
fn default_signals() {
    let default = [0_u64; 4];
    for signal in 1..=64 {
        call(
            nr::RT_SIGACTION,
            [signal, default.as_ptr() as usize, 0, 8, 0, 0],
        );
    }
    let none = 0_u64;
    call(
        nr::RT_SIGPROCMASK,
        [nr::SIG_SETMASK, &raw const none as usize, 0, 8, 0, 0],
    );
}

/// Reads a decimal number from a C string; the server writes nothing else.
unsafe fn decimal(address: usize) -> usize {
    let mut text = with_exposed_provenance::<u8>(address);
    let mut value = 0_usize;
    // SAFETY: the kernel ends every argument with a NUL.
    unsafe {
        while *text != 0 {
            value = value.wrapping_mul(10).wrapping_add((*text - b'0') as usize);
            text = text.add(1);
        }
    }
    value
}

#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(EXIT_PLAN_FAILED)
}
