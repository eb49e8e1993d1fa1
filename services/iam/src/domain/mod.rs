//! Rules of IAM and STS that touch no state.

pub mod aws_managed;
pub mod ids;
pub mod page;
pub mod permissions;
pub mod policy;
pub mod sealing;
pub mod tags;
