//! Kernel isolation for one environment: namespaces, mounts, users, limits, seccomp, landlock.
//!
//! [`Host::open`] finds out what the machine offers; [`Host::spawn`] turns a [`Spec`] into a plan
//! of system calls (`steps`), clones (`launch`), and lets a tiny pid 1 (`init/`) carry it out.
//! The server decides, init does: nothing is computed, allocated or locked inside a sandbox.
//!
//! Everything here blocks for at most milliseconds; async callers use a blocking thread.

// The one crate that talks to the kernel directly. Every unsafe block says why it is sound.
#![allow(unsafe_code)]

mod birth;
mod cgroup;
#[path = "../init/clone.rs"]
mod clone_format;
mod control;
mod detached;
mod doctor;
mod egress;
mod error;
mod eventfd;
mod host;
mod inside;
mod janitor;
mod later;
mod launch;
#[cfg(test)]
#[path = "../forker/mappings.rs"]
mod mappings;
mod memory_guard;
mod network;
mod opening;
mod plan;
#[path = "../init/plan.rs"]
mod plan_format;
mod privilege;
mod process;
mod process_memory;
mod process_stat;
#[path = "../init/syscall.rs"]
mod raw;
mod renewal;
mod rights;
mod sandbox;
mod skeleton;
mod spec;
mod start;
mod started;
mod steps;
mod stock;
mod sysctl;
mod template;
mod tmp_disk;
mod uids;
mod worker;
mod zygote;

pub use cgroup::Cgroup;
pub use doctor::Finding;
pub use egress::EgressConfig;
pub use error::SandboxError;
pub use host::{Host, HostConfig};
pub use network::PreparedNetwork;
pub use sandbox::{Exit, Sandbox, Usage};
pub use skeleton::DEVICES;
pub use spec::{
    Bind, Completion, ForkSpec, GUEST_GID, GUEST_UID, Identity, Limits, Network, RootView, Spec,
    Stdio, Stream,
};
pub use template::Template;
pub use zygote::{FORK_MODULE, Zygote};
