//! Layers of container images, good and hostile.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod any_layers;
mod archives;
mod entries;
mod world;
