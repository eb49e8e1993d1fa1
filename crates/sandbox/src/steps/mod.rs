//! Deciding: each file turns one part of a spec into steps of the plan.

pub(crate) mod identity;
pub(crate) mod landlock;
pub(crate) mod network;
pub(crate) mod payload;
pub(crate) mod root_view;
pub(crate) mod seccomp;
