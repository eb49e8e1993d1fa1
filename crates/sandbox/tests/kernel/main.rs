//! What a sandbox really is, asked from the inside, on whatever machine and user runs the test.

#![allow(unsafe_code, clippy::unwrap_used, clippy::print_stdout)]

mod bad_specs;
mod egress;
mod forked;
mod groups;
mod isolation;
mod lifecycle;
mod limits;
mod network;
mod pasta;
mod probe;
mod renewal;
mod rig;
mod runtimes;
mod stopped;
mod templates;
mod tmp;
mod ungrouped;
mod world;
