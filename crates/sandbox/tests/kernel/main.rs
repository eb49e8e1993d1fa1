//! What a sandbox really is, asked from the inside, on whatever machine and user runs the test.

#![allow(unsafe_code, clippy::unwrap_used, clippy::print_stdout)]

mod bad_specs;
mod isolation;
mod lifecycle;
mod limits;
mod network;
mod probe;
mod rig;
mod runtimes;
