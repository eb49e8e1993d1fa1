//! Sockets in the network of a sandbox that runs.

use std::os::fd::{AsFd, OwnedFd};

use crate::SandboxError;
use crate::launch::memory_file;
use crate::plan::Plan;
use crate::plan_format::{
    COMMAND_COMPLETE, REPORT_COMPLETED, REPORT_EXITED, REPORT_FAILED, REPORT_LISTENERS,
};
use crate::sandbox::{Sandbox, exit_of};
use crate::steps::network;

impl Sandbox {
    /// A TCP socket in the sandbox's own network, non-blocking, not connected yet. Its init makes it,
    /// which takes tenths of a millisecond; while the sandbox is frozen, this waits in vain.
    ///
    /// # Errors
    /// [`SandboxError::Ended`], and [`SandboxError::Unresponsive`] of one that is frozen.
    pub fn tcp_socket(&self) -> Result<OwnedFd, SandboxError> {
        let mut plan = Plan::completion();
        network::add_socket(&mut plan);
        let (plan, labels, _) = plan.finish();
        let file =
            memory_file(c"kagero-plan", &plan).map_err(SandboxError::host("write the plan"))?;
        let _alone = self.speak();
        // What came too late for an earlier call.
        while let Ok(Some(packet)) = self.control.poll() {
            if packet.report.kind == REPORT_EXITED {
                self.note_exit(exit_of(packet.report.detail, packet.report.value));
                return Err(SandboxError::Ended);
            }
        }
        self.control
            .command(COMMAND_COMPLETE, Some((file.as_fd(), plan.len() as u32)))
            .map_err(SandboxError::host("command the sandbox's init"))?;
        let mut socket = None;
        loop {
            let mut packet = self.control.receive()?.ok_or(SandboxError::Ended)?;
            match packet.report.kind {
                REPORT_LISTENERS => socket = packet.descriptors.pop(),
                REPORT_COMPLETED => return socket.ok_or(SandboxError::Ended),
                REPORT_FAILED => return Err(labels.failure(&packet.report)),
                REPORT_EXITED => {
                    self.note_exit(exit_of(packet.report.detail, packet.report.value));
                    return Err(SandboxError::Ended);
                }
                _ => return Err(SandboxError::Ended),
            }
        }
    }
}
