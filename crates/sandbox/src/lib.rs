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
mod control;
mod doctor;
mod error;
mod eventfd;
mod host;
mod janitor;
mod later;
mod launch;
mod memory_guard;
mod network;
mod plan;
#[path = "../init/plan.rs"]
mod plan_format;
mod privilege;
mod process;
#[path = "../init/syscall.rs"]
mod raw;
mod rights;
mod sandbox;
mod skeleton;
mod spec;
mod start;
mod steps;
mod stock;
mod uids;
mod worker;

pub use cgroup::Cgroup;
pub use doctor::Finding;
pub use error::SandboxError;
pub use host::{Host, HostConfig};
pub use network::PreparedNetwork;
pub use sandbox::{Exit, Sandbox, Usage};
pub use spec::{
    Bind, GUEST_GID, GUEST_UID, Identity, Limits, Network, RootView, Spec, Stdio, Stream,
};
