//! Builds the plan that a sandbox's init carries out: system calls with every pointer final.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;

use crate::SandboxError;
use crate::clone_format::CloneArguments;
use crate::plan_format::{
    ADDRESS, COMPLETION_ADDRESS, Command, FIRST_KEPT, ForkOrder, Header, MODE_BECOME,
    MODE_SUPERVISE, PHASE_AFTER, PHASE_PAYLOAD, PHASE_SETUP, Report, Step, Steps,
};

/// Who carries out a step, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Init, before the payload exists.
    Setup,
    /// The payload, before it becomes the program.
    Payload,
    /// Init, once the program runs.
    After,
}

/// One system call to be made inside the sandbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    step: Step,
    used: usize,
}

impl Call {
    pub(crate) fn new(number: libc::c_long) -> Self {
        let step = Step {
            number: number as u32,
            indirect: 0,
            result: 0,
            arguments: [0; 6],
        };
        Self { step, used: 0 }
    }

    /// The next argument: a number, or an address in the plan.
    pub(crate) fn with(mut self, argument: u64) -> Self {
        self.step.arguments[self.used] = argument;
        self.used += 1;
        self
    }

    /// The next argument, signed: a descriptor, or `AT_FDCWD`.
    pub(crate) fn with_int(self, argument: i32) -> Self {
        self.with(i64::from(argument).cast_unsigned())
    }

    /// The next argument: what an earlier step stored in this slot.
    pub(crate) fn with_slot(mut self, slot: u64) -> Self {
        self.step.indirect |= 1 << self.used;
        self.with(slot)
    }

    /// Keeps the result in this slot.
    pub(crate) fn into_slot(mut self, slot: u64) -> Self {
        self.step.result = slot;
        self
    }
}

/// Number of init's end of the control socket, in init.
pub(crate) const CONTROL: RawFd = FIRST_KEPT;

/// A plan under construction.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where it will be mapped.
    base: u64,
    mode: i32,
    /// The header's place, then everything the steps point to.
    bytes: Vec<u8>,
    phases: [Vec<Step>; 3],
    labels: Labels,
    keep: Vec<RawFd>,
}

/// What each step does, for an error to name it; stays in the server.
#[derive(Debug, Default)]
pub(crate) struct Labels([Vec<Cow<'static, str>>; 3]);

impl Plan {
    /// Of a start; `control` is init's end of the control socket.
    pub(crate) fn new(control: RawFd) -> Self {
        Self::at(ADDRESS, vec![control])
    }

    /// Of what completes an open sandbox: its init carries out the setup alone.
    pub(crate) fn completion() -> Self {
        Self::at(COMPLETION_ADDRESS, Vec::new())
    }

    /// Has init become the payload itself.
    pub(crate) fn becomes_payload(&mut self) {
        self.mode = MODE_BECOME;
    }

    fn at(base: u64, keep: Vec<RawFd>) -> Self {
        let mut bytes = Vec::with_capacity(16 << 10);
        bytes.resize(size_of::<Header>(), 0);
        Self {
            base,
            mode: MODE_SUPERVISE,
            bytes,
            phases: Default::default(),
            labels: Labels::default(),
            keep,
        }
    }

    /// Appends a step.
    pub(crate) fn push(&mut self, phase: Phase, label: impl Into<Cow<'static, str>>, call: Call) {
        self.phases[phase as usize].push(call.step);
        self.labels.0[phase as usize].push(label.into());
    }

    /// How many steps of this phase there are so far.
    pub(crate) fn count(&self, phase: Phase) -> u64 {
        self.phases[phase as usize].len() as u64
    }

    /// Stores bytes, eight-aligned, and returns their address inside the sandbox.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> u64 {
        self.align();
        let address = self.next_address();
        self.bytes.extend_from_slice(bytes);
        address
    }

    /// Stores words of eight bytes.
    pub(crate) fn words(&mut self, words: &[u64]) -> u64 {
        self.align();
        let address = self.next_address();
        for word in words {
            self.bytes.extend_from_slice(&word.to_ne_bytes());
        }
        address
    }

    /// Stores a record of the plan's format.
    pub(crate) fn record<T: Record>(&mut self, record: &T) -> u64 {
        self.bytes(as_bytes(record))
    }

    /// Stores a C string; `what` names it should it hold a NUL byte.
    pub(crate) fn string(
        &mut self,
        what: &'static str,
        text: impl AsRef<OsStr>,
    ) -> Result<u64, SandboxError> {
        let text = text.as_ref().as_bytes();
        if text.contains(&0) {
            return Err(SandboxError::Nul { what });
        }
        let address = self.next_address();
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        Ok(address)
    }

    /// A place for one `i32` that a step stores and later steps load.
    pub(crate) fn slot(&mut self) -> u64 {
        self.bytes(&(-1_i32).to_ne_bytes())
    }

    /// Lets this descriptor of the server survive into init, and returns its number there.
    pub(crate) fn keep(&mut self, fd: RawFd) -> RawFd {
        let known = self.keep.iter().position(|&kept| kept == fd);
        let index = known.unwrap_or_else(|| {
            self.keep.push(fd);
            self.keep.len() - 1
        });
        FIRST_KEPT + index as RawFd
    }

    /// The finished image, the labels, and the descriptors it needs, to be numbered in this order.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Labels, Vec<RawFd>) {
        let phases = std::mem::take(&mut self.phases);
        let [setup, payload, after] = phases.map(|steps| self.steps(&steps));
        let header = Header {
            setup,
            payload,
            after,
            control: CONTROL,
            mode: self.mode,
        };
        self.bytes[..size_of::<Header>()].copy_from_slice(as_bytes(&header));
        (self.bytes, self.labels, self.keep)
    }

    fn steps(&mut self, steps: &[Step]) -> Steps {
        self.align();
        let address = self.next_address();
        for step in steps {
            self.bytes.extend_from_slice(as_bytes(step));
        }
        Steps {
            address,
            count: steps.len() as u64,
        }
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }

    fn next_address(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }
}

impl Labels {
    /// The error that a failure report of init means.
    pub(crate) fn failure(&self, report: &Report) -> SandboxError {
        let phase = match report.detail {
            PHASE_SETUP => Phase::Setup,
            PHASE_PAYLOAD => Phase::Payload,
            PHASE_AFTER => Phase::After,
            _ => return SandboxError::Ended,
        };
        let label = usize::try_from(report.value).ok();
        let label = label.and_then(|index| self.0[phase as usize].get(index));
        SandboxError::Step {
            step: label.map_or_else(|| String::from("start"), ToString::to_string),
            source: io::Error::from_raw_os_error(report.errno as i32),
        }
    }
}

/// The bytes of a plan record.
pub(crate) fn as_bytes<T: Record>(record: &T) -> &[u8] {
    // SAFETY: `Record` promises that `T` is repr(C) integers without padding.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(record).cast(), size_of::<T>()) }
}

/// A type whose every byte is initialised.
///
/// # Safety
/// `repr(C)`, integers only, and no padding.
pub(crate) unsafe trait Record: Copy {}

// SAFETY: three pairs of u64, then two i32: no padding.
unsafe impl Record for Header {}
// SAFETY: two u32, then seven u64: no padding.
unsafe impl Record for Step {}
// SAFETY: a u32 and an i32, then two i64: no padding.
unsafe impl Record for Report {}
// SAFETY: two u32: no padding.
unsafe impl Record for Command {}
// SAFETY: eleven u64: no padding.
unsafe impl Record for CloneArguments {}
// SAFETY: three u64: no padding.
unsafe impl Record for ForkOrder {}
