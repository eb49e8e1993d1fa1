//! A fork of a template, and how it becomes a sandbox: as its tracer tells it, call by call.
//!
//! Two processes come of it, as of a zygote's fork. The first shares the template's memory, makes
//! the namespaces, the mounts and the second, and executes the sandbox's init. The second is the
//! program: a copy of the template, which sheds what is left of its rights and goes on from its
//! fork.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use libc::cpu_set_t;

use super::hatch::{Hatch, SCRATCH};
use super::hold::Held;
use super::processor::{self, set_affinity};
use super::seat::{Reach, Seat};
use super::tracee::{Remote, Watch};
use super::witness::{self, Expected};
use crate::SandboxError;
use crate::clone_format::CloneArguments;
use crate::host::Inner;
use crate::launch::{Clone, Order};
use crate::network::PreparedNetwork;
use crate::plan::CONTROL;
use crate::plan_format::{ADDRESS, FIRST_KEPT, Header, Step, Steps};
use crate::process::Pidfd;

/// The program's number in its pid namespace, where the template's is 2.
pub(super) const PROGRAM: i32 = 3;

/// What is to come of a fork.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) order: Order,
    /// Of whom the namespaces are, and who the program is.
    pub(super) uid: u32,
    /// The sandbox's init, as a file.
    pub(super) init: RawFd,
    /// One made ahead, in the control group of the order; `None` where there is none.
    pub(super) seat: Option<Seat>,
    pub(super) reach: Reach,
    /// How many of the last steps of the setup are for both processes, the program too.
    pub(super) shed: u64,
    /// The numbers under which the program is to find open files.
    pub(super) descriptors: Vec<RawFd>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Born {
    pub(super) clone: Clone,
    pub(super) program: Pidfd,
    pub(super) network: Option<PreparedNetwork>,
}

/// Forks as wanted. Whatever was born is gone again after an error.
pub(super) fn fork(
    held: &Held,
    host: &Arc<Inner>,
    mut wanted: Wanted,
) -> Result<Born, SandboxError> {
    let seat = if let Some(seat) = wanted.seat.take() {
        seat
    } else {
        let (reach, cgroup) = (wanted.reach.clone(), wanted.order.cgroup);
        Seat::make(held, host, wanted.uid, reach, cgroup)?
    };
    let length = region(&wanted.order);
    let shared = processor::Shared::by_this_thread();
    let elsewhere = shared
        .as_ref()
        .and_then(|shared| shared.bring(seat.first.tracee.0).ok());
    let birth = Birth {
        held,
        first: seat.first,
        seat,
        wanted,
        mapped: length,
        elsewhere,
    };
    let outcome = birth.carry_out();
    drop(shared);
    let unmap = [ADDRESS, length, 0, 0, 0, 0];
    let unmapped = held.remote.must(libc::SYS_munmap, unmap);
    let born = outcome?;
    unmapped.map_err(SandboxError::host("clear a template"))?;
    Ok(born)
}

fn region(order: &Order) -> u64 {
    (order.plan.len() as u64).next_multiple_of(4096) + SCRATCH
}

struct Birth<'a> {
    held: &'a Held,
    /// Becomes the sandbox's init.
    first: Remote,
    seat: Seat,
    wanted: Wanted,
    mapped: u64,
    /// Where both may run, which for as long as this takes are on the tracer's processor.
    elsewhere: Option<cpu_set_t>,
}

impl Birth<'_> {
    fn carry_out(self) -> Result<Born, SandboxError> {
        self.map_plan()
            .map_err(SandboxError::host("give a forked template its plan"))?;
        let init = self
            .pass_descriptors(self.seat.pidfd())
            .map_err(SandboxError::host("give a forked template its files"))?;
        let plan = &self.wanted.order.plan;
        let header = header(plan);
        let (setup, shed) = split(header.setup, self.wanted.shed);
        run(&self.first, plan, setup, "setup")?;
        let second = self
            .fork_program()
            .map_err(SandboxError::host("fork the program of a template"))?;
        for one in [&self.first, &second] {
            run(one, plan, shed, "shedding")?;
        }
        run(&second, plan, header.payload, "program's")?;
        run(&second, plan, header.after, "last")?;
        self.let_program_go(&second, init)
    }

    /// As the C library would have, but for the child's number: libraries that look at it to learn
    /// that they were forked, so as not to have random numbers of their parent's, are to notice.
    fn fork_program(&self) -> io::Result<Remote> {
        let scratch = self.scratch();
        let at = scratch + size_of::<CloneArguments>() as u64;
        let arguments = CloneArguments {
            flags: self.held.fork_flags,
            child_tid: self.held.child_tid,
            exit_signal: libc::SIGCHLD as u64,
            set_tid: at,
            set_tid_size: 1,
            ..CloneArguments::default()
        };
        let tracee = self.first.tracee;
        tracee.write(scratch, crate::plan::as_bytes(&arguments))?;
        tracee.write(at, &PROGRAM.to_ne_bytes())?;
        let size = size_of::<CloneArguments>() as u64;
        self.first
            .clone_by(libc::SYS_clone3, [scratch, size, 0, 0, 0, 0])
    }

    fn let_program_go(self, second: &Remote, init: RawFd) -> Result<Born, SandboxError> {
        let pid = self.first.tracee.0.cast_unsigned();
        let number = second.tracee.0.cast_unsigned();
        let program = Pidfd::open(number).map_err(SandboxError::host("open a pidfd"))?;
        let ready = || -> io::Result<()> {
            // It names folders of the host.
            second.must(libc::SYS_munmap, [ADDRESS, self.mapped, 0, 0, 0, 0])?;
            second.tracee.watch(Watch::Held)?;
            if let Some(elsewhere) = &self.elsewhere {
                set_affinity(second.tracee.0, elsewhere)?;
                set_affinity(self.first.tracee.0, elsewhere)?;
            }
            self.execute_init(init)?;
            witness::verify(&Expected {
                program: number,
                init: pid,
                template: self.held.remote.tracee.0.cast_unsigned(),
                uid: self.wanted.uid,
                gid: self.wanted.uid,
                descriptors: &self.wanted.descriptors,
                has_network: self.wanted.reach != Reach::Host,
            })?;
            second.tracee.set_signal_mask(self.held.mask)?;
            let registers = libc::user_regs_struct {
                // What the fork answers in a child.
                rax: 0,
                orig_rax: u64::MAX,
                ..self.held.remote.registers
            };
            second.tracee.set_registers(&registers)?;
            second.tracee.detach()
        };
        ready().map_err(SandboxError::host("let a forked template go"))?;
        let (pidfd, network) = self.seat.take().ok_or(SandboxError::Ended)?;
        Ok(Born {
            clone: Clone { pidfd, pid },
            program,
            network,
        })
    }

    fn map_plan(&self) -> io::Result<()> {
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let none = u64::MAX;
        let arguments = [ADDRESS, self.mapped, protection, flags as u64, none, 0];
        self.first.must(libc::SYS_mmap, arguments)?;
        self.first.tracee.write(ADDRESS, &self.wanted.order.plan)
    }

    fn scratch(&self) -> u64 {
        ADDRESS + self.mapped - SCRATCH
    }

    /// Closes every file of the template's, and brings in those of the plan. Returns the number of
    /// init's file.
    fn pass_descriptors(&self, pidfd: &Pidfd) -> io::Result<RawFd> {
        let first = &self.first;
        let all = u64::from(u32::MAX);
        first.must(libc::SYS_close_range, [0, all, 0, 0, 0, 0])?;
        let hatch = Hatch::open(first, pidfd, self.scratch())?;
        let kept = &self.wanted.order.keep;
        let sent: Vec<RawFd> = kept.iter().copied().chain([self.wanted.init]).collect();
        for (number, fd) in (FIRST_KEPT..).zip(hatch.pass(first, &sent)?) {
            first.must(libc::SYS_dup3, [fd as u64, number as u64, 0, 0, 0, 0])?;
        }
        let below = FIRST_KEPT as u64 - 1;
        first.must(libc::SYS_close_range, [0, below, 0, 0, 0, 0])?;
        Ok(FIRST_KEPT + kept.len() as RawFd)
    }

    /// Ends the first process's part: from here on it is what it is in every sandbox.
    fn execute_init(&self, init: RawFd) -> io::Result<()> {
        let scratch = self.scratch();
        let (control, init) = (CONTROL as u64, init as u64);
        let cloexec = u64::from(libc::CLOSE_RANGE_CLOEXEC);
        let close = [control + 1, u64::from(u32::MAX), cloexec, 0, 0, 0];
        self.first.must(libc::SYS_close_range, close)?;
        let arguments = [
            String::from("kagero-init"),
            CONTROL.to_string(),
            PROGRAM.to_string(),
            0.to_string(),
        ];
        let mut bytes = vec![0; 64];
        let mut addresses = Vec::new();
        for argument in arguments {
            addresses.push(scratch + bytes.len() as u64);
            bytes.extend_from_slice(argument.as_bytes());
            bytes.push(0);
        }
        for (index, address) in addresses.iter().enumerate() {
            bytes[8 * index..8 * index + 8].copy_from_slice(&address.to_ne_bytes());
        }
        // The words that are left empty: the end of the arguments, and no environment.
        let (environment, empty) = (scratch + 48, scratch + 48);
        self.first.tracee.write(scratch, &bytes)?;
        let flags = libc::AT_EMPTY_PATH as u64;
        self.first
            .execute([init, empty, scratch, environment, flags, 0])
    }
}

/// All but the last steps, and these.
fn split(steps: Steps, last: u64) -> (Steps, Steps) {
    let count = steps.count - last;
    let address = steps.address + count * size_of::<Step>() as u64;
    let first = Steps { count, ..steps };
    (
        first,
        Steps {
            address,
            count: last,
        },
    )
}

fn header(plan: &[u8]) -> Header {
    assert!(
        plan.len() >= size_of::<Header>(),
        "a finished plan has a header"
    );
    // SAFETY: integers only, of any value, and there are enough bytes.
    unsafe { plan.as_ptr().cast::<Header>().read_unaligned() }
}

/// Has a tracee carry out these steps of the plan that lies in its memory.
fn run(remote: &Remote, plan: &[u8], steps: Steps, phase: &str) -> Result<(), SandboxError> {
    for index in 0..steps.count as usize {
        let at = (steps.address - ADDRESS) as usize + index * size_of::<Step>();
        assert!(
            at + size_of::<Step>() <= plan.len(),
            "a plan holds its steps"
        );
        // SAFETY: integers only, of any value, and there are enough bytes.
        let step = unsafe { plan.as_ptr().add(at).cast::<Step>().read_unaligned() };
        perform(remote, &step).map_err(|source| SandboxError::Step {
            step: format!("{phase} step {index}, system call {}", step.number),
            source,
        })?;
    }
    Ok(())
}

fn perform(remote: &Remote, step: &Step) -> io::Result<()> {
    let mut arguments = step.arguments;
    for (index, argument) in arguments.iter_mut().enumerate() {
        if step.indirect & (1 << index) != 0 {
            let mut value = [0; 4];
            remote.tracee.read(*argument, &mut value)?;
            *argument = i64::from(i32::from_ne_bytes(value)).cast_unsigned();
        }
    }
    let result = remote.must(i64::from(step.number), arguments)?;
    if step.result != 0 {
        remote
            .tracee
            .write(step.result, &(result as i32).to_ne_bytes())?;
    }
    Ok(())
}
