//! IAM and STS.

pub mod generated;
pub mod generated_sts;
