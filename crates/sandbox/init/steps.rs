//! Carries out the steps of a plan: nothing but system calls, for init and for a process that a
//! zygote forks.

use core::mem::size_of;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use crate::numbers as nr;
use crate::plan::{self, Report, Step, Steps};
use crate::syscall;

/// Carries the steps out until one fails.
pub fn run(steps: Steps, phase: i32) -> Result<(), Report> {
    for index in 0..steps.count as usize {
        let address = steps.address as usize + index * size_of::<Step>();
        // SAFETY: the server wrote `count` steps at this address of the mapped plan.
        let step = unsafe { &*with_exposed_provenance::<Step>(address) };
        let result = perform(step);
        if result < 0 {
            return Err(failure(phase, index, -result));
        }
    }
    Ok(())
}

fn perform(step: &Step) -> isize {
    let mut arguments = [0_usize; 6];
    for (index, argument) in arguments.iter_mut().enumerate() {
        *argument = step.arguments[index] as usize;
        if step.indirect & (1 << index) != 0 {
            // SAFETY: the server made this argument the address of an i32 of the plan.
            *argument = unsafe { with_exposed_provenance::<i32>(*argument).read_volatile() }
                as isize as usize;
        }
    }
    let result = call(step.number as usize, arguments);
    if step.result != 0 {
        // SAFETY: the server made this the address of an i32 of the plan, which is writable.
        unsafe {
            with_exposed_provenance_mut::<i32>(step.result as usize).write_volatile(result as i32);
        }
    }
    result
}

/// Maps a plan where the server laid it out, and closes its file.
pub fn map_plan(address: u64, fd: usize, length: usize) -> isize {
    let protection = nr::PROT_READ | nr::PROT_WRITE;
    let flags = nr::MAP_PRIVATE | nr::MAP_FIXED_NOREPLACE | nr::MAP_POPULATE;
    let mapped = call(nr::MMAP, [address as usize, length, protection, flags, fd, 0]);
    call(nr::CLOSE, [fd, 0, 0, 0, 0, 0]);
    mapped
}

/// Removes what [`map_plan`] made.
pub fn unmap_plan(address: u64, length: usize) {
    call(nr::MUNMAP, [address as usize, length, 0, 0, 0, 0]);
}

pub fn failure(phase: i32, index: usize, errno: isize) -> Report {
    Report {
        kind: plan::REPORT_FAILED,
        detail: phase,
        value: index as i64,
        errno: errno as i64,
    }
}

/// Sends one packet to the server.
pub fn send(control: usize, report: &Report) {
    let bytes = core::ptr::from_ref(report) as usize;
    // Blocking, and an error means that the server is gone: then the poll sees it as well.
    call(
        nr::SENDTO,
        [control, bytes, size_of::<Report>(), nr::MSG_NOSIGNAL, 0, 0],
    );
}

/// Sends one packet with a descriptor, which is closed here.
pub fn send_with(socket: usize, report: &Report, fd: i32) {
    let part = [core::ptr::from_ref(report) as usize, size_of::<Report>()];
    let rights = Rights {
        length: nr::CMSG_LENGTH_ONE_FD,
        level: nr::SOL_SOCKET,
        kind: nr::SCM_RIGHTS,
        fd,
        padding: 0,
    };
    let message = MessageHeader {
        name: 0,
        name_length: 0,
        parts: part.as_ptr() as usize,
        part_count: 1,
        control: core::ptr::from_ref(&rights) as usize,
        control_length: size_of::<Rights>(),
        flags: 0,
    };
    let address = core::ptr::from_ref(&message) as usize;
    call(nr::SENDMSG, [socket, address, nr::MSG_NOSIGNAL, 0, 0, 0]);
    call(nr::CLOSE, [fd as usize, 0, 0, 0, 0, 0]);
}

pub fn exit(code: usize) -> ! {
    loop {
        call(nr::EXIT_GROUP, [code, 0, 0, 0, 0, 0]);
    }
}

#[inline]
pub fn call(number: usize, arguments: [usize; 6]) -> isize {
    // SAFETY: every pointer passed here is to a live local, or to the plan, whose contents the
    // server vouches for.
    unsafe { syscall::syscall(number, arguments) }
}

/// One descriptor as a control message.
#[repr(C)]
pub struct Rights {
    pub length: usize,
    pub level: i32,
    pub kind: i32,
    pub fd: i32,
    pub padding: i32,
}

#[repr(C)]
pub struct MessageHeader {
    pub name: usize,
    pub name_length: usize,
    pub parts: usize,
    pub part_count: usize,
    pub control: usize,
    pub control_length: usize,
    pub flags: usize,
}
