//! ECR as its clients see it: the operations, and the distribution API.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod distribution;
mod images;
mod layer_uploads;
mod listings;
mod repositories;
mod restarts;
mod tokens;
mod world;
