//! An open sandbox becomes somebody's: its pid 1 mounts what it becomes, and sheds its privilege.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::SandboxError;
use crate::host::Inner;
use crate::launch::memory_file;
use crate::plan::{Call, Phase, Plan};
use crate::plan_format::{COMMAND_COMPLETE, REPORT_COMPLETED, REPORT_FAILED};
use crate::sandbox::Sandbox;
use crate::spec::Completion;
use crate::start::charged;
use crate::steps::identity::User;
use crate::steps::{identity, root_view};

/// What is left to do to an open sandbox.
#[derive(Debug)]
pub(crate) struct Opening {
    stash: PathBuf,
    user: User,
}

/// Of the program in its pid namespace: init's first child.
const PROGRAM: u64 = 2;

impl Opening {
    pub(crate) fn new(stash: &Path, user: User) -> Self {
        Self {
            stash: stash.to_owned(),
            user,
        }
    }

    /// What pid 1 has to do, which afterwards is what it is in every other sandbox.
    fn plan(
        &self,
        host: &Inner,
        completion: &Completion,
        tmpfs_bytes: Option<u64>,
    ) -> Result<Plan, SandboxError> {
        let mut plan = Plan::completion();
        root_view::add_completion(&mut plan, &self.stash, &completion.binds, tmpfs_bytes)?;
        identity::add(&mut plan, Phase::Setup, self.user, host.last_capability);
        identity::guard_init(&mut plan);
        if !host.cgroups.controls("memory") {
            // Only a limit of each process holds the program to its memory. Init is of the program's own user by now, and needs no privilege for it.
            let limit = completion.limits.process_memory_bytes();
            let limit = plan.words(&[limit, limit]);
            let call = Call::new(libc::SYS_prlimit64)
                .with(PROGRAM)
                .with(u64::from(libc::RLIMIT_DATA))
                .with(limit)
                .with(0);
            plan.push(Phase::Setup, "limit the program's memory", call);
        }
        Ok(plan)
    }
}

impl Sandbox {
    /// Makes an open sandbox somebody's; once. Blocks for some tenths of a millisecond. If it
    /// fails, the sandbox is good for nothing and to be dropped.
    ///
    /// # Errors
    /// [`SandboxError::NotOpen`]; [`SandboxError::OutsideStash`] and [`SandboxError::Step`].
    pub fn complete(&self, completion: &Completion) -> Result<(), SandboxError> {
        let opening = self.take_opening().ok_or(SandboxError::NotOpen)?;
        let limits = charged(completion.limits, self.tmp.as_ref());
        let tmp_bytes = completion.limits.tmp_bytes;
        let tmpfs_bytes = match &self.tmp {
            Some(disk) => {
                disk.resize(tmp_bytes)?;
                None
            }
            None => Some(tmp_bytes),
        };
        let (plan, labels, _) = opening.plan(&self.host, completion, tmpfs_bytes)?.finish();
        let file =
            memory_file(c"kagero-plan", &plan).map_err(SandboxError::host("write the plan"))?;
        self.control
            .command(COMMAND_COMPLETE, Some((file.as_fd(), plan.len() as u32)))
            .map_err(SandboxError::host("command the sandbox's init"))?;
        // While init works.
        if let Some(cgroup) = &self.cgroup {
            cgroup.limit(&limits)?;
        }
        if let Some(watch) = &self.watch {
            watch.change(limits.memory_bytes, limits.tmp_bytes)?;
        }
        match self.control.receive()? {
            Some(packet) if packet.report.kind == REPORT_COMPLETED => Ok(()),
            Some(packet) if packet.report.kind == REPORT_FAILED => {
                Err(labels.failure(&packet.report))
            }
            _ => Err(SandboxError::Ended),
        }
    }
}
