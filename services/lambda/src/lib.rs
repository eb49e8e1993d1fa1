//! AWS Lambda.

pub mod generated;
