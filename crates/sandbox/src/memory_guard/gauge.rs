//! Memory that a control group counts, `/tmp` included.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;

use super::Guarded;
use crate::SandboxError;
use crate::cgroup::{MemoryAlarm, MemoryGroup};

/// A group that has less room than this left is looked at again only after this much more.
const LEAST_STEP: u64 = 1 << 20;

/// Where room is made for a function, it is this part of its limit, so that it lasts.
const ROOM: u64 = 16;

/// How the memory of a group is learnt.
#[derive(Debug)]
pub(super) struct GroupGauge {
    group: MemoryGroup,
    /// Leaves the epoll set when it is closed.
    alarm: MemoryAlarm,
    /// Memory in use at which to look closely.
    mark: u64,
}

/// What a close look found.
#[derive(Debug)]
pub(super) enum Weight {
    Fits,
    /// More than the limit, unless the kernel can make this much room in the group.
    Exceeds(MemoryGroup, u64),
    /// There is nothing more to guard.
    Unknown,
}

impl GroupGauge {
    pub(super) fn new(group: MemoryGroup, bytes: u64) -> Result<Self, SandboxError> {
        Ok(Self {
            alarm: group.alarm_at(bytes)?,
            mark: bytes,
            group,
        })
    }

    /// The descriptor that tells of the mark, and its epoll events; `None` where it is to be asked.
    pub(super) fn event(&self) -> Option<(RawFd, u32)> {
        match &self.alarm {
            MemoryAlarm::Event { fd, events } => Some((fd.as_raw_fd(), *events)),
            MemoryAlarm::Polled { .. } => None,
        }
    }

    /// Asked where no event tells.
    pub(super) fn has_reached_its_mark(&self) -> bool {
        match &self.alarm {
            MemoryAlarm::Polled { usage } => read_number(usage) >= self.mark,
            MemoryAlarm::Event { .. } => false,
        }
    }

    pub(super) fn move_to(&mut self, bytes: u64) -> Result<(), SandboxError> {
        self.mark = bytes;
        self.group.move_alarm(&self.alarm, bytes)
    }

    /// Looks closely, and sets the next mark.
    pub(super) fn weigh(&mut self, guarded: &Guarded) -> Weight {
        let Ok(memory) = self.group.memory() else {
            return Weight::Unknown;
        };
        let set_apart = memory.reclaimable + guarded.tmp_used();
        let working = memory.used.saturating_sub(set_apart);
        let limit = guarded.memory_bytes;
        if working > limit {
            return Weight::Exceeds(self.group.clone(), working - limit + limit / ROOM);
        }
        match self.move_to(memory.used + (limit - working).max(LEAST_STEP)) {
            Ok(()) => Weight::Fits,
            Err(error) => {
                let pid = guarded.pid;
                tracing::warn!(%error, pid, "move a memory alarm; the hard limit remains");
                Weight::Unknown
            }
        }
    }
}

/// The number at the beginning of a file of the kernel's; 0 if it cannot be read.
fn read_number(file: &File) -> u64 {
    let mut text = [0_u8; 24];
    let read = file.read_at(&mut text, 0).unwrap_or(0);
    let digits = text[..read].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}
